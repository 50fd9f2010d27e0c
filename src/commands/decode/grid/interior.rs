//! Which bins of a grid belong to the environment (spec decode 2.1).
//!
//! Masks are one truth value per bin in C order; neighbours share a face.

use super::{GridOptions, InteriorMask};
use crate::error::{Error, Result};

/// The user's mask, whose shape must be the grid's.
pub fn from_mask(mask: &InteriorMask, shape: &[usize]) -> Result<Vec<bool>> {
    if mask.shape != shape || mask.values.len() != shape.iter().product::<usize>() {
        let expected = format!("{shape:?}, the bins of the place grid");
        let advice =
            if shape.len() > 1 { "one padding bin at each end of each axis belongs to it" } else { "" };
        return Err(Error::data(&mask.place, format!("shape {:?}", mask.shape), expected, advice));
    }
    Ok(mask.values.clone())
}

/// The interior that the animal's positions show.
pub fn infer(positions: &[f64], edges: &[Vec<f64>], shape: &[usize], options: &GridOptions) -> Vec<bool> {
    let counts = histogram(positions, edges, shape);
    let mut mask: Vec<bool> = counts.iter().map(|&n| n > options.bin_count_threshold).collect();
    if shape.len() > 1 {
        mask = dilated(&mask, shape);
        mask = eroded(&mask, shape);
        if options.fill_holes {
            mask = filled(&mask, shape);
        }
        if options.dilate {
            mask = dilated(&mask, shape);
        }
        clear_last(&mut mask, shape);
    }
    mask
}

/// Index of the bin that holds `x`: closed on the left, the last one closed on both ends.
fn bin_of(edges: &[f64], x: f64) -> Option<usize> {
    let last = edges.len() - 1;
    if x == edges[last] {
        return Some(last - 1);
    }
    let above = edges.partition_point(|&edge| edge <= x);
    (above > 0 && above <= last).then(|| above - 1)
}

/// Samples per bin; those outside of the edges or not finite are in none.
fn histogram(positions: &[f64], edges: &[Vec<f64>], shape: &[usize]) -> Vec<u64> {
    let mut counts = vec![0; shape.iter().product()];
    for row in positions.chunks_exact(shape.len()) {
        let mut bin = 0;
        let mut inside = true;
        for ((&x, edges), &n) in row.iter().zip(edges).zip(shape) {
            match bin_of(edges, x) {
                Some(at) if x.is_finite() => bin = bin * n + at,
                _ => inside = false,
            }
        }
        if inside {
            counts[bin] += 1;
        }
    }
    counts
}

/// Calls `visit` with each face neighbour of `bin`, or none where it lies outside of the grid.
fn faces(bin: usize, shape: &[usize], mut visit: impl FnMut(Option<usize>)) {
    let mut stride = 1;
    for &n in shape.iter().rev() {
        let at = bin / stride % n;
        visit((at > 0).then(|| bin - stride));
        visit((at + 1 < n).then(|| bin + stride));
        stride *= n;
    }
}

/// Grown by one bin over the faces.
fn dilated(mask: &[bool], shape: &[usize]) -> Vec<bool> {
    let grown = |bin: usize| {
        let mut any = mask[bin];
        faces(bin, shape, |face| any |= face.is_some_and(|face| mask[face]));
        any
    };
    (0..mask.len()).map(grown).collect()
}

/// Shrunk by one bin over the faces; what lies outside of the grid counts as background.
fn eroded(mask: &[bool], shape: &[usize]) -> Vec<bool> {
    let kept = |bin: usize| {
        let mut all = mask[bin];
        faces(bin, shape, |face| all &= face.is_some_and(|face| mask[face]));
        all
    };
    (0..mask.len()).map(kept).collect()
}

/// With background that no path over faces joins to the outside filled.
fn filled(mask: &[bool], shape: &[usize]) -> Vec<bool> {
    let mut outside = vec![false; mask.len()];
    let mut open = Vec::new();
    for bin in 0..mask.len() {
        let mut at_border = false;
        faces(bin, shape, |face| at_border |= face.is_none());
        if at_border && !mask[bin] {
            outside[bin] = true;
            open.push(bin);
        }
    }
    while let Some(bin) = open.pop() {
        faces(bin, shape, |face| {
            if let Some(face) = face.filter(|&face| !mask[face] && !outside[face]) {
                outside[face] = true;
                open.push(face);
            }
        });
    }
    outside.iter().map(|outside| !outside).collect()
}

/// Without the last bin along each axis: it holds only what lies on the outer edge.
fn clear_last(mask: &mut [bool], shape: &[usize]) {
    for (bin, interior) in mask.iter_mut().enumerate() {
        let mut stride = 1;
        for &n in shape.iter().rev() {
            *interior &= bin / stride % n != n - 1;
            stride *= n;
        }
    }
}

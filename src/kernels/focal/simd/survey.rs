//! What the accuracy gate must know of a tile, and taking its mean off.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// A rectangle of a plane whose rows lie `stride` elements apart.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Elements from one row to the next.
    pub stride: usize,
    /// First row and one past the last.
    pub rows: (usize, usize),
    /// First column and one past the last.
    pub cols: (usize, usize),
}

/// Totals of a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survey {
    /// Sum of the values.
    pub sum: f64,
    /// Least sum of magnitudes over the aligned blocks that lie inside; infinite if none does.
    pub least: f64,
}

#[inline(always)]
unsafe fn survey_body<L: Lanes>(
    plane: *const f64,
    e: Extent,
    block: (usize, usize),
    line: &mut [f64],
) -> Survey {
    // SAFETY: `survey` checked the extent and the line.
    unsafe {
        let (mut total, mut least) = (0.0, f64::INFINITY);
        let width = e.cols.1 - e.cols.0;
        let mut row = e.rows.0;
        while row < e.rows.1 {
            let end = e.rows.1.min(row + block.0);
            let mut all = L::splat(0.0);
            let mut col = 0;
            while col + L::N <= width {
                let mut magnitude = L::splat(0.0);
                for r in row..end {
                    let v = L::load(plane.add(r * e.stride + e.cols.0 + col));
                    magnitude = magnitude.add(v.abs());
                    all = all.add(v);
                }
                magnitude.store(line.as_mut_ptr().add(col));
                col += L::N;
            }
            total += all.to_array().iter().sum::<f64>();
            while col < width {
                line[col] = 0.0;
                for r in row..end {
                    let v = *plane.add(r * e.stride + e.cols.0 + col);
                    line[col] += v.abs();
                    total += v;
                }
                col += 1;
            }
            if end - row == block.0 {
                for cells in line[..width].chunks_exact(block.1) {
                    let sum = cells.iter().sum::<f64>();
                    if sum < least {
                        least = sum;
                    }
                }
            }
            row = end;
        }
        Survey { sum: total, least }
    }
}
per_level! { unsafe fn survey_at(plane: *const f64, e: Extent, block: (usize, usize), line: &mut [f64]) -> Survey = survey_body }

#[inline(always)]
unsafe fn center_body<L: Lanes>(plane: *mut f64, e: Extent, mean: f64, scale: f64) -> f64 {
    // SAFETY: `center` checked the extent.
    unsafe {
        let (c, s) = (L::splat(mean), L::splat(scale));
        let (mut squares, mut rest) = (L::splat(0.0), 0.0);
        for row in e.rows.0..e.rows.1 {
            let values = plane.add(row * e.stride);
            let mut col = e.cols.0;
            while col + L::N <= e.cols.1 {
                let v = L::load(values.add(col)).sub(c);
                v.store(values.add(col));
                let v = v.mul(s);
                squares = v.fma(v, squares);
                col += L::N;
            }
            while col < e.cols.1 {
                let v = *values.add(col) - mean;
                *values.add(col) = v;
                rest += v * scale * (v * scale);
                col += 1;
            }
        }
        rest + squares.to_array().iter().sum::<f64>()
    }
}
per_level! { unsafe fn center_at(plane: *mut f64, e: Extent, mean: f64, scale: f64) -> f64 = center_body }

fn check(plane: &[f64], e: Extent) -> bool {
    assert!(e.cols.1 <= e.stride && e.rows.1 * e.stride <= plane.len());
    e.rows.0 < e.rows.1 && e.cols.0 < e.cols.1
}

/// Sums up an extent in blocks of `block` rows and columns; `line` has room for its columns.
pub fn survey(level: CpuLevel, plane: &[f64], e: Extent, block: (usize, usize), line: &mut [f64]) -> Survey {
    if !check(plane, e) {
        return Survey { sum: 0.0, least: f64::INFINITY };
    }
    assert!(line.len() >= e.cols.1 - e.cols.0);
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { survey_at(level, plane.as_ptr(), e, block, line) }
}

/// Subtracts `mean` in place and returns the sum of squares of what is left, times `scale`
/// squared.
pub fn center(level: CpuLevel, plane: &mut [f64], e: Extent, mean: f64, scale: f64) -> f64 {
    if !check(plane, e) {
        return 0.0;
    }
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { center_at(level, plane.as_mut_ptr(), e, mean, scale) }
}

//! Inner loops of the cell moments: gathering, shifting from cell to cell, evaluating.
//!
//! Loops over [`TERMS`] values are plain and become vector code for the instruction set at hand.

use super::exp::fused;
use crate::backend::CpuLevel;
use crate::kernels::density::moments::{MARGIN, Sorted, TERMS, TOLERANCE};
use crate::kernels::simd::{Lanes, per_level};

/// Samples summed before the sum is added to the moments of their cell.
pub const BLOCK: usize = 512;
/// Coefficients of a cell on two axes.
const PLANE: usize = TERMS * TERMS;
/// Rows of a matrix product kept in registers.
const ROWS: usize = 4;

/// Where cells lie; a second axis that is not there has one cell.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Lower end of the first cell, per axis.
    pub origin: [f64; 2],
    /// Cells per unit of length.
    pub per_unit: [f64; 2],
    /// Cells that samples lie in.
    pub used: [usize; 2],
    /// Cells with the margins.
    pub shape: [usize; 2],
    /// Cells before the first used one on each axis.
    pub margin: usize,
}

/// Chebyshev polynomials of `z`.
#[inline(always)]
fn chebyshev<L: Lanes>(z: f64) -> [f64; TERMS] {
    let mut terms = [1.0; TERMS];
    terms[1] = z;
    for a in 2..TERMS {
        terms[a] = fused::<L>(2.0 * z, terms[a - 1], -terms[a - 2]);
    }
    terms
}

/// `out[row][j] += sum_k left[row][k] * right[k][j]` for `R` rows.
#[inline(always)]
fn multiply<L: Lanes, const R: usize>(left: &[f64], right: &[f64], out: &mut [f64]) {
    let (left, right, out) = (&left[..R * TERMS], &right[..PLANE], &mut out[..R * TERMS]);
    let mut sums = [[0.0; TERMS]; R];
    for k in 0..TERMS {
        for r in 0..R {
            for j in 0..TERMS {
                sums[r][j] = fused::<L>(left[r * TERMS + k], right[k * TERMS + j], sums[r][j]);
            }
        }
    }
    for r in 0..R {
        for j in 0..TERMS {
            out[r * TERMS + j] += sums[r][j];
        }
    }
}

/// `out += left * right` of whole matrices.
#[inline(always)]
fn multiply_plane<L: Lanes>(left: &[f64], right: &[f64], out: &mut [f64]) {
    for row in (0..TERMS).step_by(ROWS) {
        multiply::<L, ROWS>(&left[row * TERMS..], right, &mut out[row * TERMS..]);
    }
}

/// Polynomials of the coordinates of some samples of one cell.
#[inline(always)]
fn polynomials<L: Lanes>(
    plane: &[f64],
    (axis, cell, at): (usize, usize, &Geometry),
    out: &mut [[f64; TERMS]],
) {
    for (x, out) in plane.iter().zip(out) {
        let within = (x - at.origin[axis]) * at.per_unit[axis] - (cell + at.margin) as f64;
        *out = chebyshev::<L>(2.0 * within - 1.0);
    }
}

/// Adds `sum_k x[k][a] * y[k][b]` of `R` rows `a` to `out`.
#[inline(always)]
fn add_products<L: Lanes, const R: usize>(
    x: &[[f64; TERMS]],
    y: &[[f64; TERMS]],
    first: usize,
    out: &mut [f64],
) {
    let mut sums = [[0.0; TERMS]; R];
    for (x, y) in x.iter().zip(y) {
        for r in 0..R {
            for b in 0..TERMS {
                sums[r][b] = fused::<L>(x[first + r], y[b], sums[r][b]);
            }
        }
    }
    for r in 0..R {
        for b in 0..TERMS {
            out[(first + r) * TERMS + b] += sums[r][b];
        }
    }
}

#[inline(always)]
unsafe fn gather_body<L: Lanes>(samples: &Sorted, at: &Geometry, out: &mut [f64]) {
    let plane = !samples.planes[1].is_empty();
    let terms = if plane { PLANE } else { TERMS };
    let (mut x, mut y) = ([[0.0; TERMS]; BLOCK], [[0.0; TERMS]; BLOCK]);
    for (cell, out) in out.chunks_exact_mut(terms).enumerate() {
        let cells = [cell / at.used[1], cell % at.used[1]];
        let end = samples.starts[cell + 1];
        for first in (samples.starts[cell]..end).step_by(BLOCK) {
            let last = (first + BLOCK).min(end);
            polynomials::<L>(&samples.planes[0][first..last], (0, cells[0], at), &mut x);
            let x = &mut x[..last - first];
            if let Some(weights) = &samples.weights {
                for (x, w) in x.iter_mut().zip(&weights[first..last]) {
                    for a in 0..TERMS {
                        x[a] *= w;
                    }
                }
            }
            if !plane {
                let mut part = [0.0; TERMS];
                for x in x {
                    for a in 0..TERMS {
                        part[a] += x[a];
                    }
                }
                out.iter_mut().zip(&part).for_each(|(out, part)| *out += part);
                continue;
            }
            polynomials::<L>(&samples.planes[1][first..last], (1, cells[1], at), &mut y);
            for row in (0..TERMS).step_by(ROWS) {
                add_products::<L, ROWS>(x, &y[..last - first], row, out);
            }
        }
    }
}
per_level! { unsafe fn gather_at(samples: &Sorted, at: &Geometry, out: &mut [f64]) = gather_body }

/// Moments of the used cells, `[cell][x term][y term]` or `[cell][term]`.
pub fn gather(level: CpuLevel, samples: &Sorted, at: &Geometry) -> Vec<f64> {
    let terms = if samples.planes[1].is_empty() { TERMS } else { PLANE };
    let mut out = vec![0.0; (samples.starts.len() - 1) * terms];
    // SAFETY: the level is one of this machine; the body indexes with checks.
    unsafe { gather_at(level, samples, at, &mut out) };
    out
}

/// Used cells that reach cell `to` of a line with margins.
#[inline(always)]
fn reaching(to: usize, used: usize, shifts: usize) -> std::ops::Range<usize> {
    let reach = shifts / 2;
    to.saturating_sub(MARGIN + reach)..(to + reach + 1).saturating_sub(MARGIN).min(used)
}

#[inline(always)]
unsafe fn line_body<L: Lanes>(from: &[f64], mass: &[f64], turned: &[f64], out: &mut [f64]) {
    let shifts = turned.len() / PLANE;
    for (to, out) in out.chunks_exact_mut(TERMS).enumerate() {
        for cell in reaching(to, mass.len(), shifts) {
            if mass[cell] > 0.0 {
                let matrix = &turned[(to + shifts / 2 - cell - MARGIN) * PLANE..];
                multiply::<L, 1>(&from[cell * TERMS..], matrix, out);
            }
        }
    }
}
per_level! { unsafe fn line_at(from: &[f64], mass: &[f64], turned: &[f64], out: &mut [f64]) = line_body }

/// Polynomials of all cells of a line from the moments of its `used` ones; `table` is
/// `[shift][coefficient][moment]`.
pub fn shift_line(level: CpuLevel, from: &[f64], mass: &[f64], table: &[f64], used: usize) -> Vec<f64> {
    let mut out = vec![0.0; (used + 2 * MARGIN) * TERMS];
    // SAFETY: the level is one of this machine; the body indexes with checks.
    unsafe { line_at(level, from, mass, &turned(table), &mut out) };
    out
}

/// Each matrix of a table transposed.
fn turned(table: &[f64]) -> Vec<f64> {
    let transpose = |matrix: &[f64]| -> Vec<f64> {
        (0..PLANE).map(|at| matrix[at % TERMS * TERMS + at / TERMS]).collect()
    };
    table.chunks_exact(PLANE).flat_map(transpose).collect()
}

/// First y within each column of cells, then x.
#[inline(always)]
unsafe fn plane_body<L: Lanes>(
    (from, mass, used): (&[f64], &[f64], [usize; 2]),
    (table, turned): (&[f64], &[f64]),
    out: &mut [f64],
) {
    let (shifts, ny) = (table.len() / PLANE, used[1] + 2 * MARGIN);
    let mut columns = vec![0.0; used[0] * ny * PLANE];
    let held = |x: usize| mass[x * used[1]..(x + 1) * used[1]].iter().any(|&mass| mass > 0.0);
    for (at, out) in columns.chunks_exact_mut(PLANE).enumerate() {
        let (x, to) = (at / ny, at % ny);
        for y in reaching(to, used[1], shifts) {
            let cell = x * used[1] + y;
            if mass[cell] > 0.0 {
                let matrix = &turned[(to + shifts / 2 - y - MARGIN) * PLANE..];
                multiply_plane::<L>(&from[cell * PLANE..], matrix, out);
            }
        }
    }
    for (at, out) in out.chunks_exact_mut(PLANE).enumerate() {
        let (to, y) = (at / ny, at % ny);
        for x in reaching(to, used[0], shifts).filter(|&x| held(x)) {
            let matrix = &table[(to + shifts / 2 - x - MARGIN) * PLANE..];
            multiply_plane::<L>(matrix, &columns[(x * ny + y) * PLANE..], out);
        }
    }
}
per_level! { unsafe fn plane_at(from: (&[f64], &[f64], [usize; 2]), tables: (&[f64], &[f64]), out: &mut [f64]) = plane_body }

/// The same on two axes.
pub fn shift_plane(level: CpuLevel, from: &[f64], mass: &[f64], table: &[f64], used: [usize; 2]) -> Vec<f64> {
    let mut out = vec![0.0; used.map(|n| n + 2 * MARGIN).iter().product::<usize>() * PLANE];
    // SAFETY: the level is one of this machine; the body indexes with checks.
    unsafe { plane_at(level, (from, mass, used), (table, &turned(table)), &mut out) };
    out
}

#[inline(always)]
unsafe fn evaluate_body<L: Lanes>(
    at: &Geometry,
    (local, bound): (&[f64], &[f64]),
    points: &[f64],
    out: &mut [f64],
) {
    let axes = points.len() / out.len().max(1);
    for (point, out) in points.chunks_exact(axes.max(1)).zip(out) {
        let (mut cell, mut inside) = (0, true);
        let mut offsets = [0.0; 2];
        for axis in 0..axes {
            let cells = (point[axis] - at.origin[axis]) * at.per_unit[axis];
            inside &= cells >= 0.0 && cells < at.shape[axis] as f64;
            let index = cells as usize;
            offsets[axis] = 2.0 * (cells - index as f64) - 1.0;
            cell = cell * at.shape[axis] + index;
        }
        *out = f64::NAN;
        if !inside {
            continue;
        }
        let x = chebyshev::<L>(offsets[0]);
        let sum: f64 = if axes == 1 {
            let local = &local[cell * TERMS..(cell + 1) * TERMS];
            local.iter().zip(&x).map(|(c, t)| c * t).sum()
        } else {
            let (local, y) = (&local[cell * PLANE..(cell + 1) * PLANE], chebyshev::<L>(offsets[1]));
            let mut sums = [0.0; TERMS];
            for a in 0..TERMS {
                for b in 0..TERMS {
                    sums[b] = fused::<L>(x[a], local[a * TERMS + b], sums[b]);
                }
            }
            sums.iter().zip(&y).map(|(c, t)| c * t).sum()
        };
        // The true sum is at least what was found less the bound.
        if bound[cell] <= TOLERANCE * (sum - bound[cell]) {
            *out = sum;
        }
    }
}
per_level! { unsafe fn evaluate_at(at: &Geometry, cells: (&[f64], &[f64]), points: &[f64], out: &mut [f64]) = evaluate_body }

/// Sums at points, kernel peak = 1; not a number where the bound does not hold, or outside of the cells.
pub fn evaluate(level: CpuLevel, at: &Geometry, cells: (&[f64], &[f64]), points: &[f64], out: &mut [f64]) {
    // SAFETY: the level is one of this machine; the body indexes with checks.
    unsafe { evaluate_at(level, at, cells, points, out) }
}

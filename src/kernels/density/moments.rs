//! Kernel sums of very many samples at very many points through moments of cells, one or two axes.
//!
//! Space is cut into cells of [`SIDE`] bandwidths. Samples of a cell become Chebyshev moments (once);
//! the kernel between two cells is a matrix from those moments to the coefficients of a
//! polynomial over the other cell, a product over axes; a point then costs one polynomial.
//!
//! Error. Interpolating `exp(-y^2/2)` in `q` Chebyshev nodes of an interval of half length `r` leaves at
//! most `2 (r/2)^q / q! * max |f^(q)|`, and Cramér's inequality gives `|f^(q)| <= 1.0865 sqrt(q!)
//! exp(-y^2/4)`. Done for both cells, the second time through the interpolation's Lebesgue constant,
//! it bounds the error of a pair by `epsilon * exp(-d^2/4)`, `d` the least distance of their cells
//! per axis. That bound summed over all samples stands beside each cell; where it
//! exceeds [`TOLERANCE`] of the sum found (points far from all samples), the point's sum is made
//! sample by sample instead, without the cells that are provably too far to count. Rounding, bounded likewise, is part of epsilon.

mod cells;

use super::simd::far;
use super::simd::moments as body;
use super::{Samples, peak};
use crate::backend::CpuLevel;
use cells::Cells;
pub(super) use cells::Sorted;

/// Largest relative error of a sum.
pub const TOLERANCE: f64 = 1e-10;
/// Side of a cell in bandwidths.
pub const SIDE: f64 = 0.5;
/// Chebyshev polynomials per axis.
pub const TERMS: usize = 12;
/// Cells around those of the samples where points are served, 6 bandwidths.
pub(super) const MARGIN: usize = 12;
/// Cells that the kernel reaches: further ones add less than epsilon times their bound.
const REACH: usize = 24;
/// Coefficients held at most, 512 MiB.
const MOST_COEFFICIENTS: f64 = 6.4e7;
/// Multiply-adds that a pair of `at_points` costs.
pub const PAIR_COST: f64 = 16.0;
/// Multiply-adds that a pair of [`super::on_grid`] with two axes costs.
pub const GRID_PAIR_COST: f64 = 1.5;

/// Prepared sums of one set of samples.
pub struct Moments {
    samples: Sorted,
    axes: usize,
    /// The kernel at distance 0.
    peak: f64,
    cells: Cells,
    /// Weight in each cell that samples lie in.
    mass: Vec<f64>,
    /// Per cell the coefficients of its polynomial, `[cell][x term][y term]` or `[cell][term]`.
    local: Vec<f64>,
    /// Per cell the largest absolute error there, kernel peak = 1.
    bound: Vec<f64>,
}

impl Moments {
    /// Prepares the sums, or declines: more than two axes, a coordinate that is not finite, cells that
    /// would take more than half a GiB, or more work than `direct_cost` multiply-adds.
    pub fn new(level: CpuLevel, samples: Samples, std: &[f64], direct_cost: f64) -> Option<Self> {
        samples.check(std, 0, 0);
        let terms = TERMS.checked_pow(samples.axes as u32).filter(|_| samples.axes <= 2)?;
        let cells = Cells::new(samples, std)?;
        let count = cells.count() as f64;
        let shifts = (2 * REACH + 1).min(cells.used.iter().copied().max()?) as f64;
        let work = samples.len() as f64 * (1.5 * terms as f64 + 50.0)
            + samples.axes as f64 * count * shifts * (terms * TERMS) as f64;
        if count * terms as f64 > MOST_COEFFICIENTS || work > direct_cost {
            return None;
        }
        let level = level.min(CpuLevel::detect());
        let table = shift_table();
        let sorted = cells.sorted(samples);
        let (moments, mass) = (body::gather(level, &sorted, &cells.geometry()), sorted.mass());
        let local = if samples.axes == 1 {
            body::shift_line(level, &moments, &mass, &table, cells.used[0])
        } else {
            body::shift_plane(level, &moments, &mass, &table, [cells.used[0], cells.used[1]])
        };
        let bound = cells.bound(&mass, epsilon(&mass, samples, &cells), samples.axes);
        Some(Moments { samples: sorted, axes: samples.axes, peak: peak(std), cells, mass, local, bound })
    }

    /// `out[point] = sum_i w_i K_h(point, sample_i)`, each within [`TOLERANCE`]; what `out` held is
    /// replaced.
    ///
    /// # Panics
    ///
    /// If `points` is not `[out.len()][axes]`.
    pub fn at(&self, level: CpuLevel, points: &[f64], out: &mut [f64]) {
        assert!(points.len() == out.len() * self.axes);
        let (level, geometry) = (level.min(CpuLevel::detect()), self.cells.geometry());
        body::evaluate(level, &geometry, (&self.local, &self.bound), points, out);
        for (sum, point) in out.iter_mut().zip(points.chunks_exact(self.axes)) {
            if sum.is_nan() {
                *sum = far::sum(level, &self.samples, &geometry, &self.mass, point);
            }
            *sum *= self.peak;
        }
    }

    /// How many of the points are served without summing all pairs.
    #[cfg(test)]
    pub(super) fn served(&self, level: CpuLevel, points: &[f64]) -> usize {
        let mut out = vec![0.0; points.len() / self.axes];
        body::evaluate(level, &self.cells.geometry(), (&self.local, &self.bound), points, &mut out);
        out.iter().filter(|sum| !sum.is_nan()).count()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let planes = self.samples.planes.iter().map(Vec::len).sum::<usize>();
        let weights = self.samples.weights.as_ref().map_or(0, Vec::len);
        8 * (self.local.len() + self.bound.len() + self.mass.len() + planes + weights)
    }
}

/// Error of a pair along one axis, relative to `exp(-d^2/4)`.
fn epsilon(mass: &[f64], samples: Samples, cells: &Cells) -> f64 {
    let q = TERMS as f64;
    let root: f64 = (1..=TERMS).map(|k| (k as f64).sqrt()).product();
    let interpolation = 2.0 * 1.0865 * (SIDE / 4.0).powi(TERMS as i32) / root;
    let lebesgue = 1.0 + std::f64::consts::FRAC_2_PI * (q + 1.0).ln();
    // Sums run over blocks of samples, blocks of a cell, and cells times terms: each addition rounds once.
    let largest = match samples.weights {
        None => mass.iter().fold(0.0, |a: f64, &b| a.max(b)),
        Some(_) => samples.len() as f64,
    };
    let additions = body::BLOCK as f64 + largest / body::BLOCK as f64 + (2 * REACH + 1) as f64 * q + 40.0;
    // Offsets within a cell lose the digits of its number; the kernel's slope is below 0.9 exp(-d^2/4).
    let place = 2.0 * (cells.used[0].max(cells.used[1]) + MARGIN) as f64 * SIDE;
    interpolation * (1.0 + lebesgue) + (additions * lebesgue * lebesgue + place) * f64::EPSILON
}

/// For each shift between two cells the matrix from the moments of one to the coefficients of the
/// other, `[shift][coefficient][moment]`, the cell of the coefficients `shift - REACH` cells further.
fn shift_table() -> Vec<f64> {
    let angle = |a: usize, k: usize| a as f64 * std::f64::consts::PI * (k as f64 + 0.5) / TERMS as f64;
    let node = |k: usize| angle(1, k).cos();
    let weight = |a: usize, k: usize| (if a == 0 { 1.0 } else { 2.0 }) / TERMS as f64 * angle(a, k).cos();
    let mut table = Vec::with_capacity((2 * REACH + 1) * TERMS * TERMS);
    for shift in 0..=2 * REACH {
        let shift = shift as f64 - REACH as f64;
        let kernel = |k: usize, l: usize| {
            let distance = SIDE * (shift + (node(k) - node(l)) / 2.0);
            (-0.5 * distance * distance).exp()
        };
        for a in 0..TERMS {
            for b in 0..TERMS {
                let row = |k: usize| -> f64 { (0..TERMS).map(|l| kernel(k, l) * weight(b, l)).sum() };
                table.push((0..TERMS).map(|k| weight(a, k) * row(k)).sum());
            }
        }
    }
    table
}

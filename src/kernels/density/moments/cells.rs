//! The cells: where they lie, which samples they hold, and how large the error in them may be.

use super::{MARGIN, REACH, SIDE};
use crate::kernels::density::Samples;
use crate::kernels::density::simd::moments::Geometry;

/// Cells on one or two axes: those that hold samples, and a margin around them.
pub struct Cells {
    /// Coordinate of the lower end of the first cell of the margin, per axis.
    origin: [f64; 2],
    /// Cells per unit of length, per axis.
    per_unit: [f64; 2],
    /// Cells between the first and last sample, per axis; 1 on an axis that is not there.
    pub used: [usize; 2],
    axes: usize,
}

/// Samples sorted by their cell, in their own order within it.
pub struct Sorted {
    /// Coordinates axis by axis; the second is empty where there is one axis.
    pub planes: [Vec<f64>; 2],
    /// One per sample, where there are any.
    pub weights: Option<Vec<f64>>,
    /// Where each used cell's samples begin, and the end.
    pub starts: Vec<usize>,
}

impl Sorted {
    /// Weight of a sample.
    #[inline(always)]
    pub fn weight(&self, sample: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[sample])
    }

    /// Weight in each used cell.
    pub fn mass(&self) -> Vec<f64> {
        let within = |pair: &[usize]| (pair[0]..pair[1]).map(|sample| self.weight(sample)).sum();
        self.starts.windows(2).map(within).collect()
    }
}

/// Used cells of an axis at most: numbering them costs digits of the offset within a cell.
const MOST_USED: f64 = 1e4;

impl Cells {
    /// The cells of some samples; none where a coordinate is not finite or the cells are too many to number.
    pub fn new(samples: Samples, std: &[f64]) -> Option<Self> {
        let axes = samples.axes;
        let mut cells = Cells { origin: [0.0; 2], per_unit: [1.0; 2], used: [1; 2], axes };
        if samples.is_empty() {
            return None;
        }
        for axis in 0..axes {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for sample in samples.positions.chunks_exact(axes) {
                if !sample[axis].is_finite() {
                    return None;
                }
                (low, high) = (low.min(sample[axis]), high.max(sample[axis]));
            }
            let side = std[axis] * SIDE;
            let used = ((high - low) / side).floor() + 1.0;
            if used > MOST_USED {
                return None;
            }
            cells.used[axis] = used as usize;
            cells.per_unit[axis] = 1.0 / side;
            cells.origin[axis] = low - MARGIN as f64 * side;
        }
        Some(cells)
    }

    /// Cells per axis, margins included.
    fn shape(&self) -> [usize; 2] {
        [self.used[0] + 2 * MARGIN, if self.axes == 1 { 1 } else { self.used[1] + 2 * MARGIN }]
    }

    /// All cells, margins included.
    pub fn count(&self) -> usize {
        self.shape().iter().product()
    }

    /// For the inner loops.
    pub fn geometry(&self) -> Geometry {
        Geometry {
            origin: self.origin,
            per_unit: self.per_unit,
            used: self.used,
            shape: self.shape(),
            margin: MARGIN,
        }
    }

    /// Number of the cell that holds a sample, among those used.
    fn used_cell(&self, sample: &[f64]) -> usize {
        let mut cell = 0;
        for (axis, x) in sample.iter().enumerate() {
            let at = (x - self.origin[axis]) * self.per_unit[axis] - MARGIN as f64;
            // Rounding may put the first and the last sample a hair outside.
            cell = cell * self.used[axis] + (at.max(0.0) as usize).min(self.used[axis] - 1);
        }
        cell
    }

    /// The samples sorted by their cell.
    pub fn sorted(&self, samples: Samples) -> Sorted {
        let count = self.used.iter().product::<usize>();
        let cells: Vec<u32> =
            samples.positions.chunks_exact(self.axes).map(|s| self.used_cell(s) as u32).collect();
        let mut starts = vec![0; count + 1];
        for &cell in &cells {
            starts[cell as usize + 1] += 1;
        }
        for cell in 0..count {
            starts[cell + 1] += starts[cell];
        }
        let mut next = starts.clone();
        let mut planes = [vec![0.0; samples.len()], Vec::new()];
        planes[self.axes - 1].resize(samples.len(), 0.0);
        let mut weights = samples.weights.map(<[f64]>::to_vec);
        for ((index, sample), cell) in samples.positions.chunks_exact(self.axes).enumerate().zip(cells) {
            let to = next[cell as usize];
            next[cell as usize] += 1;
            for (plane, x) in planes.iter_mut().zip(sample) {
                plane[to] = *x;
            }
            if let (Some(sorted), Some(given)) = (&mut weights, samples.weights) {
                sorted[to] = given[index];
            }
        }
        Sorted { planes, weights, starts }
    }

    /// Largest absolute error of a sum in each cell, for an error `epsilon` of a pair along one axis.
    pub fn bound(&self, mass: &[f64], epsilon: f64, axes: usize) -> Vec<f64> {
        let decay: Vec<f64> = (0..=REACH)
            .map(|shift| {
                let least = SIDE * shift.saturating_sub(1) as f64;
                (-least * least / 4.0).exp()
            })
            .collect();
        let [nx, ny] = self.shape();
        let spread = |from: &dyn Fn(usize) -> f64, used: usize, to: usize| -> f64 {
            let last = (to + REACH).saturating_sub(MARGIN).min(used - 1);
            let first = to.saturating_sub(MARGIN + REACH);
            (first..=last).map(|cell| from(cell) * decay[(cell + MARGIN).abs_diff(to)]).sum()
        };
        let [ux, uy] = self.used;
        let mut along = vec![0.0; ux * ny];
        for (x, row) in along.chunks_exact_mut(ny).enumerate() {
            for (y, value) in row.iter_mut().enumerate() {
                let cells = &mass[x * uy..(x + 1) * uy];
                *value = if axes == 1 { cells[0] } else { spread(&|cell| cells[cell], uy, y) };
            }
        }
        // Both axes err; beyond the reach the bound itself is below epsilon.
        let pair = if axes == 1 { epsilon } else { epsilon * (2.0 + epsilon) };
        let beyond = epsilon * mass.iter().sum::<f64>();
        let mut bound = Vec::with_capacity(nx * ny);
        for x in 0..nx {
            for y in 0..ny {
                bound.push(pair * (spread(&|cell| along[cell * ny + y], ux, x) + 2.0 * beyond));
            }
        }
        bound
    }
}

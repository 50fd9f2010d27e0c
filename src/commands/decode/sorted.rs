//! Log likelihood of sorted units at the animal's own position (spec decode 4.6); at the place bins
//! it is a sum of fields like any other (`passes_likelihood`).
//!
//! `LL(t) = sum_u c_u(t) ln field_u(X(t)) - sum_u field_u(X(t))`; rows are decoding bins. Counts are given as the row of each spike, ascending, unit by unit: they are sparse.

use super::encoding::{EPS, EncodingModel, PositionDensity};
use crate::backend::CpuLevel;
use crate::kernels::density::Samples;

/// Rows of the decoding spikes of each unit, ascending.
pub type SpikeRows = [Vec<usize>];

/// Those of ascending `rows` in `first .. first + count`.
fn within(rows: &[usize], first: usize, count: usize) -> &[usize] {
    let start = rows.partition_point(|&row| row < first);
    let end = rows.partition_point(|&row| row < first + count);
    &rows[start..end]
}

/// Fields of all units at any position.
pub struct SortedLocal<'a> {
    occupancy: PositionDensity<'a>,
    units: Vec<PositionDensity<'a>>,
    /// What rates count per, and how much of it a decoding bin is.
    sample: f64,
    per_bin: f64,
}

impl<'a> SortedLocal<'a> {
    /// Prepares for about `points` rows of `bin_width` seconds.
    pub fn new(level: CpuLevel, model: &'a EncodingModel, points: usize, bin_width: f64) -> Self {
        let density = |positions: &'a [f64], weights: &'a [f64]| {
            let weights = (!weights.is_empty()).then_some(weights);
            let samples = Samples { positions, axes: model.axes(), weights };
            PositionDensity::new(level, samples, &model.position_std, points)
        };
        SortedLocal {
            occupancy: density(&model.samples, &model.weights),
            units: model.trains.iter().map(|unit| density(&unit.positions, &unit.weights)).collect(),
            sample: model.rate_units.sample(),
            per_bin: model.rate_units.per_bin(bin_width),
        }
    }

    /// The local log likelihood of the rows `first..`, whose animal positions (linearised) are
    /// `points`, `[row][axis]`.
    pub fn rows(&self, rows: &SpikeRows, first: usize, points: &[f64]) -> Vec<f64> {
        let occupancy = self.occupancy.at(points);
        let mut out = vec![0.0; occupancy.len()];
        for (unit, rows) in self.units.iter().zip(rows) {
            // Both sums lack the same division by the weight of all samples.
            let floored = |(sum, &occupancy): (f64, &f64)| match occupancy {
                0.0 => EPS,
                _ => (sum / self.sample / occupancy).max(EPS),
            };
            let field: Vec<f64> = unit.at(points).into_iter().zip(&occupancy).map(floored).collect();
            for (value, field) in out.iter_mut().zip(&field) {
                *value -= field * self.per_bin;
            }
            for &row in within(rows, first, out.len()) {
                out[row - first] += field[row - first].ln();
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;

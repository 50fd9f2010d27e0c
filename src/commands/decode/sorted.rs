//! Log likelihood of sorted units (spec decode 4.6).
//!
//! `LL(t, p) = sum_u c_u(t) ln field_u(p) - sum_u field_u(p)`; rows are decoding bins, columns interior
//! place bins. Counts are given as the row of each spike, ascending, unit by unit: they are sparse.

use super::encoding::{EPS, EncodingModel, PositionDensity};
use crate::backend::CpuLevel;
use crate::kernels::density::Samples;

/// Rows of the decoding spikes of each unit, ascending.
pub type SpikeRows = [Vec<usize>];

/// Fields of all units, ready for decoding.
#[derive(Debug, Clone)]
pub struct SortedLikelihood {
    /// `[unit][bin]`.
    ln_fields: Vec<Vec<f64>>,
    /// Expected spikes of a decoding bin, per place bin.
    expected: Vec<f64>,
}

impl SortedLikelihood {
    /// Prepares for decoding bins of `bin_width` seconds (used where rates are per second).
    pub fn new(model: &EncodingModel, bin_width: f64) -> Self {
        let per_bin = model.rate_units.per_bin(bin_width);
        let ln_fields = model.trains.iter().map(|unit| unit.field.iter().map(|f| f.ln()).collect()).collect();
        SortedLikelihood { ln_fields, expected: model.ground.iter().map(|ground| ground * per_bin).collect() }
    }

    /// Fills the rows `first..` of the log likelihood, `[row][bin]`, as many as `out` holds.
    ///
    /// # Panics
    ///
    /// If `rows` has more units than the model, or `out` no whole rows.
    pub fn rows(&self, rows: &SpikeRows, first: usize, out: &mut [f64]) {
        let bins = self.expected.len();
        assert!(out.len().is_multiple_of(bins));
        for row in out.chunks_exact_mut(bins) {
            row.iter_mut().zip(&self.expected).for_each(|(value, expected)| *value = -expected);
        }
        for (rows, ln_field) in rows.iter().zip(&self.ln_fields) {
            for &row in within(rows, first, out.len() / bins) {
                let start = (row - first) * bins;
                let row = &mut out[start..start + bins];
                row.iter_mut().zip(ln_field).for_each(|(value, ln_field)| *value += ln_field);
            }
        }
    }
}

/// Those of ascending `rows` in `first .. first + count`.
fn within(rows: &[usize], first: usize, count: usize) -> &[usize] {
    let start = rows.partition_point(|&row| row < first);
    let end = rows.partition_point(|&row| row < first + count);
    &rows[start..end]
}

/// The same at the animal's own position.
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

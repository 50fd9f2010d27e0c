//! Densities at the animal's own positions, for local states (spec decode 4.1), and at the bins.

use super::super::grid::PlaceGrid;
use super::EncodingModel;
use super::fit::some;
use crate::backend::CpuLevel;
use crate::kernels::density::moments::{GRID_PAIR_COST, PAIR_COST};
use crate::kernels::density::{self, Moments, Samples};
use rayon::prelude::*;

/// Samples whose sums are one unit of work; parts are added in their order, whatever thread made them.
const SAMPLES_PER_PART: usize = 1 << 16;
/// Points whose sums are one unit of work.
const POINTS_PER_PART: usize = 1 << 12;
/// Work, in multiply-adds, from which cell moments are considered; below, every pair is summed.
const MUCH_WORK: f64 = 4e9;

/// Kernel sums of one set of samples at any points.
pub struct PositionDensity<'a> {
    level: CpuLevel,
    samples: Samples<'a>,
    std: &'a [f64],
    moments: Option<Moments>,
}

impl<'a> PositionDensity<'a> {
    /// Prepares for about `points` points: what is chosen depends on their number and the samples alone.
    pub fn new(level: CpuLevel, samples: Samples<'a>, std: &'a [f64], points: usize) -> Self {
        let work = samples.len() as f64 * points as f64 * PAIR_COST;
        let moments = (work > MUCH_WORK).then(|| Moments::new(level, samples, std, work)).flatten();
        PositionDensity { level, samples, std, moments }
    }

    /// `sum_i w_i K(point, sample_i)` at points `[point][axis]`; a point that is not a number has none.
    pub fn at(&self, points: &[f64]) -> Vec<f64> {
        let axes = self.samples.axes;
        let mut sums = vec![0.0; points.len() / axes];
        let parts = points.par_chunks(POINTS_PER_PART * axes).zip(sums.par_chunks_mut(POINTS_PER_PART));
        parts.for_each(|(points, sums)| match &self.moments {
            Some(moments) => moments.at(self.level, points, sums),
            None => density::at_points(self.level, self.samples, self.std, points, sums),
        });
        sums
    }

    /// The sums at the interior bins of `grid`.
    pub fn at_bins(level: CpuLevel, samples: Samples<'a>, std: &'a [f64], grid: &PlaceGrid) -> Vec<f64> {
        let bins = grid.interior_bins.len();
        let work = samples.len() as f64
            * if grid.axes == 2 { grid.bins() as f64 * GRID_PAIR_COST } else { bins as f64 * PAIR_COST };
        if work > MUCH_WORK
            && let Some(moments) = Moments::new(level, samples, std, work)
        {
            let density = PositionDensity { level, samples, std, moments: Some(moments) };
            return density.at(&grid.interior_centers());
        }
        let axis_centers = grid.axis_centers();
        let axes: Vec<&[f64]> = axis_centers.iter().map(Vec::as_slice).collect();
        let centers = grid.interior_centers();
        let parts = samples.len().div_ceil(SAMPLES_PER_PART);
        let sums = |part: usize| {
            let first = part * SAMPLES_PER_PART;
            let part = samples.part(first, (first + SAMPLES_PER_PART).min(samples.len()));
            if grid.axes != 2 {
                let mut sums = vec![0.0; bins];
                density::at_points(level, part, std, &centers, &mut sums);
                return sums;
            }
            let mut all = vec![0.0; grid.bins()];
            density::on_grid(level, part, std, &axes, &mut all);
            grid.interior_bins.iter().map(|&bin| all[bin]).collect()
        };
        let parts: Vec<Vec<f64>> = (0..parts).into_par_iter().map(sums).collect();
        let mut total = vec![0.0; bins];
        for part in parts {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        total
    }
}

/// The model at the animal's own position.
pub struct LocalModel<'a> {
    model: &'a EncodingModel,
    occupancy: PositionDensity<'a>,
    /// Spikes of all trains together: `sum_e rate_e g_e` is one kernel sum over them.
    spikes: PositionDensity<'a>,
}

impl EncodingModel {
    /// Positions of all trains' encoding spikes, one after the other: what [`LocalModel::new`] needs.
    pub fn all_spikes(&self) -> Vec<f64> {
        self.trains.iter().flat_map(|train| train.positions.iter().copied()).collect()
    }
}

impl<'a> LocalModel<'a> {
    /// Prepares for about `points` positions in the whole run; `all_spikes` is
    /// [`EncodingModel::all_spikes`].
    pub fn new(level: CpuLevel, model: &'a EncodingModel, all_spikes: &'a [f64], points: usize) -> Self {
        let samples = Samples { weights: some(&model.weights), ..model.positions(&model.samples) };
        let density = |samples| PositionDensity::new(level, samples, &model.position_std, points);
        LocalModel { occupancy: density(samples), spikes: density(model.positions(all_spikes)), model }
    }

    /// Occupancy at positions `[point][axis]`, linearised.
    pub fn occupancy(&self, points: &[f64]) -> Vec<f64> {
        let total = self.model.total_weight();
        self.occupancy.at(points).into_iter().map(|sum| sum / total).collect()
    }

    /// The rate term of the local likelihood at positions X(t), before [`super::RateUnits::per_bin`]:
    /// `sum_e rate_e g_e(X) / occupancy(X)`, 0 where the occupancy is 0, without a floor.
    pub fn rate(&self, points: &[f64]) -> Vec<f64> {
        let seconds = self.model.total_weight() * self.model.rate_units.sample();
        let ratio = |(sum, occupancy): (f64, f64)| match occupancy {
            0.0 => 0.0,
            _ => sum / seconds / occupancy,
        };
        self.spikes.at(points).into_iter().zip(self.occupancy(points)).map(ratio).collect()
    }
}

/// The local log intensity of one spike: `ln(rate * density / occupancy)`, at least `floor`; the
/// floor also where the occupancy is 0 (spec 4.1). `density` is the mean of the kernels over the
/// encoding spikes. Not a number where the position was none.
pub fn local_log_intensity(rate: f64, density: f64, occupancy: f64, floor: f64) -> f64 {
    let value = (rate * density / occupancy).ln();
    if occupancy == 0.0 || value < floor { floor } else { value }
}

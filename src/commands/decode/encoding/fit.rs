//! Making the model from the samples and spikes that encode.

use super::super::grid::PlaceGrid;
use super::super::track::TrackGraph;
use super::local::PositionDensity;
use super::{EPS, EncodedTrain, EncodingModel, Likelihood, RateUnits, linearise};
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::kernels::density::Samples;
use rayon::prelude::*;
use std::path::PathBuf;

/// What the selection of spec 1.1 leaves: positions in their original coordinates.
#[derive(Debug, Clone, Default)]
pub struct EncodingData {
    /// Position samples that encode, `[sample][axis]`.
    pub samples: Vec<f64>,
    /// Axes of a position before linearising.
    pub axes: usize,
    /// One weight per sample, used for sorted units only; empty: all 1.
    pub weights: Vec<f64>,
    /// One per electrode or unit.
    pub trains: Vec<EncodingTrain>,
    /// Where spikes lie in files beside an output: that output.
    pub beside: Option<PathBuf>,
}

/// Encoding spikes of one electrode or unit.
#[derive(Debug, Clone, Default)]
pub struct EncodingTrain {
    /// Its name in the input.
    pub name: String,
    /// Features of a mark; 0 for a sorted unit.
    pub width: usize,
    /// `[spike][feature]`.
    pub marks: Column<f64>,
    /// The animal's position at each spike, `[spike][axis]`.
    pub positions: Column<f64>,
    /// The sample weights interpolated at each spike; empty: all 1.
    pub weights: Column<f64>,
}

/// What the user chooses.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which spikes are decoded.
    pub kind: Likelihood,
    /// Width of a place bin that the grid was made with; kept for the model file.
    pub bin_size: Vec<f64>,
    /// Bandwidth of positions: one for all axes, or one per (linearised) axis.
    pub position_std: Vec<f64>,
    /// Bandwidth of marks: one for all features, or one per feature.
    pub waveform_std: Vec<f64>,
    /// What rates count per.
    pub rate_units: RateUnits,
}

impl EncodingModel {
    /// Fits the model; runs on the rayon pool the caller is in, its result depends on nothing but
    /// the arguments.
    ///
    /// # Errors
    /// A bandwidth that is not positive or of the wrong length, no samples, positions of other axes than
    /// the grid, or arrays whose lengths do not fit.
    pub fn fit(
        level: CpuLevel,
        data: EncodingData,
        (grid, track): (PlaceGrid, Option<TrackGraph>),
        settings: &Settings,
    ) -> Result<Self> {
        let sorted = settings.kind == Likelihood::Sorted;
        let position_std = bandwidths("--position-std", &settings.position_std, grid.axes, "the position")?;
        let waveform_std = if sorted { Vec::new() } else { settings.waveform_std.clone() };
        check(&data, sorted)?;
        let period = settings.rate_units.sample();
        if !(period.is_finite() && period > 0.0) {
            let found = format!("a median step of {period} s between position samples");
            return Err(Error::data("position", found, "increasing times", "use --rate-units samples"));
        }
        let linear = |positions: &[f64]| linearise(track.as_ref(), &grid, positions, data.axes);
        let samples = linear(&data.samples)?;
        let mut trains = Vec::with_capacity(data.trains.len());
        for mut train in data.trains {
            if !sorted {
                bandwidths(
                    "--waveform-std",
                    &waveform_std,
                    train.width,
                    &format!("electrode {}", train.name),
                )?;
            }
            if track.is_some() {
                train.positions = Column::keep(linear(&train.positions)?, data.beside.as_deref())?;
            }
            trains.push(encoded(train, sorted));
        }
        let mut model = EncodingModel {
            kind: settings.kind,
            bin_size: settings.bin_size.clone(),
            position_std,
            waveform_std,
            rate_units: settings.rate_units,
            samples,
            weights: if sorted { data.weights } else { Vec::new() },
            occupancy: Vec::new(),
            ground: vec![0.0; grid.interior_bins.len()],
            trains,
            grid,
            track,
        };
        model.sum_up(level);
        Ok(model)
    }

    /// Occupancy, rates, fields and the ground process.
    fn sum_up(&mut self, level: CpuLevel) {
        let total = self.total_weight();
        let samples = Samples { weights: some(&self.weights), ..self.positions(&self.samples) };
        self.occupancy = self.at_bins(level, samples).into_iter().map(|sum| sum / total).collect();
        // Intensity before the floor, train by train; each is summed alone and in a fixed order.
        let fields: Vec<(f64, Vec<f64>)> =
            (0..self.trains.len()).into_par_iter().map(|train| self.field(level, train, total)).collect();
        for (train, (rate, field)) in self.trains.iter_mut().zip(fields) {
            train.rate = rate;
            for (ground, field) in self.ground.iter_mut().zip(&field) {
                *ground += field;
            }
            if self.kind == Likelihood::Sorted {
                train.field = field;
            }
        }
    }

    /// Mean rate of a train and its rate at each interior bin, at least [`EPS`].
    fn field(&self, level: CpuLevel, train: usize, total: f64) -> (f64, Vec<f64>) {
        let train = &self.trains[train];
        let spikes = Samples { weights: some(&train.weights), ..self.positions(&train.positions) };
        let weight = spikes.weights.map_or(spikes.len() as f64, |weights| weights.iter().sum());
        let seconds = total * self.rate_units.sample();
        let rate = weight / seconds;
        let floored = |(sum, &occupancy): (f64, &f64)| match self.kind {
            _ if occupancy > 0.0 => (sum / seconds / occupancy).max(EPS),
            Likelihood::Clusterless => (rate * EPS).max(EPS),
            Likelihood::Sorted => EPS,
        };
        let field = self.at_bins(level, spikes).into_iter().zip(&self.occupancy).map(floored).collect();
        train.release();
        (rate, field)
    }

    /// Number of position samples (at least 1), or the sum of their weights.
    pub(super) fn total_weight(&self) -> f64 {
        if self.weights.is_empty() {
            (self.samples.len() / self.axes()).max(1) as f64
        } else {
            self.weights.iter().sum()
        }
    }

    pub(super) fn positions<'a>(&self, positions: &'a [f64]) -> Samples<'a> {
        Samples { positions, axes: self.axes(), weights: None }
    }

    /// Kernel sums of `samples` at the interior bins.
    fn at_bins(&self, level: CpuLevel, samples: Samples) -> Vec<f64> {
        PositionDensity::at_bins(level, samples, &self.position_std, &self.grid)
    }
}

/// A train at its linearised positions: units have no marks, electrodes no weights.
fn encoded(train: EncodingTrain, sorted: bool) -> EncodedTrain {
    let EncodingTrain { name, width, marks, positions, weights } = train;
    let (width, marks) = if sorted { (0, Column::default()) } else { (width, marks) };
    let weights = if sorted { weights } else { Column::default() };
    EncodedTrain { name, width, marks, positions, weights, rate: 0.0, field: Vec::new() }
}

/// Weights, where there are any.
pub(super) fn some(weights: &[f64]) -> Option<&[f64]> {
    (!weights.is_empty()).then_some(weights)
}

/// One positive bandwidth per column.
fn bandwidths(flag: &str, given: &[f64], columns: usize, of: &str) -> Result<Vec<f64>> {
    if let Some(bad) = given.iter().find(|h| !(h.is_finite() && **h > 0.0)) {
        return Err(Error::usage(format!("{flag} {bad}: a positive number")));
    }
    match given {
        [one] => Ok(vec![*one; columns]),
        each if each.len() == columns => Ok(each.to_vec()),
        each => Err(Error::usage(format!(
            "{flag}: {} values given, {of} has {columns}; give one for all or one for each",
            each.len()
        ))),
    }
}

/// Lengths that must fit each other.
fn check(data: &EncodingData, sorted: bool) -> Result<()> {
    let axes = data.axes.max(1);
    let samples = data.samples.len() / axes;
    if samples == 0 || data.samples.len() != samples * axes {
        let advice = "check the encoding mask or --encode-interval";
        let found = format!("{} coordinates of samples that encode", data.samples.len());
        return Err(Error::data("position", found, format!("samples of {axes} axes"), advice));
    }
    let weighs = data.weights.iter().all(|w| w.is_finite() && *w >= 0.0);
    let total: f64 = data.weights.iter().sum();
    if !data.weights.is_empty() && (data.weights.len() != samples || !weighs || total == 0.0) {
        let found = format!("{} weights of sum {total} for {samples} samples", data.weights.len());
        return Err(Error::data("position weights", found, "one of 0 or more per sample, some above 0", ""));
    }
    for train in &data.trains {
        let spikes = train.positions.len() / axes;
        let marks = if sorted { 0 } else { spikes * train.width };
        let weights = train.weights.len();
        if train.positions.len() != spikes * axes
            || (!sorted && train.marks.len() != marks)
            || (weights != 0 && weights != spikes)
        {
            let found = format!(
                "{} coordinates, {} features, {weights} weights",
                train.positions.len(),
                train.marks.len()
            );
            let expected = format!("{axes} coordinates and {} features per spike", train.width);
            return Err(Error::data(&train.name, found, expected, ""));
        }
    }
    Ok(())
}

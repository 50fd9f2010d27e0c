//! Mark models of the electrodes: what was chosen for each, and its tables, all at once or in turns.
//!
//! Where the tables of all electrodes fit in memory they are made once and held. Else every chunk
//! of rows takes the electrodes in turns, and makes the tables of a turn when it comes. An
//! electrode whose factors alone are too large (the direct product over a long line) is cut into
//! [`Unit`]s of neighbouring bins. What a spike says of a bin depends on neither.

use super::encoding::EncodingModel;
use super::options::{Algorithm, Likelihood, Options, Precision};
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::marks::{
    self, Accuracy, Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins, observed_error,
};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(test)]
mod tests;

/// Part of the memory limit that the tables of one unit may take before its bins are cut.
const SHARE_OF_A_UNIT: u64 = 8;
/// Part of the memory limit that tables may take before they are made in turns, until the rest of
/// the run is known.
const SHARE_WHILE_PLANNING: u64 = 2;
/// Bins of a unit are never fewer.
const FEWEST_BINS: usize = 64;

/// One electrode's tables over some of the interior bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Which electrode.
    pub train: usize,
    /// Which interior bins.
    pub bins: Range<usize>,
    /// Bytes of its tables.
    pub bytes: u64,
    /// Bytes of working memory that a thread needs for it.
    pub scratch: u64,
}

/// Mark models of all electrodes; empty for sorted units.
#[derive(Debug, Default)]
pub struct MarkModels {
    /// What was chosen, one per electrode.
    pub choices: Vec<Choice>,
    /// Largest error of the expansion on seeded samples, nats, one per electrode.
    pub observed: Vec<f64>,
    /// Electrode after electrode, bins in order.
    pub units: Vec<Unit>,
    /// Tables of all units, where they fitted while planning.
    held: Option<Vec<Intensity>>,
}

/// Tables that are held, or that were made for a turn.
#[derive(Debug)]
pub enum Tables<'a> {
    /// For the whole run.
    Held(&'a [Intensity]),
    /// For now.
    Made(Vec<Intensity>),
}

impl Deref for Tables<'_> {
    type Target = [Intensity];
    fn deref(&self) -> &[Intensity] {
        match self {
            Tables::Held(held) => held,
            Tables::Made(made) => made,
        }
    }
}

/// How exact the sums over encoding spikes must be.
fn accuracy(options: &Options) -> (Accuracy, marks::Precision) {
    let precision = match options.precision {
        Precision::F32 => marks::Precision::F32,
        Precision::F64 => marks::Precision::F64,
    };
    let accuracy = match options.algorithm {
        // Double precision is asked for as the oracle.
        Algorithm::Exact if options.precision == Precision::F64 => Accuracy::Direct,
        Algorithm::Exact => Accuracy::EXACT,
        Algorithm::Direct => Accuracy::Direct,
        Algorithm::Approx(tolerance) => Accuracy::Guaranteed(tolerance),
        Algorithm::Observed(tolerance) => Accuracy::Observed { tolerance, seed: options.seed },
    };
    (accuracy, precision)
}

/// The encoding model with the floors, from which tables are made.
#[derive(Debug, Clone, Copy)]
pub struct Electrodes<'a> {
    /// The encoding model.
    pub model: &'a EncodingModel,
    /// Floor of each electrode's log intensity.
    pub floors: &'a [f64],
}

impl Electrodes<'_> {
    /// True where electrode `train` has no encoding spikes.
    pub fn is_silent(&self, train: usize) -> bool {
        self.model.trains[train].positions.is_empty()
    }

    /// Calls `action` with what the kernels take of electrode `train`, over interior `bins`.
    fn with<R>(
        &self,
        train: usize,
        bins: Range<usize>,
        action: impl FnOnce(&EncodingSpikes<'_>, &PlaceBins<'_>, &Bandwidths<'_>, (&[f64], f64)) -> R,
    ) -> R {
        let (model, encoded) = (self.model, &self.model.trains[train]);
        let spikes = EncodingSpikes {
            marks: &encoded.marks,
            width: encoded.width,
            positions: &encoded.positions,
            axes: model.axes(),
        };
        let mark = model.mark_std(train);
        let bandwidths = Bandwidths { mark: &mark, position: &model.position_std };
        let log_scale = &model.log_scale(train)[bins.clone()];
        let centers = model.grid.axis_centers();
        let mut axes: Vec<&[f64]> = centers.iter().map(Vec::as_slice).collect();
        let mut interior = Cow::Borrowed(&model.grid.interior_bins[bins]);
        if let ([line], Some(&first), Some(&last)) = (&mut axes[..], interior.first(), interior.last())
            && interior.len() < model.bins()
        {
            *line = &line[first..=last];
            interior = interior.iter().map(|bin| bin - first).collect();
        }
        let bins = PlaceBins { axes, interior: &interior };
        action(&spikes, &bins, &bandwidths, (log_scale, self.floors[train]))
    }

    fn intensity(&self, unit: (usize, Range<usize>), choice: Choice) -> Intensity {
        self.with(unit.0, unit.1, |spikes, bins, bandwidths, scale| {
            Intensity::new(spikes, bins, bandwidths, choice, scale)
        })
    }

    fn choose(&self, train: usize, options: &Options) -> (Choice, f64) {
        self.with(train, 0..self.model.bins(), |spikes, bins, bandwidths, scale| {
            let choice = marks::choose(spikes, bins, bandwidths, scale, accuracy(options));
            (choice, observed_error(spikes, bins, bandwidths, scale, (&choice, options.seed)))
        })
    }

    /// Interior bins of each unit of an electrode.
    fn cut(&self, train: usize, choice: &Choice, most_bytes: u64) -> Vec<Range<usize>> {
        let bins = self.model.bins();
        let element = if choice.precision == marks::Precision::F32 { 4 } else { 8 };
        let spikes = self.model.trains[train].positions.len() / self.model.axes().max(1);
        let one_bin = (spikes * element).max(1) as u64;
        // On two axes the factors are those of columns and rows: few.
        let long = choice.method == Method::Direct && self.model.axes() == 1;
        let most = if long { ((most_bytes / one_bin) as usize).max(FEWEST_BINS) } else { bins };
        (0..bins).step_by(most.max(1)).map(|first| first..bins.min(first + most)).collect()
    }
}

impl MarkModels {
    /// Chooses for every electrode, and makes the tables if they fit in a part of what `memory` bytes
    /// leave beside the `taken` ones of recording and model.
    pub fn new(
        options: &Options,
        electrodes: Electrodes<'_>,
        taken: u64,
        (memory, level): (u64, CpuLevel),
    ) -> Self {
        let most = (memory / SHARE_OF_A_UNIT, memory.saturating_sub(taken) / SHARE_WHILE_PLANNING);
        MarkModels::within(options, electrodes, most, level)
    }

    /// One table for each electrode, all held: for who cannot wait for tables. `other` bytes of the
    /// limit of `memory` are taken already.
    ///
    /// # Errors
    /// They do not fit.
    pub fn whole(
        options: &Options,
        electrodes: Electrodes<'_>,
        (memory, other): (u64, u64),
        level: CpuLevel,
    ) -> Result<Self> {
        let most = (u64::MAX, memory.saturating_sub(other));
        let models = MarkModels::within(options, electrodes, most, level);
        if models.held.is_some() || models.units.is_empty() {
            return Ok(models);
        }
        let (least, what) = (other.saturating_add(models.bytes()), "tables of all electrodes".into());
        Err(Error::Memory { limit: memory, least, what })
    }

    /// The same where a unit may take `unit` bytes and all tables `room`.
    fn within(
        options: &Options,
        electrodes: Electrodes<'_>,
        (unit, room): (u64, u64),
        level: CpuLevel,
    ) -> Self {
        if options.likelihood == Likelihood::Sorted {
            return MarkModels::default();
        }
        let trains = 0..electrodes.model.trains.len();
        let (choices, observed): (Vec<Choice>, Vec<f64>) =
            trains.into_par_iter().map(|train| electrodes.choose(train, options)).unzip();
        let cut = |(train, choice)| {
            let ranges = electrodes.cut(train, choice, unit);
            ranges.into_iter().map(move |bins| (train, bins))
        };
        let units: Vec<_> = choices.iter().enumerate().flat_map(cut).collect();
        let taken = AtomicU64::new(0);
        let make = |(train, bins): (usize, Range<usize>)| {
            let intensity = electrodes.intensity((train, bins.clone()), choices[train]);
            let (bytes, scratch) = (intensity.bytes() as u64, intensity.scratch_bytes(level) as u64);
            let fits = taken.fetch_add(bytes, Ordering::Relaxed) + bytes <= room;
            (Unit { train, bins, bytes, scratch }, fits.then_some(intensity))
        };
        let (units, made): (Vec<Unit>, Vec<Option<Intensity>>) = units.into_par_iter().map(make).unzip();
        MarkModels { choices, observed, units, held: made.into_iter().collect() }
    }

    /// The tables of all units, where they were made.
    pub fn into_tables(self) -> Vec<Intensity> {
        self.held.unwrap_or_default()
    }

    /// True for sorted units.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> u64 {
        self.units.iter().map(|unit| unit.bytes).sum()
    }

    /// Bytes of the largest unit.
    pub fn largest(&self) -> u64 {
        self.units.iter().map(|unit| unit.bytes).max().unwrap_or(0)
    }

    /// Bytes of working memory of a thread, that of the unit that needs most.
    pub fn scratch(&self) -> u64 {
        self.units.iter().map(|unit| unit.scratch).max().unwrap_or(0)
    }

    /// Floating point operations for so many decoding spikes of each electrode.
    pub fn flop(&self, spikes: impl Iterator<Item = usize>) -> f64 {
        self.choices.iter().zip(spikes).map(|(choice, spikes)| 2.0 * choice.cost * spikes as f64).sum()
    }

    /// Units that are in memory together, where tables may take `room` bytes at a time; a unit
    /// larger than that stands alone.
    pub fn turns(&self, room: u64) -> Vec<Range<usize>> {
        let (mut turns, mut first, mut bytes) = (Vec::new(), 0, 0);
        for (at, unit) in self.units.iter().enumerate() {
            if at > first && bytes + unit.bytes > room {
                turns.push(first..at);
                (first, bytes) = (at, 0);
            }
            bytes += unit.bytes;
        }
        if first < self.units.len() {
            turns.push(first..self.units.len());
        }
        turns
    }

    /// Makes the tables that are not there yet, if all of them are to be held (a single turn);
    /// otherwise gives back what is there.
    pub fn settle(&mut self, electrodes: Electrodes<'_>, turns: &[Range<usize>]) {
        match turns {
            [] => {}
            [all] => {
                if let Tables::Made(made) = self.tables(electrodes, all.clone()) {
                    self.held = Some(made);
                }
            }
            _ => self.held = None,
        }
    }

    /// Tables of the units `which`.
    pub fn tables(&self, electrodes: Electrodes<'_>, which: Range<usize>) -> Tables<'_> {
        let make =
            |unit: &Unit| electrodes.intensity((unit.train, unit.bins.clone()), self.choices[unit.train]);
        match &self.held {
            Some(held) => Tables::Held(&held[which]),
            None => Tables::Made(self.units[which].par_iter().map(make).collect()),
        }
    }

    /// Tables of electrode `train`, over some of the bins: enough for densities at other places.
    pub fn of_train(&self, electrodes: Electrodes<'_>, train: usize) -> Option<Tables<'_>> {
        let first = self.units.iter().position(|unit| unit.train == train)?;
        Some(self.tables(electrodes, first..first + 1))
    }
}

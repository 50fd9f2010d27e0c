//! Mark models of the electrodes: what was chosen for each, and its tables, all at once or in turns.
//!
//! Where the tables of all electrodes fit in memory they are made once and held. Else every chunk
//! of rows takes the electrodes in turns, and makes the tables of a turn when it comes. An
//! electrode whose factors alone are too large (the direct product over a long line) is cut into
//! [`Unit`]s of neighbouring bins. What a spike says of a bin depends on neither.

use super::options::{Likelihood, Options};
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::marks::{Choice, Intensity};
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicU64, Ordering};

mod electrodes;
#[cfg(test)]
mod tests;

pub use electrodes::Electrodes;

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
    /// Bytes of encoding spikes that may come from files together.
    room: u64,
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
        let trains: Vec<usize> = (0..electrodes.model.trains.len()).collect();
        let chosen =
            electrodes.in_groups(unit, (&trains, |&train| train), |&train| electrodes.choose(train, options));
        let (choices, observed): (Vec<Choice>, Vec<f64>) = chosen.into_iter().unzip();
        let cut = |(train, choice)| {
            let ranges = electrodes.cut(train, choice, unit);
            ranges.into_iter().map(move |bins| (train, bins))
        };
        let units: Vec<_> = choices.iter().enumerate().flat_map(cut).collect();
        let taken = AtomicU64::new(0);
        let make = |(train, bins): &(usize, Range<usize>)| {
            let (train, bins) = (*train, bins.clone());
            let intensity = electrodes.intensity((train, bins.clone()), choices[train]);
            let (bytes, scratch) = (intensity.bytes() as u64, intensity.scratch_bytes(level) as u64);
            let fits = taken.fetch_add(bytes, Ordering::Relaxed) + bytes <= room;
            (Unit { train, bins, bytes, scratch }, fits.then_some(intensity))
        };
        let made = electrodes.in_groups(unit, (&units, |unit| unit.0), make);
        let (units, made): (Vec<Unit>, Vec<Option<Intensity>>) = made.into_iter().unzip();
        MarkModels { choices, observed, units, held: made.into_iter().collect(), room: unit }
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

    /// Bytes of encoding spikes that come from files together where tables are made.
    pub fn read_bytes(&self, electrodes: Electrodes<'_>) -> u64 {
        electrodes.model.group_bytes(self.room)
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

    /// The same on a device, which computes every row with all terms.
    pub fn device_flop(&self, spikes: impl Iterator<Item = usize>) -> f64 {
        self.choices.iter().zip(spikes).map(|(choice, spikes)| 2.0 * choice.full_cost * spikes as f64).sum()
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
            None => {
                let units = (&self.units[which], |unit: &Unit| unit.train);
                Tables::Made(electrodes.in_groups(self.room, units, make))
            }
        }
    }

    /// Tables of electrode `train`, over some of the bins: enough for densities at other places.
    pub fn of_train(&self, electrodes: Electrodes<'_>, train: usize) -> Option<Tables<'_>> {
        let first = self.units.iter().position(|unit| unit.train == train)?;
        Some(self.tables(electrodes, first..first + 1))
    }
}

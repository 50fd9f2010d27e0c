//! The spikes' share of the likelihood, summed on devices; back to the CPU where they fail.

use super::{Adds, Likelihood, TablesInTurns, Train};
use crate::backend::Backend;
use crate::backend::device::{Device, SET_UP};
use crate::error::{Error, Result};
use crate::kernels::marks::Intensity;
use crate::kernels::marks::gpu::{Lane, Needs, Spikes};
use crate::pipeline::Chunk;
use crate::report::Recorder;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lanes of each device: while one copies, the other computes.
const LANES: usize = 2;

/// Decoding spikes of one electrode that are up together.
const SPIKES: usize = 1 << 16;

/// Bytes of the rows that are summed together, at most.
const ROW_BYTES: usize = 96 << 20;

/// Devices at work; electrodes are dealt to their lanes in turn.
pub struct Devices {
    lanes: Vec<Mutex<Lane>>,
    /// Rows that are summed together.
    rows: usize,
    /// A device failed: the CPU does the rest.
    failed: AtomicBool,
}

impl Devices {
    /// Opens the lanes for chunks of `chunk_rows` rows, or for fewer rows at a time where the
    /// device's memory asks for it. None on the CPU, and, with a warning, where hardly any fit.
    ///
    /// # Errors
    /// A driver refuses a device that was asked for by name.
    pub fn open(
        backend: &Backend,
        tables: &TablesInTurns<'_>,
        chunk_rows: usize,
        recorder: &Recorder,
    ) -> Result<Option<Devices>> {
        let TablesInTurns { marks, from, turns } = tables;
        // Fields of sorted units are added where the rows are made.
        if !backend.is_device() || marks.is_empty() {
            return Ok(None);
        }
        let mut needs = Vec::new();
        for turn in turns.iter() {
            needs.extend(
                marks.tables(*from, turn.clone()).iter().map(|one| Needs::of(one).unwrap_or_default()),
            );
        }
        let bins = needs.iter().map(Needs::bins).max().unwrap_or(0).max(1);
        let mut rows = chunk_rows.min(ROW_BYTES / (8 * bins)).max(1);
        loop {
            match recorder.time(SET_UP, || lanes(backend, &needs, rows)) {
                Ok(lanes) => return Ok(Some(Devices { lanes, rows, failed: AtomicBool::new(false) })),
                Err(Error::DeviceMemory { .. }) if rows > 1 => rows = rows.div_ceil(4),
                Err(error @ Error::DeviceMemory { .. }) => {
                    recorder.warn(format!("{error} for one row of {bins} bins; the CPU computes"));
                    return Ok(None);
                }
                Err(error) if backend.by_estimate => {
                    recorder.warn(format!("{error}; the CPU computes"));
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sums over the spikes of `chunk` into `out`, `[row, bin]`; false where the CPU has to.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(super) fn sums(&self, all: &Likelihood<'_>, chunk: &Chunk, out: &mut [f64]) -> Result<bool> {
        if self.failed.load(Ordering::Acquire) {
            return Ok(false);
        }
        out.fill(0.0);
        let step = self.rows * all.bins().max(1);
        for (first, out) in (chunk.start..chunk.end).step_by(self.rows).zip(out.chunks_mut(step)) {
            let rows = first..chunk.end.min(first + self.rows as u64);
            match all.recorder.share(super::STAGE, || self.stretch(all, rows, out)) {
                Ok(()) => {}
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    self.failed.store(true, Ordering::Release);
                    all.recorder.warn(format!("{error}; the CPU computes the rest"));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn stretch(&self, all: &Likelihood<'_>, rows: Range<u64>, out: &mut [f64]) -> Result<()> {
        let TablesInTurns { marks, from, turns } = &all.tables;
        self.lanes.iter().try_for_each(|lane| lock(lane).begin())?;
        let counts: Vec<Vec<u32>> = all.trains.par_iter().map(|train| starts(train, &rows)).collect();
        (all.release)();
        for turn in turns.iter() {
            let made = marks.tables(*from, turn.clone());
            let units = &marks.units[turn.clone()];
            self.lanes.par_iter().enumerate().try_for_each(|(own, lane)| {
                all.recorder.worked_here();
                let mut lane = lock(lane);
                let mine = |train: usize| train % self.lanes.len() == own;
                for (unit, intensity) in units.iter().zip(made.iter()).filter(|(unit, _)| mine(unit.train)) {
                    if all.recorder.is_cancelled() {
                        return Err(Error::Interrupted);
                    }
                    train(all, (unit.train, &rows), (&counts[unit.train], intensity), &mut lane)?;
                }
                Ok(())
            })?;
        }
        self.lanes.iter().try_for_each(|lane| lock(lane).end(0, out))?;
        constants(all, &counts, out);
        Ok(())
    }
}

/// One electrode's spikes of some rows.
fn train(
    all: &Likelihood<'_>,
    (number, rows): (usize, &Range<u64>),
    (starts, intensity): (&[u32], &Intensity),
    lane: &mut Lane,
) -> Result<()> {
    let train = &all.trains[number];
    let Adds::Marks { marks, width, .. } = &train.adds else { return Ok(()) };
    let spikes = train.within(rows.start, rows.end);
    let floored = match intensity.is_constant() {
        true => spikes.len() as u64,
        false => {
            let marks = &marks[spikes.start * width..spikes.end * width];
            lane.add(number, intensity, Spikes { marks, starts })?
        }
    };
    all.floored[number].fetch_add(floored, Ordering::Relaxed);
    Ok(())
}

/// Electrodes whose spikes all lie on the floor add it without a device.
fn constants(all: &Likelihood<'_>, counts: &[Vec<u32>], out: &mut [f64]) {
    let floors = all.tables.from.floors;
    for (train, choice) in all.tables.marks.choices.iter().enumerate() {
        let silent = all.tables.from.is_silent(train);
        if !(silent || choice.ceiling_ln < floors[train]) {
            continue;
        }
        for (row, ends) in out.chunks_mut(all.bins().max(1)).zip(counts[train].windows(2)) {
            let added = f64::from(ends[1] - ends[0]) * floors[train];
            row.iter_mut().for_each(|value| *value += added);
        }
    }
}

/// `[row + 1]`: the first spike of each of `rows`, counted from the first of all of them.
fn starts(train: &Train<'_>, rows: &Range<u64>) -> Vec<u32> {
    let mine = &train.rows[train.within(rows.start, rows.end)];
    (rows.start..=rows.end).map(|row| mine.partition_point(|&r| u64::from(r) < row) as u32).collect()
}

fn lanes(backend: &Backend, needs: &[Needs], rows: usize) -> Result<Vec<Mutex<Lane>>> {
    let each: Vec<_> = (0..LANES).flat_map(|_| backend.handles.iter()).collect();
    let count = each.len();
    let open = |(own, device): (usize, &Arc<dyn Device>)| {
        let mine: Vec<Needs> = needs.iter().copied().skip(own).step_by(count).collect();
        Lane::open(&**device, &mine, (rows, SPIKES), LANES).map(Mutex::new)
    };
    each.into_iter().enumerate().map(open).collect()
}

/// A poisoned lock only means that another worker panicked; the run ends then.
fn lock(lane: &Mutex<Lane>) -> std::sync::MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

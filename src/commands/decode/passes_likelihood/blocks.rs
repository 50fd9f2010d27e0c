//! Log intensities of a chunk's spikes, block by block, electrodes in the turns of their tables.

use super::part::Part;
use super::{Adds, BLOCK, Likelihood, STAGE, TablesInTurns, Value};
use crate::commands::decode::mark_models::Unit;
use crate::error::{Error, Result};
use crate::kernels::marks::{Intensity, Scratch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Shares of a thread: more, and all end at about the same time.
const SHARES: usize = 8;
/// Blocks of a share: rows that are not certified wait for a full block of them.
const MOST_BLOCKS: usize = 16;

/// Blocks of spikes at work: `spikes` counts places in the order of the chunk.
struct Share<'a, T> {
    train: usize,
    /// Mark models of the train that have their turn, and over which bins.
    units: &'a [Unit],
    tables: &'a [Intensity],
    spikes: Range<usize>,
    out: &'a mut [T],
}

/// Working memory of a thread.
struct Room<T> {
    scratch: Scratch,
    /// Marks of a block that are not neighbours.
    gathered: Vec<f64>,
    /// Log intensities `[spike, bin]` over some of the bins.
    some: Vec<T>,
}

impl Likelihood<'_> {
    /// Log intensities `[spike, bin]` of the spikes of all `parts`, the trains one after another.
    pub(super) fn intensities<T: Value>(&self, parts: &[Part], out: &mut [T]) -> Result<()> {
        let TablesInTurns { marks, from, turns } = &self.tables;
        for turn in turns.iter() {
            let made = self.recorder.share(STAGE, || marks.tables(*from, turn.clone()));
            self.turn(parts, (&marks.units[turn.clone()], &made), out)?;
        }
        Ok(())
    }

    /// All spikes of the electrodes that have their turn.
    fn turn<T: Value>(
        &self,
        parts: &[Part],
        (units, tables): (&[Unit], &[Intensity]),
        out: &mut [T],
    ) -> Result<()> {
        let blocks = parts.iter().map(|part| part.spikes.len().div_ceil(BLOCK)).sum::<usize>();
        let several = BLOCK * (blocks / (SHARES * rayon::current_num_threads())).clamp(1, MOST_BLOCKS);
        let mut shares = Vec::new();
        let mut rest = out;
        for (train, part) in parts.iter().enumerate() {
            let first = units.partition_point(|unit| unit.train < train);
            let mine = first..units.partition_point(|unit| unit.train <= train);
            let (all, others) = rest.split_at_mut(part.spikes.len() * self.bins());
            rest = others;
            if mine.is_empty() {
                continue;
            }
            // Units of some of the bins have a buffer of their own.
            let spikes_of = if mine.len() == 1 { several } else { BLOCK };
            for (share, out) in all.chunks_mut(spikes_of * self.bins().max(1)).enumerate() {
                let start = share * spikes_of;
                let spikes = start..part.spikes.len().min(start + spikes_of);
                shares.push(Share {
                    train,
                    units: &units[mine.clone()],
                    tables: &tables[mine.clone()],
                    spikes,
                    out,
                });
            }
        }
        let room = || Room { scratch: Scratch::default(), gathered: Vec::new(), some: Vec::new() };
        shares.into_par_iter().try_for_each_init(room, |room, share| {
            if self.recorder.is_overdue() {
                return Err(Error::Interrupted);
            }
            self.recorder.worked_here();
            self.recorder.share(STAGE, || self.block(&parts[share.train], share, room));
            Ok(())
        })
    }

    fn block<T: Value>(&self, part: &Part, share: Share<'_, T>, room: &mut Room<T>) {
        let Adds::Marks { marks, width, .. } = &self.trains[share.train].adds else { return };
        let mine = &marks[part.spikes.start * width..part.spikes.end * width];
        let marks = if part.order.is_empty() {
            &mine[share.spikes.start * width..share.spikes.end * width]
        } else {
            room.gathered.clear();
            for &at in &part.order[share.spikes.clone()] {
                room.gathered.extend_from_slice(&mine[at * width..(at + 1) * width]);
            }
            &room.gathered
        };
        let bins = self.bins();
        for (unit, intensity) in share.units.iter().zip(share.tables) {
            if unit.bins.len() == bins {
                let floored = intensity.log_intensity(self.level, marks, share.out, &mut room.scratch);
                self.floored[share.train].fetch_add(floored.spikes as u64, Ordering::Relaxed);
                continue;
            }
            room.some.resize(share.spikes.len() * unit.bins.len(), T::default());
            intensity.log_intensity(self.level, marks, &mut room.some, &mut room.scratch);
            let rows = share.out.chunks_exact_mut(bins);
            for (row, some) in rows.zip(room.some.chunks_exact(unit.bins.len())) {
                row[unit.bins.clone()].copy_from_slice(some);
            }
            if unit.bins.end == bins {
                // The units before it have had their turns: rows are whole now.
                let floor = T::round_from(self.tables.from.floors[share.train]);
                let silent = |row: &&[T]| row.iter().all(|value| *value <= floor);
                let count = share.out.chunks_exact(bins).filter(silent).count();
                self.floored[share.train].fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    }
}

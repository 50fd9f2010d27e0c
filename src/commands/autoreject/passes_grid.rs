//! The loss of every pair of consensus and number of repaired channels (spec autoreject 9.3, 14).
//!
//! Work is cut into ranges of samples, each done by one worker from end to end: medians of the
//! test epochs as measured, sums of the epochs by fold and by how many bad channels they have,
//! and what the repairs change in these sums. A pair's train mean is then a sum of few such
//! sums. Losses are sums of squares over samples; ranges follow from the shape alone and are
//! added in order.

mod lists;

use super::epochs::Slab;
use super::repairs::{Repairs, Scratch};
use super::test_medians::TestMedians;
use crate::backend::CpuLevel;
use crate::kernels::epochs::{Keys, Tile, add, add_difference, copy_rows, set_sum, squared_distance};
use crate::kernels::simd::AlignedF64;
use crate::report::Recorder;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// What the grid search is over.
pub struct Grid<'a> {
    /// Instruction set.
    pub level: CpuLevel,
    /// Told of the work.
    pub recorder: &'a Recorder,
    /// Test epochs of each fold, contiguous and covering all.
    pub folds: &'a [Range<usize>],
    /// Consensus shares, ascending or not.
    pub consensus: &'a [f64],
    /// Numbers of repaired channels.
    pub n_interpolate: &'a [i64],
    /// Bad channels of each epoch.
    pub bad_counts: &'a [usize],
    /// Repairs of each epoch, for each entry of `n_interpolate`.
    pub repairs: &'a [Repairs],
    /// Channels of the group.
    pub channels: usize,
    /// Samples of an epoch.
    pub samples: usize,
    /// Medians of the test epochs, where they are known already.
    pub tests: Option<&'a TestMedians>,
}

/// Samples of a range for epochs of `samples` samples.
fn range_width(samples: usize) -> usize {
    match samples {
        0..=127 => 16,
        128..=511 => 32,
        _ => 64,
    }
}

/// Sums over epochs of one range, `[channel][sample]` each, by fold and bin; None where no epoch
/// falls.
type Sums = Vec<Vec<Option<Vec<f64>>>>;

/// Buffers that one range after the other uses: fresh ones from the system would be faulted in page
/// by page each time.
#[derive(Default)]
struct Room {
    free: Vec<Vec<f64>>,
}

impl Room {
    fn zeros(&mut self, length: usize) -> Vec<f64> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(length, 0.0);
        buffer
    }

    fn take_back(&mut self, buffers: impl IntoIterator<Item = Vec<f64>>) {
        self.free.extend(buffers);
    }
}

impl Grid<'_> {
    /// Adds the sums of squares of all ranges of `slab`, which holds all epochs, to `squares`
    /// `[consensus][n_interpolate][fold]`.
    pub fn add(&self, slab: Slab, squares: &mut [f64]) {
        let width = range_width(self.samples);
        let starts: Vec<usize> = (0..slab.samples).step_by(width).collect();
        let rooms: Mutex<Vec<Room>> = Mutex::default();
        let rooms = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let partial: Vec<Vec<f64>> = starts
            .into_par_iter()
            .map(|first| {
                let mut room = rooms().pop().unwrap_or_default();
                let samples = first..slab.samples.min(first + width);
                let partial =
                    self.recorder.share("grid", || self.range(slab, samples, squares.len(), &mut room));
                rooms().push(room);
                partial
            })
            .collect();
        for partial in partial {
            squares.iter_mut().zip(partial).for_each(|(all, part)| *all += part);
        }
    }

    /// Losses `[consensus][n_interpolate][fold]` from the sums of squares of all slabs.
    pub fn losses(&self, squares: &[f64]) -> Vec<f64> {
        let scale = (self.channels * self.samples) as f64;
        let root = |(at, square): (usize, &f64)| {
            if self.is_open(at) { (square / scale).sqrt() } else { f64::INFINITY }
        };
        squares.iter().enumerate().map(root).collect()
    }

    /// Entries of `squares` and of losses.
    pub fn entries(&self) -> usize {
        self.consensus.len() * self.n_interpolate.len() * self.folds.len()
    }

    /// True where entry `at` has any epoch to average: more channels may be bad than are
    /// repaired, and some train epoch is good.
    fn is_open(&self, at: usize) -> bool {
        let (fold, at) = (at % self.folds.len(), at / self.folds.len());
        let (rho, kappa) = (at % self.n_interpolate.len(), at / self.n_interpolate.len());
        let limit = self.consensus[kappa] * self.channels as f64;
        limit > self.n_interpolate[rho] as f64 && self.kept(kappa, fold) > 0
    }

    /// Train epochs of `fold` that are good at consensus `kappa`.
    fn kept(&self, kappa: usize, fold: usize) -> usize {
        let limit = self.consensus[kappa] * self.channels as f64;
        let test = &self.folds[fold];
        let good = |(epoch, bad): &(usize, &usize)| !test.contains(epoch) && (**bad as f64) < limit;
        self.bad_counts.iter().enumerate().filter(good).count()
    }

    /// Consensus shares by ascending value: bins of epochs follow this order.
    fn ascending(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.consensus.len()).collect();
        order.sort_by(|&a, &b| self.consensus[a].total_cmp(&self.consensus[b]));
        order
    }

    fn range(&self, slab: Slab, samples: Range<usize>, entries: usize, room: &mut Room) -> Vec<f64> {
        let order = self.ascending();
        let limits: Vec<f64> = order.iter().map(|&k| self.consensus[k] * self.channels as f64).collect();
        let tests = match self.tests {
            Some(known) => self.known_medians(known, slab, &samples),
            None => self.test_medians(slab, &samples),
        };
        let (raw, patches) = self.sums(slab, &samples, &limits, room);
        let mut squares = vec![0.0; entries];
        for (rho, patches) in patches.into_iter().enumerate() {
            self.compare((&raw, &patches), &tests, (rho, &order), (&mut squares, room));
            room.take_back(patches.into_iter().flatten().flatten());
        }
        room.take_back(raw.into_iter().flatten().flatten());
        squares
    }

    /// The part of `known` that belongs to some samples of `slab`, `[fold][channel][sample]`.
    fn known_medians(&self, known: &TestMedians, slab: Slab, samples: &Range<usize>) -> Vec<Vec<f64>> {
        let samples = slab.first_sample + samples.start..slab.first_sample + samples.end;
        let of_fold = |fold| {
            (0..self.channels)
                .flat_map(|channel| known.row(channel, fold, samples.clone()))
                .copied()
                .collect()
        };
        (0..self.folds.len()).map(of_fold).collect()
    }

    /// Medians of the test epochs as measured, `[fold][channel][sample]`.
    fn test_medians(&self, slab: Slab, samples: &Range<usize>) -> Vec<Vec<f64>> {
        let (count, stride) = (samples.len(), samples.len().next_multiple_of(8));
        let mut rows = AlignedF64::zeros(slab.epochs * stride);
        let (mut keys, mut out) = (Keys::default(), AlignedF64::zeros(stride));
        let orders: Vec<Vec<u32>> =
            self.folds.iter().map(|fold| (fold.start as u32..fold.end as u32).collect()).collect();
        let mut tests: Vec<Vec<f64>> =
            orders.iter().map(|_| Vec::with_capacity(self.channels * count)).collect();
        for channel in 0..self.channels {
            let from = (&slab.values[channel * slab.samples + samples.start..], self.channels * slab.samples);
            copy_rows(self.level, from, (&mut rows, stride), slab.epochs, count);
            let tile = Tile { values: &rows, stride, rows: slab.epochs, samples: count };
            keys.read(self.level, tile);
            for (order, medians) in orders.iter().zip(&mut tests) {
                keys.medians(self.level, tile, order, &mut out);
                medians.extend_from_slice(&out[..count]);
            }
        }
        tests
    }

    /// Sums of measured epochs, and for each entry of `n_interpolate` what repairs add to them.
    fn sums(&self, slab: Slab, samples: &Range<usize>, limits: &[f64], room: &mut Room) -> (Sums, Vec<Sums>) {
        let (count, bins) = (samples.len(), limits.len());
        let empty = || vec![vec![None; bins]; self.folds.len()];
        let (mut raw, mut patches): (Sums, Vec<Sums>) =
            (empty(), self.repairs.iter().map(|_| empty()).collect());
        let mut zeros = || room.zeros(self.channels * count);
        let mut scratch = Scratch::default();
        for (fold, epochs) in self.folds.iter().enumerate() {
            for epoch in epochs.clone() {
                // The first consensus at which the epoch is good; the ones above follow.
                let bad = self.bad_counts[epoch] as f64;
                let Some(bin) = limits.iter().position(|&limit| bad < limit) else { continue };
                let row = |channel: usize| &slab.row(epoch, channel)[samples.clone()];
                let sum = raw[fold][bin].get_or_insert_with(&mut zeros);
                for (channel, sum) in sum.chunks_exact_mut(count).enumerate() {
                    add(self.level, sum, row(channel));
                }
                // Entries of the grid often repair the same channels: predict them once.
                let mut last: Option<(&[usize], Vec<f64>)> = None;
                for (repairs, patches) in self.repairs.iter().zip(&mut patches) {
                    let Some(repair) = repairs.of(epoch) else { continue };
                    let predicted = match last.take() {
                        Some((bad, predicted)) if bad == repair.bad => predicted,
                        _ => {
                            let values = (slab.epoch(epoch), slab.samples);
                            repair.predict(self.level, values, samples.clone(), &mut scratch)
                        }
                    };
                    let patch = patches[fold][bin].get_or_insert_with(&mut zeros);
                    for (&channel, predicted) in repair.bad.iter().zip(predicted.chunks_exact(count)) {
                        let patch = &mut patch[channel * count..][..count];
                        add_difference(self.level, patch, predicted, row(channel));
                    }
                    last = Some((&repair.bad, predicted));
                }
            }
        }
        (raw, patches)
    }

    /// Squared differences between train means and test medians for one entry of `n_interpolate`.
    fn compare(
        &self,
        (raw, patches): (&Sums, &Sums),
        tests: &[Vec<f64>],
        (rho, order): (usize, &[usize]),
        (squares, room): (&mut [f64], &mut Room),
    ) {
        let (folds, size) = (self.folds.len(), tests.first().map_or(0, Vec::len));
        // Sums of each fold's good epochs, growing with the consensus.
        let mut good: Vec<Vec<f64>> = (0..folds).map(|_| room.zeros(size)).collect();
        // Sums of the folds behind each one: with those before it, all others, without taking
        // its own off again.
        let mut behind: Vec<Vec<f64>> = (0..folds + 1).map(|_| room.zeros(size)).collect();
        let mut before = room.zeros(size);
        for (bin, &kappa) in order.iter().enumerate() {
            for (fold, good) in good.iter_mut().enumerate() {
                for sums in [&raw[fold][bin], &patches[fold][bin]].into_iter().flatten() {
                    add(self.level, good, sums);
                }
            }
            for fold in (0..folds).rev() {
                let (head, tail) = behind.split_at_mut(fold + 1);
                set_sum(self.level, &mut head[fold], &tail[0], &good[fold]);
            }
            before.fill(0.0);
            for fold in 0..folds {
                let at = (kappa * self.n_interpolate.len() + rho) * folds + fold;
                if self.is_open(at) {
                    let share = 1.0 / self.kept(kappa, fold) as f64;
                    let others = (&before[..], &behind[fold + 1][..]);
                    squares[at] += squared_distance(self.level, others, share, &tests[fold]);
                }
                add(self.level, &mut before, &good[fold]);
            }
        }
        room.take_back(good.into_iter().chain(behind).chain([before]));
    }
}

/// Bytes that a worker holds for one range.
pub fn grid_bytes([epochs, channels, samples]: [usize; 3], folds: usize, bins: usize, repairs: usize) -> u64 {
    let size = channels * range_width(samples) * 8;
    // One channel of all epochs with its keys.
    let rows = epochs * range_width(samples) * 16;
    (rows + size * folds * (bins * (1 + repairs) + 4)) as u64
}

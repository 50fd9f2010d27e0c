//! The loss of every candidate threshold of every channel, tile by tile in time (spec
//! autoreject 6, 8, 14).
//!
//! A tile is a few samples of all epochs. Its predicted half is made by one product, each
//! channel's rows are brought into the order of their peak-to-peak, and for each fold the
//! medians of the test rows and the losses of all prefixes of the train rows are taken while the
//! rows lie in cache. Tile bounds follow from the shape alone, and each channel adds its tiles in
//! order of time, so results do not depend on threads or memory.

mod losses;
mod order;

use super::epochs::Slab;
use super::passes_measure::stop_if_asked;
use super::test_medians::TestMedians;
use crate::array::pages::Pages;
use crate::backend::CpuLevel;
use crate::error::Result;
use crate::kernels::epochs::{COLUMNS, Keys, Predictor, Tile, copy_rows, gather, padded, reciprocals, sweep};
use crate::kernels::simd::AlignedF64;
use crate::report::Recorder;
pub use losses::Losses;
pub use order::{FoldRows, Order, orders};
use rayon::prelude::*;
use std::ops::Range;

/// Epochs whose rows of a tile lie together.
const BLOCK: usize = 32;

/// Bytes of one channel's tile that should stay in the second-level cache.
const CACHED: usize = 1 << 20;

/// The sweep over one group of channels.
pub struct Sweep<'a> {
    level: CpuLevel,
    recorder: &'a Recorder,
    predictor: Option<&'a Predictor>,
    epochs: usize,
    channels: usize,
    samples: usize,
    /// Samples of a tile.
    width: usize,
    /// One per channel, or a single one for all.
    orders: Vec<Order>,
    reciprocals: Vec<f64>,
    /// Room per fold.
    room: usize,
    folds: usize,
    /// `[channel][fold][prefix]`.
    losses: Vec<f64>,
    /// Taken by the way for the grid search, whose rows these are, too.
    tests: Option<TestMedians>,
    /// One tile: measured epochs, then predicted ones if there is a predictor, each
    /// `[block][channel][epoch in block][sample]` with channels [`apart`] values apart.
    tile: Pages,
}

impl<'a> Sweep<'a> {
    /// Prepares for epochs of `shape`. `ptp` is `[row][channel]` with one row per epoch, and as
    /// many predicted ones behind them where there is a predictor; with one value per row it
    /// holds for all channels.
    ///
    /// # Errors
    /// The system refuses memory for a tile.
    pub fn new(
        (level, recorder): (CpuLevel, &'a Recorder),
        predictor: Option<&'a Predictor>,
        [epochs, channels, samples]: [usize; 3],
        ptp: &[f64],
        folds: &[FoldRows],
    ) -> Result<Self> {
        let kinds = if predictor.is_some() { 2 } else { 1 };
        let rows = epochs * kinds;
        let width = tile_width(rows);
        let starts: Vec<usize> = (0..rows)
            .map(|row| {
                let (kind, epoch) = (row / epochs, row % epochs);
                let block = epoch / BLOCK * channels * apart(width) + epoch % BLOCK * width;
                kind * tile_values(epochs, channels, width) + block
            })
            .collect();
        let mut orders = orders(ptp, rows, folds);
        orders.par_iter_mut().for_each(|order| order.place(&starts));
        let longest = folds.iter().map(|f| f.train.len()).max().unwrap_or(0);
        let room = padded(longest);
        Ok(Sweep {
            level,
            recorder,
            predictor,
            epochs,
            channels,
            samples,
            width,
            orders,
            reciprocals: reciprocals(longest),
            room,
            folds: folds.len(),
            losses: vec![0.0; channels * folds.len() * room],
            tests: None,
            tile: Pages::of_values(tile_values(epochs, channels, width) * kinds)?,
        })
    }

    /// Takes the medians of the epochs of each of `folds` by the way, too.
    pub fn with_tests(mut self, folds: &[Range<usize>]) -> Self {
        self.orders.par_iter_mut().for_each(|order| order.find_tests(folds));
        self.tests = Some(TestMedians::zeros(self.channels, folds.len(), self.samples));
        self
    }

    /// The medians of [`Sweep::with_tests`], once all tiles are added.
    pub fn take_tests(&mut self) -> Option<TestMedians> {
        self.tests.take()
    }

    /// Rows of one channel.
    fn rows(&self) -> usize {
        self.epochs * if self.predictor.is_some() { 2 } else { 1 }
    }

    /// Adds all tiles of `slab`, which holds all epochs.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) after a request to stop.
    pub fn add(&mut self, slab: Slab) -> Result<()> {
        for first in (0..slab.samples).step_by(self.width) {
            let count = self.width.min(slab.samples - first);
            self.fill(slab, first, count);
            self.sweep_channels(slab.first_sample + first, count);
            stop_if_asked(self.recorder)?;
            // Epochs' worth of samples, so that all tiles together count every epoch once.
            let before = (slab.first_sample + first) * self.epochs / self.samples;
            let after = (slab.first_sample + first + count) * self.epochs / self.samples;
            self.recorder.advance((after - before) as u64);
        }
        Ok(())
    }

    /// Copies and predicts samples `first .. first + count` of all epochs.
    fn fill(&mut self, slab: Slab, first: usize, count: usize) {
        let (width, apart) = (self.width, apart(self.width));
        let (level, predictor, recorder) = (self.level, self.predictor, self.recorder);
        let length = (self.channels * apart).max(1);
        let copy = |block: usize, measured: &mut [f64]| {
            if count < width {
                // The last tile: what an earlier one left must not count.
                measured.fill(0.0);
            }
            for epoch in block * BLOCK..slab.epochs.min((block + 1) * BLOCK) {
                let to = (&mut measured[epoch % BLOCK * width..], apart);
                copy_rows(level, (&slab.epoch(epoch)[first..], slab.samples), to, slab.channels, count);
            }
        };
        let half = tile_values(self.epochs, self.channels, width);
        let (measured, predicted) = self.tile.values_mut().split_at_mut(half);
        match predictor {
            None => measured.par_chunks_mut(length).enumerate().for_each(|(block, measured)| {
                recorder.share("thresholds", || copy(block, measured));
            }),
            Some(predictor) => {
                let both = measured.par_chunks_mut(length).zip(predicted.par_chunks_mut(length));
                both.enumerate().for_each(|(block, (measured, predicted))| {
                    recorder.share("thresholds", || {
                        copy(block, measured);
                        for start in (0..BLOCK * width).step_by(COLUMNS) {
                            let to = &mut predicted[start..];
                            predictor.product(level, (&measured[start..], apart), (to, apart), COLUMNS);
                        }
                    });
                });
            }
        }
    }

    fn sweep_channels(&mut self, first: usize, count: usize) {
        let (width, rows, room, samples) = (self.width, self.rows(), self.room, self.samples);
        let scratch = || (AlignedF64::zeros(rows * width), Keys::default(), AlignedF64::zeros(width));
        let tile = self.tile.values();
        let (level, orders, reciprocals, recorder) =
            (self.level, &self.orders, &self.reciprocals, self.recorder);
        let tests = self.tests.iter_mut().flat_map(TestMedians::by_channel);
        let tests = tests.chain(std::iter::repeat_with(Default::default));
        let channels: Vec<(&mut [f64], &mut [f64])> =
            self.losses.chunks_mut((self.folds * room).max(1)).zip(tests).collect();
        channels.into_par_iter().enumerate().for_each_init(
            scratch,
            |(sorted, keys, target), (channel, (losses, tests))| {
                recorder.share("thresholds", || {
                    let order = &orders[channel % orders.len()];
                    gather(level, &tile[channel * apart(width)..], &order.starts, width, sorted);
                    let all = Tile { values: sorted, stride: width, rows, samples: count };
                    keys.read(level, all);
                    for (fold, medians) in order.tests.iter().zip(tests.chunks_exact_mut(samples)) {
                        keys.medians(level, all, fold, target);
                        medians[first..first + count].copy_from_slice(&target[..count]);
                    }
                    for (fold, losses) in order.folds.iter().zip(losses.chunks_exact_mut(room)) {
                        target.fill(0.0);
                        keys.medians(level, all, &fold.test, target);
                        sweep(level, all, &fold.train, (reciprocals, target), losses);
                    }
                });
            },
        );
    }

    /// All losses, once all tiles are added.
    pub fn into_losses(self) -> Losses {
        let shape = [self.channels, self.folds, self.room];
        Losses::new(self.orders, self.losses, shape, self.samples)
    }
}

/// Samples of a tile for channels of `rows` rows: as many as stay in cache.
pub fn tile_width(rows: usize) -> usize {
    match rows * 8 {
        row_bytes if row_bytes * 32 <= CACHED => 32,
        row_bytes if row_bytes * 16 <= CACHED => 16,
        _ => 8,
    }
}

/// Bytes that a sweep holds besides the epochs themselves.
pub fn sweep_bytes([epochs, channels, _]: [usize; 3], augment: bool, folds: usize, threads: usize) -> u64 {
    let rows = epochs * if augment { 2 } else { 1 };
    let tile = tile_values(epochs, channels, tile_width(rows)) * (rows / epochs.max(1)) * 8;
    let losses = channels * folds * padded(rows) * 8;
    let orders = channels * (folds + 5) * rows * 4;
    let scratch = threads * rows * 2 * tile_width(rows) * 8;
    (tile + losses + orders + scratch) as u64
}

/// Values from one channel of a block to the next: whole cache lines, an odd number of them, so
/// that channels do not fall on the same cache sets.
fn apart(width: usize) -> usize {
    BLOCK * width + 5 * 8
}

fn tile_values(epochs: usize, channels: usize, width: usize) -> usize {
    epochs.div_ceil(BLOCK) * channels * apart(width)
}

//! Medians of the test epochs of the grid search as measured (spec autoreject 9.3).
//!
//! They do not depend on the thresholds, and the sweep that finds these has every channel's rows in
//! cache: taken there, the grid search need not walk the recording for them.

use std::ops::Range;

/// `[channel][fold][sample]`, SI units.
#[derive(Debug, Clone)]
pub struct TestMedians {
    values: Vec<f64>,
    folds: usize,
    samples: usize,
}

impl TestMedians {
    /// Zeros at first.
    pub fn zeros(channels: usize, folds: usize, samples: usize) -> Self {
        TestMedians { values: vec![0.0; channels * folds * samples], folds, samples }
    }

    /// True where they are small beside the `epochs` that they are medians of.
    pub fn are_few(epochs: usize, folds: usize) -> bool {
        folds.saturating_mul(8) <= epochs
    }

    /// Bytes of them.
    pub fn bytes(channels: usize, folds: usize, samples: usize) -> u64 {
        8 * (channels * folds * samples) as u64
    }

    /// `[fold][sample]` of each channel.
    pub fn by_channel(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_mut((self.folds * self.samples).max(1))
    }

    /// Some samples of one channel in one fold.
    pub fn row(&self, channel: usize, fold: usize, samples: Range<usize>) -> &[f64] {
        &self.values[(channel * self.folds + fold) * self.samples..][samples]
    }
}

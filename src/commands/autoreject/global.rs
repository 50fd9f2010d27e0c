//! One threshold for all channels of a type (spec autoreject 8).

use super::epochs::{Epochs, Source};
use super::fit::amplitudes;
use super::options::ThresholdSearch;
use super::passes_device;
use super::passes_sweep::{FoldRows, Losses, Sweep};
use super::search::{self, Found, LossTable};
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::splits;
use crate::report::Recorder;
use serde::Serialize;
use std::ops::Range;

/// Points at which the Bayesian search begins.
const INITIAL: usize = 5;

/// Thresholds of the validation curve.
const CURVE: usize = 15;

/// Losses at evenly spaced thresholds, `[threshold][fold]`; infinite (null in JSON) where no
/// epoch is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValidationCurve {
    /// Thresholds between the smallest and the largest peak-to-peak of any channel.
    pub thresholds: Vec<f64>,
    /// Against the median of the train epochs themselves.
    pub train: Vec<Vec<f64>>,
    /// Against the median of the test epochs.
    pub test: Vec<Vec<f64>>,
}

/// The threshold of one type.
#[derive(Debug)]
pub struct GlobalFit {
    /// The threshold and how it was found.
    pub found: Found,
    /// All candidates, ascending.
    pub candidates: Vec<f64>,
    /// Their mean losses; infinite where nothing is kept.
    pub loss: Vec<f64>,
    /// The curve.
    pub curve: ValidationCurve,
}

/// Every so many samples of another source, from `first` on.
pub struct Decimated<'a> {
    source: &'a dyn Source,
    step: usize,
    first: usize,
}

impl<'a> Decimated<'a> {
    /// Keeps samples `first, first + step, ...` with the sample at time 0 among them: `tmin` is
    /// the time of the first sample, seconds, `sfreq` the rate, hertz (spec autoreject 8).
    pub fn new(source: &'a dyn Source, step: usize, tmin: f64, sfreq: f64) -> Self {
        let zero = (-tmin * sfreq).round_ties_even();
        let first = if zero.is_finite() { zero.rem_euclid(step as f64) as usize } else { 0 };
        Decimated { source, step, first }
    }
}

impl Source for Decimated<'_> {
    fn shape(&self) -> [usize; 3] {
        let [n, c, t] = self.source.shape();
        [n, c, t.saturating_sub(self.first).div_ceil(self.step)]
    }

    fn laborious(&self) -> bool {
        self.source.laborious()
    }

    fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> Result<()> {
        let [_, channels, all] = self.source.shape();
        let wanted = samples.len();
        let from = self.first + samples.start * self.step;
        let to = all.min(self.first + samples.end * self.step);
        // A few epochs at a time: what is dropped again is never held as a whole.
        let mut buffer = Vec::new();
        let together = 16;
        for start in epochs.clone().step_by(together) {
            let some = start..epochs.end.min(start + together);
            buffer.resize(some.len() * channels * (to - from), 0.0);
            self.source.read(some.clone(), from..to, &mut buffer)?;
            let rows = out[(start - epochs.start) * channels * wanted..].chunks_exact_mut(wanted);
            for (row, all) in rows.zip(buffer.chunks_exact(to - from)) {
                row.iter_mut().zip(all.iter().step_by(self.step)).for_each(|(out, v)| *out = *v);
            }
        }
        Ok(())
    }
}

/// Largest peak-to-peak over the channels of each epoch; `ptp` is `[epoch][channel]`.
pub fn epoch_maxima(ptp: &[f64], channels: usize) -> Vec<f64> {
    ptp.chunks_exact(channels).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect()
}

/// Finds the threshold of one type; `ptp` is that of `epochs`, `[epoch][channel]`.
///
/// # Errors
/// Fewer epochs than folds, no threshold that keeps an epoch in every fold, a source that cannot
/// be read, or a request to stop.
pub fn global(
    tools: (CpuLevel, &Recorder),
    epochs: &Epochs,
    (cv, search): (usize, ThresholdSearch),
) -> Result<GlobalFit> {
    let [n, channels, _] = epochs.shape();
    let ptp = amplitudes(tools, epochs, None)?;
    let maxima = epoch_maxima(&ptp, channels);
    let blocks = splits::folds(n, cv)?;
    let outside = |test: &Range<usize>| (0..n as u32).filter(|&e| !test.contains(&(e as usize))).collect();
    let test: Vec<FoldRows> = blocks
        .iter()
        .map(|block| FoldRows { train: outside(block), test: block.clone().map(|e| e as u32).collect() })
        .collect();
    let own = |fold: &FoldRows| FoldRows { train: fold.train.clone(), test: fold.train.clone() };
    let train: Vec<FoldRows> = test.iter().map(own).collect();
    let sweep = |folds: &[FoldRows]| -> Result<Losses> {
        if let Some(losses) = passes_device::losses(epochs, None, (&maxima, folds), tools.1)? {
            tools.1.advance(n as u64);
            return Ok(losses);
        }
        let mut sweep = Sweep::new(tools, None, epochs.shape(), &maxima, folds)?;
        epochs.by_times(|slab| sweep.add(slab))?;
        Ok(sweep.into_losses())
    };
    tools.1.time("thresholds", || {
        let (losses, on_train) = (sweep(&test)?, sweep(&train)?);
        let (candidates, loss) = losses.candidates_of_all(&maxima);
        let table = LossTable { candidates: &candidates, loss: &loss };
        let found = match search {
            ThresholdSearch::Bayesian => search::bayesian(&table, INITIAL),
            ThresholdSearch::Exact => search::exact(&table),
            ThresholdSearch::Random => {
                Err(Error::usage("--threshold-search random: --method global knows bayesian and exact"))
            }
        }?;
        let thresholds = curve_thresholds(&ptp);
        let at = |losses: &Losses| thresholds.iter().map(|&t| losses.losses_of_all_at(&maxima, t)).collect();
        let curve = ValidationCurve { train: at(&on_train), test: at(&losses), thresholds };
        Ok(GlobalFit { found, candidates, loss, curve })
    })
}

/// Evenly spaced between the extremes, both included, as numpy's `linspace` computes them.
fn curve_thresholds(ptp: &[f64]) -> Vec<f64> {
    let least = ptp.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ptp.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (most - least) / (CURVE - 1) as f64;
    (0..CURVE).map(|i| if i == CURVE - 1 { most } else { least + i as f64 * step }).collect()
}

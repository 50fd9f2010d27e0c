//! The fit of one channel type: thresholds, votes, grid search, reject log (spec autoreject 5-9).

use super::channels::ChannelKind;
use super::epochs::Epochs;
use super::fitted::Fitted;
use super::options::ThresholdSearch;
use super::passes_device;
use super::passes_grid::Grid;
use super::passes_measure::{measured, measured_and_predicted, stop_if_asked};
use super::passes_sweep::{FoldRows, Losses, Sweep};
use super::repairs::{Means, Repairs};
use super::search::{self, Found, LossTable};
use super::test_medians::TestMedians;
use super::votes;
use crate::backend::CpuLevel;
use crate::error::Result;
use crate::kernels::epochs::Predictor;
use crate::kernels::splits;
use crate::report::{Recorder, Work};

/// Splits of each channel's threshold search (spec autoreject 3.2).
const SPLITS: usize = 10;

/// Points at which the Bayesian search begins (spec autoreject 7.1).
const INITIAL: usize = 40;

/// What a fit is asked to do.
pub struct Wishes<'a> {
    /// Grid of consensus shares.
    pub consensus: &'a [f64],
    /// Grid of numbers of repaired channels.
    pub n_interpolate: &'a [i64],
    /// Folds of the grid search.
    pub cv: usize,
    /// How thresholds are searched.
    pub search: ThresholdSearch,
    /// Predicted epochs take part in the search.
    pub augment: bool,
    /// Labels begin anew for every entry of the n_interpolate grid.
    pub fresh_labels: bool,
    /// Seed of splits and random search.
    pub seed: u32,
}

/// The channels of one type.
pub struct Group<'a> {
    /// The type.
    pub kind: ChannelKind,
    /// Positions among the recording's channels.
    pub picks: &'a [usize],
    /// Their names.
    pub names: &'a [String],
    /// How they are repaired.
    pub means: &'a Means,
    /// Thresholds that are given instead of searched.
    pub thresholds: Option<&'a [f64]>,
    /// What an earlier part of the same run found.
    pub known: Option<Known>,
}

/// What an earlier part of a run found.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The search of each channel.
    pub found: Vec<Found>,
    /// The loss grid, if it came so far.
    pub loss: Option<Vec<f64>>,
}

/// Told of what is found, stage by stage: the searches, then the loss grid with them.
pub type Keep<'a> = dyn FnMut(&[Found], Option<&[f64]>) -> Result<()> + 'a;

/// A fit and what else is worth knowing of it.
#[derive(Debug)]
pub struct Fit {
    /// Thresholds, choices, loss.
    pub fitted: Fitted,
    /// Peak-to-peak `[epoch][pick]`.
    pub ptp: Vec<f64>,
    /// How each threshold was found; empty where thresholds were given.
    pub found: Vec<Found>,
}

/// Peak-to-peak of measured epochs, and of predicted ones behind them, `[row][channel]`.
pub fn amplitudes(
    (level, recorder): (CpuLevel, &Recorder),
    epochs: &Epochs,
    predictor: Option<&Predictor>,
) -> Result<Vec<f64>> {
    let [n, channels, _] = epochs.shape();
    if let Some(ptp) = passes_device::amplitudes(epochs, predictor, recorder)? {
        recorder.advance(n as u64);
        return Ok(ptp);
    }
    let kinds = if predictor.is_some() { 2 } else { 1 };
    let mut ptp = vec![0.0; kinds * n * channels];
    let (own, others) = ptp.split_at_mut(n * channels);
    recorder.time("measure", || {
        epochs.by_epochs(|slab| {
            let range = slab.first_epoch * channels..(slab.first_epoch + slab.epochs) * channels;
            match predictor {
                None => measured(level, slab, recorder, &mut own[range]),
                Some(predictor) => {
                    let out = (&mut own[range.clone()], &mut others[range]);
                    measured_and_predicted(level, predictor, slab, recorder, out);
                }
            }
            recorder.advance(slab.epochs as u64);
            stop_if_asked(recorder)
        })
    })?;
    let values = (n * channels * epochs.shape()[2]) as u64;
    let flop = if predictor.is_some() { 2 * values * channels as u64 } else { 0 };
    recorder.count("measure", Work { items: n as u64, bytes_read: 8 * values, flop, ..Work::default() });
    Ok(ptp)
}

/// Rows of the stratified splits: all epochs, and the predicted ones behind them.
fn split_rows(epochs: usize, augment: bool, seed: u32) -> Result<Vec<FoldRows>> {
    let classes = if augment { vec![epochs; 2] } else { vec![epochs] };
    let rows = |rows: Vec<usize>| rows.into_iter().map(|row| row as u32).collect();
    let splits = splits::stratified(&classes, SPLITS, seed)?;
    Ok(splits
        .into_iter()
        .map(|split| FoldRows { train: rows(split.train), test: rows(split.test) })
        .collect())
}

/// Fits one group of channels.
///
/// # Errors
/// Too few epochs for the folds, a source that cannot be read, a refusal of `keep`, or a request
/// to stop.
pub fn fit(
    tools: (CpuLevel, &Recorder),
    epochs: &Epochs,
    group: &Group,
    wishes: &Wishes,
    keep: &mut Keep,
) -> Result<Fit> {
    let [_, channels, _] = epochs.shape();
    let known = group.known.as_ref().filter(|known| known.found.len() == channels);
    let mut tests = None;
    let (thresholds, ptp, found) = match (group.thresholds, known) {
        (Some(given), _) => (given.to_vec(), amplitudes(tools, epochs, None)?, Vec::new()),
        (None, Some(known)) => {
            let thresholds = known.found.iter().map(|f| f.threshold).collect();
            (thresholds, amplitudes(tools, epochs, None)?, known.found.clone())
        }
        (None, None) => {
            let (searched, by_the_way) = searched(tools, epochs, group, wishes)?;
            keep(&searched.2, None)?;
            tests = by_the_way;
            searched
        }
    };
    let shape = (wishes.consensus.len(), wishes.n_interpolate.len(), wishes.cv);
    let loss = match known.and_then(|known| known.loss.clone()) {
        Some(loss) if group.thresholds.is_none() && loss.len() == shape.0 * shape.1 * shape.2 => loss,
        _ => {
            let loss = loss_grid(tools, epochs, (group, tests.as_ref()), wishes, (&ptp, &thresholds))?;
            keep(&found, Some(&loss))?;
            loss
        }
    };
    let (kappa, rho) = votes::choice(&loss, shape);
    let fitted = Fitted {
        kind: group.kind,
        picks: group.picks.to_vec(),
        names: group.names.to_vec(),
        thresholds,
        consensus: wishes.consensus[kappa],
        n_interpolate: wishes.n_interpolate[rho],
        loss,
    };
    Ok(Fit { fitted, ptp, found })
}

/// Loss `[consensus][n_interpolate][fold]` given amplitudes and thresholds.
fn loss_grid(
    (level, recorder): (CpuLevel, &Recorder),
    epochs: &Epochs,
    (group, tests): (&Group, Option<&TestMedians>),
    wishes: &Wishes,
    (ptp, thresholds): (&[f64], &[f64]),
) -> Result<Vec<f64>> {
    let [n, channels, samples] = epochs.shape();
    let folds = splits::folds(n, wishes.cv)?;
    let votes = votes::votes(ptp, thresholds);
    let bad_counts = votes::bad_counts(&votes, channels);
    let labels = labels(&votes, ptp, channels, wishes);
    recorder.time("grid", || {
        let repairs: Vec<Repairs> = labels.iter().map(|l| Repairs::new(group.means, l, channels)).collect();
        let grid = Grid {
            level,
            recorder,
            folds: &folds,
            consensus: wishes.consensus,
            n_interpolate: wishes.n_interpolate,
            bad_counts: &bad_counts,
            repairs: &repairs,
            channels,
            samples,
            tests,
        };
        if let Some(squares) = passes_device::squares(epochs, &grid, recorder)? {
            recorder.advance(n as u64);
            return Ok(grid.losses(&squares));
        }
        let mut squares = vec![0.0; grid.entries()];
        epochs.by_times(|slab| {
            grid.add(slab, &mut squares);
            let (from, to) = (slab.first_sample, slab.first_sample + slab.samples);
            recorder.advance((to * n / samples - from * n / samples) as u64);
            stop_if_asked(recorder)
        })?;
        let bytes_read = 16 * (n * channels * samples) as u64;
        recorder.count("grid", Work { items: n as u64, bytes_read, ..Work::default() });
        Ok(grid.losses(&squares))
    })
}

/// Labels for each entry of the n_interpolate grid.
fn labels(fresh: &[u8], ptp: &[f64], channels: usize, wishes: &Wishes) -> Vec<Vec<u8>> {
    if wishes.fresh_labels {
        votes::fresh(fresh, ptp, channels, wishes.n_interpolate)
    } else {
        votes::carried(fresh, ptp, channels, wishes.n_interpolate)
    }
}

/// Thresholds by search; peak-to-peak of the measured epochs; how each was found.
type Searched = (Vec<f64>, Vec<f64>, Vec<Found>);

/// Searches all thresholds; takes the medians of the grid search's test epochs by the way.
fn searched(
    tools: (CpuLevel, &Recorder),
    epochs: &Epochs,
    group: &Group,
    wishes: &Wishes,
) -> Result<(Searched, Option<TestMedians>)> {
    let recorder = tools.1;
    let [n, channels, samples] = epochs.shape();
    let folds = split_rows(n, wishes.augment, wishes.seed)?;
    let weights = match (wishes.augment, group.means) {
        (false, _) => None,
        (true, Means::Spline(spline)) => Some(spline.leave_one_out()),
        (true, Means::Unchanged) => Some(identity(channels)),
    };
    let predictor = weights.map(|w| Predictor::new(&w, channels, channels));
    let mut ptp = amplitudes(tools, epochs, predictor.as_ref())?;
    let (found, tests) = recorder.time("thresholds", || -> Result<_> {
        let given = (&ptp[..], &folds[..]);
        if let Some(losses) = passes_device::losses(epochs, predictor.as_ref(), given, recorder)? {
            recorder.advance(n as u64);
            return Ok((search_all(&losses, &ptp, wishes, recorder)?, None));
        }
        let mut sweep = Sweep::new(tools, predictor.as_ref(), [n, channels, samples], &ptp, &folds)?;
        if TestMedians::are_few(n, wishes.cv) {
            sweep = sweep.with_tests(&splits::folds(n, wishes.cv)?);
        }
        epochs.by_times(|slab| sweep.add(slab))?;
        let tests = sweep.take_tests();
        Ok((search_all(&sweep.into_losses(), &ptp, wishes, recorder)?, tests))
    })?;
    ptp.truncate(n * channels);
    let values = (n * channels * samples) as u64;
    let rows = if wishes.augment { 2 } else { 1 };
    // The product, and three operations per value and fold of the sweep; medians only compare.
    let product = if wishes.augment { 2 * values * channels as u64 } else { 0 };
    let flop = product + rows * values * 3 * SPLITS as u64 * 8 / 10;
    recorder.count("thresholds", Work { items: n as u64, bytes_read: 8 * values, flop, ..Work::default() });
    Ok(((found.iter().map(|f| f.threshold).collect(), ptp, found), tests))
}

/// Weights that leave every channel as it is.
fn identity(channels: usize) -> Vec<f64> {
    (0..channels * channels).map(|at| if at / channels == at % channels { 1.0 } else { 0.0 }).collect()
}

/// The search of each channel over its table of losses.
fn search_all(losses: &Losses, ptp: &[f64], wishes: &Wishes, recorder: &Recorder) -> Result<Vec<Found>> {
    use rayon::prelude::*;
    let channels = losses.channels();
    (0..channels)
        .into_par_iter()
        .map(|channel| {
            recorder.share("thresholds", || {
                let column: Vec<f64> = ptp.iter().skip(channel).step_by(channels).copied().collect();
                let (candidates, loss) = losses.candidates(channel, &column, true);
                let table = LossTable { candidates: &candidates, loss: &loss };
                match wishes.search {
                    ThresholdSearch::Bayesian => search::bayesian(&table, INITIAL),
                    ThresholdSearch::Random => search::random(&table, wishes.seed),
                    ThresholdSearch::Exact => search::exact(&table),
                }
            })
        })
        .collect()
}

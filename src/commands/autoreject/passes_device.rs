//! The stages of a fit on devices (spec autoreject 5, 6, 8, 9.3, 10).
//!
//! Every device has a stretch of samples of all epochs and does each stage for it; what the stages
//! find is added, or the extremes of it taken, in order of time. The epochs go to the devices once
//! where they fit and stay there for all stages. A device that fails, or has no room even for narrow
//! slabs, leaves the rest of the group to the CPU.

use super::epochs::Epochs;
use super::options::{Method, Options};
use super::passes_grid::Grid;
use super::passes_measure::stop_if_asked;
use super::passes_ransac::Subset;
use super::passes_sweep::{FoldRows, Losses, orders};
use super::plan::SubjectPlan;
use crate::backend::device::SET_UP;
use crate::backend::{Backend, Fit, Work};
use crate::error::{Error, Result};
use crate::kernels::epochs::gpu::{Loader, MOST_SUBSETS, Station, SubsetLists, SweepLists};
use crate::kernels::epochs::{Predictor, reciprocals};
use crate::report::Recorder;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::PoisonError;

/// Pairs of a bin and a fold that a device can take.
const MOST_PAIRS: usize = 65_535;

/// Operations a second of one CPU thread over all stages, measured at 6000 x 128 x 1000.
const CPU_RATE: f64 = 1.4e10;

/// What the devices would do of a run: `subjects` are the inputs that can be worked on.
pub fn fit_of(options: &Options, subjects: &[SubjectPlan], threads: usize) -> Fit {
    if options.method == Method::Local && (options.apply.is_some() || options.reject_log.is_some()) {
        return Fit::Not("a fit made before leaves nothing to search".into());
    }
    let pairs = |subject: &SubjectPlan| subject.consensus.len() * subject.cv;
    if options.method == Method::Local && subjects.iter().any(|subject| pairs(subject) > MOST_PAIRS) {
        return Fit::Not(format!("the grid has more than {MOST_PAIRS} pairs of a share and a fold"));
    }
    let flop: f64 = subjects.iter().map(|subject| subject.flop as f64).sum();
    let channels = |subject: &SubjectPlan| subject.groups.iter().map(|group| group.channels).sum::<usize>();
    let values: f64 = subjects.iter().map(|s| (s.shape[0] * channels(s) * s.shape[2]) as f64).sum();
    let work = Work {
        transfer: 8.0 * values,
        // Measured and predicted values, read by eight of ten folds, and ten times for medians.
        touched: 16.0 * values * 10.0,
        flop_f32: 0.0,
        flop_f64: flop,
        cpu_s: flop / (CPU_RATE * threads.max(1) as f64),
    };
    Fit::Whole { work, f64: Some("thresholds and repairs need float64".into()) }
}

/// Stretches of time begin at multiples of this many samples.
const STEP: usize = 32;

/// Brings `epochs` to the devices of `backend`, if it has some.
///
/// # Errors
/// The epochs cannot be read, a driver refuses, or a request to stop.
pub fn settle(epochs: &Epochs, backend: &Backend, recorder: &Recorder) -> Result<()> {
    if !backend.is_device() {
        return Ok(());
    }
    let [n, c, t] = epochs.shape();
    let stretches = stretches(t, backend.handles.len());
    let stations = recorder.time(SET_UP, || -> Result<Vec<Station>> {
        let devices = backend.handles.iter().zip(stretches);
        devices.map(|(device, stretch)| Station::new(device.queue()?, [n, c], stretch)).collect()
    });
    match stations {
        Ok(stations) => {
            *epochs.stations.lock().unwrap_or_else(PoisonError::into_inner) = stations;
            on_devices(epochs, (recorder, "upload"), |station, loader| station.hold(loader)).map(|_| ())
        }
        Err(error) => match is_of_the_device(&error) && (backend.by_estimate || is_of_memory(&error)) {
            true => {
                give_up(recorder, &error);
                Ok(())
            }
            false => Err(error),
        },
    }
}

/// Frees what the devices hold of `epochs`.
pub fn leave(epochs: &Epochs) {
    epochs.stations.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// `count` stretches of `samples` samples, or fewer where they would be too short.
fn stretches(samples: usize, count: usize) -> Vec<Range<usize>> {
    let step = samples.div_ceil(count.max(1)).next_multiple_of(STEP).max(STEP);
    (0..samples).step_by(step).map(|first| first..samples.min(first + step)).collect()
}

fn is_of_memory(error: &Error) -> bool {
    matches!(error, Error::DeviceMemory { .. })
}

/// True for what drivers say; epochs that cannot be read are named by other kinds.
fn is_of_the_device(error: &Error) -> bool {
    is_of_memory(error) || matches!(error, Error::Failed(_))
}

fn give_up(recorder: &Recorder, error: &Error) {
    let even = if is_of_memory(error) { ", even for narrow slabs of epochs" } else { "" };
    recorder.warn(format!("{error}{even}; the CPU computes instead"));
}

/// Does a stage on every device; `None` where the CPU is to do it.
fn on_devices<R: Send>(
    epochs: &Epochs,
    (recorder, stage): (&Recorder, &str),
    work: impl Fn(&mut Station, &Loader) -> Result<R> + Sync,
) -> Result<Option<Vec<R>>> {
    let mut stations = epochs.stations.lock().unwrap_or_else(PoisonError::into_inner);
    if stations.is_empty() {
        return Ok(None);
    }
    let read = |some: Range<usize>, samples: Range<usize>, out: &mut [f64]| {
        stop_if_asked(recorder)?;
        epochs.read(some, samples, out)
    };
    let loader = Loader { lent: epochs.held(), read: &read, samples: epochs.shape()[2] };
    let done: Result<Vec<R>> = recorder.time(stage, || {
        let all = stations.par_iter_mut();
        all.map(|station| recorder.share(stage, || work(station, &loader))).collect()
    });
    match done {
        Ok(found) => stop_if_asked(recorder).map(|()| Some(found)),
        Err(error) if is_of_the_device(&error) => {
            stations.clear();
            give_up(recorder, &error);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Adds up what the devices found, in order of time.
fn added(parts: Vec<Vec<f64>>) -> Vec<f64> {
    let add = |mut sum: Vec<f64>, part: Vec<f64>| {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        sum
    };
    parts.into_iter().reduce(add).unwrap_or_default()
}

/// Peak-to-peak of measured epochs, and of predicted ones behind them, `[row][channel]`.
///
/// # Errors
/// The epochs cannot be read, a driver refuses, or a request to stop.
pub fn amplitudes(
    epochs: &Epochs,
    predictor: Option<&Predictor>,
    recorder: &Recorder,
) -> Result<Option<Vec<f64>>> {
    let weights = predictor.map(Predictor::weights);
    let parts = on_devices(epochs, (recorder, "measure"), |station, loader| {
        station.extremes(loader, weights.as_deref())
    })?;
    let join = |mut all: Vec<f64>, part: Vec<f64>| {
        for (both, other) in all.chunks_exact_mut(2).zip(part.chunks_exact(2)) {
            (both[0], both[1]) = (both[0].min(other[0]), both[1].max(other[1]));
        }
        all
    };
    let extremes = parts.map(|parts| parts.into_iter().reduce(join).unwrap_or_default());
    Ok(extremes.map(|all| all.chunks_exact(2).map(|both| both[1] - both[0]).collect()))
}

/// The losses of all candidates; `ptp` as for [`Sweep::new`](super::passes_sweep::Sweep::new).
///
/// # Errors
/// As [`amplitudes`].
pub fn losses(
    epochs: &Epochs,
    predictor: Option<&Predictor>,
    (ptp, folds): (&[f64], &[FoldRows]),
    recorder: &Recorder,
) -> Result<Option<Losses>> {
    if epochs.stations.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return Ok(None);
    }
    let [n, channels, samples] = epochs.shape();
    let orders = orders(ptp, if predictor.is_some() { 2 * n } else { n }, folds);
    let room = folds.iter().map(|fold| fold.train.len()).max().unwrap_or(0);
    let mut lists = SweepLists { room, per_channel: orders.len() > 1, ..SweepLists::default() };
    for order in &orders {
        for fold in &order.folds {
            lists.train.extend(fold.train.iter().map(|&at| order.rows[at as usize]));
            lists.train.resize(lists.train.len().next_multiple_of(room.max(1)), 0);
        }
    }
    lists.starts.push(0);
    for fold in folds {
        lists.counts.push(fold.train.len() as u32);
        lists.test.extend(&fold.test);
        lists.starts.push(lists.test.len() as u32);
    }
    let (weights, shares) = (predictor.map(Predictor::weights), reciprocals(room));
    let parts = on_devices(epochs, (recorder, "thresholds on the device"), |station, loader| {
        station.sweep(loader, weights.as_deref(), &lists, &shares)
    })?;
    Ok(parts.map(|parts| Losses::new(orders, added(parts), [channels, folds.len(), room], samples)))
}

/// Sums of squares of the grid search, `[consensus][n_interpolate][fold]`.
///
/// # Errors
/// As [`amplitudes`].
pub fn squares(epochs: &Epochs, grid: &Grid, recorder: &Recorder) -> Result<Option<Vec<f64>>> {
    if epochs.stations.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return Ok(None);
    }
    let (lists, repairs) = (grid.lists(), grid.repair_lists());
    let parts = on_devices(epochs, (recorder, "grid on the device"), |station, loader| {
        station.grid(loader, &lists, &repairs)
    })?;
    Ok(parts.map(|parts| grid.by_consensus(&added(parts))))
}

/// Correlation of each channel with the median of its predictions, `[epoch][channel]`.
///
/// # Errors
/// As [`amplitudes`].
pub fn correlations(epochs: &Epochs, subsets: &[Subset], recorder: &Recorder) -> Result<Option<Vec<f64>>> {
    let members = subsets.first().map_or(0, |subset| subset.channels.len());
    if subsets.len() > MOST_SUBSETS || subsets.iter().any(|subset| subset.channels.len() != members) {
        return Ok(None);
    }
    let channels = |subset: &Subset| subset.channels.iter().map(|&c| c as u32).collect::<Vec<_>>();
    let lists = SubsetLists {
        members,
        subsets: subsets.iter().flat_map(channels).collect(),
        weights: subsets.iter().flat_map(|subset| subset.predictor.weights()).collect(),
    };
    let parts = on_devices(epochs, (recorder, "correlations on the device"), |station, loader| {
        station.correlate(loader, &lists)
    })?;
    let correlation = |sums: &[f64]| sums[0] / (sums[1].sqrt() * sums[2].sqrt());
    Ok(parts.map(|parts| added(parts).chunks_exact(3).map(correlation).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_all_samples_once() {
        for (samples, count) in [(1000, 1), (1000, 3), (31, 4), (64, 2), (0, 2)] {
            let found = stretches(samples, count);
            assert!(found.len() <= count);
            let mut end = 0;
            for stretch in &found {
                assert!(stretch.start == end && stretch.end > end && stretch.start.is_multiple_of(STEP));
                end = stretch.end;
            }
            assert_eq!(end, samples);
        }
    }
}

//! The chain on a device: which runs take one, and how they come back to the CPU where it fails.

use super::passes_filter::Written;
use super::passes_likelihood::Value;
use crate::backend::Backend;
use crate::backend::device::SET_UP;
use crate::error::{Error, Result};
use crate::kernels::hmm::gpu::{DeviceChain, Told};
use crate::kernels::hmm::{Chain, Outcome};
use crate::report::Recorder;

/// Multiply-adds of a step from which a device that was taken by estimate is worth its launches and
/// barriers: a thread of the CPU does them in the 5 us that a device waits for cache and barriers.
const WORTH: u64 = 50_000;

/// Why a backend leaves filter and smoother to the CPU; none where it takes them.
pub fn refusal(backend: &Backend, chain: &Chain) -> Option<&'static str> {
    let steps = chain.transition().multiply_adds();
    match () {
        () if !backend.is_device() => Some("the backend is the CPU"),
        () if !backend.handles.iter().any(|device| device.facts().f64) => {
            Some("probabilities need the range of float64, which the device has not")
        }
        () if backend.by_estimate && steps < WORTH => Some("its steps are too small for a device"),
        () => None,
    }
}

/// The chain on the first device that can take it, for stretches of `rows` rows (of fewer, unless they
/// must be `whole`); none where the CPU is to do it, with a warning where that was not to be expected.
///
/// # Errors
/// A driver refuses a device that was asked for by name.
pub fn open(
    backend: &Backend,
    chain: &Chain,
    (rows, whole): (usize, bool),
    recorder: &Recorder,
) -> Result<Option<DeviceChain>> {
    if refusal(backend, chain).is_some() {
        return Ok(None);
    }
    let Some(device) = backend.handles.iter().find(|device| device.facts().f64) else { return Ok(None) };
    match recorder.time(SET_UP, || DeviceChain::open(&**device, chain, rows)) {
        Ok(made) if whole && made.rows() < rows => {
            recorder
                .warn(format!("the device has no memory for {rows} rows of the smoother; the CPU computes"));
            Ok(None)
        }
        Ok(made) => Ok(Some(made)),
        Err(error) if backend.by_estimate || matches!(error, Error::DeviceMemory { .. }) => {
            recorder.warn(format!("{error}; the CPU filters and smooths"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a device's filter leaves of a run of rows.
#[derive(Debug, Default)]
pub struct Filtered {
    /// One for each row.
    pub told: Vec<Told>,
    /// `[row, column]`, where it is written.
    pub filtered: Vec<f64>,
    /// Prediction before each row, `[row, column]`, where it is written.
    pub predictive: Vec<f64>,
    /// Prediction before each row that begins a block.
    pub checkpoints: Vec<f64>,
    /// Prediction after the last row.
    pub next: Vec<f64>,
}

/// Filters `rows` `[row, value]` of log likelihoods, the first of which is number `first`, after what
/// predicted `before`.
///
/// # Errors
/// The driver refuses.
pub fn filter<T: Value>(
    device: &mut DeviceChain,
    (chain, written, block): (&Chain, Written, usize),
    (first, rows): (usize, &[T]),
    before: &[f64],
) -> Result<Filtered> {
    let (columns, width) = (chain.states().columns(), chain.row_width());
    let mut all = Filtered { next: before.to_vec(), ..Filtered::default() };
    device.predict(before)?;
    let mut at = first;
    for piece in rows.chunks(device.rows() * width) {
        let count = piece.len() / width;
        all.told.extend(device.filter(piece)?);
        if written.filter {
            let from = all.filtered.len();
            all.filtered.resize(from + count * columns, 0.0);
            device.filtered(0, &mut all.filtered[from..])?;
        }
        if written.predictive {
            let from = all.predictive.len();
            all.predictive.extend_from_slice(&all.next);
            all.predictive.resize(from + count * columns, 0.0);
            device.predicted(0, &mut all.predictive[from + columns..])?;
        }
        for row in (at..at + count).filter(|row| row.is_multiple_of(block)) {
            let mut checkpoint = all.next.clone();
            if row > at {
                device.predicted(row - at - 1, &mut checkpoint)?;
            }
            all.checkpoints.extend(checkpoint);
        }
        device.predicted(count - 1, &mut all.next)?;
        at += count;
    }
    Ok(all)
}

/// Filters and smooths one block of rows, from what was predicted before it.
///
/// # Errors
/// The driver refuses.
pub fn smooth<T: Value>(
    device: &mut DeviceChain,
    (before, rows): (&[f64], &[T]),
    later: Option<Outcome>,
    posterior: &mut [f64],
) -> Result<()> {
    device.predict(before)?;
    device.filter(rows)?;
    device.smooth(later, posterior)
}

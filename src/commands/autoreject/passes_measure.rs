//! Peak-to-peak amplitudes of measured and of predicted epochs (spec autoreject 5, 6).

use super::epochs::Slab;
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::epochs::{COLUMNS, Extremes, Predictor, copy_rows, extremes, peak_to_peak};
use crate::kernels::simd::AlignedF64;
use crate::report::Recorder;
use rayon::prelude::*;

/// An error once the run was asked to stop.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn stop_if_asked(recorder: &Recorder) -> Result<()> {
    if recorder.is_cancelled() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Peak-to-peak of each channel in each epoch of `slab`, `[epoch][channel]`.
pub fn measured(level: CpuLevel, slab: Slab, recorder: &Recorder, out: &mut [f64]) {
    out.par_chunks_mut(slab.channels.max(1)).enumerate().for_each(|(epoch, row)| {
        recorder.share("measure", || measure_epoch(level, slab, epoch, row));
    });
}

/// Peak-to-peak of each channel in each epoch of `slab` and, into `others`, of each channel as its
/// neighbours predict it; both `[epoch][channel]`.
pub fn measured_and_predicted(
    level: CpuLevel,
    predictor: &Predictor,
    slab: Slab,
    recorder: &Recorder,
    (own, others): (&mut [f64], &mut [f64]),
) {
    let channels = slab.channels;
    let room = || (AlignedF64::zeros(channels * COLUMNS), AlignedF64::zeros(channels * COLUMNS));
    let rows = own.par_chunks_mut(channels.max(1)).zip(others.par_chunks_mut(channels.max(1)));
    rows.enumerate().for_each_init(room, |room, (epoch, (own, others))| {
        recorder.share("measure", || {
            // One after the other while the epoch lies in cache.
            measure_epoch(level, slab, epoch, own);
            predict_epoch(level, predictor, slab, (epoch, room), others);
        });
    });
}

fn measure_epoch(level: CpuLevel, slab: Slab, epoch: usize, row: &mut [f64]) {
    for (channel, ptp) in row.iter_mut().enumerate() {
        *ptp = peak_to_peak(level, slab.row(epoch, channel));
    }
}

/// A buffer for what is read and one for what is predicted.
type Room = (AlignedF64, AlignedF64);

fn predict_epoch(
    level: CpuLevel,
    predictor: &Predictor,
    slab: Slab,
    (epoch, (from, to)): (usize, &mut Room),
    row: &mut [f64],
) {
    let mut found = vec![Extremes::NONE; slab.channels];
    for first in (0..slab.samples).step_by(COLUMNS) {
        let count = COLUMNS.min(slab.samples - first);
        if count < COLUMNS {
            from.fill(0.0);
        }
        let rows = (&slab.epoch(epoch)[first..], slab.samples);
        copy_rows(level, rows, (from, COLUMNS), slab.channels, count);
        predictor.product(level, (from, COLUMNS), (to, COLUMNS), COLUMNS);
        for (found, values) in found.iter_mut().zip(to.chunks(COLUMNS)) {
            *found = found.and(extremes(level, &values[..count]));
        }
    }
    for (ptp, found) in row.iter_mut().zip(found) {
        *ptp = found.peak_to_peak();
    }
}

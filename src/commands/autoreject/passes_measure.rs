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
        recorder.share("measure", || {
            for (channel, ptp) in row.iter_mut().enumerate() {
                *ptp = peak_to_peak(level, slab.row(epoch, channel));
            }
        });
    });
}

/// Peak-to-peak of each channel as its neighbours predict it, `[epoch][channel]`.
pub fn predicted(level: CpuLevel, predictor: &Predictor, slab: Slab, recorder: &Recorder, out: &mut [f64]) {
    let channels = slab.channels;
    let room = || (AlignedF64::zeros(channels * COLUMNS), AlignedF64::zeros(channels * COLUMNS));
    out.par_chunks_mut(channels.max(1)).enumerate().for_each_init(room, |(from, to), (epoch, row)| {
        recorder.share("measure", || {
            let mut found = vec![Extremes::NONE; channels];
            for first in (0..slab.samples).step_by(COLUMNS) {
                let count = COLUMNS.min(slab.samples - first);
                if count < COLUMNS {
                    from.fill(0.0);
                }
                let rows = (&slab.epoch(epoch)[first..], slab.samples);
                copy_rows(level, rows, (from, COLUMNS), channels, count);
                predictor.product(level, (from, COLUMNS), (to, COLUMNS), COLUMNS);
                for (found, values) in found.iter_mut().zip(to.chunks(COLUMNS)) {
                    *found = found.and(extremes(level, &values[..count]));
                }
            }
            for (ptp, found) in row.iter_mut().zip(found) {
                *ptp = found.peak_to_peak();
            }
        });
    });
}

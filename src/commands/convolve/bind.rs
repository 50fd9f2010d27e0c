//! The job bound to the pipeline: one strip in, its results out, spread over the workers.

use super::job::Job;
use super::passes_stats;
use super::sink::StripOut;
use super::strips::Strip;
use super::survey::Global;
use crate::array::Real;
use crate::error::Result;
use crate::kernels::focal::BlockCounts;
use crate::pipeline::{Chunk, Pass};
use crate::report::Recorder;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// Counts of a whole run, for the report.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BlockCounts>);

impl Tally {
    fn add(&self, counts: BlockCounts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    /// The counts as the report names them.
    pub fn into_counts(self) -> serde_json::Map<String, serde_json::Value> {
        let counts = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        [
            ("fft_tiles", counts.fft_tiles),
            ("fft_tiles_refused_by_gate", counts.fft_refused),
            ("panels_with_nan_or_inf", counts.nonfinite),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
    }
}

/// A job over values of type `T`.
pub struct Bound<'a, T> {
    job: &'a Job,
    width: usize,
    /// Statistics of each plane, for hot spots.
    globals: &'a [Global],
    recorder: &'a Recorder,
    tally: &'a Tally,
    value: PhantomData<fn() -> T>,
}

impl<'a, T: Real> Bound<'a, T> {
    /// Binds `job` to planes of `width` columns.
    pub fn new(job: &'a Job, width: usize, globals: &'a [Global], recorder: &'a Recorder, tally: &'a Tally) -> Self {
        Bound { job, width, globals, recorder, tally, value: PhantomData }
    }
}

impl<T: Real> Pass for Bound<'_, T> {
    type In = Strip<T>;
    type Out = StripOut<T>;

    fn process(&self, chunk: &Chunk, strip: &mut Strip<T>, out: &mut StripOut<T>) -> Result<()> {
        let window = strip.window();
        let rows = chunk.start as usize..chunk.end as usize;
        for layer in &mut out.layers {
            layer.resize(rows.len() * self.width, T::NAN);
        }
        match self.job {
            Job::Convolve(pass) => {
                self.tally.add(pass.rows(&window, rows.start, rows.end, &mut out.layers[0], self.recorder));
            }
        }
        Ok(())
    }
}

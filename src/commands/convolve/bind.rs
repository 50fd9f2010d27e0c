//! The job bound to the pipeline: one strip in, its results out, spread over the workers.

use super::job::Job;
use super::passes::FocalPass;
use super::passes_device::DevicePass;
use super::passes_stats::{MeanPass, StatsPass};
use super::sink::StripOut;
use super::strips::Strip;
use crate::array::Real;
use crate::error::{Error, Result};
use crate::kernels::focal::BlockCounts;
use crate::kernels::hotspots::{GlobalStats, Sums, split_valid, z_scores};
use crate::kernels::window::{Boundary, Window};
use crate::pipeline::{Chunk, Pass};
use crate::report::Recorder;
use std::ops::Range;

/// Counts of a whole run, for the report.
#[derive(Debug, Default)]
pub struct Tally(BlockCounts);

impl Tally {
    /// Adds those of one strip.
    pub fn add(&mut self, counts: BlockCounts) {
        self.0 += counts;
    }

    /// The counts as the report names them.
    pub fn into_counts(self) -> serde_json::Map<String, serde_json::Value> {
        let counts = self.0;
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

/// The arithmetic of a job over values of type `T`, with the working memory of its workers.
enum Engine<'a, T> {
    Convolve(&'a FocalPass),
    /// On devices, with the CPU beside them.
    Device(&'a DevicePass, &'a FocalPass),
    Stats(StatsPass<T>),
    Mean(MeanPass<T>),
    Hotspots {
        plain: &'a FocalPass,
        squared: &'a FocalPass,
        globals: &'a [GlobalStats],
    },
}

/// A job as the pipeline's pass.
pub struct Bound<'a, T> {
    engine: Engine<'a, T>,
    width: usize,
    recorder: &'a Recorder,
}

impl<'a, T: Real> Bound<'a, T> {
    /// Binds `job` to planes of `width` columns; `globals` has the statistics of each plane where
    /// the job is hot spots.
    pub fn new(
        (job, device): (&'a Job, Option<&'a DevicePass>),
        width: usize,
        globals: &'a [GlobalStats],
        recorder: &'a Recorder,
    ) -> Self {
        let engine = match job {
            Job::Convolve(pass) => match device {
                Some(device) => Engine::Device(device, pass),
                None => Engine::Convolve(pass),
            },
            Job::Stats(stats) => Engine::Stats(StatsPass::new(stats.clone())),
            Job::Mean(smoothing) => Engine::Mean(MeanPass::new(smoothing.clone())),
            Job::Hotspots { plain, squared } => Engine::Hotspots { plain, squared, globals },
        };
        Bound { engine, width, recorder }
    }

    /// One window sum over rows of float32 values that lie as `window` does.
    fn sum(
        &self,
        pass: &FocalPass,
        window: &Window<'_, T>,
        (rows, boundary): (&[f32], Boundary),
        (span, counts): (&Range<usize>, &mut BlockCounts),
    ) -> Vec<f32> {
        let window =
            Window { rows, first: window.first, width: window.width, height: window.height, boundary };
        let mut out = vec![0.0; span.len() * self.width];
        *counts += pass.rows(&window, span.start, span.end, &mut out, self.recorder);
        out
    }

    /// z-scores and classes of one strip (spec convolve 5).
    fn hot_spots(
        &self,
        passes: (&FocalPass, &FocalPass),
        stats: &GlobalStats,
        window: &Window<'_, T>,
        (span, counts): (&Range<usize>, &mut BlockCounts),
    ) -> (Vec<f32>, Vec<i8>) {
        let cells: Vec<f32> = window.rows.iter().map(|v| v.widen() as f32).collect();
        let (mut value, mut valid) = (vec![0.0; cells.len()], vec![0.0; cells.len()]);
        split_valid(&cells, &mut value, &mut valid);
        // A constant outside counts as a valid cell of that value; NaN outside as none.
        let (beyond, counted) = match window.boundary {
            Boundary::Constant(v) if v.is_nan() => (Boundary::Constant(0.0), Boundary::Constant(0.0)),
            Boundary::Constant(v) => (Boundary::Constant(v), Boundary::Constant(1.0)),
            other => (other, other),
        };
        let a = self.sum(passes.0, window, (&value, beyond), (span, &mut *counts));
        let b = self.sum(passes.0, window, (&valid, counted), (span, &mut *counts));
        let c = self.sum(passes.1, window, (&valid, counted), (span, &mut *counts));
        let (mut z, mut classes) = (vec![0.0; a.len()], vec![0; a.len()]);
        z_scores(Sums { a: &a, b: &b, c: &c }, stats, &mut z, &mut classes);
        (z, classes)
    }
}

impl<T: Real> Pass for Bound<'_, T> {
    type In = Strip<T>;
    type Out = StripOut<T>;

    fn process(&self, chunk: &Chunk, strip: &mut Strip<T>, out: &mut StripOut<T>) -> Result<()> {
        let window = strip.window();
        let span = chunk.start as usize..chunk.end as usize;
        out.counts = BlockCounts::default();
        for layer in &mut out.layers {
            layer.resize(span.len() * self.width, T::NAN);
        }
        match &self.engine {
            Engine::Convolve(pass) => {
                out.counts = pass.rows(&window, span.start, span.end, &mut out.layers[0], self.recorder);
            }
            Engine::Device(device, pass) => {
                let rows = (span.start, span.end);
                out.counts = device.rows(pass, &window, rows, &mut out.layers[0], self.recorder);
            }
            Engine::Stats(pass) => pass.rows(&window, span.start, span.end, &mut out.layers, self.recorder),
            Engine::Mean(pass) => pass.rows(&window, span.start, span.end, &mut out.layers[0], self.recorder),
            Engine::Hotspots { plain, squared, globals } => {
                if let Some(stats) = globals.get(chunk.plane as usize) {
                    let (z, classes) =
                        self.hot_spots((plain, squared), stats, &window, (&span, &mut out.counts));
                    out.layers[0].clear();
                    out.layers[0].extend(z.iter().map(|&z| T::round_from(f64::from(z))));
                    out.classes = classes;
                }
            }
        }
        // What took too long to end is dropped.
        if self.recorder.is_overdue() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

//! Focal mean and focal statistics over the threads of the run.
//!
//! Blocks of rows go to whichever worker is free; every cell is computed on its own, so neither
//! blocks nor threads show in the results.

use crate::array::Real;
use crate::kernels::focal_mean::{self, Smoothing};
use crate::kernels::focal_stats::{self, FocalStats};
use crate::kernels::window::Window;
use crate::pipeline::run::STAGES;
use crate::report::Recorder;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Working memory of the workers, made once and kept from strip to strip.
#[derive(Debug, Default)]
struct Idle<S>(Mutex<Vec<S>>);

impl<S: Default + Send> Idle<S> {
    /// Runs `work` on every item of `blocks` over the current thread pool; not on all of them where
    /// the run was asked to stop a while ago.
    fn spread<B: Send>(
        &self,
        blocks: impl ExactSizeIterator<Item = B> + Send,
        recorder: &Recorder,
        work: impl Fn(B, &mut S) + Sync,
    ) {
        let workers = rayon::current_num_threads().min(blocks.len());
        let queue = Mutex::new(blocks);
        let share = || {
            let mut scratch = lock(&self.0).pop().unwrap_or_default();
            while !recorder.is_overdue() {
                let next = lock(&queue).next();
                let Some(block) = next else { break };
                work(block, &mut scratch);
            }
            lock(&self.0).push(scratch);
        };
        let worker = || recorder.share(STAGES[1], share);
        if workers <= 1 {
            worker();
        } else {
            rayon::scope(|scope| (0..workers).for_each(|_| scope.spawn(|_| worker())));
        }
    }
}

/// A poisoned lock only means that another worker panicked between two blocks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The focal mean with the memory of its workers.
#[derive(Debug)]
pub struct MeanPass<T> {
    smoothing: Smoothing,
    idle: Idle<focal_mean::Scratch<T>>,
}

impl<T: Real> MeanPass<T> {
    /// Nothing is allocated yet.
    pub fn new(smoothing: Smoothing) -> Self {
        MeanPass { smoothing, idle: Idle::default() }
    }

    /// Rows of a block. Each block makes up to `passes` rows more on either side in every pass
    /// but the last, so blocks are made several times that high where there are rows enough.
    fn block_rows(&self, rows: usize) -> usize {
        let share = rows.div_ceil(rayon::current_num_threads()).max(1);
        share.min(32.max(self.smoothing.passes.saturating_mul(4)))
    }

    /// Output rows `r0 .. r1` of the plane behind `window` into `out`, `[row, column]`.
    ///
    /// `window` holds `passes` rows on either side (see [`focal_mean::rows`]).
    pub fn rows(&self, window: &Window<'_, T>, r0: usize, r1: usize, out: &mut [T], recorder: &Recorder) {
        if window.width == 0 || r1 <= r0 {
            return;
        }
        let step = self.block_rows(r1 - r0);
        let blocks = out.chunks_mut(step * window.width).enumerate();
        self.idle.spread(blocks, recorder, |(index, part), scratch| {
            let start = r0 + index * step;
            focal_mean::rows(window, start..r1.min(start + step), &self.smoothing, part, scratch);
        });
    }
}

/// Focal statistics with the memory of their workers.
#[derive(Debug)]
pub struct StatsPass<T> {
    stats: FocalStats,
    idle: Idle<focal_stats::Scratch<T>>,
}

impl<T: Real> StatsPass<T> {
    /// Nothing is allocated yet.
    pub fn new(stats: FocalStats) -> Self {
        StatsPass { stats, idle: Idle::default() }
    }

    /// What is computed.
    pub fn stats(&self) -> &FocalStats {
        &self.stats
    }

    /// Output rows `r0 .. r1` of the plane behind `window` into `layers`, one `[row, column]`
    /// for each statistic asked, in that order.
    ///
    /// `window` holds the mask's half height on either side.
    pub fn rows(
        &self,
        window: &Window<'_, T>,
        r0: usize,
        r1: usize,
        layers: &mut [Vec<T>],
        recorder: &Recorder,
    ) {
        if window.width == 0 || r1 <= r0 {
            return;
        }
        let step = focal_stats::TILE_ROWS;
        let mut cut: Vec<_> = layers.iter_mut().map(|layer| layer.chunks_mut(step * window.width)).collect();
        let blocks: Vec<(usize, Vec<&mut [T]>)> = (r0..r1)
            .step_by(step)
            .map(|start| (start, cut.iter_mut().filter_map(Iterator::next).collect()))
            .collect();
        self.idle.spread(blocks.into_iter(), recorder, |(start, mut parts), scratch| {
            self.stats.rows(window, start..r1.min(start + step), &mut parts, scratch);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::CpuLevel;
    use crate::kernels::focal::{KernelType, Weights};
    use crate::kernels::focal_mean::Excludes;
    use crate::kernels::focal_stats::{Mask, Statistic};
    use crate::kernels::window::Boundary;

    fn terrain(height: usize, width: usize) -> Vec<f64> {
        (0..height * width)
            .map(|i| if i % 97 == 5 { f64::NAN } else { (i as f64 * 0.37).sin() * 400.0 + (i % 13) as f64 })
            .collect()
    }

    fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    }

    #[test]
    fn threads_and_strips_do_not_show() {
        let (height, width) = (113, 61);
        let values = terrain(height, width);
        let recorder = Recorder::new();
        let smoothing =
            Smoothing { passes: 5, excludes: Excludes::new::<f64>(&[f64::NAN]), level: CpuLevel::detect() };
        let weights = Weights { values: vec![1.0; 35], rows: 5, cols: 7, kind: KernelType::F64 };
        let stats = FocalStats {
            mask: Mask::from_weights(&weights).unwrap(),
            statistics: Statistic::ALL.to_vec(),
            level: CpuLevel::detect(),
        };
        for boundary in [Boundary::Nan, Boundary::Reflect101, Boundary::Wrap] {
            let window = Window::whole(&values, height, width, boundary);
            let bits = |threads: usize, cut: usize| {
                let (mean, stat) = (MeanPass::new(smoothing.clone()), StatsPass::new(stats.clone()));
                let mut out = Vec::new();
                in_pool(threads, || {
                    for r0 in (0..height).step_by(cut) {
                        let r1 = height.min(r0 + cut);
                        let mut layers = vec![vec![0.0; (r1 - r0) * width]; 9];
                        mean.rows(&window, r0, r1, &mut layers[8], &recorder);
                        stat.rows(&window, r0, r1, &mut layers[..8], &recorder);
                        out.push(layers);
                    }
                });
                (0..9)
                    .flat_map(|l| out.iter().flat_map(move |layers| layers[l].iter()))
                    .map(|v: &f64| v.to_bits())
                    .collect::<Vec<u64>>()
            };
            let whole = bits(1, height);
            for (threads, cut) in [(1, 7), (2, 113), (3, 40), (5, 1)] {
                assert!(bits(threads, cut) == whole, "{boundary:?}, {threads} threads, strips of {cut} rows");
            }
        }
    }
}

//! Rows of a plane over the threads of the run.

use crate::array::Real;
use crate::kernels::focal::{BlockCounts, Focal, Scratch};
use crate::kernels::window::Window;
use crate::pipeline::run::STAGES;
use crate::report::Recorder;
use std::sync::{Mutex, PoisonError};

/// A convolution with the working memory of its workers, which is made once and kept from strip
/// to strip.
#[derive(Debug)]
pub struct FocalPass {
    focal: Focal,
    width: usize,
    idle: Mutex<Vec<Scratch>>,
}

impl FocalPass {
    /// For rasters of `width` columns.
    pub fn new(focal: Focal, width: usize) -> Self {
        FocalPass { focal, width, idle: Mutex::new(Vec::new()) }
    }

    /// The convolution.
    pub fn focal(&self) -> &Focal {
        &self.focal
    }

    /// Output rows `r0 .. r1` of the plane behind `window` into `out`, `(r1 - r0)` x `width`
    /// values, spread over the current thread pool.
    ///
    /// `r0` is a multiple of the recipe's `block_rows`, and so is `r1` unless it is the raster's
    /// height. The number of threads does not show in the result: workers take whole blocks. Where
    /// the run was asked to stop a while ago, `out` is left unfinished.
    pub fn rows<T: Real>(
        &self,
        window: &Window<T>,
        r0: usize,
        r1: usize,
        out: &mut [T],
        recorder: &Recorder,
    ) -> BlockCounts {
        debug_assert_eq!(window.width, self.width);
        let step = self.focal.recipe().block_rows;
        let blocks = r1.saturating_sub(r0).div_ceil(step);
        if blocks == 0 || self.width == 0 {
            return BlockCounts::default();
        }
        let queue = Mutex::new((r0..r1).step_by(step).zip(out.chunks_mut(step * self.width)));
        let total = Mutex::new(BlockCounts::default());
        let share = || {
            let kept = lock(&self.idle).pop();
            let mut scratch = kept.unwrap_or_else(|| self.focal.scratch(self.width));
            let mut counts = BlockCounts::default();
            while !recorder.is_overdue() {
                let next = lock(&queue).next();
                let Some((row, rows)) = next else { break };
                counts += self.focal.rows(window, row, r1.min(row + step), rows, &mut scratch);
            }
            *lock(&total) += counts;
            lock(&self.idle).push(scratch);
        };
        let worker = || recorder.share(STAGES[1], share);
        let workers = rayon::current_num_threads().min(blocks);
        if workers == 1 {
            worker();
        } else {
            rayon::scope(|scope| (0..workers).for_each(|_| scope.spawn(|_| worker())));
        }
        total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A poisoned lock only means that another worker panicked between two blocks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

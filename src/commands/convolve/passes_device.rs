//! Pieces of a strip over the lanes of the devices, and back to the CPU where they cannot go.

use super::passes::FocalPass;
use crate::array::{Real, WorkType};
use crate::backend::Backend;
use crate::backend::device::{Device, SET_UP};
use crate::error::{Error, Result};
use crate::kernels::focal::BlockCounts;
use crate::kernels::focal::gpu::{AnyLane, DeviceRecipe, Piece, Shape};
use crate::kernels::window::Window;
use crate::pipeline::run::STAGES;
use crate::report::Recorder;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lanes of each device: while one copies, the other computes.
const LANES: usize = 2;

/// Devices at work on a convolution.
pub struct DevicePass {
    lanes: Mutex<Vec<AnyLane>>,
    count: usize,
    rows: usize,
    /// A device failed: the CPU does the rest.
    failed: AtomicBool,
    on_device: AtomicU64,
    out_of_range: AtomicU64,
}

impl DevicePass {
    /// Opens the lanes; pieces are as high as `shape` says, or less where the device's memory asks
    /// for it: half of that, and so on, in multiples of the blocks of `cpu`. None, with a warning,
    /// where not even one block fits.
    ///
    /// # Errors
    /// A driver refuses a device that was asked for by name.
    pub fn open(
        backend: &Backend,
        recipe: &DeviceRecipe,
        cpu: &FocalPass,
        (mut shape, work): (Shape, WorkType),
        recorder: &Recorder,
    ) -> Result<Option<Self>> {
        let block = cpu.focal().recipe().block_rows;
        loop {
            let weights = cpu.focal().weights();
            // In turns, so that the first ones at work are on different devices.
            let each = || (0..LANES).flat_map(|_| backend.handles.iter());
            let open = |device: &Arc<dyn Device>| AnyLane::open(&**device, weights, recipe, (shape, work));
            let opened = || each().map(open).collect();
            let lanes: Result<Vec<AnyLane>> = recorder.time(SET_UP, opened);
            match lanes {
                Ok(lanes) => return Ok(Some(Self::with(lanes, shape.rows))),
                Err(Error::DeviceMemory { .. }) if shape.rows > block => {
                    shape.rows = (shape.rows / block / 2).max(1) * block;
                }
                Err(error @ Error::DeviceMemory { .. }) => {
                    recorder.warn(format!(
                        "{error} for {} rows of {} cells; the CPU computes",
                        block, shape.width
                    ));
                    return Ok(None);
                }
                Err(error) if backend.by_estimate => {
                    recorder.warn(format!("{error}; the CPU computes"));
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn with(lanes: Vec<AnyLane>, rows: usize) -> Self {
        let (on_device, out_of_range) = (AtomicU64::new(0), AtomicU64::new(0));
        let (count, failed) = (lanes.len(), AtomicBool::new(false));
        DevicePass { lanes: Mutex::new(lanes), count, rows, failed, on_device, out_of_range }
    }

    /// Rows of a piece.
    pub fn piece_rows(&self) -> usize {
        self.rows
    }

    /// Pieces computed on devices, and those that the CPU computed for their values' sake.
    pub fn counts(&self) -> [(&'static str, u64); 2] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("device_pieces", read(&self.on_device)), ("pieces_out_of_device_range", read(&self.out_of_range))]
    }

    /// Output rows `r0 .. r1`, as [`FocalPass::rows`] gives them, to within the tolerance.
    pub fn rows<T: Real>(
        &self,
        cpu: &FocalPass,
        window: &Window<T>,
        (r0, r1): (usize, usize),
        out: &mut [T],
        recorder: &Recorder,
    ) -> BlockCounts {
        if window.width == 0 || r1 <= r0 {
            return BlockCounts::default();
        }
        let queue = Mutex::new((r0..r1).step_by(self.rows).zip(out.chunks_mut(self.rows * window.width)));
        let total = Mutex::new(BlockCounts::default());
        let share = || {
            let mut lane = lock(&self.lanes).pop();
            loop {
                let next = lock(&queue).next();
                let Some((row, out)) = next else { break };
                let span = (row, r1.min(row + self.rows));
                if !lane.as_mut().is_some_and(|lane| self.piece(lane, window, span, out, recorder)) {
                    *lock(&total) += cpu.rows(window, span.0, span.1, out, recorder);
                }
            }
            if let Some(lane) = lane {
                lock(&self.lanes).push(lane);
            }
        };
        let worker = || recorder.share(STAGES[1], share);
        rayon::scope(|scope| (0..self.count).for_each(|_| scope.spawn(|_| worker())));
        total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where the device computed the piece.
    fn piece<T: Real>(
        &self,
        lane: &mut AnyLane,
        window: &Window<T>,
        span: (usize, usize),
        out: &mut [T],
        recorder: &Recorder,
    ) -> bool {
        if self.failed.load(Ordering::Acquire) {
            return false;
        }
        match lane.rows(window, span, out) {
            Ok(Piece::Done) => {
                self.on_device.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(Piece::OutOfRange) => {
                self.out_of_range.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(error) => {
                if !self.failed.swap(true, Ordering::AcqRel) {
                    recorder.warn(format!("{error}; the CPU computes the rest"));
                }
                false
            }
        }
    }
}

/// A poisoned lock only means that another worker panicked between two pieces.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Cells that no fast path may compute: by the definition, near non-finite values, or the ring.

use super::{Focal, Job, Place, Scratch};
use crate::array::Real;
use crate::kernels::focal::NanRule;
use crate::kernels::focal::nonfinite::{INFINITE, NAN, runs};
use crate::kernels::focal::simd::direct::{Rounding, Rows, direct};
use crate::kernels::focal::simd::listed::{self, Rule, Tap};
use crate::kernels::focal::simd::rows::{Finish, deliver};
use crate::kernels::window::{Boundary, Window};

/// Sums by the definition lack nothing.
const WHOLE: Finish = Finish { scale: 1.0, offset: 0.0, divisor: 1.0, stream: false };

impl Focal {
    fn rounding<T: Real>(&self) -> Rounding {
        if self.weights.products_in_f32(T::WORK) { Rounding::Narrow } else { Rounding::Separate }
    }

    /// Lists the taps of the rules that go by a value's place.
    fn list(&self, scratch: &mut Scratch) {
        let cols = self.weights.cols;
        scratch.taps.clear();
        if self.recipe.nan == NanRule::Propagate {
            return;
        }
        for (at, &weight) in self.weights.values.iter().enumerate() {
            if weight != 0.0 || self.recipe.nan == NanRule::Ignore {
                scratch.taps.push(Tap { offset: at / cols * scratch.stride + at % cols, weight });
            }
        }
    }

    /// `cols` cells of panel row `row` from column `col` on, by the definition, into the first
    /// row of the sums.
    fn define_run<T: Real>(&self, (row, col, cols): (usize, usize, usize), scratch: &mut Scratch) {
        let from = &scratch.patch[row * scratch.stride + col..];
        let narrow = self.weights.products_in_f32(T::WORK);
        let sums = &mut scratch.buffers.sums;
        let rule = match self.recipe.nan {
            NanRule::Propagate => {
                let shape = Rows { stride: scratch.buffers.sums_stride, rows: 1, cols };
                let (taps, rounding) = (&self.definition, self.rounding::<T>());
                return direct(self.level, rounding, taps, (from, scratch.stride), (sums, shape));
            }
            NanRule::Footprint => Rule::Sum,
            NanRule::Ignore => Rule::Ignore,
        };
        listed::row(self.level, &scratch.taps, from, &mut sums[..cols], (rule, narrow));
    }

    /// A whole panel by the definition, from the patch as loaded.
    pub(super) fn define<T: Real>(&self, place: Place, job: &mut Job<T>) {
        let scratch = &mut *job.scratch;
        let Place { row, rows, col, cols } = place;
        if self.recipe.nan == NanRule::Propagate {
            let shape = Rows { stride: scratch.buffers.sums_stride, rows, cols };
            let from = (&scratch.patch[..], scratch.stride);
            direct(
                self.level,
                self.rounding::<T>(),
                &self.definition,
                from,
                (&mut scratch.buffers.sums, shape),
            );
            for i in 0..rows {
                let sums = &scratch.buffers.sums[i * shape.stride..][..cols];
                deliver(self.level, sums, job.output.row(row + i, col, cols), WHOLE);
            }
            return;
        }
        self.list(scratch);
        for i in 0..rows {
            self.define_run::<T>((i, 0, cols), scratch);
            deliver(self.level, &scratch.buffers.sums[..cols], job.output.row(row + i, col, cols), WHOLE);
        }
    }

    /// After a fast path over a cleaned patch, whose marks are at hand: cells with a NaN in their
    /// rectangle become NaN, those with an infinity are recomputed. The other rules recompute
    /// both.
    pub(super) fn mend<T: Real>(&self, place: Place, job: &mut Job<T>) {
        let propagate = self.recipe.nan == NanRule::Propagate;
        self.load(place, job);
        let scratch = &mut *job.scratch;
        self.list(scratch);
        let mut near = std::mem::take(&mut scratch.near);
        for i in 0..place.rows {
            near.clear();
            near.extend_from_slice(scratch.marks.near(i, self.weights.rows, self.weights.cols));
            let row = job.output.row(place.row + i, place.col, place.cols);
            if propagate {
                for run in runs(&near, |m| m & NAN != 0) {
                    row[run].fill(T::NAN);
                }
            }
            for run in runs(&near, |m| if propagate { m == INFINITE } else { m != 0 }) {
                self.define_run::<T>((i, run.start, run.len()), scratch);
                deliver(self.level, &scratch.buffers.sums[..run.len()], &mut row[run], WHOLE);
            }
        }
        scratch.near = near;
    }

    /// The cells of `block` whose windows may be computed: all, or in `nan` mode those whose
    /// window lies inside the raster.
    pub(super) fn interior_of<T>(&self, block: Place, window: &Window<T>) -> Place {
        if window.boundary != Boundary::Nan {
            return block;
        }
        let clip = |start: usize, len: usize, half: usize, whole: usize| {
            let first = start.max(half);
            (first, (start + len).min(whole.saturating_sub(half)).saturating_sub(first))
        };
        let (row, rows) = clip(block.row, block.rows, self.weights.rows / 2, window.height);
        let (col, cols) = clip(block.col, block.cols, self.weights.cols / 2, window.width);
        Place { row, rows, col, cols }
    }

    /// Writes NaN where windows overhang in `nan` mode.
    pub(super) fn ring<T: Real>(&self, block: Place, job: &mut Job<T>) {
        let inside = self.interior_of(block, job.window);
        for row in block.row..block.row + block.rows {
            let values = job.output.row(row, 0, block.cols);
            if inside.is_empty() || !(inside.row..inside.row + inside.rows).contains(&row) {
                values.fill(T::NAN);
            } else {
                values[..inside.col].fill(T::NAN);
                values[inside.col + inside.cols..].fill(T::NAN);
            }
        }
    }
}

impl Place {
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 || self.cols == 0
    }
}

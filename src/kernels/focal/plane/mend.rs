//! Cells that no fast path may compute: by the definition, near non-finite values, or the ring.

use super::*;

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
        let sums = &mut scratch.sums;
        match self.recipe.nan {
            NanRule::Propagate => {
                let shape = Rows { stride: scratch.sums_stride, rows: 1, cols };
                direct(
                    self.level,
                    self.rounding::<T>(),
                    &self.definition,
                    (from, scratch.stride),
                    (sums, shape),
                );
            }
            NanRule::Footprint => {
                listed::row(self.level, &scratch.taps, from, &mut sums[..cols], (Rule::Sum, narrow))
            }
            NanRule::Ignore => {
                listed::row(self.level, &scratch.taps, from, &mut sums[..cols], (Rule::Ignore, narrow))
            }
        }
    }

    /// A whole panel by the definition, from the patch as loaded.
    pub(super) fn define<T: Real>(&self, place: Place, output: &mut Output<T>, scratch: &mut Scratch) {
        let plain = Finish { scale: 1.0, offset: 0.0, divisor: 1.0, stream: false };
        if self.recipe.nan == NanRule::Propagate {
            let shape = Rows { stride: scratch.sums_stride, rows: place.rows, cols: place.cols };
            let from = (&scratch.patch[..], scratch.stride);
            direct(self.level, self.rounding::<T>(), &self.definition, from, (&mut scratch.sums, shape));
            for i in 0..place.rows {
                let sums = &scratch.sums[i * scratch.sums_stride..][..place.cols];
                deliver(self.level, sums, output.row(place.row + i, place.col, place.cols), plain);
            }
            return;
        }
        self.list(scratch);
        for i in 0..place.rows {
            self.define_run::<T>((i, 0, place.cols), scratch);
            deliver(
                self.level,
                &scratch.sums[..place.cols],
                output.row(place.row + i, place.col, place.cols),
                plain,
            );
        }
    }

    /// After a fast path over a cleaned patch: cells with a NaN in their rectangle become NaN,
    /// those with an infinity are recomputed. The other rules recompute both.
    pub(super) fn mend<T: Real>(
        &self,
        window: &Window<T>,
        place: Place,
        output: &mut Output<T>,
        scratch: &mut Scratch,
    ) {
        let plain = Finish { scale: 1.0, offset: 0.0, divisor: 1.0, stream: false };
        let propagate = self.recipe.nan == NanRule::Propagate;
        self.load(window, place, scratch);
        self.list(scratch);
        let mut near = std::mem::take(&mut scratch.near);
        for i in 0..place.rows {
            near.clear();
            near.extend_from_slice(scratch.marks.near(i, self.weights.rows, self.weights.cols));
            let row = output.row(place.row + i, place.col, place.cols);
            if propagate {
                for run in runs(&near, |m| m & NAN != 0) {
                    row[run].fill(T::NAN);
                }
            }
            for run in runs(&near, |m| if propagate { m == INFINITE } else { m != 0 }) {
                self.define_run::<T>((i, run.start, run.len()), scratch);
                deliver(self.level, &scratch.sums[..run.len()], &mut row[run], plain);
            }
        }
        scratch.near = near;
    }

    /// Interior rows and columns in `nan` mode; everything otherwise.
    fn interior<T: Real>(&self, window: &Window<T>) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (ph, pw) = (self.weights.rows / 2, self.weights.cols / 2);
        if window.boundary == Boundary::Nan {
            (ph..window.height.saturating_sub(ph), pw..window.width.saturating_sub(pw))
        } else {
            (0..window.height, 0..window.width)
        }
    }

    /// True where a block has no cell to compute.
    pub(super) fn all_ring<T: Real>(&self, window: &Window<T>, block: Place) -> bool {
        let (rows, cols) = self.interior(window);
        cols.is_empty() || block.row >= rows.end || block.row + block.rows <= rows.start
    }

    /// Writes NaN where windows overhang in `nan` mode.
    pub(super) fn ring<T: Real>(&self, window: &Window<T>, block: Place, output: &mut Output<T>) {
        let (rows, cols) = self.interior(window);
        for row in block.row..block.row + block.rows {
            let values = output.row(row, 0, window.width);
            if rows.contains(&row) && !cols.is_empty() {
                values[..cols.start].fill(T::NAN);
                values[cols.end..].fill(T::NAN);
            } else {
                values.fill(T::NAN);
            }
        }
    }
}

//! Focal mean: repeated 3 x 3 means of the non-NaN cells (spec convolve 3).
//!
//! Rasters are `[row, column]`. Every pass extends the raster by the boundary anew, sums the
//! window in row-major order in float64, divides by the count and rounds to the working type.
//! The passes run as a cascade over a ring of three rows each: a row of pass p is made as soon as
//! the row below it exists in pass p - 1, so a strip costs no plane of intermediate values.

mod row;
pub mod scalar;
mod simd;

use super::margins::copy_extended;
use super::window::{Boundary, Window};
use crate::array::Real;
use crate::backend::CpuLevel;
use std::ops::Range;

/// Fast and scalar results are the same bits: cells are independent and each one's sum is
/// formed in the same order.
pub const TOLERANCE: f64 = 0.0;

/// Centre values that a pass copies instead of averaging.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Excludes {
    nan: bool,
    values: Vec<f64>,
}

impl Excludes {
    /// Values as typed, rounded to the working type `T`; NaN stands for all NaN.
    pub fn new<T: Real>(values: &[f64]) -> Self {
        Excludes {
            nan: values.iter().any(|v| v.is_nan()),
            values: values.iter().filter(|v| !v.is_nan()).map(|&v| T::round_from(v).widen()).collect(),
        }
    }

    /// True for a centre that is copied.
    pub fn has(&self, centre: f64) -> bool {
        if centre.is_nan() { self.nan } else { self.values.contains(&centre) }
    }
}

/// What a focal mean does.
#[derive(Debug, Clone)]
pub struct Smoothing {
    /// How many times the mean is taken; 0 copies.
    pub passes: usize,
    /// Centres that are copied.
    pub excludes: Excludes,
    /// Instruction set.
    pub level: CpuLevel,
}

/// Room for the rows of a cascade; kept between calls.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    /// One row between its margins, as read.
    read: Vec<T>,
    rings: Vec<Ring>,
    made: Vec<f64>,
}

impl<T> Scratch<T> {
    /// Bytes that one call needs for `passes` passes over rows of `width` cells.
    pub fn bytes(passes: usize, width: usize) -> u64 {
        (passes as u64 * 3 + 2).saturating_mul(width as u64 + 2).saturating_mul(8)
    }
}

/// The last three rows of one pass, each with one cell beyond either side; row m lies in slot
/// m mod 3. `clean` tells that a row has no NaN inside the raster.
#[derive(Debug, Default, Clone)]
struct Ring {
    rows: [Vec<f64>; 3],
    clean: [bool; 3],
}

fn slot(m: i64) -> usize {
    m.rem_euclid(3) as usize
}

/// Computes rows `span` of the focal mean into `out`, `[row, column]`.
///
/// `window` must hold `passes` rows on either side of `span`: positions of the extended axis for
/// [`Boundary::Wrap`], rows of the raster otherwise.
pub fn rows<T: Real>(
    window: &Window<'_, T>,
    span: Range<usize>,
    smoothing: &Smoothing,
    out: &mut [T],
    scratch: &mut Scratch<T>,
) {
    let cascade = Cascade { window, span, smoothing };
    if window.width > 0 && !cascade.span.is_empty() {
        cascade.run(out, scratch);
    }
}

struct Cascade<'a, 'w, T> {
    window: &'a Window<'w, T>,
    span: Range<usize>,
    smoothing: &'a Smoothing,
}

impl<T: Real> Cascade<'_, '_, T> {
    /// Rows that pass `pass` must make. A wrapped raster has rows at every position of the
    /// extended axis; otherwise the rows beyond the edge are extended from those inside.
    fn needed(&self, pass: usize) -> Range<i64> {
        let margin = (self.smoothing.passes - pass) as i64;
        let (low, high) = (self.span.start as i64 - margin, self.span.end as i64 + margin);
        match self.window.boundary {
            Boundary::Wrap => low..high,
            _ => low.max(0)..high.min(self.window.height as i64),
        }
    }

    fn run(&self, out: &mut [T], scratch: &mut Scratch<T>) {
        let (passes, width) = (self.smoothing.passes, self.window.width);
        scratch.rings.resize(passes + 1, Ring::default());
        scratch.read.resize(width + 2, T::NAN);
        scratch.made.resize(width, 0.0);
        for row in scratch.rings.iter_mut().flat_map(|ring| &mut ring.rows) {
            row.resize(width + 2, 0.0);
        }
        // At step t pass p makes row t - p: the row below it was made by pass p - 1 in the same
        // step, those beside and above it one and two steps ago.
        let steps = self.needed(0).start..self.span.end as i64 + passes as i64;
        for t in steps {
            for pass in 0..=passes {
                let m = t - pass as i64;
                if self.needed(pass).contains(&m) {
                    if pass == 0 {
                        self.load(m, scratch)
                    } else {
                        self.make(pass, m, scratch)
                    }
                    if pass == passes {
                        let ring = &scratch.rings[pass];
                        let start = (m - self.span.start as i64) as usize * width;
                        for (o, v) in out[start..start + width].iter_mut().zip(&ring.rows[slot(m)][1..]) {
                            *o = T::round_from(*v);
                        }
                    }
                }
            }
        }
    }

    /// Pass 0: row `m` of the raster, widened.
    fn load(&self, m: i64, scratch: &mut Scratch<T>) {
        copy_extended(self.window, m, -1, &mut scratch.read);
        let ring = &mut scratch.rings[0];
        let mut nan = false;
        for (o, v) in ring.rows[slot(m)].iter_mut().zip(&scratch.read) {
            *o = v.widen();
        }
        for v in &scratch.read[1..=self.window.width] {
            nan |= v.widen().is_nan();
        }
        ring.clean[slot(m)] = !nan;
    }

    /// The row of the pass before that stands at position `m`, with its cleanness; None for a
    /// row of nothing but `beyond`.
    fn above_below<'r>(&self, ring: &'r Ring, m: i64) -> Option<(&'r [f64], bool)> {
        let position = match self.window.boundary {
            Boundary::Wrap => Some(m),
            other => other.map(m, self.window.height).map(|i| i as i64),
        };
        position.map(|at| (ring.rows[slot(at)].as_slice(), ring.clean[slot(at)]))
    }

    fn make(&self, pass: usize, m: i64, scratch: &mut Scratch<T>) {
        let width = self.window.width;
        let beyond = match self.window.boundary {
            Boundary::Constant(value) => T::round_from(value).widen(),
            _ => f64::NAN,
        };
        let (before, after) = scratch.rings.split_at_mut(pass);
        let (before, after) = (&before[pass - 1], &mut after[0]);
        let nothing;
        let three = [m - 1, m, m + 1].map(|at| self.above_below(before, at));
        let empty: (&[f64], bool) = if three.iter().any(Option::is_none) {
            nothing = vec![beyond; width + 2];
            (&nothing, !beyond.is_nan())
        } else {
            (&[], true)
        };
        let [above, middle, below] = three.map(|row| row.unwrap_or(empty));
        let around = row::Three { above: above.0, middle: middle.0, below: below.0 };
        let clean = above.1 && middle.1 && below.1;
        let nan = simd::mean_row::<T>(self.smoothing.level, &around, clean, &mut scratch.made);
        let mut nan = nan && {
            // Cells that came out NaN only because the margin beside them is.
            row::masked_ends::<T>(&around, &mut scratch.made);
            scratch.made.iter().any(|v| v.is_nan())
        };
        nan |= row::keep_excluded(&self.smoothing.excludes, middle, &mut scratch.made);
        let target = &mut after.rows[slot(m)];
        target[1..=width].copy_from_slice(&scratch.made);
        let side = |column: i64| self.window.boundary.map(column, width).map_or(beyond, |c| scratch.made[c]);
        (target[0], target[width + 1]) = (side(-1), side(width as i64));
        after.clean[slot(m)] = !nan;
    }
}

#[cfg(test)]
mod tests;

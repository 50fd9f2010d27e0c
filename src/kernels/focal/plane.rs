//! Blocks of output rows: load, compute, mend what is not finite, round (spec convolve 8, 9).

use super::load::{Region, Sides, gather};
use super::nonfinite::{INFINITE, Marks, NAN, runs};
use super::simd::direct::{Rounding, Rows, SLACK, direct};
use super::simd::listed::{self, Rule, Tap};
use super::simd::rows::{Finish, Seen, deliver, settle};
use super::simd::taps::TapTable;
use super::{Method, NanRule, Recipe, Weights};
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::kernels::simd::AlignedF64;
use crate::kernels::window::{Boundary, Window};

/// What happened in some blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// FFT tiles computed.
    pub fft_tiles: u64,
    /// FFT tiles that the accuracy gate sent to the direct sum.
    pub fft_refused: u64,
    /// Panels or tiles that held a NaN or an infinity.
    pub nonfinite: u64,
}

impl std::ops::AddAssign for BlockCounts {
    fn add_assign(&mut self, other: Self) {
        self.fft_tiles += other.fft_tiles;
        self.fft_refused += other.fft_refused;
        self.nonfinite += other.nonfinite;
    }
}

/// A convolution ready to run: tables for one kernel, one recipe and one instruction set.
#[derive(Debug)]
pub struct Focal {
    weights: Weights,
    recipe: Recipe,
    level: CpuLevel,
    engine: Engine,
    /// All weights, for the exact order.
    definition: TapTable,
    /// `sum |k|`, at least the number of taps: what a magnitude can grow by.
    growth: f64,
    largest: f64,
    sum: f64,
}

#[derive(Debug)]
enum Engine {
    Exact,
    Direct(TapTable),
    Separable { column: TapTable, row: TapTable },
}

/// Buffers of one worker.
#[derive(Debug)]
pub struct Scratch {
    pub(super) patch: AlignedF64,
    pub(super) stride: usize,
    pub(super) sums: AlignedF64,
    pub(super) sums_stride: usize,
    pub(super) between: AlignedF64,
    pub(super) marks: Marks,
    pub(super) sides: Sides,
    near: Vec<u8>,
    taps: Vec<Tap>,
}

/// A rectangle of output cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub row: usize,
    pub rows: usize,
    pub col: usize,
    pub cols: usize,
}

/// Full-width output rows from `first` on.
pub(super) struct Output<'a, T> {
    pub values: &'a mut [T],
    pub first: usize,
    pub width: usize,
}

impl<T> Output<'_, T> {
    pub fn row(&mut self, row: usize, col: usize, cols: usize) -> &mut [T] {
        &mut self.values[(row - self.first) * self.width + col..][..cols]
    }
}

/// Rows whose vertical sums are in work together in the separable pass.
const SEPARABLE_ROWS: usize = 8;

/// Elements from one patch row to the next: whole cache lines, an odd number of them, so that
/// rows do not fall on the same cache sets.
pub(super) fn padded(cols: usize) -> usize {
    (cols.div_ceil(8) | 1) * 8
}

impl Focal {
    /// Prepares the tables. `level` is lowered to what this machine has.
    pub fn new(weights: &Weights, recipe: Recipe, level: CpuLevel) -> Self {
        let level = level.min(CpuLevel::detect());
        let (rows, cols) = (weights.rows, weights.cols);
        let engine = match &recipe.method {
            Method::Exact => Engine::Exact,
            Method::Direct => Engine::Direct(TapTable::new(&weights.values, rows, cols, true)),
            Method::Separable(factors) => Engine::Separable {
                column: TapTable::new(&factors.column, rows, 1, true),
                row: TapTable::new(&factors.row, 1, cols, true),
            },
            _ => Engine::Exact,
        };
        let magnitude: f64 = weights.values.iter().map(|k| k.abs()).sum();
        Focal {
            definition: TapTable::new(&weights.values, rows, cols, false),
            growth: magnitude.max((rows * cols) as f64),
            largest: weights.values.iter().fold(0.0, |m, k| m.max(k.abs())),
            sum: weights.values.iter().sum(),
            weights: weights.clone(),
            recipe,
            level,
            engine,
        }
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The recipe in use.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The instruction set in use.
    pub fn level(&self) -> CpuLevel {
        self.level
    }

    /// Buffers for one worker, for rasters up to `width` columns.
    pub fn scratch(&self, width: usize) -> Scratch {
        let (kh, kw) = (self.weights.rows, self.weights.cols);
        let cols = self.recipe.panel_cols.min(width.max(1));
        let (rows, stride, sums_stride) =
            (self.recipe.panel_rows + kh - 1, padded(cols + kw - 1 + SLACK), padded(cols));
        let listed = if self.recipe.nan == NanRule::Propagate { 0 } else { kh * kw };
        Scratch {
            patch: AlignedF64::zeros(rows * stride + 2 * SLACK),
            stride,
            sums: AlignedF64::zeros(self.recipe.panel_rows * sums_stride + SLACK),
            sums_stride,
            between: AlignedF64::zeros(SEPARABLE_ROWS * stride + 2 * SLACK),
            marks: Marks::new(rows, cols + kw - 1),
            sides: Sides::new(kw / 2),
            near: Vec::with_capacity(cols),
            taps: Vec::with_capacity(listed),
        }
    }

    /// Computes output rows `r0 .. r1` of the plane that `window` shows into `out`, `(r1 - r0)`
    /// x `width` values. `r0` is a multiple of the recipe's `block_rows`; so is `r1` unless it
    /// is the raster's height. `out` and `scratch` may hold anything.
    pub fn rows<T: Real>(
        &self,
        window: &Window<T>,
        r0: usize,
        r1: usize,
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> BlockCounts {
        let mut counts = BlockCounts::default();
        if window.width == 0 || r1 <= r0 {
            return counts;
        }
        scratch.sides.set(window.boundary, window.width);
        let mut output = Output { values: out, first: r0, width: window.width };
        for row in (r0..r1).step_by(self.recipe.block_rows) {
            let block = Place { row, rows: self.recipe.block_rows.min(r1 - row), col: 0, cols: window.width };
            if !self.all_ring(window, block) {
                self.block(window, block, &mut output, scratch, &mut counts);
            }
            self.ring(window, block, &mut output);
        }
        settle();
        counts
    }

    fn block<T: Real>(
        &self,
        window: &Window<T>,
        block: Place,
        output: &mut Output<T>,
        scratch: &mut Scratch,
        counts: &mut BlockCounts,
    ) {
        for place in self.panels(block) {
            self.panel(window, place, output, scratch, counts);
        }
    }

    /// Cuts a rectangle into panels, along rows first.
    fn panels(&self, block: Place) -> impl Iterator<Item = Place> + use<> {
        let (rows, cols) = (self.recipe.panel_rows, self.recipe.panel_cols);
        let Place { row: top, col: left, .. } = block;
        (0..block.rows).step_by(rows).flat_map(move |i| {
            (0..block.cols).step_by(cols).map(move |j| Place {
                row: top + i,
                rows: rows.min(block.rows - i),
                col: left + j,
                cols: cols.min(block.cols - j),
            })
        })
    }

    fn panel<T: Real>(
        &self,
        window: &Window<T>,
        place: Place,
        output: &mut Output<T>,
        scratch: &mut Scratch,
        counts: &mut BlockCounts,
    ) {
        let seen = self.load(window, place, scratch);
        if matches!(self.engine, Engine::Exact) {
            counts.nonfinite += u64::from(!seen.finite);
            return self.define(place, output, scratch);
        }
        let mut largest = seen.max;
        if !seen.finite {
            counts.nonfinite += 1;
            let region = self.region(place);
            largest = scratch.marks.clean(&mut scratch.patch, scratch.stride, region.rows, region.cols);
        }
        if self.may_overflow::<T>(largest) {
            self.load(window, place, scratch);
            return self.define(place, output, scratch);
        }
        let finish = self.compute(place, scratch);
        for i in 0..place.rows {
            let sums = &scratch.sums[i * scratch.sums_stride..][..place.cols];
            deliver(self.level, sums, output.row(place.row + i, place.col, place.cols), finish);
        }
        if !seen.finite {
            self.mend(window, place, output, scratch);
        }
    }

    fn region(&self, place: Place) -> Region {
        let (kh, kw) = (self.weights.rows, self.weights.cols);
        Region {
            row: place.row as i64 - (kh / 2) as i64,
            rows: place.rows + kh - 1,
            col: place.col as i64 - (kw / 2) as i64,
            cols: place.cols + kw - 1,
        }
    }

    fn load<T: Real>(&self, window: &Window<T>, place: Place, scratch: &mut Scratch) -> Seen {
        let target = (&mut scratch.patch[..], scratch.stride);
        gather(self.level, window, &scratch.sides, self.region(place), target)
    }

    /// True where a reordered sum might overflow and the peer's might not, or the other way.
    fn may_overflow<T: Real>(&self, largest: f64) -> bool {
        let narrow = self.weights.products_in_f32(T::WORK) && largest * self.largest >= f64::powi(2.0, 127);
        // NaN where the growth itself overflowed.
        !(largest * self.growth < f64::powi(2.0, 1000)) || narrow
    }

    /// The sums of a clean patch, and what is left to do to them.
    fn compute(&self, place: Place, scratch: &mut Scratch) -> Finish {
        let divisor = if self.recipe.nan == NanRule::Ignore { self.sum } else { 1.0 };
        let finish = Finish { scale: 1.0, offset: 0.0, divisor, stream: self.streams() };
        let shape = Rows { stride: scratch.sums_stride, rows: place.rows, cols: place.cols };
        match &self.engine {
            Engine::Exact => {}
            Engine::Direct(taps) => {
                let from = (&scratch.patch[..], scratch.stride);
                direct(self.level, Rounding::Fused, taps, from, (&mut scratch.sums, shape));
            }
            Engine::Separable { column, row } => self.separable(column, row, shape, scratch),
        }
        finish
    }

    /// Streaming stores win where the memory bounds the time: small kernels.
    fn streams(&self) -> bool {
        self.recipe.flop_per_cell <= 100.0
    }

    fn separable(&self, column: &TapTable, row: &TapTable, shape: Rows, scratch: &mut Scratch) {
        let stride = scratch.stride;
        for first in (0..shape.rows).step_by(SEPARABLE_ROWS) {
            let rows = SEPARABLE_ROWS.min(shape.rows - first);
            let tall = Rows { stride, rows, cols: shape.cols + row.cols - 1 };
            let from = (&scratch.patch[first * stride..], stride);
            direct(self.level, Rounding::Fused, column, from, (&mut scratch.between, tall));
            let from = (&scratch.between[..], stride);
            let to = &mut scratch.sums[first * shape.stride..];
            direct(self.level, Rounding::Fused, row, from, (to, Rows { rows, ..shape }));
        }
    }
}

mod mend;

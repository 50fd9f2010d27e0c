//! Blocks of output rows: load, compute, mend what is not finite, round (spec convolve 8, 9).
//!
//! A block of rows is cut into panels, small enough for the caches, and each panel is loaded
//! with its margins as float64. All results are functions of the raster and the recipe: panels
//! and FFT tiles begin at multiples of their sizes on the raster, whatever the strip.

use super::load::{Region, gather, look, view};
use super::simd::direct::TIGHT_COLS;
use super::simd::rows::{Finish, Seen, as_f64_mut, settle};
use super::simd::taps::TapTable;
use super::{NanRule, Recipe, Weights};
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::kernels::window::{Boundary, Window};
use engine::Engine;
use piece::Piece;
use scratch::Buffers;
pub use scratch::Scratch;

mod engine;
mod mend;
mod piece;
mod scratch;
mod tiles;

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

/// A rectangle of output cells.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    rows: usize,
    col: usize,
    cols: usize,
}

/// Full-width output rows from `first` on.
struct Output<'a, T> {
    values: &'a mut [T],
    first: usize,
    width: usize,
}

impl<T> Output<'_, T> {
    fn row(&mut self, row: usize, col: usize, cols: usize) -> &mut [T] {
        &mut self.values[(row - self.first) * self.width + col..][..cols]
    }
}

impl<T: Real> Output<'_, T> {
    /// The output from the first cell of `place` on, if finished sums can be written there as
    /// they are.
    fn in_place(&mut self, place: Place, finish: Finish) -> Option<&mut [f64]> {
        let plain = finish.scale == 1.0 && finish.offset == 0.0 && finish.divisor == 1.0;
        let start = (place.row - self.first) * self.width + place.col;
        if plain && place.cols >= TIGHT_COLS { as_f64_mut(&mut self.values[start..]) } else { None }
    }
}

/// What one call of [`Focal::rows`] works on.
struct Job<'a, T> {
    window: &'a Window<'a, T>,
    output: Output<'a, T>,
    scratch: &'a mut Scratch,
    counts: BlockCounts,
}

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
        let magnitude: f64 = weights.values.iter().map(|k| k.abs()).sum();
        Focal {
            engine: Engine::new(weights, &recipe, level),
            definition: TapTable::new(&weights.values, rows, cols, false),
            growth: magnitude.max((rows * cols) as f64),
            largest: weights.values.iter().fold(0.0, |m, k| m.max(k.abs())),
            sum: weights.values.iter().sum(),
            weights: weights.clone(),
            recipe,
            level,
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
        if window.width == 0 || r1 <= r0 {
            return BlockCounts::default();
        }
        scratch.sides.set(window.boundary, window.width);
        let output = Output { values: out, first: r0, width: window.width };
        let mut job = Job { window, output, scratch, counts: BlockCounts::default() };
        for row in (r0..r1).step_by(self.recipe.block_rows) {
            let block = Place { row, rows: self.recipe.block_rows.min(r1 - row), col: 0, cols: window.width };
            if !self.interior_of(block, window).is_empty() {
                if let Engine::Fft(engine) = &self.engine {
                    self.tiles(block, engine, &mut job);
                } else {
                    self.panels(block, (window.width, window.boundary))
                        .for_each(|place| self.panel(place, &mut job));
                }
            }
            self.ring(block, &mut job);
        }
        settle();
        job.counts
    }

    /// Cuts a rectangle into panels, along rows first. Columns whose windows overhang the raster
    /// get panels of their own, so that the others can be read where they lie.
    fn panels(
        &self,
        block: Place,
        (width, boundary): (usize, Boundary),
    ) -> impl Iterator<Item = Place> + use<> {
        let (rows, most) = (self.recipe.panel_rows, self.recipe.panel_cols);
        let edge = (self.weights.cols / 2).next_multiple_of(8);
        let end = block.col + block.cols;
        let split = width > 4 * edge + 64 && !self.fills_sides(boundary);
        let length = move |col: usize| {
            let limit = match col {
                _ if !split => end,
                _ if col < edge => edge.min(end),
                _ if col < width - edge => end.min(width - edge),
                _ => end,
            };
            (limit - col).min(most)
        };
        let tops = (0..block.rows).step_by(rows);
        tops.flat_map(move |i| {
            let first = (block.col < end).then_some(block.col);
            let starts =
                std::iter::successors(first, move |&col| Some(col + length(col)).filter(|&c| c < end));
            starts.map(move |col| Place {
                row: block.row + i,
                rows: rows.min(block.rows - i),
                col,
                cols: length(col),
            })
        })
    }

    fn panel<T: Real>(&self, place: Place, job: &mut Job<T>) {
        let region = self.region(place);
        if let Some(piece) = self.in_raster(place, job.window) {
            return self.sums(piece, place, &mut job.output, &mut job.scratch.buffers);
        }
        let seen = self.load(place, job);
        job.counts.nonfinite += u64::from(!seen.finite);
        if matches!(self.engine, Engine::Exact) {
            return self.define(place, job);
        }
        let scratch = &mut *job.scratch;
        let mut largest = seen.max;
        if !seen.finite {
            largest = scratch.marks.clean(&mut scratch.patch, scratch.stride, region.rows, region.cols);
        }
        if self.may_overflow::<T>(largest) {
            self.load(place, job);
            return self.define(place, job);
        }
        let from = Piece { values: &scratch.patch, stride: scratch.stride, first: region.col, sides: None };
        self.sums(from, place, &mut job.output, &mut scratch.buffers);
        if !seen.finite {
            self.mend(place, job);
        }
    }

    /// The panel that is likely to follow.
    fn after(&self, place: Place, width: usize) -> Place {
        match place.col + place.cols {
            end if end < width => Place { col: end, ..place },
            _ => Place { row: place.row + place.rows, col: 0, ..place },
        }
    }

    /// The values of a panel where they lie, if they may be used as they are.
    fn in_raster<'a, T: Real>(&self, place: Place, window: &Window<'a, T>) -> Option<Piece<'a>> {
        if matches!(self.engine, Engine::Exact | Engine::Fast(_)) {
            return None;
        }
        let width = window.width;
        let fills = self.fills_sides(window.boundary) && width > self.weights.cols;
        let inside = |region: Region| {
            let (first, end) = (region.col.max(0), (region.col + region.cols as i64).min(width as i64));
            Region { col: first, cols: (end - first) as usize, ..region }
        };
        let clip = |region: Region| if fills { inside(region) } else { region };
        let region = clip(self.region(place));
        let values = view(window, region)?;
        if values.len() < (region.rows - 1) * width + region.cols + 64 {
            return None;
        }
        let next = clip(self.region(self.after(place, width)));
        let seen = look(self.level, values, width, region, next);
        let sides = fills.then_some((width, window.boundary));
        let usable = seen.finite && !self.may_overflow::<T>(seen.max);
        usable.then_some(Piece { values, stride: width, first: region.col, sides })
    }

    /// The part of the extended raster that the windows of `place` cover.
    fn region(&self, place: Place) -> Region {
        let (kh, kw) = (self.weights.rows, self.weights.cols);
        Region {
            row: place.row as i64 - (kh / 2) as i64,
            rows: place.rows + kh - 1,
            col: place.col as i64 - (kw / 2) as i64,
            cols: place.cols + kw - 1,
        }
    }

    fn load<T: Real>(&self, place: Place, job: &mut Job<T>) -> Seen {
        let scratch = &mut *job.scratch;
        let target = (&mut scratch.patch[..], scratch.stride);
        let region = self.region(place);
        let next = self.region(self.after(place, job.window.width));
        gather(self.level, job.window, &scratch.sides, (region, next), target)
    }

    /// True where a reordered sum might overflow and the peer's might not, or the other way.
    fn may_overflow<T: Real>(&self, largest: f64) -> bool {
        let narrow = self.weights.products_in_f32(T::WORK) && largest * self.largest >= 2.0_f64.powi(127);
        let fast = matches!(self.engine, Engine::Fast(_)) && largest * self.growth >= 2.0_f64.powi(120);
        // Not below, rather than at least: NaN where the growth itself overflowed.
        let sums = (largest * self.growth).partial_cmp(&2.0_f64.powi(1000)) != Some(std::cmp::Ordering::Less);
        sums || narrow || fast
    }

    /// The last steps when nothing was taken out of the sums.
    fn plain(&self) -> Finish {
        // Streaming stores win where the memory bounds the time: small kernels.
        let stream = self.recipe.flop_per_cell <= 100.0;
        let divisor = if self.recipe.nan == NanRule::Ignore { self.sum } else { 1.0 };
        Finish { scale: 1.0, offset: 0.0, divisor, stream }
    }
}

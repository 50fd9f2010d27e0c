//! Focal statistics of the cells under a 0/1 mask (spec convolve 4).
//!
//! Rasters are `[row, column]`; results are one such layer per statistic, in the order asked.
//! NaN cells are left out; with nothing outside the raster ([`Boundary::Nan`](super::window::Boundary))
//! windows are clipped to it. The work goes tile by tile: a tile's cells are copied once with
//! the margin the mask needs, and all statistics come from that copy.

mod block;
mod mask;
pub mod scalar;
mod simd;
mod tile;
mod variety;

pub use mask::Mask;

use super::window::Window;
use crate::array::Real;
use crate::backend::CpuLevel;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tile::Tile;
use variety::Tally;

/// Fast and scalar results are the same bits: each cell's sums run over its window in row-major
/// order, and the number of distinct values does not depend on any order.
pub const TOLERANCE: f64 = 0.0;

/// One of the focal statistics, in the peer's default order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// float64 sum / count.
    Mean,
    /// Largest value.
    Max,
    /// Smallest value.
    Min,
    /// Largest minus smallest.
    Range,
    /// Root of the variance.
    Std,
    /// Population variance about the float64 mean.
    Var,
    /// Sum in the working type; 0 for an empty window.
    Sum,
    /// Number of distinct values; -0 equals 0.
    Variety,
}

impl Statistic {
    /// All of them in the peer's default order.
    pub const ALL: [Statistic; 8] = [
        Statistic::Mean,
        Statistic::Max,
        Statistic::Min,
        Statistic::Range,
        Statistic::Std,
        Statistic::Var,
        Statistic::Sum,
        Statistic::Variety,
    ];

    /// The peer's name, as `--stat` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Mean => "mean",
            Statistic::Max => "max",
            Statistic::Min => "min",
            Statistic::Range => "range",
            Statistic::Std => "std",
            Statistic::Var => "var",
            Statistic::Sum => "sum",
            Statistic::Variety => "variety",
        }
    }
}

/// Which statistics of which cells.
#[derive(Debug, Clone)]
pub struct FocalStats {
    /// Cells of a window that count.
    pub mask: Mask,
    /// What is asked, in the order of the result's layers.
    pub statistics: Vec<Statistic>,
    /// Instruction set.
    pub level: CpuLevel,
}

/// Room for one tile; kept between calls.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    tile: Tile<T>,
    taps: Vec<usize>,
    tally: Tally,
}

/// Columns of a tile and output rows of one: a tile of a 15 x 15 mask fits in the second-level
/// cache together with its value table.
const TILE: (usize, usize) = (TILE_ROWS, 256);

/// Output rows of a tile: blocks of so many rows share no work.
pub const TILE_ROWS: usize = 32;

impl FocalStats {
    /// True when one of `some` is asked.
    fn wants(&self, some: &[Statistic]) -> bool {
        some.iter().any(|s| self.statistics.contains(s))
    }

    /// Bytes of scratch that one call needs.
    pub fn scratch_bytes(&self) -> u64 {
        let margin = |tile: usize, side: usize| (tile + side) as u64 + block::LANES as u64;
        let cells = margin(TILE.0, self.mask.rows()).saturating_mul(margin(TILE.1, self.mask.cols()));
        let tally = if self.wants(&[Statistic::Variety]) { variety::BYTES_PER_CELL } else { 0 };
        cells.saturating_mul(8 + tally).saturating_add(self.mask.count() as u64 * 8)
    }

    /// Computes rows `span` of every statistic; `out` has one layer of `span.len()` rows for
    /// each of `self.statistics`, in that order.
    ///
    /// `window` must reach the mask's half height beyond `span` on both sides, mapped by its
    /// boundary.
    pub fn rows<T: Real>(
        &self,
        window: &Window<'_, T>,
        span: Range<usize>,
        out: &mut [&mut [T]],
        scratch: &mut Scratch<T>,
    ) {
        let width = window.width;
        for top in span.clone().step_by(TILE.0) {
            let rows = top..span.end.min(top + TILE.0);
            for left in (0..width).step_by(TILE.1) {
                let columns = left..width.min(left + TILE.1);
                scratch.tile.load(window, &self.mask, rows.clone(), columns.clone());
                let place = Place { row: top - span.start, column: left, width };
                self.tile(place, out, scratch);
            }
        }
    }

    /// All statistics of the loaded tile.
    fn tile<T: Real>(&self, place: Place, out: &mut [&mut [T]], scratch: &mut Scratch<T>) {
        let tile = &scratch.tile;
        scratch.taps.clear();
        scratch.taps.extend(self.mask.taps().iter().map(|&(a, b)| a as usize * tile.stride() + b as usize));
        let numeric = Statistic::ALL.iter().any(|s| *s != Statistic::Variety && self.statistics.contains(s));
        if numeric {
            let job = block::Job { tile, taps: &scratch.taps, statistics: &self.statistics, place };
            simd::tile(self.level, &job, out);
        }
        for (layer, statistic) in out.iter_mut().zip(&self.statistics) {
            if *statistic == Statistic::Variety {
                variety::tile(tile, &self.mask, place, layer, &mut scratch.tally);
            }
        }
    }
}

/// Where a tile's first cell goes in the layers of a call.
#[derive(Debug, Clone, Copy)]
struct Place {
    row: usize,
    column: usize,
    width: usize,
}

impl Place {
    /// Cells of tile row `i`, `columns` of them, in a layer.
    fn cells(&self, i: usize, columns: Range<usize>) -> Range<usize> {
        let start = (self.row + i) * self.width + self.column;
        start + columns.start..start + columns.end
    }
}

#[cfg(test)]
mod tests;

//! A tile: output cells of a few rows and columns with the cells their windows reach.

use super::block::LANES;
use super::mask::Mask;
use crate::array::Real;
use crate::kernels::margins::copy_extended;
use crate::kernels::window::Window;
use std::ops::Range;

/// Cells `[row, column]` of a tile and its margin, in rows of `stride` cells.
#[derive(Debug, Default)]
pub(super) struct Tile<T> {
    cells: Vec<T>,
    /// For each row of `cells`: is there a NaN.
    holes: Vec<bool>,
    stride: usize,
    shape: (usize, usize),
    reach: usize,
}

impl<T: Real> Tile<T> {
    /// Copies what the outputs at `rows` x `columns` need.
    pub fn load(&mut self, window: &Window<'_, T>, mask: &Mask, rows: Range<usize>, columns: Range<usize>) {
        let (above, beside) = (mask.half_rows(), mask.half_cols());
        let held = columns.len() + 2 * beside;
        self.shape = (rows.len(), columns.len());
        self.reach = mask.rows();
        // Blocks of lanes may run over the last column, and a sliding window goes one column
        // further than there are outputs; both find zeros there.
        self.stride = columns.len().next_multiple_of(LANES) + 2 * beside + 1;
        self.cells.clear();
        self.cells.resize(self.stride * (rows.len() + 2 * above), T::round_from(0.0));
        self.holes.clear();
        let first = rows.start as i64 - above as i64;
        for (m, row) in (first..).zip(self.cells.chunks_exact_mut(self.stride)) {
            copy_extended(window, m, columns.start as i64 - beside as i64, &mut row[..held]);
            self.holes.push(row[..held].iter().fold(false, |hole, v| hole | v.widen().is_nan()));
        }
    }

    /// Cells with their margin, row after row.
    pub fn cells(&self) -> &[T] {
        &self.cells
    }

    /// Cells per row of [`Tile::cells`].
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Output rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// True when no window of output row `i` meets a NaN.
    pub fn is_whole(&self, i: usize) -> bool {
        !self.holes[i..i + self.reach].iter().any(|&hole| hole)
    }
}

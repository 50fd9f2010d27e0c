//! Encoding spikes sorted by position cell.
//!
//! The axis that is contracted first is called `along`, the other one `across`; cells of equal
//! `across` index are a row. Only occupied columns and rows of cells exist, so a track in an arena
//! costs what a track costs, and a stray position does not stretch a table.

use super::{Bandwidths, EncodingSpikes, PlaceBins};

/// A cell with encoding spikes.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// First spike in the sorted order.
    pub(super) first: usize,
    /// Spikes.
    pub(super) count: usize,
    /// Index among the occupied columns.
    pub(super) column: usize,
    /// Start of the boxes of its pieces.
    pub(super) boxes: usize,
}

/// The axis contracted first: that with fewer bins, since the first contraction costs the most.
pub(super) fn first_axis(bins: &PlaceBins<'_>) -> usize {
    let bins_of = |axis: usize| bins.axes.get(axis).map_or(usize::MAX, |centers| centers.len());
    usize::from(bins_of(1) < bins_of(0))
}

/// Lines of cells (columns along, rows across) that hold spikes: what costs are counted from.
pub(super) struct Lines {
    /// Axis contracted first.
    pub(super) first_axis: usize,
    /// Centres of the occupied columns and rows.
    pub(super) centers: [Vec<f64>; 2],
    /// Half side of a cell per axis (along, across), in length.
    pub(super) half: [f64; 2],
    /// Row and column of every spike, the row in the upper half.
    keys: Vec<u64>,
}

/// Row and column of a key.
fn row_and_column(key: u64) -> (usize, usize) {
    ((key >> 32) as usize, (key & 0xffff_ffff) as usize)
}

/// Puts numbers in the place of `cells`, in their order and without gaps; returns the cells that occur.
fn without_gaps(cells: &mut [i64]) -> Vec<i64> {
    let span = cells.iter().copied().max().map_or(0, |most| most as usize + 1);
    let mut occupied;
    if span <= 4 * cells.len() {
        let mut number = vec![-1; span];
        cells.iter().for_each(|cell| number[*cell as usize] = 0);
        occupied = (0..span as i64).filter(|cell| number[*cell as usize] == 0).collect::<Vec<i64>>();
        (0..).zip(&occupied).for_each(|(place, cell)| number[*cell as usize] = place);
        cells.iter_mut().for_each(|cell| *cell = number[*cell as usize]);
    } else {
        // A stray position far away.
        occupied = cells.to_vec();
        occupied.sort_unstable();
        occupied.dedup();
        cells.iter_mut().for_each(|cell| *cell = occupied.binary_search(cell).unwrap_or(0) as i64);
    }
    occupied
}

impl Lines {
    /// Cells of side `cell` bandwidths.
    pub(super) fn new(
        spikes: &EncodingSpikes<'_>,
        bandwidths: &Bandwidths<'_>,
        cell: f64,
        first_axis: usize,
    ) -> Self {
        let axes = if spikes.axes == 2 { vec![first_axis, 1 - first_axis] } else { vec![0] };
        let mut keys = vec![0; spikes.len()];
        let (mut centers, mut half) = ([Vec::new(), vec![0.0]], [1.0; 2]);
        for (at, axis) in axes.into_iter().enumerate() {
            let side = cell * bandwidths.position[axis];
            half[at] = side / 2.0;
            let column = || spikes.positions.iter().skip(axis).step_by(spikes.axes);
            let low = column().copied().fold(f64::INFINITY, f64::min);
            let mut cells: Vec<i64> = column().map(|x| ((x - low) / side) as i64).collect();
            let occupied = without_gaps(&mut cells);
            keys.iter_mut().zip(&cells).for_each(|(key, cell)| *key |= (*cell as u64) << (32 * at));
            centers[at] = occupied.iter().map(|k| low + (*k as f64 + 0.5) * side).collect();
        }
        Lines { first_axis, centers, half, keys }
    }

    /// Columns of the cells that hold spikes.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|key| row_and_column(key).1)
    }

    /// The lines of `axis` (0 along, 1 across) within reach of bins from `low` to `high`: those
    /// with a place where the kernel is not below `2^-cut`.
    pub(super) fn band(&self, axis: usize, (low, high): (f64, f64), reach: f64) -> (usize, usize) {
        let lines = &self.centers[axis];
        let far = reach + self.half[axis];
        (lines.partition_point(|c| *c < low - far), lines.partition_point(|c| *c <= high + far))
    }
}

/// Spikes by cell, before any table is made.
pub(super) struct Layout {
    /// Where the cells lie.
    pub(super) lines: Lines,
    /// Spikes in cell order.
    pub(super) order: Vec<usize>,
    /// Cells, row by row.
    pub(super) cells: Vec<Cell>,
    /// Cells of each row.
    pub(super) rows: Vec<(usize, usize)>,
}

impl Layout {
    /// Sorts the spikes into the cells of `lines`.
    pub(super) fn new(lines: Lines) -> Self {
        let keys = &lines.keys;
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_unstable_by_key(|spike| (keys[*spike], *spike));
        let (mut cells, mut rows): (Vec<Cell>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
        for chunk in order.chunk_by(|a, b| keys[*a] == keys[*b]) {
            let (row, column) = row_and_column(keys[chunk[0]]);
            let first = cells.last().map_or(0, |cell| cell.first + cell.count);
            if row == rows.len() {
                rows.push((cells.len(), cells.len()));
            }
            cells.push(Cell { first, count: chunk.len(), column, boxes: 0 });
            rows[row].1 = cells.len();
        }
        Layout { lines, order, cells, rows }
    }
}

/// Distance in bandwidths beyond which a kernel is below `2^-cut`.
pub(super) fn reach(cut: f64) -> f64 {
    (2.0 * cut * std::f64::consts::LN_2).sqrt()
}

/// Least and greatest centre of a group of bins.
pub(super) fn extent(centers: &[f64]) -> (f64, f64) {
    let low = centers.iter().copied().fold(f64::INFINITY, f64::min);
    (low, centers.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

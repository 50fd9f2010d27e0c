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
    /// Start of its polynomials.
    pub(super) values: usize,
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

/// Positions of the spikes by cell, before any table is made: what costs are counted from.
pub(super) struct Layout {
    /// Axis contracted first.
    pub(super) first_axis: usize,
    /// Spikes in cell order.
    pub(super) order: Vec<usize>,
    /// Cells, row by row.
    pub(super) cells: Vec<Cell>,
    /// Cells of each row.
    pub(super) rows: Vec<(usize, usize)>,
    /// Centres of the occupied columns and rows.
    pub(super) centers: [Vec<f64>; 2],
    /// Half side of a cell per axis (along, across), in length.
    pub(super) half: [f64; 2],
}

impl Layout {
    /// Sorts the spikes into cells of side `cell` bandwidths.
    pub(super) fn new(
        spikes: &EncodingSpikes<'_>,
        bandwidths: &Bandwidths<'_>,
        cell: f64,
        first_axis: usize,
    ) -> Self {
        let axes = if spikes.axes == 2 { vec![first_axis, 1 - first_axis] } else { vec![0] };
        let mut lines = [vec![0; spikes.len()], vec![0; spikes.len()]];
        let (mut centers, mut half) = ([Vec::new(), vec![0.0]], [1.0; 2]);
        for (at, axis) in axes.into_iter().enumerate() {
            let side = cell * bandwidths.position[axis];
            half[at] = side / 2.0;
            let column = || spikes.positions.iter().skip(axis).step_by(spikes.axes);
            let low = column().copied().fold(f64::INFINITY, f64::min);
            let cells: Vec<i64> = column().map(|x| ((x - low) / side) as i64).collect();
            let mut occupied = cells.clone();
            occupied.sort_unstable();
            occupied.dedup();
            for (line, cell) in lines[at].iter_mut().zip(&cells) {
                *line = occupied.binary_search(cell).unwrap_or(0);
            }
            centers[at] = occupied.iter().map(|k| low + (*k as f64 + 0.5) * side).collect();
        }
        let key = |spike: &usize| (lines[1][*spike], lines[0][*spike]);
        let mut order: Vec<usize> = (0..spikes.len()).collect();
        order.sort_unstable_by_key(|spike| (key(spike), *spike));
        let (mut cells, mut rows): (Vec<Cell>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
        for chunk in order.chunk_by(|a, b| key(a) == key(b)) {
            let (row, column) = key(&chunk[0]);
            let first = cells.last().map_or(0, |cell| cell.first + cell.count);
            if row == rows.len() {
                rows.push((cells.len(), cells.len()));
            }
            cells.push(Cell { first, count: chunk.len(), values: 0, column, boxes: 0 });
            rows[row].1 = cells.len();
        }
        Layout { first_axis, order, cells, rows, centers, half }
    }

    /// The lines of `axis` (0 along, 1 across) within reach of bins from `low` to `high`: those
    /// with a place where the kernel is not below `2^-cut`.
    pub(super) fn band(&self, axis: usize, (low, high): (f64, f64), reach: f64) -> (usize, usize) {
        let lines = &self.centers[axis];
        let far = reach + self.half[axis];
        (lines.partition_point(|c| *c < low - far), lines.partition_point(|c| *c <= high + far))
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

//! Encoding spikes sorted by position cell, with what leads from a cell's moments to the bins.
//!
//! The axis that is contracted first is called `along`, the other one `across`; cells of equal
//! `across` index are a row. Only occupied columns and rows of cells exist, so a track in an arena
//! costs what a track costs, and a stray position does not stretch a table.

use super::boxes::{PIECE, push_box};
use super::expansion::polynomials;
use super::simd::coefficients_of;
use super::tables::{GROUP, PAD, Range};
use super::{Bandwidths, EncodingSpikes, PlaceBins};
use crate::backend::CpuLevel;
use crate::kernels::simd::Element;

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

/// Expansion coefficients of one axis: `[group of bins][bin][line of cells][degree]`.
#[derive(Debug)]
pub(super) struct Axis<E> {
    /// All groups, one after the other.
    pub(super) factors: Vec<E>,
    /// Start of each group in `factors`.
    pub(super) starts: Vec<usize>,
    /// Lines of cells (columns or rows) within reach of each group's bins.
    pub(super) bands: Vec<(usize, usize)>,
}

/// The position side of the sum by moments.
#[derive(Debug)]
pub(super) struct Moments<E> {
    /// Degrees stay below this.
    pub(super) q: usize,
    /// Degree (along, across) of every term, `across` slowest.
    pub(super) terms: Vec<[u32; 2]>,
    /// First term of each degree across.
    pub(super) firsts: Vec<usize>,
    /// Cells, row by row.
    pub(super) cells: Vec<Cell>,
    /// Cells of each occupied row.
    pub(super) rows: Vec<(usize, usize)>,
    /// `[cell][degree][spike]` along, then across.
    pub(super) polynomials: Vec<Vec<E>>,
    /// First axis.
    pub(super) along: Axis<E>,
    /// Second axis, where there is one.
    pub(super) across: Option<Axis<E>>,
    /// Groups of bins across that hold an interior bin, for each bin along (one axis: whether the
    /// bin's own group does, as an empty or a one-element list).
    pub(super) wanted: Vec<Vec<usize>>,
    /// Whether a group of bins along holds an interior bin.
    pub(super) reached: Vec<bool>,
    /// Row of sums of every interior bin.
    pub(super) slots: Vec<u32>,
    /// `[cell][piece][feature][least, greatest]` of scaled marks; empty where boxes do not pay.
    pub(super) boxes: Vec<f64>,
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

/// Expansion coefficients of the bins of one axis (0 along, 1 across).
fn axis<E: Element>(
    layout: &Layout,
    axis: usize,
    (centers, std): (&[f64], f64),
    q: usize,
    range: Range,
) -> Axis<E> {
    let (mut factors, mut starts, mut bands) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at, mut rows) = (Vec::new(), Vec::new());
    // A coefficient this small moves no sum that counts, and could become denormal.
    let least = (-range.cut - 30.0).exp2();
    let lift = f64::from(range.lift).exp2();
    for group in centers.chunks(GROUP) {
        let (first, last) = layout.band(axis, extent(group), reach(range.cut) * std);
        starts.push(factors.len());
        bands.push((first, last));
        for center in group {
            at.clear();
            at.extend(layout.centers[axis][first..last].iter().map(|line| (center - line) / std));
            rows.resize(at.len() * q, 0.0);
            coefficients_of(CpuLevel::detect(), &at, layout.half[axis] / std, q, &mut rows);
            factors.extend(rows.iter().map(|c| E::of(if c.abs() < least { 0.0 } else { c * lift })));
        }
        let idle = (GROUP - group.len()) * (last - first) * q;
        factors.resize(factors.len() + idle, E::default());
    }
    Axis { factors, starts, bands }
}

/// `T_a` of every spike along one axis, `[cell][degree][spike]`, rows padded with zeros.
fn spike_polynomials<E: Element>(
    layout: &Layout,
    axis: usize,
    (spikes, q): (&EncodingSpikes<'_>, usize),
) -> Vec<E> {
    let end = layout.cells.last().map_or(0, |cell| cell.values + q * cell.count.next_multiple_of(PAD));
    let mut table = vec![E::default(); end];
    let mut row = vec![0.0; q];
    let source = if axis == 0 { layout.first_axis } else { 1 - layout.first_axis };
    for (r, (first, last)) in layout.rows.iter().enumerate() {
        for cell in &layout.cells[*first..*last] {
            let line = if axis == 0 { cell.column } else { r };
            let stride = cell.count.next_multiple_of(PAD);
            for (i, spike) in layout.order[cell.first..cell.first + cell.count].iter().enumerate() {
                let x = spikes.positions[spike * spikes.axes + source];
                polynomials((x - layout.centers[axis][line]) / layout.half[axis], &mut row);
                for (a, value) in row.iter().enumerate() {
                    table[cell.values + a * stride + i] = E::of(*value);
                }
            }
        }
    }
    table
}

/// Makes the tables for degrees below `q`.
pub(super) fn moments<E: Element>(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (mut layout, q): (Layout, usize),
    range: Range,
) -> Moments<E> {
    let mut values = 0;
    for cell in &mut layout.cells {
        cell.values = values;
        values += q * cell.count.next_multiple_of(PAD);
    }
    let two = spikes.axes == 2;
    let sources = if two { vec![layout.first_axis, 1 - layout.first_axis] } else { vec![0] };
    let one = |at: usize| {
        let source = sources[at];
        axis(&layout, at, (bins.axes[source], bandwidths.position[source]), q, range)
    };
    let (along, across) = (one(0), two.then(|| one(1)));
    let polynomials = (0..sources.len()).map(|at| spike_polynomials(&layout, at, (spikes, q))).collect();
    let degrees = if two { q } else { 1 };
    let terms = (0..degrees).flat_map(|b| (0..q - b).map(move |a| [a as u32, b as u32])).collect();
    let firsts = (0..degrees).map(|b| (0..b).map(|b| q - b).sum()).collect();
    let across_bins = if two { bins.axes[sources[1]].len().next_multiple_of(GROUP) } else { 1 };
    let mut wanted = vec![Vec::new(); bins.axes[sources[0]].len()];
    let mut slots = Vec::with_capacity(bins.interior.len());
    for flat in bins.interior {
        let place = bins.along_axes(*flat);
        let (x, y) = if two { (place[sources[0]], place[sources[1]]) } else { (place[0], 0) };
        slots.push((x * across_bins + y) as u32);
        wanted[x].push(y / GROUP);
    }
    for groups in &mut wanted {
        groups.sort_unstable();
        groups.dedup();
    }
    let reached = wanted.chunks(GROUP).map(|bins| bins.iter().any(|groups| !groups.is_empty())).collect();
    let Layout { cells, rows, .. } = layout;
    Moments {
        q,
        terms,
        firsts,
        cells,
        rows,
        polynomials,
        along,
        across,
        wanted,
        reached,
        slots,
        boxes: Vec::new(),
    }
}

impl<E: Element> Moments<E> {
    /// Makes the boxes of all pieces from the scaled marks in cell order.
    pub(super) fn enclose(&mut self, marks: &[E], width: usize) {
        for cell in &mut self.cells {
            cell.boxes = self.boxes.len();
            let mine = &marks[cell.first * width..(cell.first + cell.count) * width];
            for piece in mine.chunks(PIECE * width) {
                push_box(piece.iter().map(|value| value.wide()), width, &mut self.boxes);
            }
        }
    }
}

impl<E> Moments<E> {
    /// Rows of sums a block computes.
    pub(super) fn slots(&self) -> usize {
        let along = self.along.bands.len() * GROUP;
        along * self.across.as_ref().map_or(1, |axis| axis.bands.len() * GROUP)
    }

    /// Moments of the fullest row of cells.
    pub(super) fn row_moments(&self) -> usize {
        self.rows.iter().map(|(first, last)| last - first).max().unwrap_or(0) * self.terms.len()
    }

    /// Values between the two stages: `[bin along][row][degree across]`.
    pub(super) fn fields(&self) -> usize {
        let degrees = if self.across.is_some() { self.q } else { 0 };
        self.along.bands.len() * GROUP * self.rows.len() * degrees
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let across = self.across.as_ref().map_or(0, |axis| axis.factors.len());
        let spikes: usize = self.polynomials.iter().map(Vec::len).sum();
        (self.along.factors.len() + across + spikes) * size_of::<E>()
            + self.cells.len() * size_of::<Cell>()
            + self.boxes.len() * 8
            + (self.slots.len() + self.wanted.len() * 8) * 4
    }
}

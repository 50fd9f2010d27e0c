//! What leads from the encoding spikes of a cell to its moments, and from these to the bins.

use super::boxes::{PIECE, push_box};
use super::certificate::SPREAD;
use super::layout::{Cell, Layout, extent, reach};
use super::simd::coefficients_of;
use super::tables::{GROUP, PAD, Range};
use super::{Bandwidths, EncodingSpikes, PlaceBins};
use crate::backend::CpuLevel;
use crate::kernels::simd::Element;

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

/// The way from moments below a total degree to the bins.
#[derive(Debug)]
pub(super) struct Expansion<E> {
    /// Degrees stay below this.
    pub(super) q: usize,
    /// Degree (along, across) of every term, `across` slowest.
    pub(super) terms: Vec<[u32; 2]>,
    /// First term of each degree across.
    pub(super) firsts: Vec<usize>,
    /// First axis.
    pub(super) along: Axis<E>,
    /// Second axis, where there is one.
    pub(super) across: Option<Axis<E>>,
}

/// Fewer terms, and the single one that bounds what they leave out.
#[derive(Debug)]
pub(super) struct Certified<E> {
    /// The expansion that is tried first.
    pub(super) expansion: Expansion<E>,
    /// The wider Gaussian of [`certificate`](super::certificate) on the moments of degree 0.
    pub(super) error: Expansion<E>,
    /// The floor of every interior bin's sum, as a logarithm.
    pub(super) floors: Vec<E>,
}

/// The position side of the sum by moments.
#[derive(Debug)]
pub(super) struct Moments<E> {
    /// The expansion that holds for every spike.
    pub(super) full: Expansion<E>,
    /// What rows are tried with before, where that pays.
    pub(super) certified: Option<Certified<E>>,
    /// Cells, row by row.
    pub(super) cells: Vec<Cell>,
    /// Cells of each occupied row.
    pub(super) rows: Vec<(usize, usize)>,
    /// Offset of every spike from the centre of its cell, in half sides: `[axis][spike]` in cell order,
    /// along, then across.
    pub(super) offsets: Vec<Vec<E>>,
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

/// Factors of the bins of one axis (0 along, 1 across): `row` fills `degrees` values for a bin at
/// each of some distances (bandwidths) from the centres of cells.
fn axis<E: Element>(
    layout: &Layout,
    axis: usize,
    (centers, std): (&[f64], f64),
    (degrees, row): (usize, impl Fn(&[f64], &mut [f64])),
    range: Range,
) -> Axis<E> {
    let (mut factors, mut starts, mut bands) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at, mut rows) = (Vec::new(), Vec::new());
    // A coefficient this small moves no sum that counts, and could become denormal.
    let least = (-range.cut - 30.0).exp2();
    let lift = f64::from(range.lift).exp2();
    for group in centers.chunks(GROUP) {
        let (first, last) = layout.lines.band(axis, extent(group), reach(range.cut) * std);
        starts.push(factors.len());
        bands.push((first, last));
        for center in group {
            at.clear();
            at.extend(layout.lines.centers[axis][first..last].iter().map(|line| (center - line) / std));
            rows.resize(at.len() * degrees, 0.0);
            row(&at, &mut rows);
            factors.extend(rows.iter().map(|c| E::of(if c.abs() < least { 0.0 } else { c * lift })));
        }
        let idle = (GROUP - group.len()) * (last - first) * degrees;
        factors.resize(factors.len() + idle, E::default());
    }
    Axis { factors, starts, bands }
}

/// Bins along each axis of the layout (along, across), with the bandwidth.
struct Targets<'a> {
    layout: &'a Layout,
    axes: Vec<(&'a [f64], f64)>,
    range: Range,
}

impl Targets<'_> {
    /// The expansion below total degree `q`.
    fn expansion<E: Element>(&self, q: usize) -> Expansion<E> {
        let along = |at: usize| {
            let half = self.layout.lines.half[at] / self.axes[at].1;
            let row = |u: &[f64], out: &mut [f64]| coefficients_of(CpuLevel::detect(), u, half, q, out);
            axis(self.layout, at, self.axes[at], (q, row), self.range)
        };
        self.with(q, along)
    }

    /// The single term that bounds an expansion's error.
    fn error<E: Element>(&self) -> Expansion<E> {
        let row = |u: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(u).for_each(|(to, u)| *to = (-0.5 * (u / SPREAD).powi(2)).exp());
        };
        self.with(1, |at| axis(self.layout, at, self.axes[at], (1, row), self.range))
    }

    fn with<E>(&self, q: usize, axis: impl Fn(usize) -> Axis<E>) -> Expansion<E> {
        let two = self.axes.len() == 2;
        let degrees = if two { q } else { 1 };
        Expansion {
            q,
            terms: (0..degrees).flat_map(|b| (0..q - b).map(move |a| [a as u32, b as u32])).collect(),
            firsts: (0..degrees).map(|b| (0..b).map(|b| q - b).sum()).collect(),
            along: axis(0),
            across: two.then(|| axis(1)),
        }
    }
}

/// Where every spike lies in its cell along one axis (0 along, 1 across), in cell order.
fn offsets<E: Element>(layout: &Layout, axis: usize, spikes: &EncodingSpikes<'_>) -> Vec<E> {
    let lines = &layout.lines;
    let source = if axis == 0 { lines.first_axis } else { 1 - lines.first_axis };
    let mut offsets = Vec::with_capacity(spikes.len() + PAD);
    for (row, (first, last)) in layout.rows.iter().enumerate() {
        for cell in &layout.cells[*first..*last] {
            let center = lines.centers[axis][if axis == 0 { cell.column } else { row }];
            let mine = &layout.order[cell.first..cell.first + cell.count];
            let place = |spike: &usize| spikes.positions[spike * spikes.axes + source];
            offsets.extend(mine.iter().map(|spike| E::of((place(spike) - center) / lines.half[axis])));
        }
    }
    // The last register may be read as a whole.
    offsets.resize(spikes.len() + PAD, E::default());
    offsets
}

/// Makes the tables for degrees below `q`, and below `certified` for rows that prove it enough.
pub(super) fn moments<E: Element>(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (layout, q, certified): (Layout, usize, Option<usize>),
    range: Range,
) -> Moments<E> {
    let two = spikes.axes == 2;
    let sources = if two { vec![layout.lines.first_axis, 1 - layout.lines.first_axis] } else { vec![0] };
    let axes = sources.iter().map(|at| (bins.axes[*at], bandwidths.position[*at])).collect();
    let targets = Targets { layout: &layout, axes, range };
    let certify =
        |below| Certified { expansion: targets.expansion(below), error: targets.error(), floors: Vec::new() };
    // Tables and buffers are those of the full expansion.
    let (full, certified) = (targets.expansion(q), certified.filter(|below| *below < q).map(certify));
    let offsets = (0..sources.len()).map(|at| offsets(&layout, at, spikes)).collect();
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
    Moments { full, certified, cells, rows, offsets, wanted, reached, slots, boxes: Vec::new() }
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

impl<E> Expansion<E> {
    /// Values between the two stages: `[bin along][row][degree across]`.
    pub(super) fn fields(&self, rows: usize) -> usize {
        let degrees = if self.across.is_some() { self.q } else { 0 };
        self.along.bands.len() * GROUP * rows * degrees
    }

    /// Values of both axes.
    fn factors(&self) -> usize {
        self.along.factors.len() + self.across.as_ref().map_or(0, |axis| axis.factors.len())
    }
}

impl<E> Moments<E> {
    /// Rows of sums a block computes.
    pub(super) fn slots(&self) -> usize {
        let along = self.full.along.bands.len() * GROUP;
        along * self.full.across.as_ref().map_or(1, |axis| axis.bands.len() * GROUP)
    }

    /// Moments of the fullest row of cells.
    pub(super) fn row_moments(&self) -> usize {
        let most = self.rows.iter().map(|(first, last)| last - first).max().unwrap_or(0);
        most * self.full.terms.len()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let certified =
            self.certified.as_ref().map_or(0, |c| c.expansion.factors() + c.error.factors() + c.floors.len());
        let spikes: usize = self.offsets.iter().map(Vec::len).sum();
        (self.full.factors() + certified + spikes) * size_of::<E>()
            + self.cells.len() * size_of::<Cell>()
            + self.boxes.len() * 8
            + (self.slots.len() + self.wanted.len() * 8) * 4
    }
}

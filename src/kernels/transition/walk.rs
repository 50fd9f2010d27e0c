//! The random walk: weights `G`, row sums, and where places lie among the cells of the weights.

use super::CUTS;
use super::grid::Grid;
use super::line::Line;
use super::portable::Portable;
use super::rows::Packed;
use super::simd::along::MARGIN;
use super::simd::vector::{Run, fill};
use crate::backend::CpuLevel;
use crate::kernels::simd::AlignedF64;

/// How a walk is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Two products along the axes of the grid around the interior bins.
    Separable,
    /// One weight per distance along a line.
    Line,
    /// One weight per pair of places that reach each other.
    Rows,
}

/// Weights of either form; they act on cells, which hold the places and perhaps more.
#[derive(Debug)]
enum Weights {
    Separable(Grid),
    Line(Line),
    /// Towards each place; and away from each place where that differs.
    Rows(Packed, Option<Packed>),
}

/// A random walk over interior place bins: `A = D^-1 G`, D the row sums of G.
#[derive(Debug)]
pub struct Walk {
    level: CpuLevel,
    places: usize,
    runs: Vec<Run>,
    weights: Weights,
    /// 1 / row sum, 0 for a row of zeros.
    row_scale: Vec<f64>,
    /// Each place keeps its own source with weight 1, which is what [`cut_for`] counts on.
    keeps_own: bool,
}

/// What one thread needs besides.
#[derive(Debug)]
pub struct Buffers {
    source: AlignedF64,
    /// Between the two products, or the result of the other forms.
    middle: AlignedF64,
}

/// Cells after a walk, with the places among them; none where no state walks.
pub(super) type Walked<'a> = Option<(&'a [f64], &'a [Run])>;

impl Walk {
    /// Walk over the bins `interior` (flattened, C order, increasing) of the grid with centres
    /// `axes[axis][bin]`, with Euclidean distances and `variance` (length^2 per decoding bin).
    /// The cheaper form is taken.
    ///
    /// # Panics
    ///
    /// If a bin lies outside of the grid or the bins are not increasing.
    pub fn on_grid(level: CpuLevel, axes: &[&[f64]], interior: &[usize], variance: f64) -> Self {
        let along: Vec<usize> = axes.iter().map(|axis| axis.len()).collect();
        assert!(interior.is_sorted_by(|a, b| a < b));
        assert!(interior.last().is_none_or(|&bin| bin < along.iter().product()));
        if let ([first, second], false) = (axes, interior.is_empty()) {
            let grid = Grid::new(level, (first, second), interior, variance);
            // A packed weight is used once and comes from the second cache level: half the speed.
            if grid.multiply_adds() <= 2 * (interior.len() as u64).pow(2) {
                return Walk::separable(level, grid, interior.len());
            }
        }
        if let [axis] = axes
            && let Some(line) = Line::new(level, axis, interior, variance)
            && line.multiply_adds(level) <= 2 * (interior.len().max(MARGIN) as u64).pow(2)
        {
            return Walk::along(level, line, interior.len());
        }
        Walk::in_rows(level, axes, interior, variance)
    }

    /// [`Walk::on_grid`] in the form asked for; `Separable` needs two axes, `Line` one with even steps.
    pub fn with_form(
        level: CpuLevel,
        axes: &[&[f64]],
        interior: &[usize],
        variance: f64,
        form: Form,
    ) -> Self {
        match (form, axes) {
            (Form::Separable, [first, second]) if !interior.is_empty() => {
                let grid = Grid::new(level, (first, second), interior, variance);
                Walk::separable(level, grid, interior.len())
            }
            (Form::Line, [axis]) => match Line::new(level, axis, interior, variance) {
                Some(line) => Walk::along(level, line, interior.len()),
                None => Walk::in_rows(level, axes, interior, variance),
            },
            _ => Walk::in_rows(level, axes, interior, variance),
        }
    }

    /// Walk over `places` bins at given distances `[from][to]`, as along a track graph; distances
    /// that are no numbers cannot be walked.
    ///
    /// # Panics
    ///
    /// If the distances are not `places` squared.
    pub fn over_distances(level: CpuLevel, distances: &[f64], places: usize, variance: f64) -> Self {
        assert_eq!(distances.len(), places * places);
        let square = |p: usize, q: usize| distances[p * places + q].powi(2);
        let same = |p: usize, q: usize| distances[p * places + q] == distances[q * places + p];
        let symmetric = (0..places).all(|p| (0..p).all(|q| same(p, q)));
        let towards = Packed::new(places, square, variance);
        let away = (!symmetric).then(|| Packed::new(places, |q, p| square(p, q), variance));
        let mut walk = Walk::packed(level, places, towards, away);
        walk.keeps_own = (0..places).all(|p| distances[p * places + p] == 0.0);
        walk
    }

    fn in_rows(level: CpuLevel, axes: &[&[f64]], interior: &[usize], variance: f64) -> Self {
        let mut centers = Vec::with_capacity(interior.len() * axes.len());
        for &bin in interior {
            let mut below: usize = axes.iter().map(|axis| axis.len()).product();
            for axis in axes {
                below /= axis.len();
                centers.push(axis[bin / below % axis.len()]);
            }
        }
        let n = axes.len();
        let square = |p: usize, q: usize| -> f64 {
            let (p, q) = (&centers[p * n..][..n], &centers[q * n..][..n]);
            p.iter().zip(q).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let packed = Packed::new(interior.len(), square, variance);
        Walk::packed(level, interior.len(), packed, None)
    }

    fn packed(level: CpuLevel, places: usize, towards: Packed, away: Option<Packed>) -> Self {
        let weights = Weights::Rows(towards, away);
        let runs = vec![Run { place: 0, cell: 0, length: places }];
        Walk::scaled(level, places, runs, weights)
    }

    fn separable(level: CpuLevel, grid: Grid, places: usize) -> Self {
        let runs = grid.runs.clone();
        Walk::scaled(level, places, runs, Weights::Separable(grid))
    }

    fn along(level: CpuLevel, line: Line, places: usize) -> Self {
        let runs = line.runs.clone();
        Walk::scaled(level, places, runs, Weights::Line(line))
    }

    /// Finds the row sums: what comes back from ones.
    fn scaled(level: CpuLevel, places: usize, runs: Vec<Run>, weights: Weights) -> Self {
        let level = level.min(CpuLevel::detect());
        let mut walk = Walk { level, places, runs, weights, row_scale: vec![1.0; places], keeps_own: true };
        let mut buffers = walk.buffers();
        let ones = vec![1.0; places];
        let walked = walk.back(std::iter::once((1.0, &ones[..])), &mut buffers);
        let mut sums = vec![0.0; places];
        for run in &walk.runs {
            if let Some((cells, _)) = walked {
                sums[run.place..][..run.length].copy_from_slice(&cells[run.cell..][..run.length]);
            }
        }
        // A row whose weights were all left out holds nothing but the start of the sums.
        walk.row_scale = sums.iter().map(|&sum| if sum > super::FLUSH { 1.0 / sum } else { 0.0 }).collect();
        walk
    }

    /// Interior bins.
    pub fn places(&self) -> usize {
        self.places
    }

    /// The instruction set in use.
    pub fn level(&self) -> CpuLevel {
        self.level
    }

    /// The form in use.
    pub fn form(&self) -> Form {
        match self.weights {
            Weights::Separable(_) => Form::Separable,
            Weights::Line(_) => Form::Line,
            Weights::Rows(..) => Form::Rows,
        }
    }

    /// 1 / row sum of the weights, per place.
    pub fn row_scale(&self) -> &[f64] {
        &self.row_scale
    }

    /// The weights as plain lists, for devices.
    pub fn portable(&self) -> Portable {
        match &self.weights {
            Weights::Separable(grid) => grid.portable(),
            Weights::Line(line) => Portable::Pairs { towards: line.sparse(), away: None },
            Weights::Rows(towards, away) => {
                Portable::Pairs { towards: towards.sparse(), away: away.as_ref().map(Packed::sparse) }
            }
        }
    }

    /// Multiply-adds of one walk.
    pub fn multiply_adds(&self) -> u64 {
        match &self.weights {
            Weights::Separable(grid) => grid.multiply_adds(),
            Weights::Line(line) => line.multiply_adds(self.level),
            Weights::Rows(towards, _) => towards.multiply_adds(),
        }
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        let weights = match &self.weights {
            Weights::Separable(grid) => grid.bytes(),
            Weights::Line(line) => line.bytes(),
            Weights::Rows(towards, away) => towards.bytes() + away.as_ref().map_or(0, Packed::bytes),
        };
        weights + 8 * self.row_scale.len() as u64
    }

    /// Buffers for one thread.
    pub(super) fn buffers(&self) -> Buffers {
        let cells = match &self.weights {
            Weights::Separable(grid) => grid.cells(),
            Weights::Line(line) => line.cells(),
            Weights::Rows(towards, _) => towards.cells(),
        };
        Buffers { source: AlignedF64::zeros(cells), middle: AlignedF64::zeros(cells) }
    }

    /// `sum of weight * f` walked: `(sum) D^-1 G`.
    pub(super) fn ahead<'a>(
        &'a self,
        sources: impl Iterator<Item = (f64, &'a [f64])>,
        buffers: &'a mut Buffers,
    ) -> Walked<'a> {
        self.apply(sources, Some(&self.row_scale), false, buffers)
    }

    /// `G` times the `sum of weight * r`; the caller scales the rows.
    pub(super) fn back<'a>(
        &'a self,
        sources: impl Iterator<Item = (f64, &'a [f64])>,
        buffers: &'a mut Buffers,
    ) -> Walked<'a> {
        self.apply(sources, None, true, buffers)
    }

    fn apply<'a>(
        &'a self,
        sources: impl Iterator<Item = (f64, &'a [f64])>,
        scale: Option<&[f64]>,
        backwards: bool,
        buffers: &'a mut Buffers,
    ) -> Walked<'a> {
        let mut extent = None;
        for (weight, values) in sources {
            let term = (values, weight, scale);
            extent = Some(fill(self.level, &self.runs, term, extent.is_some(), &mut buffers.source));
        }
        let extent = extent?;
        let cut = if self.keeps_own { cut_for(extent, self.places) } else { 0 };
        let Buffers { source, middle } = buffers;
        let walked = match &self.weights {
            Weights::Separable(grid) => {
                grid.apply(self.level, cut, source, middle);
                source
            }
            Weights::Line(line) => {
                line.apply(self.level, cut, source, middle);
                middle
            }
            Weights::Rows(towards, away) => {
                let packed = away.as_ref().filter(|_| backwards).unwrap_or(towards);
                packed.apply(self.level, cut, source, middle);
                middle
            }
        };
        Some((walked, &self.runs))
    }
}

/// The highest of [`CUTS`] that cannot be seen for sources from `least` to `most`. Each place keeps
/// at least its own source, whose weight is 1; all that is left out adds up to less than
/// `places * most * cut`, and that must be below half a unit in the last place.
fn cut_for((least, most): (f64, f64), places: usize) -> usize {
    let unseen = least / most * (f64::EPSILON / 4.0) / places as f64;
    CUTS.iter().rposition(|&cut| cut <= unseen).unwrap_or(0)
}

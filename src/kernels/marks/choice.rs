//! Which method an electrode gets: the cheapest whose error bound holds.

use super::certificate::{Certificate, Trial};
use super::errors::ErrorTable;
use super::expansion::{CELLS, MOST_TERMS};
use super::layout::{Lines, extent, first_axis, reach};
use super::observed::observed_error;
use super::tables::{GROUP, Range};
use super::{Bandwidths, EncodingSpikes, Method, PlaceBins, Precision};

/// How exact the sums must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accuracy {
    /// Every pair exact.
    Direct,
    /// `ln lambda` guaranteed within this after the floor, besides rounding.
    Guaranteed(f64),
    /// Error of `ln lambda` on 1000 seeded samples at most this; not guaranteed.
    Observed {
        /// Largest error on the samples.
        tolerance: f64,
        /// Which samples.
        seed: u64,
    },
}

impl Accuracy {
    /// The default: 2e-6, from 1e-6 of the intensity and 1e-6 of the floor.
    pub const EXACT: Accuracy = Accuracy::Guaranteed(2e-6);
}

/// What was decided for one electrode, and what it promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The sum's method.
    pub method: Method,
    /// Fewer terms that rows are tried with first, where that pays.
    pub certificate: Option<Certificate>,
    /// Type of the arithmetic; double where single precision has not the range for the floor.
    pub precision: Precision,
    /// Multiply-adds (or slots of one) per decoding spike, as far as can be told before it is seen.
    pub cost: f64,
    /// The same of a row with all terms.
    pub full_cost: f64,
    /// Guaranteed largest error of `ln lambda` after the floor, besides rounding.
    pub bound: f64,
    /// Share of the floor that kernels left out as too small may add up to.
    pub cut: f64,
    /// Logarithm of the largest possible intensity over the bins.
    pub ceiling_ln: f64,
}

/// Share of the floor that single precision may leave out.
const CUT: f64 = 1e-7;
/// Most bits below the peak that single precision can leave to each of the three factors
/// (mark and two axes) and still sum billions of spikes: `2^-126 < 2^(2 lift - 3 cut)`.
const SINGLE_CUT: f64 = 74.0;
/// The power of two that a position factor carries then.
const SINGLE_LIFT: i32 = 48;
/// Slots that a term of a cell takes besides its spikes and bins.
const OVERHEAD: f64 = 2.0;
/// Cost below which the direct sum is taken without a search: a spike takes microseconds, and
/// the search's error tables tens of milliseconds.
const SMALL: f64 = 2e5;
/// Cost from which on it is worth a trial whether rows can be certified (milliseconds).
const LARGE: f64 = 5e5;
/// Share of the marks tried that fewer terms must certify.
const ENOUGH: f64 = 0.9;
/// What a row takes that is computed again, over what it would take alone: blocks of such rows are
/// not all full.
const AGAIN: f64 = 1.5;
/// Bits in double precision: far below any floor.
const DOUBLE_CUT: f64 = 300.0;

impl Choice {
    /// Bits below the peak where a kernel stops to matter.
    fn bits(&self, floor_ln: f64) -> f64 {
        if self.cut == 0.0 {
            return DOUBLE_CUT;
        }
        ((self.ceiling_ln - floor_ln - self.cut.ln()) / std::f64::consts::LN_2).max(1.0)
    }

    /// The range of numbers for tables and weights.
    pub(super) fn range(&self, floor_ln: f64) -> Range {
        match self.precision {
            Precision::F32 => Range { cut: self.bits(floor_ln).min(SINGLE_CUT), lift: SINGLE_LIFT },
            Precision::F64 => Range { cut: self.bits(floor_ln).min(DOUBLE_CUT), lift: 0 },
        }
    }
}

/// Slots of a multiply-add that one mark weight takes.
fn weight_cost(width: usize) -> f64 {
    2.0 * width as f64 + 11.0
}

/// What a decoding spike takes with one cell size, in slots of a multiply-add.
struct Counts {
    /// Mark weights.
    weights: f64,
    /// For each term: spikes.
    spikes: f64,
    /// For each term: bins that cells reach.
    cells: f64,
    /// For each degree across.
    per_degree: f64,
    axes: usize,
}

impl Counts {
    fn new(
        spikes: &EncodingSpikes<'_>,
        bins: &PlaceBins<'_>,
        bandwidths: &Bandwidths<'_>,
        cell: f64,
        cut: f64,
    ) -> Self {
        let first = first_axis(bins);
        let lines = Lines::new(spikes, bandwidths, cell, first);
        let axes = if spikes.axes == 2 { vec![first, 1 - first] } else { vec![0] };
        // Bins (whole groups of them) that each line of cells reaches.
        let reached = |at: usize| {
            let mut bins_of = vec![0.0; lines.centers[at].len()];
            let far = reach(cut) * bandwidths.position[axes[at]];
            for group in bins.axes[axes[at]].chunks(GROUP) {
                let (from, to) = lines.band(at, extent(group), far);
                bins_of[from..to].iter_mut().for_each(|bins| *bins += GROUP as f64);
            }
            bins_of
        };
        let along = reached(0);
        let cells = lines.columns().map(|column| along[column] + OVERHEAD).sum();
        let per_degree = if axes.len() == 2 {
            bins.axes[first].len() as f64 * reached(1).iter().sum::<f64>()
        } else {
            0.0
        };
        let count = spikes.len() as f64;
        let weights = count * weight_cost(spikes.width);
        Counts { weights, spikes: count, cells, per_degree, axes: axes.len() }
    }

    /// All degrees below `q`.
    fn full(&self, q: usize) -> f64 {
        let q = q as f64;
        let terms = if self.axes == 2 { q * (q + 1.0) / 2.0 } else { q };
        self.weights + (self.spikes + self.cells) * terms + self.per_degree * q
    }

    /// The same with the bound of the errors.
    fn certified(&self, q: usize) -> f64 {
        self.full(q) + self.cells + self.per_degree
    }
}

/// Decides for one electrode from its encoding model and the options alone.
///
/// `log_scale` and `floor_ln` are those of [`Intensity::new`](super::Intensity::new).
pub fn choose(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (log_scale, floor_ln): (&[f64], f64),
    (accuracy, precision): (Accuracy, Precision),
) -> Choice {
    let count = spikes.len() as f64;
    let axes = bins.axes.len();
    let weights = count * weight_cost(spikes.width);
    let highest = log_scale.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut choice = Choice {
        method: Method::Direct,
        certificate: None,
        precision,
        cost: weights + count * bins.interior.len() as f64,
        full_cost: weights + count * bins.interior.len() as f64,
        bound: 0.0,
        cut: CUT,
        ceiling_ln: highest + count.max(1.0).ln() + bandwidths.ln_peak(),
    };
    if choice.bits(floor_ln) > SINGLE_CUT {
        choice.precision = Precision::F64;
    }
    if choice.precision == Precision::F64 && accuracy == Accuracy::Direct {
        choice.cut = 0.0;
        return choice;
    }
    // One cut for the mark's factor and one for each axis.
    choice.bound = CUT * (1.0 + axes as f64);
    if accuracy == Accuracy::Direct || choice.cost < SMALL || highest == f64::NEG_INFINITY {
        return choice;
    }
    let bits = choice.bits(floor_ln);
    let search = Search {
        model: (spikes, bins, bandwidths),
        scale: (log_scale, floor_ln),
        direct: choice,
        accuracy,
        counts: CELLS.map(|cell| Counts::new(spikes, bins, bandwidths, cell, bits)).into(),
    };
    for index in 0..CELLS.len() {
        choice = search.full(index, choice);
    }
    let tolerance = match accuracy {
        Accuracy::Guaranteed(tolerance) if choice.cost >= LARGE => 0.5 * tolerance,
        _ => return choice,
    };
    let trial = Trial::new(spikes, bins, bandwidths, (log_scale, floor_ln), &choice);
    for index in 0..CELLS.len() {
        choice = search.certified(index, (tolerance, &trial), choice);
    }
    choice
}

/// What the search for cells and degrees looks at.
struct Search<'a> {
    model: (&'a EncodingSpikes<'a>, &'a PlaceBins<'a>, &'a Bandwidths<'a>),
    scale: (&'a [f64], f64),
    direct: Choice,
    accuracy: Accuracy,
    /// One for each of [`CELLS`].
    counts: Vec<Counts>,
}

impl Search<'_> {
    fn table(&self, cell: usize, q: usize) -> &'static ErrorTable {
        ErrorTable::shared(cell, q, self.model.1.axes.len())
    }

    /// Degrees below `q` for every spike.
    fn with(&self, cell: usize, q: usize) -> Choice {
        let ratio = self.direct.ceiling_ln - self.scale.1;
        Choice {
            method: Method::Moments { cell: CELLS[cell], terms_below: q },
            bound: 2.0 * self.table(cell, q).worst(ratio) + self.direct.bound,
            cost: self.counts[cell].full(q),
            full_cost: self.counts[cell].full(q),
            ..self.direct
        }
    }

    /// Whether a choice is exact enough.
    fn enough(&self, choice: &Choice) -> bool {
        let (spikes, bins, bandwidths) = self.model;
        let observe = |seed| observed_error(spikes, bins, bandwidths, self.scale, (choice, seed));
        self.accuracy.allows(choice.bound, observe)
    }

    /// The cheapest of `best` and the least degrees of this cell that hold for every spike.
    ///
    /// Only degrees that would be cheaper than what is there are worth an error table or samples.
    fn full(&self, cell: usize, best: Choice) -> Choice {
        let counts = &self.counts[cell];
        let above = (2..=MOST_TERMS).find(|q| counts.full(*q) >= best.cost).unwrap_or(MOST_TERMS + 1) - 1;
        let least = least(2, above, |q| self.enough(&self.with(cell, q)));
        least.map_or(best, |q| self.with(cell, q))
    }

    /// The cheapest of `best` and degrees that certify nearly all rows on the trial, with those of
    /// the same cell for the other rows.
    fn certified(&self, cell: usize, (tolerance, trial): (f64, &Trial), best: Choice) -> Choice {
        let counts = &self.counts[cell];
        let of = |q| Certificate::new(self.table(cell, q), q, tolerance, trial);
        let above = (2..MOST_TERMS).find(|q| counts.certified(*q) >= best.cost).unwrap_or(MOST_TERMS) - 1;
        let Some(few) = least(2, above, |q| of(q).share >= ENOUGH) else { return best };
        let Some(all) = least(few + 1, MOST_TERMS, |q| self.enough(&self.with(cell, q))) else {
            return best;
        };
        // One degree more may pay where it certifies the rest.
        let full = self.with(cell, all);
        let choices = (few..=(few + 1).min(all - 1)).map(|q| {
            let certificate = of(q);
            let cost = counts.certified(q) + AGAIN * (1.0 - certificate.share) * full.cost;
            Choice {
                certificate: Some(certificate),
                cost,
                bound: full.bound.max(tolerance + self.direct.bound),
                ..full
            }
        });
        choices.fold(best, |best, choice| if choice.cost < best.cost { choice } else { best })
    }
}

/// The least of `from..=to` that is `enough`, if the last is; what is enough stays so above.
fn least(from: usize, to: usize, enough: impl Fn(usize) -> bool) -> Option<usize> {
    if to < from || !enough(to) {
        return None;
    }
    let (mut from, mut to) = (from, to);
    while from < to {
        let middle = (from + to) / 2;
        if enough(middle) { to = middle } else { from = middle + 1 }
    }
    Some(to)
}

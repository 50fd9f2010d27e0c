//! Which method an electrode gets: the cheapest whose error bound holds.

use super::expansion::{CELLS, ErrorTable, MOST_TERMS};
use super::moments::{Layout, extent, first_axis, reach};
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
    /// Type of the arithmetic; double where single precision has not the range for the floor.
    pub precision: Precision,
    /// Multiply-adds (or slots of one) per decoding spike.
    pub cost: f64,
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

/// Multiply-adds per decoding spike beside the weights, for one cell size: a part for each term
/// and a part for each degree.
struct Counts {
    per_term: f64,
    per_degree: f64,
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
        let layout = Layout::new(spikes, bandwidths, cell, first);
        let axes = if spikes.axes == 2 { vec![first, 1 - first] } else { vec![0] };
        // Bins (whole groups of them) that each line of cells reaches.
        let reached = |at: usize| {
            let mut bins_of = vec![0.0; layout.centers[at].len()];
            let far = reach(cut) * bandwidths.position[axes[at]];
            for group in bins.axes[axes[at]].chunks(GROUP) {
                let (from, to) = layout.band(at, extent(group), far);
                bins_of[from..to].iter_mut().for_each(|bins| *bins += GROUP as f64);
            }
            bins_of
        };
        let along = reached(0);
        let cells: f64 = layout.cells.iter().map(|cell| along[cell.column] + OVERHEAD).sum();
        let per_degree = if axes.len() == 2 {
            bins.axes[first].len() as f64 * reached(1).iter().sum::<f64>()
        } else {
            0.0
        };
        Counts { per_term: spikes.len() as f64 + cells, per_degree }
    }

    fn cost(&self, q: usize, axes: usize) -> f64 {
        let q = q as f64;
        let terms = if axes == 2 { q * (q + 1.0) / 2.0 } else { q };
        self.per_term * terms + self.per_degree * q
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
        precision,
        cost: weights + count * bins.interior.len() as f64,
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
    let (direct, ratio) = (choice, choice.ceiling_ln - floor_ln);
    for (index, cell) in CELLS.into_iter().enumerate() {
        let with = |terms_below: usize| Choice {
            method: Method::Moments { cell, terms_below },
            bound: 2.0 * ErrorTable::shared(index, terms_below, axes).worst(ratio) + direct.bound,
            ..direct
        };
        let enough = |q: usize| {
            let scale = (log_scale, floor_ln);
            let tried = with(q);
            accuracy
                .allows(tried.bound, |seed| observed_error(spikes, bins, bandwidths, scale, (&tried, seed)))
        };
        let counts = Counts::new(spikes, bins, bandwidths, cell, direct.bits(floor_ln));
        let cost = |q: usize| weights + counts.cost(q, axes);
        // Only degrees that would be cheaper than what is there are worth an error table or
        // samples; among them the error falls with every degree: bisection.
        let mut above = (2..=MOST_TERMS).find(|q| cost(*q) >= choice.cost).unwrap_or(MOST_TERMS + 1) - 1;
        if above < 2 || !enough(above) {
            continue;
        }
        let mut q = 2;
        while q < above {
            let middle = (q + above) / 2;
            if enough(middle) { above = middle } else { q = middle + 1 }
        }
        choice = Choice { cost: cost(q), ..with(q) };
    }
    choice
}

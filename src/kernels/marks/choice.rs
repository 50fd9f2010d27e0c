//! Which method an electrode gets: the cheapest whose error bound holds.

use super::certificate::Certificate;
use super::search::{Search, weight_cost};
use super::tables::Range;
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
/// Cost below which the direct sum is taken without a search: a spike takes microseconds, and
/// the search's error tables tens of milliseconds.
const SMALL: f64 = 2e5;
/// Bits in double precision: far below any floor.
const DOUBLE_CUT: f64 = 300.0;

impl Choice {
    /// Bits below the peak where a kernel stops to matter.
    pub(super) fn bits(&self, floor_ln: f64) -> f64 {
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
    Search::new((spikes, bins, bandwidths), (log_scale, floor_ln), choice, accuracy).best()
}

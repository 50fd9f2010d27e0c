//! Rows of few terms, each with a bound on its own error.
//!
//! An expansion that is admissible for an electrode ([`choose`](super::choose)) holds for every
//! decoding spike there could be, also for one whose only near neighbour lies in the corner of a
//! cell six bandwidths away. Hardly any spike is like that: near a bin there are encoding spikes
//! that weigh more. So a row is computed with fewer terms first, and its error is bounded from what
//! the spike itself weighs. With `S_c` the sum of its mark weights in cell `c`,
//!
//! `|lambda'(p) - lambda(p)| <= sum_c S_c e(p, c)`, where `e(p, c) <= A exp(-u^2 / (2 SPREAD^2))`
//!
//! is the largest absolute error of the expansion over the cell, `u` the distance of bin and centre
//! in bandwidths and `A` from the expansion's error table. `S_c` is the moment of degree 0, and the
//! sum is one more expansion of a single term, separable along the axes. Where at every bin this
//! bound is within the tolerance of the larger of `lambda'` and the floor, the row is certified.
//! Every other row is computed again with the admissible expansion.
//!
//! Whether a row is certified depends on its mark and the electrode alone, so rows keep their bits
//! in any block, chunk or shard.

use super::errors::ErrorTable;
use super::sample::Draw;
use super::{Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins};

/// Width of the Gaussian that bounds the errors, in bandwidths: it touches the error's `u^q
/// exp(-u^2 / 2)` where that is largest against the sums, near `u = 4` for 6 to 10 degrees.
pub(super) const SPREAD: f64 = 1.5;
/// What single precision may take from the logarithm of a bound.
const ROUNDING: f64 = 0.01;
/// Encoding marks that are tried: one block.
const MARKS: usize = 64;
/// Terms of the trial stay below this degree.
const ROUGH: usize = 6;

/// The expansion that rows are tried with first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Certificate {
    /// Its total degree stays below this.
    pub terms_below: usize,
    /// Share of the electrode's own marks, of those tried, whose rows it certifies.
    pub share: f64,
    /// Added to the logarithm of the wide sum gives that of the error bound over the tolerance.
    pub(super) ln_excess: f64,
}

impl Certificate {
    /// The expansion of `table` for errors of at most `tolerance` of intensity or floor.
    pub(super) fn new(table: &ErrorTable, terms_below: usize, tolerance: f64, trial: &Trial) -> Self {
        let ln_excess = table.ln_error() - tolerance.ln() + ROUNDING;
        Certificate { terms_below, share: trial.share(ln_excess), ln_excess }
    }
}

/// How far the wide sums of some of the electrode's own marks lie above their intensities.
#[derive(Debug)]
pub(super) struct Trial {
    /// Logarithms of the largest ratio over the bins, ascending.
    ln_ratios: Vec<f64>,
}

impl Trial {
    /// Tries [`MARKS`] seeded encoding marks; `choice` tells the range of numbers. The ratios hardly
    /// depend on the expansion, so a rough one does.
    pub(super) fn new(
        spikes: &EncodingSpikes<'_>,
        bins: &PlaceBins<'_>,
        bandwidths: &Bandwidths<'_>,
        scale: (&[f64], f64),
        choice: &Choice,
    ) -> Trial {
        let rough = Choice {
            method: Method::Moments { cell: 1.0 / 1.5, terms_below: ROUGH + 1 },
            certificate: Some(Certificate { terms_below: ROUGH, share: 1.0, ln_excess: 0.0 }),
            ..*choice
        };
        let mut draw = Draw(0);
        let drawn = (0..MARKS).map(|_| draw.below(spikes.len()) * spikes.width);
        let marks: Vec<f64> = drawn.flat_map(|at| &spikes.marks[at..at + spikes.width]).copied().collect();
        let mut ln_ratios = Intensity::new(spikes, bins, bandwidths, rough, scale).excesses(&marks);
        ln_ratios.sort_unstable_by(f64::total_cmp);
        Trial { ln_ratios }
    }

    /// Share of the marks whose bound stays within the tolerance.
    fn share(&self, ln_excess: f64) -> f64 {
        let certified = self.ln_ratios.partition_point(|ratio| ratio + ln_excess <= 0.0);
        certified as f64 / self.ln_ratios.len().max(1) as f64
    }
}

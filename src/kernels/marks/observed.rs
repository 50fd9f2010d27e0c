//! The error that is seen, beside the one that is guaranteed: a thousand samples, seeded.

use super::sample::{Draw, Sample};
use super::{Accuracy, Bandwidths, Choice, EncodingSpikes, Method, PlaceBins, Precision};

/// Encoding marks that are decoded.
const MARKS: usize = 50;
/// Bins that each of them is looked at.
const BINS: usize = 20;

/// Largest error of `ln lambda` after the floor on 1000 seeded (encoding mark, bin) samples, in
/// double precision against the direct sum. Not a guarantee.
pub fn observed_error(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (log_scale, floor_ln): (&[f64], f64),
    (choice, seed): (&Choice, u64),
) -> f64 {
    if spikes.is_empty() || bins.interior.is_empty() || choice.method == Method::Direct {
        return 0.0;
    }
    let mut draw = Draw(seed);
    let at: Vec<usize> = (0..BINS).map(|_| draw.below(bins.interior.len())).collect();
    let sample = Sample::new(spikes, bins, log_scale, (&at, MARKS), &mut draw);
    let double = Choice { precision: Precision::F64, ..*choice };
    let exact = Choice { method: Method::Direct, certificate: None, cut: 0.0, ..double };
    let rows = |choice: Choice| sample.rows(bandwidths, choice, floor_ln).into_iter();
    rows(double).zip(rows(exact)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

impl Accuracy {
    /// Whether a choice with this bound is good enough; looks at samples where that was asked.
    pub(super) fn allows(&self, bound: f64, observe: impl FnOnce(u64) -> f64) -> bool {
        match self {
            Accuracy::Direct => false,
            Accuracy::Guaranteed(tolerance) => bound <= *tolerance,
            Accuracy::Observed { tolerance, seed } => observe(*seed) <= *tolerance,
        }
    }
}

//! RANSAC: which channels are drawn as sources, and which are bad by what they predict (spec
//! autoreject 10). Channels are counted from 0 among the picks.

use crate::error::{Error, Result};
use crate::kernels::legacy_random::LegacyRandom;

/// How sources are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// Number of subsets.
    pub resamples: usize,
    /// Share of the picks in each subset.
    pub share: f64,
    /// Seed of the draw.
    pub seed: u32,
}

impl Default for Resampling {
    fn default() -> Self {
        Resampling { resamples: 50, share: 0.25, seed: 435_656 }
    }
}

/// When a channel is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Correlation below which a channel is bad in an epoch.
    pub min_corr: f64,
    /// Share of bad epochs above which it is bad.
    pub unbroken_time: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { min_corr: 0.75, unbroken_time: 0.4 }
    }
}

/// What the correlations say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// 1 where the correlation is too small, `[epoch][pick]`.
    pub bad_log: Vec<u8>,
    /// Bad channels, ascending.
    pub bad: Vec<usize>,
}

/// Subsets of `candidates` (picks not marked as bad, ascending), each of a share of the `n_picks`
/// picks rounded half to even, in the order drawn.
///
/// # Errors
/// A share that is no channel, or more than the candidates.
pub fn ransac_subsets(
    candidates: &[usize],
    n_picks: usize,
    resampling: &Resampling,
) -> Result<Vec<Vec<usize>>> {
    let size = (resampling.share * n_picks as f64).round_ties_even() as usize;
    if size == 0 || size > candidates.len() {
        let found = format!("{} good channels of {n_picks} picks", candidates.len());
        let expected = format!("at least {} to draw {size} from", size.max(1));
        let expected = if size == 0 { "at least 3 picks".into() } else { expected };
        return Err(Error::data("channels of ransac", found, expected, "pick more channels"));
    }
    let mut random = LegacyRandom::new(resampling.seed);
    Ok((0..resampling.resamples).map(|_| random.choice(candidates, size)).collect())
}

/// Judges correlations `[epoch][pick]` of the data with their predictions. What is not a number
/// (a flat channel) is not bad.
pub fn verdict(corr: &[f64], n_picks: usize, limits: &Limits) -> Verdict {
    let bad_log: Vec<u8> = corr.iter().map(|&c| u8::from(c < limits.min_corr)).collect();
    let epochs = corr.len() / n_picks.max(1);
    let mut counts = vec![0usize; n_picks];
    for row in bad_log.chunks(n_picks.max(1)) {
        counts.iter_mut().zip(row).for_each(|(count, &bad)| *count += usize::from(bad));
    }
    let limit = limits.unbroken_time * epochs as f64;
    let bad = (0..n_picks).filter(|&pick| counts[pick] as f64 > limit).collect();
    Verdict { bad_log, bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_subset_is_rounded_half_to_even() {
        for (n_picks, size) in [(10, 2), (14, 4), (32, 8), (3, 1), (6, 2)] {
            let all: Vec<usize> = (0..n_picks).collect();
            let subsets = ransac_subsets(&all, n_picks, &Resampling::default()).unwrap();
            assert_eq!((subsets.len(), subsets[0].len()), (50, size), "{n_picks}");
        }
    }

    #[test]
    fn too_few_good_channels_are_refused() {
        let message = ransac_subsets(&[0, 4], 12, &Resampling::default()).unwrap_err().to_string();
        let expected = "channels of ransac: found 2 good channels of 12 picks, expected at least 3 to draw 3 \
                        from; pick more channels";
        assert_eq!(message, expected);
        let message = ransac_subsets(&[0, 1], 2, &Resampling::default()).unwrap_err().to_string();
        assert!(message.contains("expected at least 3 picks"), "{message}");
    }

    #[test]
    fn channels_marked_as_bad_are_never_sources() {
        let good: Vec<usize> = (0..12).filter(|c| c % 3 != 0).collect();
        let subsets = ransac_subsets(&good, 12, &Resampling::default()).unwrap();
        assert!(subsets.iter().flatten().all(|c| c % 3 != 0));
    }

    #[test]
    fn a_flat_channel_is_never_bad() {
        let corr = [f64::NAN, 0.1, f64::NAN, 0.2, f64::NAN, 0.9];
        let verdict = verdict(&corr, 2, &Limits::default());
        assert_eq!(verdict, Verdict { bad_log: vec![0, 1, 0, 1, 0, 0], bad: vec![1] });
    }

    #[test]
    fn exactly_the_unbroken_share_is_not_bad() {
        let limits = Limits { min_corr: 0.75, unbroken_time: 0.5 };
        assert!(verdict(&[0.1, 0.9, 0.75, 0.2], 1, &limits).bad.is_empty());
        assert_eq!(verdict(&[0.1, 0.9, 0.7, 0.2], 1, &limits).bad, [0]);
        assert!(verdict(&[], 3, &limits).bad.is_empty());
    }
}

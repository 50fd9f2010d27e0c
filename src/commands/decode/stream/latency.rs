//! Histogram of durations in buckets of fixed relative width, sized once.
//!
//! Nanoseconds. Durations below 128 ns have a bucket each; above, every power of two is cut into
//! 128, so that a bucket is at most 1/128 of its durations wide (spec decode 8.4: at most 1 %).
//! Quantiles are the upper end of their bucket, never less than the truth; the greatest is exact.

use serde::Serialize;

/// Buckets of one power of two.
const CUTS: u64 = 128;
/// Powers of two above the first [`CUTS`] nanoseconds.
const POWERS: usize = 57;

/// Ticks that are not counted, at most: pages are touched and caches filled for the first time.
pub const WARM_UP: u64 = 100;

/// How long something took, many times.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    most: u64,
    missed: u64,
    deadline: u64,
}

/// What a histogram tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Durations that were counted.
    pub count: u64,
    /// Half of them took at most this, seconds.
    pub p50_s: f64,
    /// All but one in a hundred.
    pub p99_s: f64,
    /// All but one in a thousand.
    pub p999_s: f64,
    /// The longest.
    pub max_s: f64,
    /// Those that took longer than a tick's interval.
    pub missed: u64,
}

impl Histogram {
    /// An empty one; durations above `deadline` nanoseconds are missed.
    pub fn new(deadline: u64) -> Self {
        let counts = vec![0; (POWERS + 1) * CUTS as usize].into_boxed_slice();
        Histogram { counts, count: 0, most: 0, missed: 0, deadline }
    }

    /// Adds a duration, nanoseconds.
    pub fn add(&mut self, duration: u64) {
        if let Some(count) = self.counts.get_mut(bucket(duration)) {
            *count += 1;
        }
        self.count += 1;
        self.most = self.most.max(duration);
        self.missed += u64::from(duration > self.deadline);
    }

    /// The least duration that a share of `quantile` does not exceed, nanoseconds.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let rank = ((quantile * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(at).min(self.most);
            }
        }
        self.most
    }

    /// What it tells.
    pub fn summary(&self) -> Summary {
        let seconds = |ns: u64| ns as f64 * 1e-9;
        Summary {
            count: self.count,
            p50_s: seconds(self.quantile(0.5)),
            p99_s: seconds(self.quantile(0.99)),
            p999_s: seconds(self.quantile(0.999)),
            max_s: seconds(self.most),
            missed: self.missed,
        }
    }
}

/// The bucket of a duration.
fn bucket(duration: u64) -> usize {
    if duration < CUTS {
        return duration as usize;
    }
    let power = duration.ilog2() - CUTS.ilog2();
    // The leading bit is implied by the power.
    let within = (duration >> power) - CUTS;
    ((u64::from(power) + 1) * CUTS + within) as usize
}

/// The longest duration of a bucket.
fn upper(bucket: usize) -> u64 {
    let (power, within) = (bucket as u64 / CUTS, bucket as u64 % CUTS);
    match power.checked_sub(1) {
        None => within,
        Some(power) => (((CUTS + within + 1) as u128) << power).saturating_sub(1).min(u64::MAX.into()) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_every_duration_and_are_narrow() {
        let some = [0, 1, 127, 128, 129, 255, 256, 257, 1_000, 65_537, 6_000_000, u64::MAX - 1, u64::MAX];
        let more = (0..64).flat_map(|power| [(1u64 << power).wrapping_sub(1), 1 << power, (1 << power) + 1]);
        let mut last = (0, 0);
        let mut all: Vec<u64> = some.into_iter().chain(more).collect();
        all.sort_unstable();
        for duration in all {
            let at = bucket(duration);
            assert!(at < (POWERS + 1) * CUTS as usize, "{duration}");
            assert!(upper(at) >= duration && (upper(at) - duration) as f64 <= 0.01 * duration as f64);
            assert!(at >= last.1 && duration >= last.0);
            last = (duration, at);
        }
    }

    #[test]
    fn quantiles_lie_within_a_hundredth_above_the_truth() {
        let mut histogram = Histogram::new(6_000_000);
        (1..=10_000u64).for_each(|n| histogram.add(n * 1000));
        for (quantile, truth) in [(0.5, 5_000_000), (0.99, 9_900_000), (0.999, 9_990_000)] {
            let found = histogram.quantile(quantile);
            assert!((truth..=truth + truth / 100).contains(&found), "{quantile}: {found}");
        }
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.max_s, summary.missed), (10_000, 0.01, 4000));
    }

    #[test]
    fn nothing_and_one_are_told_as_they_are() {
        let mut histogram = Histogram::new(10);
        assert_eq!(histogram.summary().max_s, 0.0);
        histogram.add(10);
        let summary = histogram.summary();
        assert_eq!((summary.p50_s, summary.p999_s, summary.missed), (1e-8, 1e-8, 0));
    }
}

//! Place bins of a track of arms (spec decode 8.1, 8.2).

/// Bins of equal width; those of no arm are gaps.
#[derive(Debug, Clone)]
pub struct Track {
    edges: Vec<f64>,
    delta: f64,
    arms: Vec<[usize; 2]>,
    gaps: Vec<bool>,
}

impl Track {
    /// `count` bins from `lower` to `upper`; `arms` are their first and last bins, both included.
    ///
    /// # Panics
    ///
    /// If there is no bin, no width, no arm, or an arm reaches beyond the bins.
    pub fn new((lower, upper, count): (f64, f64, usize), arms: &[[usize; 2]]) -> Self {
        assert!(count > 0 && upper > lower && !arms.is_empty());
        assert!(arms.iter().all(|&[first, last]| first <= last && last < count));
        let delta = (upper - lower) / count as f64;
        let mut edges: Vec<f64> = (0..count).map(|k| lower + k as f64 * delta).collect();
        edges.push(upper);
        let gap = |bin: usize| !arms.iter().any(|&[first, last]| (first..=last).contains(&bin));
        Track { edges, delta, arms: arms.to_vec(), gaps: (0..count).map(gap).collect() }
    }

    /// How many bins there are.
    pub fn bins(&self) -> usize {
        self.gaps.len()
    }

    /// Width of a bin.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// First and last bin of each arm.
    pub fn arms(&self) -> &[[usize; 2]] {
        &self.arms
    }

    /// `[bin]`: true where no arm is.
    pub fn gaps(&self) -> &[bool] {
        &self.gaps
    }

    /// Middles of the bins.
    pub fn centers(&self) -> Vec<f64> {
        self.edges.windows(2).map(|edges| edges[0] + self.delta / 2.0).collect()
    }

    /// The bin of a position, as occupancy counts it: bins passed, cut off towards 0; the upper end
    /// belongs to the last bin. None outside of the bins.
    pub fn bin_of(&self, position: f64) -> Option<usize> {
        let passed = (position - self.edges[0]) / self.delta;
        let inside = passed >= 0.0 && position <= self.edges[self.bins()];
        inside.then(|| (passed as usize).min(self.bins() - 1))
    }

    /// The bin of a stored position, as a histogram over the edges has it: closed on the left, the
    /// last one on both ends. Stored positions are single precision.
    pub fn stored_bin(&self, position: f64) -> Option<usize> {
        let position = f64::from(position as f32);
        let after = self.edges.partition_point(|&edge| edge <= position);
        match after {
            0 => None,
            n if n <= self.bins() => Some(n - 1),
            _ => (position <= self.edges[self.bins()]).then(|| self.bins() - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_cut_off_and_the_last_is_closed() {
        let track = Track::new((0.0, 41.0, 41), &[[0, 8], [13, 24], [29, 40]]);
        let of = |x: f64| (track.bin_of(x), track.stored_bin(x));
        assert_eq!(of(0.0), (Some(0), Some(0)));
        assert_eq!(of(7.999_999_999), (Some(7), Some(8)), "stored as f32");
        assert_eq!(of(41.0), (Some(40), Some(40)));
        for outside in [-0.5, -1e-9, 41.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(of(outside), (None, None), "{outside}");
        }
        assert_eq!(track.gaps().iter().filter(|gap| **gap).count(), 8);
        assert_eq!((track.centers()[0], track.centers()[40]), (0.5, 40.5));
    }
}

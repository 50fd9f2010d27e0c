//! How often the animal was where (spec decode 8.2, 8.3).

/// Position samples by bin. Gaps say NaN from the first training sample on; before it they count
/// like other bins, as the peer has it.
#[derive(Debug, Clone)]
pub struct Occupancy {
    counts: Vec<f64>,
    gaps: Vec<bool>,
    /// `[bin]`: share of the samples.
    shares: Vec<f64>,
}

impl Occupancy {
    /// `start` samples in every bin.
    pub fn new(start: f64, gaps: &[bool]) -> Self {
        let counts = vec![start; gaps.len()];
        let mut occupancy = Occupancy { shares: counts.clone(), counts, gaps: gaps.to_vec() };
        occupancy.divide();
        occupancy
    }

    /// One more sample in `bin`, if there is such a bin.
    pub fn add(&mut self, bin: usize) {
        if let Some(count) = self.counts.get_mut(bin) {
            *count += 1.0;
        }
        for (count, gap) in self.counts.iter_mut().zip(&self.gaps) {
            *count = if *gap { f64::NAN } else { *count };
        }
        self.divide();
    }

    fn divide(&mut self) {
        let sum: f64 = self.counts.iter().filter(|count| !count.is_nan()).sum();
        for (share, count) in self.shares.iter_mut().zip(&self.counts) {
            *share = count / sum;
        }
    }

    /// `[bin]`: samples, NaN in gaps.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// `[bin]`: share of all samples outside of gaps; NaN in gaps, or where there is no sample yet.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_count_until_the_first_sample() {
        let mut occupancy = Occupancy::new(1.0, &[false, true, false]);
        assert_eq!(occupancy.shares(), [1.0 / 3.0; 3]);
        occupancy.add(1);
        assert!(occupancy.counts()[1].is_nan());
        occupancy.add(2);
        assert_eq!((occupancy.shares()[0], occupancy.shares()[2]), (1.0 / 3.0, 2.0 / 3.0));
        occupancy.add(77);
        assert_eq!((occupancy.counts()[0], occupancy.counts()[2]), (1.0, 2.0));
        assert!(Occupancy::new(0.0, &[false]).shares()[0].is_nan());
    }
}

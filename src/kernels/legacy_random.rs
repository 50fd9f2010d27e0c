//! The random numbers of numpy's legacy `RandomState(seed)`, bit for bit (spec autoreject 3.1).
//!
//! Splits, random subsets and random thresholds of published analyses hang on this stream, so the
//! order in which words are drawn is part of the result: each method says when it draws.

use rand_mt::Mt;

/// A stream of numpy's legacy generator, the 32-bit Mersenne Twister.
#[derive(Debug, Clone)]
pub struct LegacyRandom {
    words: Mt,
}

impl LegacyRandom {
    /// The stream of `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        LegacyRandom { words: Mt::new(seed) }
    }

    /// A whole number in `0..=max`, all equally likely; nothing is drawn for `max` = 0.
    ///
    /// Words cut to the bits of `max` are drawn until one is not above it.
    pub fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let word = self.words.next_u32() & mask;
            if word <= max {
                return word;
            }
        }
    }

    /// Puts `list` into random order: one [`LegacyRandom::interval`] per place, last place first.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            // Lists are of epochs or channels: their places fit 32 bits.
            let other = self.interval(u32::try_from(place).unwrap_or(u32::MAX));
            list.swap(place, other as usize);
        }
    }

    /// The numbers `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut list: Vec<usize> = (0..n).collect();
        self.shuffle(&mut list);
        list
    }

    /// `k` entries of `list` in random order, none twice (all of them where it is shorter). The
    /// whole list is shuffled whatever `k` is, which decides where the stream stands afterwards.
    pub fn choice<T: Copy>(&mut self, list: &[T], k: usize) -> Vec<T> {
        self.permutation(list.len()).into_iter().take(k).filter_map(|at| list.get(at).copied()).collect()
    }

    /// A number in `[0, 1)` of 53 random bits, from two words.
    pub fn double(&mut self) -> f64 {
        let high = f64::from(self.words.next_u32() >> 5);
        let low = f64::from(self.words.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_of_numpy_come_out() {
        // numpy.random.RandomState(42): random_sample(2), then permutation(6).
        let mut random = LegacyRandom::new(42);
        assert_eq!(random.double(), 0.3745401188473625);
        assert_eq!(random.double(), 0.9507143064099162);
        assert_eq!(random.permutation(6), [3, 1, 5, 0, 4, 2]);
        // RandomState(2**32 - 1).random_sample()
        assert_eq!(LegacyRandom::new(u32::MAX).double(), 0.0976320289940138);
    }

    #[test]
    fn an_interval_of_one_number_draws_nothing() {
        let (mut a, mut b) = (LegacyRandom::new(7), LegacyRandom::new(7));
        assert_eq!(a.interval(0), 0);
        assert_eq!(a.choice(&[5], 1), [5]);
        assert_eq!(a.double(), b.double());
    }

    #[test]
    fn a_choice_shuffles_the_whole_list() {
        let (mut a, mut b) = (LegacyRandom::new(3), LegacyRandom::new(3));
        let list: Vec<usize> = (10..30).collect();
        let whole: Vec<usize> = b.permutation(20).into_iter().map(|p| list[p]).collect();
        assert_eq!(a.choice(&list, 4), whole[..4]);
        assert_eq!(a.double(), b.double());
    }

    #[test]
    fn every_number_up_to_the_widest_bound_can_come() {
        let mut random = LegacyRandom::new(0);
        assert!((0..100).map(|_| random.interval(u32::MAX)).any(|v| v > u32::MAX / 2));
        let seen: std::collections::BTreeSet<u32> = (0..200).map(|_| random.interval(4)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}

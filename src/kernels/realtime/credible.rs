//! How many bins hold the credible share (spec decode 8.2, 8.3).

/// Counts bins; holds room for sorting.
#[derive(Debug, Clone)]
pub struct Credible {
    level: f64,
    sorted: Vec<f64>,
}

impl Credible {
    /// For rows of `bins` and a share `level`.
    pub fn new(level: f64, bins: usize) -> Self {
        Credible { level, sorted: super::touched(bins, 1.0) }
    }

    /// Bins, the most probable first, until their sum reaches the level; one more than there are
    /// where it never does. Of a row longer than made for, the first values count.
    pub fn count(&mut self, values: &[f64]) -> i32 {
        let bins = values.len().min(self.sorted.len());
        let sorted = &mut self.sorted[..bins];
        sorted.copy_from_slice(&values[..bins]);
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let mut sum = 0.0;
        let below = sorted.iter().take_while(|&&value| {
            sum += value;
            sum < self.level
        });
        below.count() as i32 + 1
    }
}

/// First bin of the greatest value, 0 where there is none.
pub fn greatest(values: &[f64]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (bin, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (bin, value);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_counted_until_the_level_is_reached() {
        let mut credible = Credible::new(0.5, 4);
        assert_eq!(credible.count(&[0.1, 0.2, 0.3, 0.4]), 2);
        assert_eq!(credible.count(&[0.0, 0.0, 0.5, 0.5]), 1, "reached, not passed");
        assert_eq!(credible.count(&[0.1; 4]), 5, "never");
        assert_eq!(credible.count(&[]), 1);
        assert_eq!(credible.count(&[1.0; 9]), 1);
        assert_eq!((greatest(&[f64::NAN, 1.0, 3.0, 3.0]), greatest(&[])), (2, 0));
    }
}

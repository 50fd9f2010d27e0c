//! An axis of positive quantities: linear, or by powers where they span far.

use super::ticks::ticks;

/// Quantities that span more than this are shown by their logarithm: one noisy channel does not
/// press all others together.
const WIDE: f64 = 25.0;
/// Space beyond the extremes, as a share of the span.
const SPARE: f64 = 0.06;

/// Ends of an axis and how it runs between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measure {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Measure {
    /// Around all finite `values`, never empty.
    pub fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let low = finite.clone().fold(f64::INFINITY, f64::min);
        let high = finite.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let logarithmic = low > 0.0 && high / low > WIDE;
        let turned = |v: f64| if logarithmic { v.log10() } else { v };
        let (low, high) = (turned(low), turned(high));
        let span = high - low;
        // All equal: something to see on both sides.
        let spare = if span > 0.0 { span * SPARE } else { low.abs().max(f64::MIN_POSITIVE) * 0.1 };
        Measure { low: low - spare, high: high + spare, logarithmic }
    }

    /// How far along the axis `value` lies, 0 to 1 within its ends.
    pub fn share(&self, value: f64) -> f64 {
        let at = if self.logarithmic { value.log10() } else { value };
        (at - self.low) / (self.high - self.low)
    }

    /// About `count` round values with their labels.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return ticks(self.low, self.high, count);
        }
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        let roomy = 3.0 * (self.high - self.low) <= 1.5 * count as f64;
        let parts: &[f64] = if roomy { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all = decades.flat_map(|d| parts.iter().map(move |p| (p * 10f64.powi(d), d)));
        let inside = all.filter(|(v, _)| (0.0..=1.0).contains(&self.share(*v)));
        inside.map(|(v, d)| (v, format!("{v:.*}", (-d).max(0) as usize))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_all_values_and_turn_logarithmic_where_they_span_far() {
        let near = Measure::around([40.0, 90.0, f64::INFINITY].into_iter());
        assert!(!near.logarithmic && near.share(40.0) > 0.0 && near.share(90.0) < 1.0);
        let far = Measure::around([0.5, 40.0, 3000.0].into_iter());
        assert!(far.logarithmic && far.share(0.5) > 0.0 && far.share(3000.0) < 1.0);
        let labels: Vec<String> = far.ticks(5).into_iter().map(|t| t.1).collect();
        assert_eq!(labels, ["1", "10", "100", "1000"]);
        assert_eq!(far.ticks(15)[0].1, "0.5");
    }

    #[test]
    fn axes_of_nothing_and_of_equal_values_are_not_empty() {
        for values in [&[][..], &[0.0], &[7.0, 7.0], &[f64::NAN], &[0.0, 3.0]] {
            let axis = Measure::around(values.iter().copied());
            assert!(axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite());
            let shares = values.iter().filter(|v| v.is_finite()).map(|v| axis.share(*v));
            assert!(shares.into_iter().all(|s| (0.0..=1.0).contains(&s)), "{values:?}");
        }
    }
}

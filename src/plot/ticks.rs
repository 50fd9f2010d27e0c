//! Round numbers along an axis, and how they are written.

/// About `count` round numbers within `low ..= high`, with their labels.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let (low, high) = if low <= high { (low, high) } else { (high, low) };
    let rough = (high - low) / count.max(1) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let decade = 10f64.powi(rough.log10().floor() as i32);
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|s| s * decade)
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(10.0 * decade);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    if !(first.abs() < 1e15 && last - first < 1e3) {
        // Coordinates so far from 0 that steps vanish in rounding.
        return Vec::new();
    }
    let label = labeller(step, low.abs().max(high.abs()));
    let values = (0..=(last - first) as usize).map(|i| (first + i as f64) * step);
    values.map(|v| (v, label(v))).collect()
}

/// Writes values in steps of `step` up to `size`: plainly where that is short, else as powers.
fn labeller(step: f64, size: f64) -> impl Fn(f64) -> String {
    let decimals = (0..12).find(|d| (step * 10f64.powi(*d)).fract().abs() < 1e-6).unwrap_or(12);
    let plain = size < 1e8 && step >= 1e-5;
    move |v: f64| {
        // No -0 on an axis.
        let v = if v.abs() < step * 1e-6 { 0.0 } else { v };
        let text = if plain || v == 0.0 {
            format!("{v:.*}", decimals as usize)
        } else {
            let text = format!("{v:.3e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
            format!("{mantissa}e{exponent}")
        };
        text.replace('-', "\u{2212}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_labels_short() {
        let texts = |low, high| ticks(low, high, 5).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(-0.5, 93.5), ["0", "20", "40", "60", "80"]);
        assert_eq!(texts(36.7329, 36.5329), ["36.55", "36.60", "36.65", "36.70"]);
        assert_eq!(texts(-1.0, 1.0), ["\u{2212}1.0", "\u{2212}0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(texts(0.0, 4e-9), ["0", "1e\u{2212}9", "2e\u{2212}9", "3e\u{2212}9", "4e\u{2212}9"]);
        assert_eq!(texts(0.0, 3e30).last().unwrap(), "3e30");
        assert!(texts(1.0, 1.0).is_empty() && texts(f64::NAN, 1.0).is_empty());
        assert!(texts(1e300, 1e300 + 1.0).is_empty());
    }
}

//! The encoder in plain scalar sums over a list of marks: what [`Encoder`](super::Encoder) must give.

/// Added to every bin of a histogram.
pub const OFFSET: f64 = 1e-7;

/// Marks of the list strictly within `reach` of `mark` in every channel.
pub fn nearby(kept: &[(Vec<f64>, usize)], mark: &[f64], reach: f64) -> usize {
    let within = |(own, _): &&(Vec<f64>, usize)| {
        own.iter().zip(mark).all(|(own, value)| *own > value - reach && *own < value + reach)
    };
    kept.iter().filter(within).count()
}

/// `[bin]`: density of position given the mark, from marks with their bins, bandwidth `std` and
/// shares of occupancy (NaN in gaps); None where no bin was ever visited.
pub fn estimate(
    kept: &[(Vec<f64>, usize)],
    mark: &[f64],
    std: f64,
    (shares, delta): (&[f64], f64),
) -> Option<Vec<f64>> {
    let mut histogram = vec![0.0; shares.len()];
    for (own, bin) in kept {
        let square: f64 = own.iter().zip(mark).map(|(own, value)| (value - own).powi(2)).sum();
        histogram[*bin] += (-square / (2.0 * std * std)).exp() / (std * std::f64::consts::TAU.sqrt());
    }
    for (value, share) in histogram.iter_mut().zip(shares) {
        *value = (*value + OFFSET) / share;
        *value = if value.is_finite() { *value } else { 0.0 };
    }
    let sum: f64 = histogram.iter().sum::<f64>() * delta;
    histogram.iter_mut().for_each(|value| *value /= sum);
    (sum > 0.0).then_some(histogram)
}

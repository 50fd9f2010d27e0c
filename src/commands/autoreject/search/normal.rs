//! The standard normal distribution, to the last few bits.

use std::f64::consts::PI;

/// Density at `z`.
pub fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Probability below `z`.
pub fn below(z: f64) -> f64 {
    if z > 1.5 {
        1.0 - upper_tail(z)
    } else if z < -1.5 {
        upper_tail(-z)
    } else {
        0.5 + density(z) * odd_series(z)
    }
}

/// `z + z^3/3 + z^5/15 + ...`: all terms of one sign, so nothing cancels.
fn odd_series(z: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    sum
}

/// Probability above `z` > 1.5, by the continued fraction `z + 1/(z + 2/(z + 3/(z + ...)))`.
fn upper_tail(z: f64) -> f64 {
    // At 1.5 the fraction stands still after 80 levels; further out sooner.
    let fraction = (1..=80).rev().fold(z, |below, level| z + f64::from(level) / below);
    density(z) / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_normal_distribution() {
        // scipy.special.ndtr of these; it rounds z / sqrt(2) first, which costs it z^2 last places.
        let known = [
            (-37.0, 5.7255712225239266e-300),
            (-20.0, 2.7536241186061556e-89),
            (-8.0, 6.22096057427174e-16),
            (-5.0, 2.866515718791933e-07),
            (-2.6, 0.004661188023718747),
            (-2.5, 0.006209665325776132),
            (-2.4, 0.008197535924596131),
            (-1.0, 0.15865525393145707),
            (-0.3, 0.3820885778110474),
            (1e-9, 0.5000000003989423),
            (0.7, 0.758036347776927),
            (2.5, 0.9937903346742238),
            (2.51, 0.9939634419195873),
            (6.0, 0.9999999990134123),
        ];
        for (z, expected) in known {
            let error = (below(z) - expected).abs() / expected;
            assert!(error < (20.0 + z * z) * f64::EPSILON, "at {z}: {:e} instead of {expected:e}", below(z));
        }
        assert_eq!(below(0.0), 0.5);
        assert_eq!((below(f64::NEG_INFINITY), below(f64::INFINITY)), (0.0, 1.0));
        assert_eq!(density(0.0), 0.3989422804014327);
    }
}

//! Which values the ends of a colour bar stand for.

use super::Scale;

/// Share of the values beyond either end: single wild cells do not flatten a map.
pub(super) const TAIL: f64 = 0.02;

/// The smaller side of 0 must be this share of the larger one for a map to diverge about 0:
/// a coast with a few cells under the sea is no map of differences.
const BOTH_SIDES: f64 = 0.2;

/// A resolved scale with the values at its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
}

/// Ends of the colour bar at the least and the largest of `values`; never equal, never infinite.
pub(super) fn exact(values: &[f32], scale: Scale) -> Limits {
    spanning(values, scale, 0.0)
}

/// Ends of the colour bar for `values`, a few of them beyond; never equal, never infinite.
pub(super) fn robust(values: &[f32], scale: Scale) -> Limits {
    spanning(values, scale, TAIL)
}

fn spanning(values: &[f32], scale: Scale, tail: f64) -> Limits {
    let mut finite: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| {
        let index = (share * finite.len().saturating_sub(1) as f64).round() as usize;
        finite.get(index).map_or(0.0, |v| f64::from(*v))
    };
    let (mut low, mut high) = (at(tail), at(1.0 - tail));
    if low == high {
        // Sparse maps: nearly all cells are equal, so the tails are the picture.
        (low, high) = (at(0.0), at(1.0));
    }
    let straddles = low < 0.0 && high > 0.0 && low.abs().min(high) >= BOTH_SIDES * low.abs().max(high);
    let scale = match scale {
        Scale::Auto if straddles => Scale::Diverging,
        Scale::Auto => Scale::Sequential,
        other => other,
    };
    if scale == Scale::Diverging {
        let size = low.abs().max(high.abs());
        (low, high) = (-size, size);
    }
    if low == high {
        let around = if low == 0.0 { 1.0 } else { low.abs() * 1e-3 };
        (low, high) = (low - around, high + around);
    }
    Limits { scale, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_robust_and_never_empty() {
        let mut values: Vec<f32> = (0..=1000).map(|i| i as f32).collect();
        values.extend([1e30, f32::NAN, f32::INFINITY]);
        let limits = robust(&values, Scale::Auto);
        assert_eq!((limits.scale, limits.low, limits.high), (Scale::Sequential, 20.0, 981.0));
        for values in [&[][..], &[f32::NAN], &[0.0; 5], &[-3.5, -3.5], &[f32::INFINITY]] {
            let limits = robust(values, Scale::Auto);
            assert!(limits.low < limits.high && limits.low.is_finite() && limits.high.is_finite());
        }
    }

    #[test]
    fn only_maps_clearly_on_both_sides_of_zero_diverge() {
        let ramp = |low: i32, high: i32| (low..=high).map(|i| i as f32).collect::<Vec<_>>();
        let edges = robust(&ramp(-400, 1000), Scale::Auto);
        assert_eq!((edges.scale, edges.low), (Scale::Diverging, -edges.high));
        assert_eq!(robust(&ramp(-60, 1000), Scale::Auto).scale, Scale::Sequential);
        assert_eq!(robust(&ramp(5, 9), Scale::Diverging).low, -9.0);
    }
}

//! The range in which sums of three floats are as good as sums in float64.
//!
//! The parts of a product reach 48 bits below it; where they would fall below the smallest normal
//! float, a device may take them for zero, and above the largest, sums overflow that float64
//! would bear.

use crate::kernels::focal::Weights;
use crate::kernels::window::Boundary;

/// Products of a value and a weight that are not zero are at least so large.
const LEAST: f64 = 1.0 / (1_u128 << 70) as f64;

/// Sums of magnitudes stay below.
const MOST: f64 = (1_u128 << 120) as f64;

/// Weights alone stay within.
const WEIGHTS: f64 = (1_u64 << 60) as f64;

const INFINITE: u32 = 0x7f80_0000;

/// What a piece's values are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// No NaN, no infinity.
    pub finite: bool,
    /// Least magnitude that is not zero.
    least: f64,
    /// Largest finite magnitude.
    largest: f64,
}

/// Looks at values, and at what the boundary adds to them.
pub fn look(values: &[f32], boundary: Boundary) -> Seen {
    // One below the magnitude's bits: zero becomes the largest number.
    let (mut least, mut largest, mut nonfinite) = (u32::MAX, 0, 0);
    let mut take = |value: f32| {
        let bits = value.to_bits() & 0x7fff_ffff;
        let finite = if bits < INFINITE { bits } else { 0 };
        nonfinite |= u32::from(bits >= INFINITE);
        least = least.min(finite.wrapping_sub(1));
        largest = largest.max(finite);
    };
    values.iter().for_each(|&value| take(value));
    if let Boundary::Constant(value) = boundary {
        take(value as f32);
    }
    let magnitude = |bits: u32| f64::from(f32::from_bits(bits));
    let least = if least == u32::MAX { f64::INFINITY } else { magnitude(least + 1) };
    Seen { finite: nonfinite == 0, least, largest: magnitude(largest) }
}

impl Seen {
    /// True where sums of floats will do.
    pub fn fits(&self, weights: &Weights) -> bool {
        let total: f64 = weights.values.iter().map(|k| k.abs()).sum();
        self.least * smallest(weights) >= LEAST && self.largest * total.max(1.0) <= MOST
    }
}

/// Least magnitude of a weight that is not zero.
fn smallest(weights: &Weights) -> f64 {
    weights.values.iter().map(|k| k.abs()).filter(|&k| k > 0.0).fold(1.0, f64::min)
}

/// True where some rasters can be summed so.
pub fn weights_fit(weights: &Weights) -> bool {
    let total: f64 = weights.values.iter().map(|k| k.abs()).sum();
    smallest(weights) >= 1.0 / WEIGHTS && total <= WEIGHTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::focal::KernelType;

    #[test]
    fn values_are_looked_at_by_their_magnitude() {
        let seen = look(&[0.0, -3.0, 0.5, 7.0], Boundary::Nan);
        assert_eq!((seen.finite, seen.least, seen.largest), (true, 0.5, 7.0));
        let seen = look(&[f32::NAN, 1.0, f32::NEG_INFINITY], Boundary::Constant(-9.0));
        assert_eq!((seen.finite, seen.least, seen.largest), (false, 1.0, 9.0));
        assert_eq!(look(&[0.0, -0.0], Boundary::Nan).least, f64::INFINITY);
        assert_eq!(look(&[1e-45], Boundary::Nan).least, f64::from(1e-45_f32));
    }

    #[test]
    fn tiny_and_huge_values_are_left_to_the_cpu() {
        let weights = |k| Weights::new(vec![0.0, k, 1.0], 1, 3, KernelType::F64).unwrap();
        let fits = |values: &[f32], k| look(values, Boundary::Nan).fits(&weights(k));
        assert!(fits(&[1e-9, 1e9], 0.1) && fits(&[0.0], 0.1) && fits(&[], 0.1));
        assert!(!fits(&[1e-30], 1.0) && !fits(&[1e-15, 1.0], 1e-12) && !fits(&[3e38], 1.0));
        assert!(
            weights_fit(&weights(1e-12)) && !weights_fit(&weights(1e-30)) && !weights_fit(&weights(1e30))
        );
    }
}

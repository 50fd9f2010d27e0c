//! How far two right answers may lie apart (spec convolve 12.1).

use super::Weights;
use super::simd::narrow::CHAIN;
use crate::array::WorkType;

/// The unit roundoff of float64.
const U: f64 = f64::EPSILON / 2.0;

/// Bounds on the difference between the exact path and a faster one, for one kernel and type.
///
/// The pattern of NaN and of infinities has no tolerance: it is the same on every path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    taps: f64,
    norm: f64,
    largest: f64,
    work: WorkType,
    narrow_products: bool,
    /// Longest chain of float32 additions under `--fast`.
    chain: f64,
}

impl Tolerance {
    /// For results in `work` by `weights`.
    pub fn new(weights: &Weights, work: WorkType) -> Self {
        Tolerance {
            taps: weights.values.len() as f64,
            norm: weights.values.iter().map(|k| k * k).sum::<f64>().sqrt(),
            largest: weights.values.iter().fold(0.0, |m, k| m.max(k.abs())),
            work,
            narrow_products: weights.products_in_f32(work),
            chain: weights.cols.min(CHAIN) as f64,
        }
    }

    /// T1: any order of summation, fused or not. `magnitude` is the sum of |k||x| over the taps
    /// of the cell, `expected` the exact path's answer.
    ///
    /// The error is mostly that of the exact path's own long chain of additions.
    pub fn reordered(&self, magnitude: f64, expected: f64) -> f64 {
        let sum = (4.0 * self.taps.sqrt() + 8.0) * U * magnitude + self.taps * f64::from_bits(1);
        match self.work {
            WorkType::F64 => sum,
            WorkType::F32 => {
                let products = if self.narrow_products {
                    magnitude * (0.5 * f64::from(f32::EPSILON)) + self.taps * 2.0_f64.powi(-150)
                } else {
                    0.0
                };
                sum + products + expected.abs() * f64::from(f32::EPSILON) + 2.0_f64.powi(-149)
            }
        }
    }

    /// T2: FFT tiles of `points` points whose values, less the constant removed, have the
    /// Euclidean norm `tile_norm`.
    pub fn transformed(&self, magnitude: f64, expected: f64, points: f64, tile_norm: f64) -> f64 {
        self.reordered(magnitude, expected)
            + 2.0 * U * points.log2() * self.norm * tile_norm
            + self.taps * 2.0_f64.powi(-1016)
    }

    /// float32 sums within a kernel row (`--fast`): the weight's rounding and one for each link of
    /// a chain of additions, which no input can exceed; the result's own; and products too small
    /// for float32. What is seen is under three roundings of the magnitude (spec convolve 8.4).
    pub fn narrow_rows(&self, magnitude: f64, expected: f64) -> f64 {
        let products = self.taps * self.largest * 2.0_f64.powi(-148);
        let roundings = 1.0 + self.chain;
        self.reordered(magnitude, expected) + roundings * 0.5 * f64::from(f32::EPSILON) * magnitude + products
    }
}

//! Log likelihoods in either precision.

use super::simd::exp;
use crate::backend::CpuLevel;

/// An element of a row of log likelihoods.
pub trait LogLikelihood: Copy + Into<f64> {
    /// `out = exp(row - M)`, M the largest finite value of the row (0 where there is none), which
    /// is returned. What is no number or -inf gives 0, as does everything 690 below M; +inf gives 1.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than the row.
    fn relative(level: CpuLevel, row: &[Self], out: &mut [f64]) -> f64;

    /// The largest finite value.
    fn largest(level: CpuLevel, row: &[Self]) -> Option<f64>;
}

impl LogLikelihood for f64 {
    fn relative(level: CpuLevel, row: &[f64], out: &mut [f64]) -> f64 {
        exp::relative_f64(level, row, out)
    }

    fn largest(level: CpuLevel, row: &[f64]) -> Option<f64> {
        exp::largest_f64(level, row)
    }
}

impl LogLikelihood for f32 {
    fn relative(level: CpuLevel, row: &[f32], out: &mut [f64]) -> f64 {
        exp::relative_f32(level, row, out)
    }

    fn largest(level: CpuLevel, row: &[f32]) -> Option<f64> {
        exp::largest_f32(level, row)
    }
}

//! Kernels of `autoreject` over tiles of epochs (spec autoreject 5, 6, 14).
//!
//! A tile is `[row, sample]`: rows are epochs of one channel, `stride` apart, samples a few
//! neighbours in time. All values are float64 in SI units. Loss sums are additive over time, so a
//! run adds up tile after tile and never holds the predicted epochs as a whole.

pub mod gpu;
pub mod scalar;
mod simd;

pub use simd::keys::Keys;
pub use simd::median::medians;
pub use simd::predict::{COLUMNS, Predictor};
pub use simd::range::{Extremes, extremes, peak_to_peak};
pub use simd::rows::{add, add_difference, copy_rows, gather, pick, set_sum, squared_distance};
pub use simd::sweep::{padded, reciprocals, sweep};

/// Rows of one tile: `values` holds `rows` rows of `samples` values, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// The values.
    pub values: &'a [f64],
    /// Elements from one row to the next, a multiple of 8.
    pub stride: usize,
    /// Rows.
    pub rows: usize,
    /// Samples of a row, at most `stride`; what lies beyond in a row must be finite.
    pub samples: usize,
}

impl Tile<'_> {
    /// True where the slice holds all whole rows.
    fn is_whole(&self) -> bool {
        self.stride.is_multiple_of(8)
            && self.samples <= self.stride
            && self.values.len() >= self.rows * self.stride
    }
}

#[cfg(test)]
mod tests;

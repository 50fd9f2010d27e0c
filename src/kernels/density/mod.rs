//! Gaussian kernel densities of positions (spec decode 3: occupancy, ground process; 4.1, 4.6).
//!
//! Samples and points are `[row][axis]`, row-major; bandwidths one per axis, in the same unit.
//! All functions give sums `sum_i w_i K_h(point, sample_i)` of the normalised product kernel
//! (1/unit^axes, weights 1 where none are given), without a division by the number of samples, so that parts
//! can be added up. All in float64. A result depends on neither the other points of a call nor on
//! threads; a caller who splits the samples adds the parts in a fixed order.
//!
//! [`at_points`] and [`on_grid`] sum every pair. [`Moments`] is for very many samples at very many points:
//! its truncation error is bounded by [`moments::TOLERANCE`] of each single result.

pub mod moments;
pub mod scalar;
mod simd;
#[cfg(test)]
mod tests;

pub use moments::Moments;
pub use simd::direct::at_points;
pub use simd::grid::on_grid;

/// Samples of a density.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// `[sample][axis]`.
    pub positions: &'a [f64],
    /// Coordinates of a position.
    pub axes: usize,
    /// One non-negative weight per sample; none: all 1.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Samples<'a> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.positions.len() / self.axes.max(1)
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples `first..last`.
    pub fn part(&self, first: usize, last: usize) -> Samples<'a> {
        Samples {
            positions: &self.positions[first * self.axes..last * self.axes],
            axes: self.axes,
            weights: self.weights.map(|weights| &weights[first..last]),
        }
    }

    /// Weight of one sample.
    #[inline(always)]
    fn weight(&self, sample: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[sample])
    }

    /// Panics where lengths do not fit, so that the loops need not look.
    fn check(&self, std: &[f64], points: usize, out: usize) {
        assert!(self.axes > 0 && self.positions.len() == self.len() * self.axes);
        assert!(self.weights.is_none_or(|weights| weights.len() == self.len()));
        assert!(std.len() == self.axes && points == out);
    }
}

/// The kernel at distance 0: `prod 1 / (h sqrt(2 pi))`.
pub fn peak(std: &[f64]) -> f64 {
    std.iter().map(|h| 1.0 / (h * (2.0 * std::f64::consts::PI).sqrt())).product()
}

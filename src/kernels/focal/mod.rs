//! Weighted window sums: the focal convolution of a raster (spec convolve 1, 8, 9).
//!
//! Axes: a raster is `[row, column]`, row-major; so are the weights. `out[i, j]` is the sum over
//! `a, b` of `k[a, b] * x[i + a - ph, j + b - pw]`: a correlation, `ph` and `pw` being half the
//! kernel's sides. `scalar` is the definition; [`choose()`] turns weights, shape and wishes into a
//! [`Recipe`], and [`Focal`] computes blocks of rows by it.

use serde::{Deserialize, Serialize};

pub mod choose;
pub mod cost;
pub mod gpu;

mod load;
mod nonfinite;
pub mod plane;
mod rank;
mod runs;
pub mod scalar;
mod simd;
pub mod tolerance;
pub mod weights;

pub use choose::{Method, Recipe, Request, choose};
pub use plane::{BlockCounts, Focal, Scratch};
pub use tolerance::Tolerance;
pub use weights::{KernelType, Weights};

/// How NaN cells take part (spec convolve 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NanRule {
    /// As the peer: NaN spreads over the kernel's full rectangle.
    #[default]
    Propagate,
    /// NaN spreads over the non-zero weights only (scipy's behaviour).
    Footprint,
    /// NaN cells are left out and the weights of the others rescaled:
    /// sum of k x over valid cells / sum of k over valid cells.
    Ignore,
}

/// A way to compute a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Every tap, register-blocked.
    Direct,
    /// A column pass and a row pass (rank-1 kernels).
    Separable,
    /// Sums of runs of equal weights (flat kernels).
    Runs,
    /// Overlap-save FFT tiles, each behind an accuracy gate.
    Fft,
}

impl NanRule {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            NanRule::Propagate => "propagate",
            NanRule::Footprint => "footprint",
            NanRule::Ignore => "ignore",
        }
    }
}

impl Algorithm {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Direct => "direct",
            Algorithm::Separable => "separable",
            Algorithm::Runs => "runs",
            Algorithm::Fft => "fft",
        }
    }
}

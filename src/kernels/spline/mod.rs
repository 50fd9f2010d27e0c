//! Spherical-spline weights that predict EEG channels from others (spec autoreject 4).
//!
//! Positions are `[x, y, z]` in metres, head frame, one per channel of a group; weights are
//! `[predicted, source]` in C order, each row of sum 1, without unit. The spline is that of Perrin
//! et al. 1989 as MNE computes it: stiffness 4, 50 Legendre terms, smoothing 1e-5.
//!
//! One inverse of all channels' system serves every set of bad channels: with `P = F^-1`, the
//! weights are `-P_bb^-1 P_bg` by the inverse of a partitioned matrix.

mod kernel;
mod sphere;

pub use kernel::{Kernel, green};
pub use sphere::{CentredRepair, Sphere, centred, fit_sphere, nearest_source};

use crate::error::{Error, Result};
use nalgebra::DMatrix;

/// The spline of a group of channels.
#[derive(Debug, Clone)]
pub struct Spline {
    kernel: Kernel,
    /// Inverse of the bordered matrix of all channels without its border, `[channel, channel]`.
    inverse: Vec<f64>,
}

/// How some channels are predicted from the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairWeights {
    /// The sources, ascending.
    pub good: Vec<usize>,
    /// `[bad, good]`; empty where there is no source: the repaired channel is then all zeros.
    pub values: Vec<f64>,
}

/// The channels of `0..channels` that are not in `bad`, ascending.
fn good_of(channels: usize, bad: &[usize]) -> Vec<usize> {
    let mut is_good = vec![true; channels];
    for &channel in bad {
        if let Some(good) = is_good.get_mut(channel) {
            *good = false;
        }
    }
    (0..channels).filter(|&channel| is_good[channel]).collect()
}

impl Spline {
    /// The spline of all channels of a group at `positions` (spec 4; not centred).
    ///
    /// # Errors
    /// A position that is not finite, or positions that leave the system without an inverse.
    pub fn new(positions: &[[f64; 3]]) -> Result<Self> {
        let kernel = Kernel::new(positions)?;
        let n = kernel.channels();
        let all: Vec<usize> = (0..n).collect();
        if n == 0 {
            return Ok(Spline { kernel, inverse: Vec::new() });
        }
        let Some(inverse) = kernel.bordered(&all).try_inverse() else {
            let found = format!("{n} positions without a spline");
            return Err(Error::data("channel positions", found, "distinct places on the head", ""));
        };
        let inverse = all.iter().flat_map(|&i| (0..n).map(move |j| (i, j))).map(|at| inverse[at]).collect();
        Ok(Spline { kernel, inverse })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.kernel.channels()
    }

    /// The kernel of all pairs of channels.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Weights `[channel, channel]` of each channel from all others; zeros on the diagonal, and
    /// everywhere for a channel alone.
    pub fn leave_one_out(&self) -> Vec<f64> {
        let n = self.channels();
        match n {
            0 | 1 => return vec![0.0; n],
            // One source is copied, without the last bit of a division.
            2 => return vec![0.0, 1.0, 1.0, 0.0],
            _ => {}
        }
        let mut weights = Vec::with_capacity(n * n);
        for (k, row) in self.inverse.chunks_exact(n).enumerate() {
            weights
                .extend(row.iter().enumerate().map(|(j, entry)| if j == k { 0.0 } else { -entry / row[k] }));
        }
        weights
    }

    /// Weights of the channels `bad`, each once, all predicted together from all others.
    pub fn repair_weights(&self, bad: &[usize]) -> RepairWeights {
        let n = self.channels();
        let good = good_of(n, bad);
        if bad.is_empty() || good.len() < 2 {
            let values = vec![1.0; good.len() * bad.len()];
            return RepairWeights { good, values };
        }
        let entry = |i: usize, j: usize| self.inverse[i * n + j];
        let within = DMatrix::from_fn(bad.len(), bad.len(), |i, j| entry(bad[i], bad[j]));
        let mut solved = DMatrix::from_fn(bad.len(), good.len(), |i, j| -entry(bad[i], good[j]));
        let values = if within.lu().solve_mut(&mut solved) {
            // The matrix is stored by columns, the weights by rows.
            solved.transpose().as_slice().to_vec()
        } else {
            self.kernel.mapping(&good, bad)
        };
        RepairWeights { good, values }
    }

    /// Weights `[to, from]` by the system of the channels `from` alone: see [`Kernel::mapping`].
    pub fn mapping(&self, from: &[usize], to: &[usize]) -> Vec<f64> {
        self.kernel.mapping(from, to)
    }
}

#[cfg(test)]
mod tests;

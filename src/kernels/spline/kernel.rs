//! The spline's kernel over all pairs of channels, and the linear system it defines.

use crate::error::{Error, Result};
use nalgebra::DMatrix;
use std::f64::consts::PI;

/// Terms of the Legendre series.
const TERMS: usize = 50;
/// More channels than this are not a head, and the matrices grow with their square.
const MOST_CHANNELS: usize = 4096;
/// What is added to the kernel's diagonal: keeps channels at one place apart.
pub(super) const SMOOTHING: f64 = 1e-5;

/// Kernel values of all pairs of channels, `[channel, channel]` in C order.
#[derive(Debug, Clone)]
pub struct Kernel {
    channels: usize,
    values: Vec<f64>,
}

/// `position` on the unit sphere; the origin stays where it is (cosine 0 to all).
pub(super) fn on_unit_sphere(position: &[f64; 3]) -> [f64; 3] {
    let norm = position.iter().map(|c| c * c).sum::<f64>().sqrt();
    if norm == 0.0 { *position } else { position.map(|c| c / norm) }
}

/// Cosine of the angle between two unit vectors, as it comes: not cut to [-1, 1].
pub(super) fn cosine(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(p, q)| p * q).sum()
}

/// Factors `(2n + 1) / (4 pi n^4 (n + 1)^4)` of the terms n = 1..=50.
fn factors() -> [f64; TERMS] {
    std::array::from_fn(|i| {
        let n = (i + 1) as f64;
        (2.0 * n + 1.0) / (n.powi(4) * (n + 1.0).powi(4) * 4.0 * PI)
    })
}

/// The series in Legendre polynomials at `x`, by their upward recurrence.
fn series(factors: &[f64; TERMS], x: f64) -> f64 {
    let (mut before, mut here, mut sum) = (1.0, x, 0.0);
    for (i, factor) in factors.iter().enumerate() {
        sum += factor * here;
        let n = (i + 1) as f64;
        let next = ((2.0 * n + 1.0) * x * here - n * before) / (n + 1.0);
        (before, here) = (here, next);
    }
    sum
}

/// The spline kernel G at the cosine `x` (spec 4, step 3).
pub fn green(x: f64) -> f64 {
    series(&factors(), x)
}

impl Kernel {
    /// Kernel of channels at `positions`, each taken by its direction from the origin.
    ///
    /// # Errors
    /// A position that is not finite, or more than 4096 channels.
    pub fn new(positions: &[[f64; 3]]) -> Result<Self> {
        if positions.len() > MOST_CHANNELS {
            let (found, expected) = (format!("{}", positions.len()), format!("at most {MOST_CHANNELS}"));
            return Err(Error::data("channels to interpolate", found, expected, "give fewer by --picks"));
        }
        if let Some(channel) = positions.iter().position(|p| !p.iter().all(|c| c.is_finite())) {
            let (place, found) = (format!("channel {channel}"), format!("position {:?}", positions[channel]));
            return Err(Error::data(place, found, "x, y, z in metres", "give its position or leave it out"));
        }
        let units: Vec<[f64; 3]> = positions.iter().map(on_unit_sphere).collect();
        let (factors, channels) = (factors(), positions.len());
        let mut values = vec![0.0; channels * channels];
        for (i, a) in units.iter().enumerate() {
            for (j, b) in units.iter().enumerate().take(i + 1) {
                let value = series(&factors, cosine(a, b));
                values[i * channels + j] = value;
                values[j * channels + i] = value;
            }
        }
        Ok(Kernel { channels, values })
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Kernel of the channels `a` and `b`.
    pub fn at(&self, a: usize, b: usize) -> f64 {
        self.values[a * self.channels + b]
    }

    /// The bordered matrix of the channels `from`, one row and column more than they are.
    pub(super) fn bordered(&self, from: &[usize]) -> DMatrix<f64> {
        let n = from.len();
        DMatrix::from_fn(n + 1, n + 1, |i, j| match (i < n, j < n) {
            (true, true) if i == j => self.at(from[i], from[j]) + SMOOTHING,
            (true, true) => self.at(from[i], from[j]),
            (false, false) => 0.0,
            _ => 1.0,
        })
    }

    /// Kernel from `from` to each of `to` with a last row of ones: the right sides of the system.
    fn right_sides(&self, from: &[usize], to: &[usize]) -> DMatrix<f64> {
        DMatrix::from_fn(from.len() + 1, to.len(), |i, j| match from.get(i) {
            Some(&source) => self.at(to[j], source),
            None => 1.0,
        })
    }

    /// Weights `[to, from]` that predict the channels `to` from the channels `from`, by solving
    /// the system of `from` alone. A source is also predicted, nearly as itself. One source is
    /// copied; without sources there are no weights.
    pub fn mapping(&self, from: &[usize], to: &[usize]) -> Vec<f64> {
        match from.len() {
            0 => return Vec::new(),
            1 => return vec![1.0; to.len()],
            _ => {}
        }
        let mut solved = self.right_sides(from, to);
        if self.bordered(from).lu().solve_mut(&mut solved) {
            // Columns are the predicted channels: in memory they are the rows we want, and one more.
            solved.as_slice().chunks_exact(from.len() + 1).flat_map(|c| &c[..from.len()]).copied().collect()
        } else {
            self.mapping_by_pseudo_inverse(from, to)
        }
    }

    /// The same by the pseudo-inverse of spec 4, step 5: the definition, slow, for any sources.
    pub fn mapping_by_pseudo_inverse(&self, from: &[usize], to: &[usize]) -> Vec<f64> {
        if from.is_empty() {
            return Vec::new();
        }
        let system = self.bordered(from).svd(true, true);
        let cut = system.singular_values.max() * (from.len() + 1) as f64 * f64::EPSILON;
        // The cut is not negative, so there is an inverse.
        let Ok(inverse) = system.pseudo_inverse(cut) else { return vec![0.0; to.len() * from.len()] };
        let weights = self.right_sides(from, to).transpose() * inverse;
        (0..to.len()).flat_map(|i| (0..from.len()).map(move |j| (i, j))).map(|at| weights[at]).collect()
    }
}

//! Log intensity of marked spikes at place bins: the likelihood of the clusterless model.
//!
//! For one electrode, `lambda(d, p) = scale(p) * sum_i K_mark(m_d, m_i) K_pos(x_p, x_i)` over its
//! encoding spikes `i`, with normalised Gaussian product kernels; `l = ln lambda`, never below a
//! floor. Decoding spikes stand in the lanes of registers, encoding spikes pass one after another,
//! and no pair is stored. Marks are `[spike, feature]` in the feature's unit (µV by habit),
//! positions `[spike, axis]` in any length, after linearisation where there is a track graph.
//!
//! * [`definition`]: the plain double-precision sums, the oracle of the tests;
//! * [`Method::Direct`]: every kernel exact, multiply-adds per pair = bins;
//! * [`Method::Moments`]: encoding spikes sorted by position cell; inside a cell the position
//!   kernel is a Chebyshev expansion of total degree below `q`, so a pair costs `q` (one axis) or
//!   `q (q + 1) / 2` multiply-adds (two) and the bins are reached from the cells' moments;
//! * [`Certificate`]: fewer terms than would do for any spike, for rows that prove by their own
//!   weights that these were enough; all others are computed again;
//! * [`choose`]: the cheapest admissible of these, with the error bound it guarantees.
//!
//! Lanes never meet: a spike's row has the same bits whatever else is in the block.

mod arithmetic;
mod boxes;
mod certificate;
mod choice;
pub mod definition;
mod errors;
mod expansion;
pub mod gpu;
mod intensity;
mod layout;
mod moments;
mod observed;
mod rows;
mod sample;
mod search;
mod simd;
mod tables;
mod work;

pub use boxes::{BOXED, by_marks};
pub use certificate::Certificate;
pub use choice::{Accuracy, Choice, choose};
pub use intensity::{Intensity, Scratch};
pub use observed::observed_error;
pub use rows::Floored;

/// Encoding spikes of one electrode.
#[derive(Debug, Clone, Copy)]
pub struct EncodingSpikes<'a> {
    /// `[spike, feature]`.
    pub marks: &'a [f64],
    /// Features of a mark.
    pub width: usize,
    /// `[spike, axis]`.
    pub positions: &'a [f64],
    /// Position axes: 1 or 2.
    pub axes: usize,
}

impl EncodingSpikes<'_> {
    /// How many spikes there are.
    pub fn len(&self) -> usize {
        self.positions.len() / self.axes.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where the intensity is asked for.
#[derive(Debug, Clone)]
pub struct PlaceBins<'a> {
    /// Bin centres along each axis.
    pub axes: Vec<&'a [f64]>,
    /// Bins asked for, flattened in C order (last axis fastest).
    pub interior: &'a [usize],
}

impl PlaceBins<'_> {
    /// Bin index along each axis of one flattened bin; the second is 0 where there is one axis.
    fn along_axes(&self, flat: usize) -> [usize; 2] {
        match self.axes.get(1) {
            Some(fast) => [flat / fast.len().max(1), flat % fast.len().max(1)],
            None => [flat, 0],
        }
    }
}

/// Standard deviations of the Gaussian kernels.
#[derive(Debug, Clone, Copy)]
pub struct Bandwidths<'a> {
    /// One per feature.
    pub mark: &'a [f64],
    /// One per position axis.
    pub position: &'a [f64],
}

impl Bandwidths<'_> {
    /// Logarithm of the product kernel's peak.
    pub fn ln_peak(&self) -> f64 {
        let root = std::f64::consts::TAU.sqrt();
        -self.mark.iter().chain(self.position).map(|std| (std * root).ln()).sum::<f64>()
    }
}

/// How the sum over encoding spikes is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Every pair's kernel at every bin.
    Direct,
    /// Moments of the weights over position cells.
    Moments {
        /// Side of a cell in units of the position bandwidth.
        cell: f64,
        /// Total degree of the expansion stays below this.
        terms_below: usize,
    },
}

/// Type that kernels are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single: rounding moves `ln lambda` by about 1e-6.
    F32,
    /// Double.
    F64,
}

#[cfg(test)]
mod guarantees;
#[cfg(test)]
mod tests;

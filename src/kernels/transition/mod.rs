//! Transitions between state columns from one decoding bin to the next (spec decode 5, 9.1 item 6).
//!
//! Columns: states in order, a spatial state has `places` columns (interior place bins, flattened
//! C order), any other one. Probabilities are float64. The full matrix is
//! `T[(s, p), (s', q)] = Z[s, s'] A[p, q]`; it is never formed here outside of [`dense`]. Uniform
//! moves are of rank one, moves to and from states of one column are sums and constants, and the
//! random walk is [`Walk`]: two small matrix products over the grid, weights by distance along a line,
//! or packed rows.
//!
//! Denormal numbers, whose arithmetic is up to a hundred times slower, are kept out: sums start at
//! [`LEAST_NORMAL`], and what ends below [`FLUSH`] becomes 0. Both lie ten decades and more under
//! the smallest probability that is promised (1e-290), so neither can be seen there.

pub mod dense;
mod frame;
mod grid;
mod line;
mod portable;
mod rows;
mod simd;
mod states;
mod walk;

pub(crate) use frame::Frame;
pub use portable::{Portable, Sparse};
pub use simd::vector::{Run, total};
pub use states::{Move, StateSpace};
pub use walk::{Form, Walk};

use crate::backend::CpuLevel;
use simd::vector::collect;

/// The smallest normal number, 2^-1022: the start of every sum.
pub const LEAST_NORMAL: f64 = f64::MIN_POSITIVE;

/// Probabilities below this become 0.
pub const FLUSH: f64 = 1e-300;

/// What a walk starts from or holds half-way is 0 or at least this. Without fused multiply-adds a
/// tiny value times a weight would be a denormal number even if the sum is not.
const FAINT: f64 = 1e-305;

/// Weights of a walk below this are left out. A probability is at most 1, so no such term can
/// reach 1e-290 even when thousands of them meet. That is +-37.5 standard deviations, not the 13.2
/// of single precision: a hard jump far beyond them must still be found where the data ask for it.
pub const LEAST_WEIGHT: f64 = 1e-306;

/// Weights below which a walk may leave out what cannot be seen beside what it keeps: how far up
/// depends on the range of the values walked (posteriors that reach everywhere allow the last).
/// The first is [`LEAST_WEIGHT`].
const CUTS: [f64; 11] =
    [LEAST_WEIGHT, 1e-240, 1e-190, 1e-145, 1e-110, 1e-85, 1e-65, 1e-50, 1e-38, 1e-30, 1e-23];

/// The whole transition of a state space.
#[derive(Debug)]
pub struct Transition {
    states: StateSpace,
    walk: Walk,
}

/// Buffers of [`Transition::predict`] and [`Transition::pull_back`]; one per thread.
#[derive(Debug)]
pub struct Scratch {
    walk: walk::Buffers,
    sums: Vec<f64>,
}

impl Transition {
    /// # Panics
    ///
    /// If the walk is over another number of places.
    pub fn new(states: StateSpace, walk: Walk) -> Self {
        assert_eq!(states.places(), walk.places());
        Transition { states, walk }
    }

    /// The states.
    pub fn states(&self) -> &StateSpace {
        &self.states
    }

    /// The random walk.
    pub fn walk(&self) -> &Walk {
        &self.walk
    }

    /// The instruction set in use.
    pub fn level(&self) -> CpuLevel {
        self.walk.level()
    }

    /// Room for one thread's calls.
    pub fn scratch(&self) -> Scratch {
        Scratch { walk: self.walk.buffers(), sums: vec![0.0; self.states.states()] }
    }

    /// Multiply-adds of one [`Transition::predict`].
    pub fn multiply_adds(&self) -> u64 {
        let walks = (0..self.states.states()).filter(|&to| self.states.walks_into(to)).count();
        walks as u64 * self.walk.multiply_adds()
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        self.walk.bytes()
    }

    /// `out = f T`, both of [`StateSpace::columns`] values. Values of `f` are 0 or at least about
    /// [`FLUSH`]; those of `out` are too.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than the columns.
    pub fn predict(&self, f: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        let states = &self.states;
        for from in 0..states.states() {
            let jumps = |to| !states.is_walk(from, to) && !states.is_identity(from, to);
            if (0..states.states()).any(jumps) {
                scratch.sums[from] = total(self.level(), &f[states.range(from)]);
            }
        }
        let share = 1.0 / states.places() as f64;
        for to in 0..states.states() {
            let mut level = 0.0;
            for from in 0..states.states() {
                if !states.is_walk(from, to) && !states.is_identity(from, to) {
                    level += states.discrete(from, to) * scratch.sums[from];
                }
            }
            let range = states.range(to);
            if !states.is_spatial(to) {
                out[range.start] = flushed(level);
                continue;
            }
            let sources = (0..states.states()).filter(|&from| states.is_walk(from, to));
            let sources = sources.map(|from| (states.discrete(from, to), &f[states.range(from)]));
            let walked = self.walk.ahead(sources, &mut scratch.walk);
            let stay = (0..states.states()).filter(|&from| states.is_identity(from, to));
            let stay = stay.map(|from| (states.discrete(from, to), &f[states.range(from)]));
            collect(self.level(), walked, None, (level * share, stay), &mut out[range]);
        }
    }

    /// `out = T r`, both of [`StateSpace::columns`] values. Values of `r` are 0 or at least about
    /// [`FLUSH`], and may be as large as its reciprocal.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than the columns.
    pub fn pull_back(&self, r: &[f64], out: &mut [f64], scratch: &mut Scratch) {
        let states = &self.states;
        let share = 1.0 / states.places() as f64;
        for to in 0..states.states() {
            let jumps = |from| !states.is_walk(from, to) && !states.is_identity(from, to);
            if (0..states.states()).any(jumps) {
                let sum = total(self.level(), &r[states.range(to)]);
                scratch.sums[to] = if states.is_spatial(to) { sum * share } else { sum };
            }
        }
        for from in 0..states.states() {
            let mut level = 0.0;
            for to in 0..states.states() {
                if !states.is_walk(from, to) && !states.is_identity(from, to) {
                    level += states.discrete(from, to) * scratch.sums[to];
                }
            }
            let range = states.range(from);
            if !states.is_spatial(from) {
                out[range.start] = flushed(level);
                continue;
            }
            let sources = (0..states.states()).filter(|&to| states.is_walk(from, to));
            let sources = sources.map(|to| (states.discrete(from, to), &r[states.range(to)]));
            let walked = self.walk.back(sources, &mut scratch.walk);
            let stay = (0..states.states()).filter(|&to| states.is_identity(from, to));
            let stay = stay.map(|to| (states.discrete(from, to), &r[states.range(to)]));
            collect(self.level(), walked, Some(self.walk.row_scale()), (level, stay), &mut out[range]);
        }
    }
}

/// 0 for what lies below [`FLUSH`].
fn flushed(value: f64) -> f64 {
    if value > FLUSH { value } else { 0.0 }
}

#[cfg(test)]
mod tests;

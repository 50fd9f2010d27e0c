//! The hidden Markov chain over state columns: filter, smoother, most likely sequence, estimates
//! (spec decode 5.1-5.4).
//!
//! Columns are those of [`StateSpace`]; rows are decoding bins. A row of log likelihoods holds the
//! `places` non-local values, then the local one where some state takes it, then the no-spike one
//! where some state takes it; any constant of the row may be kept apart as its offset. Everything
//! is float64 and single-threaded, allocates nothing per row, and gives the same bits however rows
//! are cut into chunks.

pub mod estimates;
mod filter;
pub mod gpu;
mod likelihood;
mod simd;
mod smoother;
mod steps;
mod viterbi;

pub use filter::{Filter, FilterState, Outcome};
pub use likelihood::LogLikelihood;
pub use smoother::Smoother;
pub use steps::Steps;
pub use viterbi::Viterbi;

use super::transition::{StateSpace, Transition};
use simd::total;

/// Which log likelihood the columns of a state take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likelihood {
    /// One value per place.
    NonLocal,
    /// At the animal's own position.
    Local,
    /// Of no spikes but a background rate.
    NoSpike,
}

/// Added to every normaliser, as the peer does.
const NORMALISER: f64 = 1e-15;

/// Transition, likelihood columns and initial probabilities.
#[derive(Debug)]
pub struct Chain {
    transition: Transition,
    likelihood: Vec<Likelihood>,
    initial: Vec<f64>,
}

impl Chain {
    /// `likelihood[s]` is what state `s` takes, `initial[s]` its probability before the first row.
    ///
    /// # Panics
    ///
    /// If the lists are not one per state, or a state takes a likelihood of another width.
    pub fn new(transition: Transition, likelihood: Vec<Likelihood>, initial: Vec<f64>) -> Self {
        let states = transition.states();
        assert!(likelihood.len() == states.states() && initial.len() == states.states());
        for (s, &takes) in likelihood.iter().enumerate() {
            assert_eq!(states.is_spatial(s), takes == Likelihood::NonLocal);
        }
        Chain { transition, likelihood, initial }
    }

    /// The transition.
    pub fn transition(&self) -> &Transition {
        &self.transition
    }

    /// States and their columns.
    pub fn states(&self) -> &StateSpace {
        self.transition.states()
    }

    /// True where some state takes `which`.
    pub fn takes(&self, which: Likelihood) -> bool {
        self.likelihood.contains(&which)
    }

    /// Values in a row of log likelihoods.
    pub fn row_width(&self) -> usize {
        let extra = [Likelihood::Local, Likelihood::NoSpike].iter().filter(|&&which| self.takes(which));
        self.states().places() + extra.count()
    }

    /// Where state `s` finds its log likelihoods in a row.
    pub fn source(&self, s: usize) -> std::ops::Range<usize> {
        let places = self.states().places();
        let start = match self.likelihood[s] {
            Likelihood::NonLocal => return 0..places,
            Likelihood::Local => places,
            Likelihood::NoSpike => places + usize::from(self.takes(Likelihood::Local)),
        };
        start..start + 1
    }

    /// The distribution before the first row: of each state uniform over its columns.
    pub fn initial(&self) -> Vec<f64> {
        let mut columns = vec![0.0; self.states().columns()];
        self.spread(|s| self.initial[s], &mut columns);
        columns
    }

    /// Where a chain starts again after its evidence has left no column: each state alike, each
    /// place alike.
    fn anywhere(&self, columns: &mut [f64]) {
        self.spread(|_| 1.0 / self.states().states() as f64, columns);
    }

    fn spread(&self, of_state: impl Fn(usize) -> f64, columns: &mut [f64]) {
        let states = self.states();
        for s in 0..states.states() {
            let range = states.range(s);
            let share = of_state(s) / range.len() as f64;
            columns[range].fill(share);
        }
    }

    /// Sums of a row over the columns of each state.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than columns or states.
    pub fn state_probabilities(&self, row: &[f64], out: &mut [f64]) {
        let states = self.states();
        for s in 0..states.states() {
            out[s] = total(self.transition.level(), &row[states.range(s)]);
        }
    }

    /// Sums of a row over the spatial states, place by place.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than columns or places.
    pub fn place_probabilities(&self, row: &[f64], out: &mut [f64]) {
        let states = self.states();
        let mut first = true;
        for s in (0..states.states()).filter(|&s| states.is_spatial(s)) {
            let values = &row[states.range(s)];
            if first {
                out[..values.len()].copy_from_slice(values);
            } else {
                out.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            first = false;
        }
    }
}

#[cfg(test)]
mod tests;

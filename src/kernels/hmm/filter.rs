//! The filter: one row forward (spec decode 5.1).

use super::simd::{scale, weigh};
use super::{Chain, LogLikelihood, NORMALISER};
use crate::kernels::simd::AlignedF64;
use crate::kernels::transition::Scratch;
use std::borrow::Borrow;

/// What a row did to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The usual.
    Went,
    /// The evidence left nothing of what was predicted; the row was taken on a uniform start.
    Restarted,
}

/// All that passes from one row to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterState {
    /// Prediction for the next row, one value per column.
    pub predicted: Vec<f64>,
    /// Logarithm of the evidence so far.
    pub log_likelihood: f64,
    /// Rows that had to restart.
    pub restarts: u64,
}

/// A filter in progress, with a chain of its own or a borrowed one.
#[derive(Debug)]
pub struct Filter<C> {
    chain: C,
    state: FilterState,
    evidence: AlignedF64,
    scratch: Scratch,
}

impl<C: Borrow<Chain>> Filter<C> {
    /// Before the first row.
    pub fn new(chain: C) -> Self {
        let predicted = chain.borrow().initial();
        let state = FilterState { predicted, log_likelihood: 0.0, restarts: 0 };
        Filter::resume(chain, state)
    }

    /// After the rows that led to `state`.
    ///
    /// # Panics
    ///
    /// If the prediction is not one value per column.
    pub fn resume(chain: C, state: FilterState) -> Self {
        let own: &Chain = chain.borrow();
        assert_eq!(state.predicted.len(), own.states().columns());
        let (evidence, scratch) = (AlignedF64::zeros(own.row_width()), own.transition.scratch());
        Filter { chain, state, evidence, scratch }
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        self.chain.borrow()
    }

    /// Prediction for the next row (of the first row: the initial distribution).
    pub fn predicted(&self) -> &[f64] {
        &self.state.predicted
    }

    /// What a later [`Filter::resume`] needs.
    pub fn state(&self) -> &FilterState {
        &self.state
    }

    /// Goes on from `state`, as after [`Filter::resume`].
    ///
    /// # Panics
    ///
    /// If the prediction is not one value per column.
    pub fn go_on_from(&mut self, state: FilterState) {
        assert_eq!(state.predicted.len(), self.state.predicted.len());
        self.state = state;
    }

    /// Takes one row of [`Chain::row_width`] log likelihoods, less `offset`, and writes the
    /// filtered distribution, one value per column.
    ///
    /// Where nothing remains (every column more than about 690 below the best one, counted in
    /// prior and likelihood together), the row is taken on a uniform start instead; where the row
    /// itself excludes every column, the uniform start is the result.
    ///
    /// # Panics
    ///
    /// If a slice has another length.
    pub fn step<T: LogLikelihood>(&mut self, row: &[T], offset: f64, filtered: &mut [f64]) -> Outcome {
        let chain: &Chain = self.chain.borrow();
        assert!(row.len() == chain.row_width() && filtered.len() == chain.states().columns());
        let largest = T::relative(chain.transition.level(), row, &mut self.evidence);
        let mut sum = self.weighed(filtered);
        let mut outcome = Outcome::Went;
        if sum <= 0.0 {
            outcome = Outcome::Restarted;
            self.state.restarts += 1;
            chain.anywhere(&mut self.state.predicted);
            sum = self.weighed(filtered);
        }
        if sum > 0.0 {
            self.state.log_likelihood += sum.ln() + (largest + offset);
            scale(chain.transition.level(), filtered, 1.0 / (sum + NORMALISER));
        } else {
            filtered.copy_from_slice(&self.state.predicted);
        }
        chain.transition.predict(filtered, &mut self.state.predicted, &mut self.scratch);
        outcome
    }

    /// Prediction times evidence, and its sum.
    fn weighed(&self, filtered: &mut [f64]) -> f64 {
        let chain: &Chain = self.chain.borrow();
        let states = chain.states();
        let mut sum = 0.0;
        for s in 0..states.states() {
            let (range, evidence) = (states.range(s), &self.evidence[chain.source(s)]);
            let prior = &self.state.predicted[range.clone()];
            sum += weigh(chain.transition.level(), prior, evidence, &mut filtered[range]);
        }
        sum
    }
}

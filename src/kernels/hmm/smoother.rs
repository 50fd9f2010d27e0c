//! The smoother: one row backward (spec decode 5.2).

use super::simd::{ratio, scale, total, weigh};
use super::{Chain, NORMALISER, Outcome};
use crate::kernels::transition::Scratch;

/// A smoother in progress.
#[derive(Debug)]
pub struct Smoother<'a> {
    chain: &'a Chain,
    /// Posterior of the row last done.
    posterior: Vec<f64>,
    /// What the filter predicted, then the ratios pulled back.
    predicted: Vec<f64>,
    ratio: Vec<f64>,
    scratch: Scratch,
}

impl<'a> Smoother<'a> {
    /// At the last row, given its filtered distribution.
    ///
    /// # Panics
    ///
    /// If it is not one value per column.
    pub fn new(chain: &'a Chain, filtered: &[f64]) -> Self {
        let columns = chain.states().columns();
        assert_eq!(filtered.len(), columns);
        let mut smoother = Smoother::resume(chain, vec![0.0; columns]);
        smoother.begin(filtered);
        smoother
    }

    /// Before the row whose posterior this is.
    ///
    /// # Panics
    ///
    /// If it is not one value per column.
    pub fn resume(chain: &'a Chain, posterior: Vec<f64>) -> Self {
        let columns = chain.states().columns();
        assert_eq!(posterior.len(), columns);
        let (predicted, ratio) = (vec![0.0; columns], vec![0.0; columns]);
        Smoother { chain, posterior, predicted, ratio, scratch: chain.transition.scratch() }
    }

    /// Posterior of the row last done.
    pub fn posterior(&self) -> &[f64] {
        &self.posterior
    }

    /// Goes one row back: `filtered` is that row's; `predicted` what the filter predicted from it,
    /// made anew where it was not kept (the bits are the same); `later` what the filter said of
    /// the row after it. A row that restarted knows nothing of what lay before, so the posterior
    /// before it is the filtered one.
    ///
    /// # Panics
    ///
    /// If a slice is not one value per column.
    pub fn step(&mut self, filtered: &[f64], predicted: Option<&[f64]>, later: Outcome) {
        let (chain, level) = (self.chain, self.chain.transition.level());
        assert_eq!(filtered.len(), chain.states().columns());
        if later == Outcome::Restarted {
            return self.begin(filtered);
        }
        let predicted = match predicted {
            Some(kept) => kept,
            None => {
                chain.transition.predict(filtered, &mut self.predicted, &mut self.scratch);
                &self.predicted
            }
        };
        ratio(level, &self.posterior, predicted, &mut self.ratio);
        chain.transition.pull_back(&self.ratio, &mut self.predicted, &mut self.scratch);
        let sum = weigh(level, filtered, &self.predicted, &mut self.posterior);
        if sum > 0.0 {
            scale(level, &mut self.posterior, 1.0 / (sum + NORMALISER));
        } else {
            self.begin(filtered);
        }
    }

    fn begin(&mut self, filtered: &[f64]) {
        let level = self.chain.transition.level();
        self.posterior.copy_from_slice(filtered);
        let sum = total(level, filtered);
        scale(level, &mut self.posterior, 1.0 / (sum + NORMALISER));
    }
}

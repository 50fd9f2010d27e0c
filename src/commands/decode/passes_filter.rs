//! The filter over rows of log likelihood as they come, in order (spec decode 5.1).
//!
//! Every row is kept for the smoother, and the prediction at the start of each block of rows as a
//! checkpoint to filter that block again from.

use super::passes_chain;
use super::passes_likelihood::{LikelihoodRows, Value};
use super::results::{ResultFile, Variable};
use super::store::RowStore;
use crate::array::Real;
use crate::error::Result;
use crate::kernels::hmm::gpu::DeviceChain;
use crate::kernels::hmm::{Chain, Filter, FilterState, Likelihood, Outcome};
use crate::pipeline::{Chunk, Sink};
use crate::report::Recorder;

/// What the forward walk leaves for the backward one.
pub struct Forward<T> {
    /// Log likelihood `[row, column]` minus the row's offset.
    pub rows: RowStore<T>,
    /// Offset of each row.
    pub offsets: Vec<f64>,
    /// Prediction at the first row of every block, `[block, column]`.
    pub checkpoints: Vec<f64>,
    /// Rows of a block.
    pub block: usize,
    /// Rows at which the chain had to start anew.
    pub restarts: Vec<usize>,
    /// Log evidence of all rows.
    pub log_likelihood: f64,
}

impl<T> Forward<T> {
    /// Prediction at row `first`, which begins a block, for `columns` columns.
    pub fn checkpoint(&self, first: usize, columns: usize) -> &[f64] {
        let at = first / self.block * columns;
        &self.checkpoints[at..at + columns]
    }

    /// What the filter said of `row`.
    pub fn outcome(&self, row: usize) -> Outcome {
        match self.restarts.binary_search(&row) {
            Ok(_) => Outcome::Restarted,
            Err(_) => Outcome::Went,
        }
    }
}

/// What of the forward walk is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Causal posterior.
    pub filter: bool,
    /// One-step prediction.
    pub predictive: bool,
    /// Log likelihood.
    pub loglik: bool,
}

/// The filter as the end of the likelihood's pipeline.
pub struct Filtering<'a, T> {
    chain: &'a Chain,
    filter: Filter<&'a Chain>,
    /// Does the filter's work where there is one.
    device: Option<(DeviceChain, &'a Recorder)>,
    forward: Forward<T>,
    written: Written,
    results: &'a mut ResultFile,
    filtered: Vec<f64>,
    /// Rows of the chunk at hand, `[row, column]`: filtered, predicted, log likelihood.
    out: [Vec<f64>; 3],
}

impl<'a, T: Value> Filtering<'a, T> {
    /// Before the first row; checkpoints every `block` rows.
    pub fn new(
        chain: &'a Chain,
        rows: RowStore<T>,
        block: usize,
        (written, results): (Written, &'a mut ResultFile),
    ) -> Self {
        let forward = Forward {
            rows,
            offsets: Vec::new(),
            checkpoints: Vec::new(),
            block,
            restarts: Vec::new(),
            log_likelihood: 0.0,
        };
        let filtered = vec![0.0; chain.states().columns()];
        Filtering {
            chain,
            filter: Filter::new(chain),
            device: None,
            forward,
            written,
            results,
            filtered,
            out: Default::default(),
        }
    }

    /// The same on a device, which must be before the first row, too; `recorder` is told if it fails.
    pub fn on(self, device: Option<DeviceChain>, recorder: &'a Recorder) -> Self {
        Filtering { device: device.map(|device| (device, recorder)), ..self }
    }

    /// After the last row.
    pub fn finish(self) -> Forward<T> {
        let log_likelihood = self.filter.state().log_likelihood;
        Forward { log_likelihood, ..self.forward }
    }

    fn row(&mut self, row: usize, values: &[T], offset: f64) {
        if row.is_multiple_of(self.forward.block) {
            self.forward.checkpoints.extend_from_slice(self.filter.predicted());
        }
        if self.written.predictive {
            self.out[1].extend_from_slice(self.filter.predicted());
        }
        if self.filter.step(values, offset, &mut self.filtered) == Outcome::Restarted {
            self.forward.restarts.push(row);
        }
        if self.written.filter {
            self.out[0].extend_from_slice(&self.filtered);
        }
        if self.written.loglik {
            spread(self.chain, values, offset, &mut self.out[2]);
        }
        self.forward.offsets.push(offset);
    }

    /// Takes the rows from `first` on where there is a device and it does not fail; from then on, the CPU.
    fn on_device(&mut self, first: usize, rows: &LikelihoodRows<T>) -> bool {
        let Some((device, recorder)) = &mut self.device else { return false };
        let how = (self.chain, self.written, self.forward.block);
        match passes_chain::filter(device, how, (first, &rows.values), self.filter.predicted()) {
            Ok(done) => {
                self.take(first, rows, done);
                true
            }
            Err(error) => {
                recorder.warn(format!("{error}; the CPU filters the rest"));
                self.device = None;
                false
            }
        }
    }

    /// Takes over what a device found of the rows from `first` on.
    fn take(&mut self, first: usize, rows: &LikelihoodRows<T>, done: passes_chain::Filtered) {
        let FilterState { mut log_likelihood, mut restarts, .. } = *self.filter.state();
        for (at, (told, &offset)) in done.told.iter().zip(&rows.offset).enumerate() {
            log_likelihood += told.log_evidence.map_or(0.0, |evidence| evidence + offset);
            if told.outcome == Outcome::Restarted {
                restarts += 1;
                self.forward.restarts.push(first + at);
            }
        }
        if self.written.loglik {
            for (row, &offset) in rows.values.chunks_exact(self.chain.row_width()).zip(&rows.offset) {
                spread(self.chain, row, offset, &mut self.out[2]);
            }
        }
        self.out[0].extend(done.filtered);
        self.out[1].extend(done.predictive);
        self.forward.checkpoints.extend(done.checkpoints);
        self.forward.offsets.extend_from_slice(&rows.offset);
        self.filter.go_on_from(FilterState { predicted: done.next, log_likelihood, restarts });
    }

    /// Writes what was collected of rows from `first` on.
    fn flush(&mut self, first: usize) -> Result<()> {
        let kinds = [
            (Variable::CausalPosterior, Some(Variable::CausalStateProbabilities)),
            (Variable::PredictivePosterior, Some(Variable::PredictiveStateProbabilities)),
            (Variable::LogLikelihood, None),
        ];
        for ((variable, sums), rows) in kinds.into_iter().zip(&mut self.out) {
            if rows.is_empty() {
                continue;
            }
            self.results.write_rows(variable, first, rows)?;
            if let Some(sums) = sums {
                self.results.write_rows(sums, first, &state_sums(self.chain, rows))?;
            }
            rows.clear();
        }
        Ok(())
    }
}

impl<T: Value> Sink for Filtering<'_, T> {
    type Buffer = LikelihoodRows<T>;

    fn write(&mut self, chunk: &Chunk, buffer: &LikelihoodRows<T>) -> Result<()> {
        let first = chunk.start as usize;
        self.forward.rows.write(first, &buffer.values)?;
        if !self.on_device(first, buffer) {
            let rows = buffer.values.chunks_exact(self.chain.row_width()).zip(&buffer.offset);
            for (at, (row, &offset)) in rows.enumerate() {
                self.row(first + at, row, offset);
            }
        }
        self.flush(first)
    }
}

/// Probabilities of the states of each row, `[row, state]`.
pub fn state_sums(chain: &Chain, rows: &[f64]) -> Vec<f64> {
    let (columns, states) = (chain.states().columns(), chain.states().states());
    let mut sums = vec![0.0; rows.len() / columns * states];
    for (row, sums) in rows.chunks_exact(columns).zip(sums.chunks_exact_mut(states)) {
        chain.state_probabilities(row, sums);
    }
    sums
}

/// Log likelihood of every column of every state, appended to `out`.
fn spread<T: Value>(chain: &Chain, row: &[T], offset: f64, out: &mut Vec<f64>) {
    for state in 0..chain.states().states() {
        out.extend(row[chain.source(state)].iter().map(|&value| Real::widen(value) + offset));
    }
}

/// Width of the extra columns that states take behind the bins, in the order of a row.
pub fn extras(chain: &Chain) -> impl Iterator<Item = Likelihood> + '_ {
    [Likelihood::Local, Likelihood::NoSpike].into_iter().filter(|&which| chain.takes(which))
}

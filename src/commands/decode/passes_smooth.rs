//! The way back: filter a block again from its checkpoint, smooth it, estimate and write
//! (spec decode 5.2-5.4). Blocks go from the last to the first; the three overlap.

use super::passes_chain;
use super::passes_filter::{Forward, state_sums};
use super::passes_likelihood::Value;
use super::results::{ResultFile, Variable};
use super::store::{RowStore, Scratch};
use crate::error::{Error, Result};
use crate::kernels::hmm::estimates::{highest_density, mean_position, most_likely};
use crate::kernels::hmm::gpu::DeviceChain;
use crate::kernels::hmm::{Chain, Filter, FilterState, Smoother, Steps, Viterbi};
use crate::pipeline::{Chunk, Pass, Source};
use crate::report::Recorder;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Stages of the report.
pub const STAGES: [&str; 3] = ["filter again", "smooth", "write"];

/// Rows of one block on their way back, `[row, column]` each.
#[derive(Debug, Default)]
pub struct Block<T> {
    filtered: Vec<f64>,
    /// What was predicted from each row for the next.
    predicted: Vec<f64>,
    /// For a device: log likelihoods `[row, value]`, which are not filtered yet.
    rows: Vec<T>,
}

impl<T: Value> Block<T> {
    /// Filters `rows` from `first` on, which begin a block.
    fn filter(&mut self, chain: &Chain, forward: &Forward<T>, first: usize, rows: &[T]) {
        let columns = chain.states().columns();
        let predicted = forward.checkpoint(first, columns).to_vec();
        let mut filter = Filter::resume(chain, FilterState { predicted, log_likelihood: 0.0, restarts: 0 });
        let count = rows.len() / chain.row_width();
        self.filtered.resize(count * columns, 0.0);
        self.predicted.resize(count * columns, 0.0);
        let out = self.filtered.chunks_exact_mut(columns).zip(self.predicted.chunks_exact_mut(columns));
        let rows = rows.chunks_exact(chain.row_width()).zip(&forward.offsets[first..]);
        for ((row, &offset), (filtered, predicted)) in rows.zip(out) {
            filter.step(row, offset, filtered);
            predicted.copy_from_slice(filter.predicted());
        }
    }
}

/// Blocks of `block` rows from the last to the first.
pub fn backwards(rows: usize, block: usize) -> impl Iterator<Item = Chunk> + Send {
    let blocks = rows.div_ceil(block);
    (0..blocks).rev().enumerate().map(move |(index, number)| Chunk {
        index: index as u64,
        plane: 0,
        start: (number * block) as u64,
        end: (rows.min((number + 1) * block)) as u64,
    })
}

/// Filters blocks again, or hands a device what it filters.
pub struct Again<'a, T> {
    chain: &'a Chain,
    forward: &'a Forward<T>,
    scratch: Scratch<T>,
    for_device: bool,
}

impl<'a, T: Value> Again<'a, T> {
    /// From what the forward walk left; `for_device` where [`Smoothing`] has one.
    pub fn new(chain: &'a Chain, forward: &'a Forward<T>, for_device: bool) -> Self {
        Again { chain, forward, scratch: Scratch::default(), for_device }
    }
}

impl<T: Value> Source for Again<'_, T> {
    type Buffer = Block<T>;

    fn read(&mut self, chunk: &Chunk, block: &mut Block<T>) -> Result<()> {
        let (chain, forward) = (self.chain, self.forward);
        let (first, count) = (chunk.start as usize, chunk.len() as usize);
        block.rows.clear();
        forward.rows.with_rows((first, count), &mut self.scratch, |rows| {
            match self.for_device {
                true => block.rows.extend_from_slice(rows),
                false => block.filter(chain, forward, first, rows),
            }
            Ok(())
        })
    }
}

/// Where the smoother stands.
struct Standing<'a> {
    smoother: Option<Smoother<'a>>,
    /// Does the work of filter and smoother where there is one.
    device: Option<DeviceChain>,
    /// Posterior of the row last done, where a device did it or an earlier run.
    behind: Option<Vec<f64>>,
}

/// Smooths block after block; a chain of its own, so blocks must come from the last to the first.
pub struct Smoothing<'a, T> {
    forward: &'a Forward<T>,
    chain: &'a Chain,
    standing: Mutex<Standing<'a>>,
    recorder: &'a Recorder,
}

impl<'a, T: Value> Smoothing<'a, T> {
    /// Behind the last row, or before the row whose posterior is `behind`.
    pub fn new(
        chain: &'a Chain,
        forward: &'a Forward<T>,
        (behind, device): (Option<Vec<f64>>, Option<DeviceChain>),
        recorder: &'a Recorder,
    ) -> Self {
        let standing = Mutex::new(Standing { smoother: None, device, behind });
        Smoothing { forward, chain, standing, recorder }
    }

    fn block(&self, chunk: &Chunk, block: &mut Block<T>, posterior: &mut [f64]) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if !block.rows.is_empty() {
            if self.on_device(&mut standing, (chunk, &block.rows), posterior) {
                return;
            }
            let rows = std::mem::take(&mut block.rows);
            block.filter(self.chain, self.forward, chunk.start as usize, &rows);
        }
        let columns = self.chain.states().columns();
        if let Some(behind) = standing.behind.take() {
            standing.smoother = Some(Smoother::resume(self.chain, behind));
        }
        for at in (0..chunk.len() as usize).rev() {
            let here = at * columns..(at + 1) * columns;
            let filtered = &block.filtered[here.clone()];
            let smoother = match standing.smoother.as_mut() {
                None => standing.smoother.insert(Smoother::new(self.chain, filtered)),
                Some(smoother) => {
                    let later = self.forward.outcome(chunk.start as usize + at + 1);
                    smoother.step(filtered, Some(&block.predicted[here.clone()]), later);
                    smoother
                }
            };
            posterior[here].copy_from_slice(smoother.posterior());
        }
    }

    /// Filters and smooths `rows`, the rows of `chunk`, where there is a device and it does not fail; from
    /// then on the CPU goes on before the row that was done last.
    fn on_device(
        &self,
        standing: &mut Standing,
        (chunk, rows): (&Chunk, &[T]),
        posterior: &mut [f64],
    ) -> bool {
        let Some(device) = &mut standing.device else { return false };
        let columns = self.chain.states().columns();
        let later = standing.behind.as_ref().map(|_| self.forward.outcome(chunk.end as usize));
        let before = self.forward.checkpoint(chunk.start as usize, columns);
        let known = standing.behind.as_ref().map_or(Ok(()), |behind| device.know(behind));
        match known.and_then(|()| passes_chain::smooth(device, (before, rows), later, posterior)) {
            Ok(()) => {
                standing.behind = Some(posterior[..columns].to_vec());
                true
            }
            Err(error) => {
                self.recorder.warn(format!("{error}; the CPU smooths the rest"));
                standing.device = None;
                false
            }
        }
    }
}

impl<T: Value> Pass for Smoothing<'_, T> {
    type In = Block<T>;
    type Out = Vec<f64>;

    fn process(&self, chunk: &Chunk, block: &mut Block<T>, posterior: &mut Vec<f64>) -> Result<()> {
        posterior.resize(chunk.len() as usize * self.chain.states().columns(), 0.0);
        self.recorder.share(STAGES[1], || self.block(chunk, block, posterior));
        Ok(())
    }
}

/// What is asked of the posterior besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Estimates {
    /// Bin of the greatest posterior.
    pub map: bool,
    /// Mean position.
    pub mean: bool,
    /// Thresholds of the regions of highest density.
    pub hpd: bool,
}

/// Sees every block of posterior, `[row, column]` from a first row on.
pub type Onlooker<'a> = Box<dyn FnMut(usize, &[f64]) + Send + 'a>;

/// What estimates are made from.
pub struct Estimator<'a> {
    /// States.
    pub chain: &'a Chain,
    /// Centres of the interior bins, `[bin, axis]`.
    pub centers: &'a [f64],
    /// Axes of a centre.
    pub axes: usize,
    /// What is estimated.
    pub estimates: Estimates,
}

/// Writes posteriors and what is estimated of them.
pub struct Posteriors<'a> {
    /// What is estimated, of which states.
    pub estimator: Estimator<'a>,
    /// Where it goes.
    pub results: &'a mut ResultFile,
    /// Who looks on, such as a picture.
    pub onlooker: Option<Onlooker<'a>>,
}

/// Estimates of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct OfRow {
    /// Bin of the greatest posterior.
    pub map: usize,
    /// Mean position along each axis.
    pub mean: [f64; 6],
    /// Thresholds of the regions that hold 50 and 95 percent.
    pub hpd: [f64; 2],
}

/// What a block's posterior says.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Probabilities of the states, `[row, state]`.
    pub sums: Vec<f64>,
    /// Estimates of each row; none where none were asked for.
    pub found: Vec<OfRow>,
}

impl Estimator<'_> {
    fn estimate(&self, row: &[f64], (places, sorted): &mut (Vec<f64>, Vec<f64>)) -> OfRow {
        places.resize(self.chain.states().places(), 0.0);
        self.chain.place_probabilities(row, places);
        let mut found = OfRow { map: 0, mean: [0.0; 6], hpd: [0.0; 2] };
        if self.estimates.map {
            found.map = most_likely(places);
        }
        if self.estimates.mean {
            mean_position(places, self.centers, &mut found.mean[..self.axes.min(6)]);
        }
        if self.estimates.hpd {
            highest_density(places, &[0.5, 0.95], &mut found.hpd, sorted);
        }
        found
    }
}

impl Posteriors<'_> {
    /// What the rows of `posterior` say.
    pub fn tell(&self, posterior: &[f64]) -> Told {
        let estimator = &self.estimator;
        let Estimates { map, mean, hpd } = estimator.estimates;
        let rows = posterior.par_chunks_exact(estimator.chain.states().columns());
        let found = match map || mean || hpd {
            false => Vec::new(),
            true => rows
                .map_init(|| (Vec::new(), Vec::new()), |room, row| estimator.estimate(row, room))
                .collect(),
        };
        Told { sums: state_sums(estimator.chain, posterior), found }
    }

    /// Writes rows of posterior from `first` on, and what they say.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, first: usize, posterior: &[f64], told: &Told) -> Result<()> {
        self.results.write_rows(Variable::AcausalPosterior, first, posterior)?;
        self.results.write_rows(Variable::AcausalStateProbabilities, first, &told.sums)?;
        if let Some(onlooker) = &mut self.onlooker {
            onlooker(first, posterior);
        }
        self.put_estimates(first, &told.found)
    }

    fn put_estimates(&mut self, first: usize, found: &[OfRow]) -> Result<()> {
        let estimator = &self.estimator;
        let (axes, Estimates { map, mean, hpd }) = (estimator.axes, estimator.estimates);
        if map {
            let centers = |f: &OfRow| estimator.centers[f.map * axes..(f.map + 1) * axes].to_vec();
            let values: Vec<f64> = found.iter().flat_map(centers).collect();
            self.results.write_vector(Variable::MapPosition, first, &values)?;
        }
        if mean {
            let values: Vec<f64> = found.iter().flat_map(|f| f.mean[..axes.min(6)].to_vec()).collect();
            self.results.write_vector(Variable::MeanPosition, first, &values)?;
        }
        if hpd {
            for (at, variable) in [Variable::HpdThreshold50, Variable::HpdThreshold95].into_iter().enumerate()
            {
                let values: Vec<f64> = found.iter().map(|f| f.hpd[at]).collect();
                self.results.write_vector(variable, first, &values)?;
            }
        }
        Ok(())
    }
}

/// The most likely sequence of columns, one per row; `pointers` is room for them, `[row, column]`.
///
/// # Errors
/// Rows cannot be read or pointers not kept; [`Error::Interrupted`] when asked to stop.
pub fn most_likely_sequence<T: Value>(
    (chain, steps): (&Chain, &Steps),
    forward: &Forward<T>,
    pointers: &mut RowStore<u32>,
    recorder: &Recorder,
) -> Result<Vec<usize>> {
    let (rows, block) = (forward.offsets.len(), forward.block);
    let (width, columns) = (chain.row_width(), chain.states().columns());
    let mut viterbi = Viterbi::new(chain, steps);
    let mut scratch = Scratch::default();
    let mut found = vec![0; rows];
    let mut out = Vec::new();
    for chunk in backwards(rows, block) {
        if recorder.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let (first, count) = (chunk.start as usize, chunk.len() as usize);
        out.resize(count * columns, 0);
        forward.rows.with_rows((first, count), &mut scratch, |values| {
            for at in (0..count).rev() {
                let row = &values[at * width..(at + 1) * width];
                match first + at {
                    0 => found[0] = viterbi.first_column(row) as usize,
                    // Stored at the row they lead to.
                    _ => viterbi.step(row, &mut out[at * columns..(at + 1) * columns]),
                }
            }
            Ok(())
        })?;
        pointers.write(first, &out)?;
    }
    let mut scratch = Scratch::default();
    for first in (0..rows).step_by(block) {
        let count = block.min(rows - first);
        pointers.with_rows((first, count), &mut scratch, |table| {
            for at in 0..count {
                if first + at > 0 {
                    found[first + at] = table[at * columns + found[first + at - 1]] as usize;
                }
            }
            Ok(())
        })?;
    }
    Ok(found)
}

//! Log likelihood of every time bin at every interior place bin (spec decode 4.1, 4.6).
//!
//! A chunk is a run of rows. Its spikes' log intensities `[spike, bin]` are computed in blocks, one
//! electrode's spikes at a time in lanes; then every row adds those of its spikes, electrode after
//! electrode in time order, in double precision. So neither chunks nor threads show in the sums.

use super::store::Stored;
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::hmm::LogLikelihood;
use crate::kernels::marks::{Intensity, Scratch};
use crate::kernels::simd::Element;
use crate::pipeline::{Chunk, Pass, Source};
use crate::report::Recorder;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Spikes of one electrode that are computed together; 4 blocks of 16 lanes share what they read.
const BLOCK: usize = 64;
/// Rows that one worker adds up at a time.
const ROWS_OF_A_SHARE: usize = 64;

/// Stage of the report.
pub const STAGE: &str = "likelihood";

/// Element type of log likelihoods: f32 or f64.
pub trait Value: Real + Element + LogLikelihood + Stored {}
impl<T: Real + Element + LogLikelihood + Stored> Value for T {}

/// What a spike adds to its row.
pub enum Adds<'a> {
    /// Log mark intensity at every bin.
    Marks {
        /// The electrode's model.
        intensity: &'a Intensity,
        /// Marks of the spikes that are decoded, `[spike, feature]`.
        marks: &'a [f64],
        /// Features of a mark.
        width: usize,
    },
    /// The same log place field for every spike of a unit.
    Field(Vec<f64>),
}

/// Spikes of one electrode or unit that are decoded.
pub struct Train<'a> {
    /// The time bin of each, in order.
    pub rows: &'a [u32],
    /// What each adds.
    pub adds: Adds<'a>,
}

impl Train<'_> {
    /// Which of the spikes lie in rows `first .. end`.
    fn within(&self, first: u64, end: u64) -> Range<usize> {
        let before = |row: u64| self.rows.partition_point(|&r| u64::from(r) < row);
        before(first)..before(end)
    }
}

/// Taken from spatial bins of a row besides the spikes' share, such as the position penalty.
pub type Penalty<'a> = &'a (dyn Fn(usize, &mut [f64]) + Sync);

/// Everything the rows are made of.
pub struct Likelihood<'a> {
    /// Electrodes or units in the order of the sums.
    pub trains: Vec<Train<'a>>,
    /// Summed ground process at every bin: what a bin of time without spikes costs.
    pub ground: &'a [f64],
    /// Rows that say nothing (no position where one is needed).
    pub missing: &'a [bool],
    /// Subtracted from rows, if any.
    pub penalty: Option<Penalty<'a>>,
    /// Columns behind those of the bins, each `[row]`: local, no-spike.
    pub extras: Vec<&'a [f64]>,
    /// Instruction set.
    pub level: CpuLevel,
    /// Told who works.
    pub recorder: &'a Recorder,
    /// Spikes whose intensity is at the floor in every bin, by train.
    pub floored: Vec<AtomicU64>,
}

/// Some rows of log likelihood.
pub struct LikelihoodRows<T> {
    /// `[row]`: the greatest value of each row, 0 where none is finite.
    pub offset: Vec<f64>,
    /// `[row, column]`: log likelihood minus the row's offset; columns are bins, then extras.
    pub values: Vec<T>,
    /// `[spike, bin]`, the trains one after another.
    spikes: Vec<T>,
}

impl<T: Value> LikelihoodRows<T> {
    /// Room for nothing yet.
    pub fn empty() -> Self {
        LikelihoodRows { offset: Vec::new(), values: Vec::new(), spikes: Vec::new() }
    }
}

/// One block of spikes at work.
struct Share<'a, T> {
    train: usize,
    spikes: Range<usize>,
    out: &'a mut [T],
}

impl Likelihood<'_> {
    /// Interior place bins.
    fn bins(&self) -> usize {
        self.ground.len()
    }

    /// Values of a row.
    pub fn columns(&self) -> usize {
        self.bins() + self.extras.len()
    }

    fn intensities<T: Value>(&self, ranges: &[Range<usize>], out: &mut [T]) -> Result<()> {
        let mut shares = Vec::new();
        let mut rest = out;
        for (train, range) in ranges.iter().enumerate() {
            if matches!(self.trains[train].adds, Adds::Field(_)) {
                continue;
            }
            for start in range.clone().step_by(BLOCK) {
                let spikes = start..range.end.min(start + BLOCK);
                let (mine, others) = rest.split_at_mut(spikes.len() * self.bins());
                rest = others;
                shares.push(Share { train, spikes, out: mine });
            }
        }
        shares.into_par_iter().try_for_each_init(Scratch::default, |scratch, share| {
            if self.recorder.is_cancelled() {
                return Err(Error::Interrupted);
            }
            self.recorder.worked_here();
            self.recorder.share(STAGE, || self.block(share, scratch));
            Ok(())
        })
    }

    fn block<T: Value>(&self, share: Share<'_, T>, scratch: &mut Scratch) {
        if let Adds::Marks { intensity, marks, width } = &self.trains[share.train].adds {
            let marks = &marks[share.spikes.start * width..share.spikes.end * width];
            let floored = intensity.log_intensity(self.level, marks, share.out, scratch);
            self.floored[share.train].fetch_add(floored.spikes as u64, Ordering::Relaxed);
        }
    }

    /// Adds up one row; `sum` holds its values afterwards. `next` is the first spike of each train
    /// that lies in no earlier row; it moves on.
    fn row<T: Value>(&self, row: u64, computed: &Computed<'_, T>, next: &mut [usize], sum: &mut [f64]) {
        let missing = self.missing.get(row as usize).copied().unwrap_or(false);
        let (sum, extras) = sum.split_at_mut(self.bins());
        for (value, ground) in sum.iter_mut().zip(self.ground) {
            *value = if missing { 0.0 } else { -ground };
        }
        for (value, extra) in extras.iter_mut().zip(&self.extras) {
            *value = if missing { 0.0 } else { extra.get(row as usize).copied().unwrap_or(0.0) };
        }
        for ((train, &(base, first)), next) in self.trains.iter().zip(computed.bases).zip(next) {
            while train.rows.get(*next).is_some_and(|&r| u64::from(r) == row) {
                let spike = *next;
                *next += 1;
                match &train.adds {
                    _ if missing => {}
                    Adds::Field(field) => add(sum, field),
                    Adds::Marks { .. } => {
                        let start = (base + spike - first) * self.bins();
                        add(sum, &computed.spikes[start..start + self.bins()]);
                    }
                }
            }
        }
        if let (Some(penalty), false) = (self.penalty, missing) {
            penalty(row as usize, sum);
        }
    }
}

/// Log intensities of a chunk's spikes, and where each train's begin: place of its first spike in
/// the buffer, and that spike's number.
struct Computed<'a, T> {
    spikes: &'a [T],
    bases: &'a [(usize, usize)],
}

fn add<T: Value>(sum: &mut [f64], more: &[T]) {
    for (value, &m) in sum.iter_mut().zip(more) {
        *value += m.widen();
    }
}

/// Binds [`Likelihood`] to chunks, in one element type.
pub struct LikelihoodPass<'a, T> {
    /// What is computed.
    pub likelihood: &'a Likelihood<'a>,
    /// Its type.
    pub element: std::marker::PhantomData<fn() -> T>,
}

impl<T: Value> Pass for LikelihoodPass<'_, T> {
    type In = ();
    type Out = LikelihoodRows<T>;

    fn process(&self, chunk: &Chunk, _: &mut (), output: &mut LikelihoodRows<T>) -> Result<()> {
        let all = self.likelihood;
        let (bins, columns, rows) = (all.bins(), all.columns(), chunk.len() as usize);
        let ranges: Vec<Range<usize>> = all.trains.iter().map(|t| t.within(chunk.start, chunk.end)).collect();
        let mut bases = Vec::with_capacity(ranges.len());
        let mut count = 0;
        for (train, range) in all.trains.iter().zip(&ranges) {
            bases.push((count, range.start));
            if matches!(train.adds, Adds::Marks { .. }) {
                count += range.len();
            }
        }
        output.spikes.resize(count * bins, T::default());
        output.values.resize(rows * columns, T::default());
        output.offset.resize(rows, 0.0);
        all.intensities(&ranges, &mut output.spikes)?;
        let computed = Computed { spikes: &output.spikes, bases: &bases };
        let parts = output.values.par_chunks_mut(columns.max(1) * ROWS_OF_A_SHARE);
        let offsets = output.offset.par_chunks_mut(ROWS_OF_A_SHARE);
        parts.zip(offsets).enumerate().for_each_init(
            || vec![0.0; columns],
            |sum, (part, (values, offsets))| {
                let first = chunk.start + (part * ROWS_OF_A_SHARE) as u64;
                let mut next: Vec<usize> = all.trains.iter().map(|t| t.within(first, first).start).collect();
                all.recorder.share(STAGE, || {
                    for (at, (values, offset)) in values.chunks_mut(columns).zip(offsets).enumerate() {
                        all.row(first + at as u64, &computed, &mut next, sum);
                        *offset = greatest(sum);
                        for (value, s) in values.iter_mut().zip(sum.iter()) {
                            *value = T::round_from(s - *offset);
                        }
                    }
                });
            },
        );
        Ok(())
    }
}

/// The greatest value where it is finite, else 0.
fn greatest(values: &[f64]) -> f64 {
    let most = values.iter().fold(f64::NEG_INFINITY, |most, &value| most.max(value));
    if most.is_finite() { most } else { 0.0 }
}

/// A source without input: chunks are all there is to know.
pub struct NoInput;

impl Source for NoInput {
    type Buffer = ();
    fn read(&mut self, _: &Chunk, _: &mut ()) -> Result<()> {
        Ok(())
    }
}

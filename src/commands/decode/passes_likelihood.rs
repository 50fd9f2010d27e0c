//! Log likelihood of every time bin at every interior place bin (spec decode 4.1, 4.6).
//!
//! A chunk is a run of rows. Its spikes' log intensities `[spike, bin]` are computed in blocks, one
//! electrode's spikes at a time in lanes; then every row adds those of its spikes, electrode after
//! electrode in time order, in double precision. So neither chunks nor threads show in the sums.

mod blocks;
pub mod devices;
mod part;
mod rows;

pub(super) use rows::{add, begin, settle};

use super::mark_models::{Electrodes, MarkModels};
use super::selection;
use super::store::Stored;
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::error::Result;
use crate::kernels::hmm::LogLikelihood;
use crate::kernels::hmm::gpu::Row;
use crate::kernels::simd::Element;
use crate::pipeline::{Chunk, Pass, Source};
use crate::report::Recorder;
use devices::Devices;
use part::Part;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Spikes of one electrode that are computed together; 4 blocks of 16 lanes share what they read.
pub const BLOCK: usize = 64;
/// Rows that one worker adds up at a time.
const ROWS_OF_A_SHARE: usize = 64;

/// Stage of the report.
pub const STAGE: &str = "likelihood";

/// Element type of log likelihoods: f32 or f64.
pub trait Value: Real + Element + LogLikelihood + Stored + Row {}
impl<T: Real + Element + LogLikelihood + Stored + Row> Value for T {}

/// What a spike adds to its row.
pub enum Adds<'a> {
    /// Log mark intensity at every bin.
    Marks {
        /// Marks of the spikes that are decoded, `[spike, feature]`.
        marks: &'a [f64],
        /// Features of a mark.
        width: usize,
        /// Bandwidths of the features where spikes of similar marks are computed together; else
        /// empty, and spikes are taken in time order.
        similar: Vec<f64>,
    },
    /// The same log place field for every spike of a unit.
    Field(Vec<f64>),
}

/// Spikes of one electrode or unit that are decoded.
pub struct Train<'a> {
    /// The time bin of each, in order.
    pub rows: &'a [u32],
    /// Some of the bins, to find the others by ([`selection::before`]).
    pub index: &'a [u32],
    /// What each adds.
    pub adds: Adds<'a>,
}

impl Train<'_> {
    /// Which of the spikes lie in rows `first .. end`.
    fn within(&self, first: u64, end: u64) -> Range<usize> {
        let before = |row: u64| selection::before((self.rows, self.index), row);
        before(first)..before(end)
    }
}

/// The mark models of the electrodes that add [`Adds::Marks`], in the order of the trains.
pub struct TablesInTurns<'a> {
    /// The models.
    pub marks: &'a MarkModels,
    /// What tables are made from.
    pub from: Electrodes<'a>,
    /// Units whose tables are in memory together.
    pub turns: &'a [Range<usize>],
}

/// Taken from spatial bins of a row besides the spikes' share, such as the position penalty.
pub type Penalty<'a> = &'a (dyn Fn(usize, &mut [f64]) + Sync);

/// Everything the rows are made of.
pub struct Likelihood<'a> {
    /// Electrodes or units in the order of the sums.
    pub trains: Vec<Train<'a>>,
    /// Their mark models; empty for sorted units.
    pub tables: TablesInTurns<'a>,
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
    /// Devices that sum the spikes, if any.
    pub devices: Option<&'a Devices>,
    /// Gives back the memory of what was touched of spikes in files.
    pub release: &'a (dyn Fn() + Sync),
    /// Spikes of the chunk in hand whose intensity is at the floor in every bin, by train.
    pub floored: Vec<AtomicU64>,
}

/// Some rows of log likelihood.
pub struct LikelihoodRows<T> {
    /// `[row]`: the greatest value of each row, 0 where none is finite.
    pub offset: Vec<f64>,
    /// `[row, column]`: log likelihood minus the row's offset; columns are bins, then extras.
    pub values: Vec<T>,
    /// Spikes whose intensity is at the floor in every bin, by train; none where rows come from parts.
    pub floored: Vec<u64>,
    /// `[spike, bin]`, the trains one after another.
    spikes: Vec<T>,
    /// `[row, bin]`: sums over the spikes, where devices made them.
    sums: Vec<f64>,
}

impl<T: Value> LikelihoodRows<T> {
    /// Room for nothing yet.
    pub fn empty() -> Self {
        LikelihoodRows {
            offset: Vec::new(),
            values: Vec::new(),
            floored: Vec::new(),
            spikes: Vec::new(),
            sums: Vec::new(),
        }
    }
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

    /// The spikes of every train in a chunk, and in which order they are computed.
    fn parts(&self, chunk: &Chunk) -> Vec<Part> {
        let spikes: Vec<Range<usize>> =
            self.trains.par_iter().map(|train| train.within(chunk.start, chunk.end)).collect();
        // Rows and marks come from files by turns: the system brings more of each than is asked for.
        (self.release)();
        let mut parts: Vec<Part> =
            self.trains.par_iter().zip(spikes).map(|(train, spikes)| Part::of(train, spikes)).collect();
        let mut base = 0;
        for part in &mut parts {
            part.base = base;
            base += part.spikes.len();
        }
        parts
    }

    /// Adds up one row; `sum` holds its values afterwards. `next` is the first spike of each train
    /// that lies in no earlier row; it moves on.
    fn row<T: Value>(&self, row: u64, computed: &Computed<'_, T>, next: &mut [usize], sum: &mut [f64]) {
        let missing = self.missing.get(row as usize).copied().unwrap_or(false);
        let (sum, extras) = sum.split_at_mut(self.bins());
        begin(sum, self.ground, missing);
        for (value, extra) in extras.iter_mut().zip(&self.extras) {
            *value = if missing { 0.0 } else { extra.get(row as usize).copied().unwrap_or(0.0) };
        }
        if let (Some(sums), false) = (computed.sums, missing) {
            let at = (row - computed.first) as usize * self.bins();
            add(sum, &sums[at..at + self.bins()]);
        }
        for ((train, part), next) in self.trains.iter().zip(computed.parts).zip(next) {
            if computed.sums.is_some() {
                break;
            }
            while train.rows.get(*next).is_some_and(|&r| u64::from(r) == row) {
                let spike = *next;
                *next += 1;
                match &train.adds {
                    _ if missing => {}
                    Adds::Field(field) => add(sum, field),
                    Adds::Marks { .. } => {
                        let start = part.row_of(spike) * self.bins();
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

/// Log intensities of a chunk's spikes, and where each train's lie.
struct Computed<'a, T> {
    spikes: &'a [T],
    parts: &'a [Part],
    /// Row of the first sums.
    first: u64,
    /// `[row, bin]` over all spikes, where devices made them.
    sums: Option<&'a [f64]>,
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
        let split = all.parts(chunk);
        // Fields need no values of their spikes.
        let marked = !all.tables.marks.is_empty();
        let mut summed = false;
        if let Some(devices) = all.devices {
            output.sums.resize(rows * bins, 0.0);
            summed = devices.sums(all, chunk, &mut output.sums)?;
        }
        let spikes = || split.iter().map(|part| part.spikes.len()).sum();
        let count: usize = if marked && !summed { spikes() } else { 0 };
        fit(&mut output.spikes, count * bins);
        fit(&mut output.values, rows * columns);
        output.offset.resize(rows, 0.0);
        if !summed {
            // A device that failed in mid-chunk may have counted some.
            all.floored.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            all.intensities(&split, &mut output.spikes)?;
            (all.release)();
        }
        output.floored = all.floored.iter().map(|count| count.swap(0, Ordering::Relaxed)).collect();
        let (first, sums) = (chunk.start, summed.then_some(&output.sums[..]));
        let computed = Computed { spikes: &output.spikes, parts: &split, first, sums };
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
                        *offset = settle(sum, values);
                    }
                });
            },
        );
        (all.release)();
        Ok(())
    }
}

/// Makes `values` so many, whatever they hold. Fresh ones come as untouched pages, which the workers
/// touch first, each its own, instead of one thread filling all of them.
fn fit<T: Value>(values: &mut Vec<T>, count: usize) {
    if values.capacity() < count {
        *values = vec![T::default(); count];
    } else {
        values.resize(count, T::default());
    }
}

/// A source without input: chunks are all there is to know.
pub struct NoInput;

impl Source for NoInput {
    type Buffer = ();
    fn read(&mut self, _: &Chunk, _: &mut ()) -> Result<()> {
        Ok(())
    }
}

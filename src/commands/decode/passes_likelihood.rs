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
use crate::kernels::marks::{Intensity, Scratch, by_marks};
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

/// One block of spikes at work: `spikes` counts places in the order of the chunk.
struct Share<'a, T> {
    train: usize,
    spikes: Range<usize>,
    out: &'a mut [T],
}

/// A train's spikes of one chunk.
struct Part {
    /// Which they are.
    spikes: Range<usize>,
    /// Order in which they are computed, counted from the first; empty for time order.
    order: Vec<usize>,
    /// Place of each in that order; empty likewise.
    places: Vec<u32>,
    /// Place of the first in the chunk's buffer.
    base: usize,
}

impl Part {
    /// Where the log intensity of `spike` lies in the chunk's buffer, in rows.
    fn row_of(&self, spike: usize) -> usize {
        let at = spike - self.spikes.start;
        self.base + self.places.get(at).map_or(at, |&place| place as usize)
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
        let part = |train: &Train<'_>| {
            let spikes = train.within(chunk.start, chunk.end);
            let mut order = Vec::new();
            if let Adds::Marks { marks, width, similar, .. } = &train.adds
                && !similar.is_empty()
            {
                order = (0..spikes.len()).collect();
                by_marks(&mut order, &marks[spikes.start * width..spikes.end * width], similar, BLOCK);
            }
            let mut places = vec![0; order.len()];
            for (place, &at) in order.iter().enumerate() {
                places[at] = place as u32;
            }
            Part { spikes, order, places, base: 0 }
        };
        let mut parts: Vec<Part> = self.trains.par_iter().map(part).collect();
        let mut base = 0;
        for (train, part) in self.trains.iter().zip(&mut parts) {
            part.base = base;
            if matches!(train.adds, Adds::Marks { .. }) {
                base += part.spikes.len();
            }
        }
        parts
    }

    fn intensities<T: Value>(&self, parts: &[Part], out: &mut [T]) -> Result<()> {
        let mut shares = Vec::new();
        let mut rest = out;
        for (train, part) in parts.iter().enumerate() {
            if matches!(self.trains[train].adds, Adds::Field(_)) {
                continue;
            }
            for start in (0..part.spikes.len()).step_by(BLOCK) {
                let spikes = start..part.spikes.len().min(start + BLOCK);
                let (mine, others) = rest.split_at_mut(spikes.len() * self.bins());
                rest = others;
                shares.push(Share { train, spikes, out: mine });
            }
        }
        let room = || (Scratch::default(), Vec::new());
        shares.into_par_iter().try_for_each_init(room, |room, share| {
            if self.recorder.is_cancelled() {
                return Err(Error::Interrupted);
            }
            self.recorder.worked_here();
            self.recorder.share(STAGE, || self.block(&parts[share.train], share, room));
            Ok(())
        })
    }

    fn block<T: Value>(
        &self,
        part: &Part,
        share: Share<'_, T>,
        (scratch, gathered): &mut (Scratch, Vec<f64>),
    ) {
        let Adds::Marks { intensity, marks, width, .. } = &self.trains[share.train].adds else { return };
        let mine = &marks[part.spikes.start * width..part.spikes.end * width];
        let marks = if part.order.is_empty() {
            &mine[share.spikes.start * width..share.spikes.end * width]
        } else {
            gathered.clear();
            for &at in &part.order[share.spikes.clone()] {
                gathered.extend_from_slice(&mine[at * width..(at + 1) * width]);
            }
            gathered
        };
        let floored = intensity.log_intensity(self.level, marks, share.out, scratch);
        self.floored[share.train].fetch_add(floored.spikes as u64, Ordering::Relaxed);
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
        for ((train, part), next) in self.trains.iter().zip(computed.parts).zip(next) {
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
}

/// Begins the bins of a row: without spikes they cost the ground process.
pub(super) fn begin(sum: &mut [f64], ground: &[f64], missing: bool) {
    for (value, ground) in sum.iter_mut().zip(ground) {
        *value = if missing { 0.0 } else { -ground };
    }
}

/// Adds a spike's log intensities to the bins of a row.
pub(super) fn add<T: Value>(sum: &mut [f64], more: &[T]) {
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
        let split = all.parts(chunk);
        let marked = |(train, _): &(&Train<'_>, &Part)| matches!(train.adds, Adds::Marks { .. });
        let count: usize = all.trains.iter().zip(&split).filter(marked).map(|(_, p)| p.spikes.len()).sum();
        output.spikes.resize(count * bins, T::default());
        output.values.resize(rows * columns, T::default());
        output.offset.resize(rows, 0.0);
        all.intensities(&split, &mut output.spikes)?;
        let computed = Computed { spikes: &output.spikes, parts: &split };
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
        Ok(())
    }
}

/// Ends a row of sums: its values less their greatest, which is returned as the offset.
pub(super) fn settle<T: Value>(sum: &[f64], values: &mut [T]) -> f64 {
    let offset = greatest(sum);
    for (value, s) in values.iter_mut().zip(sum) {
        *value = T::round_from(s - offset);
    }
    offset
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

//! From the memory limit to chunks of rows, blocks of the smoother, and where the likelihood waits.

use super::encoding::EncodedTrain;
use super::options::{Precision, Save};
use super::passes_likelihood::BLOCK;
use super::prepare::{Decoding, Prepared};
use super::results::{ResultFile, ResultLayout};
use super::selection::STEP;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::kernels::hmm;
use crate::kernels::marks::BOXED;
use std::ops::Range;

/// Larger chunks than this gain nothing.
const ENOUGH_BYTES: u64 = 48 << 20;
/// Where spikes of similar marks are computed together, more of them are more alike.
const ENOUGH_BYTES_OF_SIMILAR: u64 = 1 << 30;
/// Chunks in flight between likelihood and filter.
pub const IN_FLIGHT: usize = 2;
/// What the system may read of a file before and after what is wanted, in pieces of 64 KiB; the search for
/// a chunk's first and last spike looks at one step before each.
const ENDS: u64 = (128 << 10) + 2 * 4 * STEP as u64;
/// Smallest chunk and block.
const FEWEST_ROWS: usize = 16;
/// How a run is cut.
#[derive(Debug, Clone, Default)]
pub struct Cuts {
    /// Units of the mark models whose tables are in memory together.
    pub turns: Vec<Range<usize>>,
    /// Rows of a chunk of the likelihood.
    pub chunk_rows: usize,
    /// Rows of a block of the smoother.
    pub checkpoint_rows: usize,
    /// The likelihood waits for the smoother in memory.
    pub held: bool,
    /// Predicted most memory, bytes.
    pub memory_bytes: u64,
    /// Size of the output, bytes.
    pub output_bytes: u64,
    /// Floating point operations.
    pub flop: f64,
}

/// What a run needs.
pub struct Budget<'a> {
    prepared: &'a Prepared,
    threads: u64,
    limit: u64,
}

impl<'a> Budget<'a> {
    /// Of `prepared` on the machine of `context`.
    pub fn of(prepared: &'a Prepared, context: &Context) -> Self {
        Budget { prepared, threads: context.threads as u64, limit: context.memory }
    }

    /// Recording and encoding model, bytes.
    fn fixed(&self) -> u64 {
        let Prepared { model, session, .. } = self.prepared;
        // Log scales of the electrodes, ground and columns of the run.
        let bins = 8 * model.bins() * (4 + 2 * model.trains.len());
        session.bytes() + (model.held_bytes() + bins) as u64
    }

    /// What comes to memory of encoding spikes in files, and all their positions where a state is at the
    /// animal's own.
    fn encoding(&self, decoding: &Decoding) -> u64 {
        let Prepared { model, marks, .. } = self.prepared;
        let local = decoding.states.likelihood.contains(&hmm::Likelihood::Local) && !marks.is_empty();
        let spikes = |train: &EncodedTrain| 8 * train.positions.len() as u64;
        let positions = if local { model.trains.iter().map(spikes).sum() } else { 0 };
        marks.read_bytes(self.prepared.electrodes()) + positions
    }

    /// Which tables of mark models are in memory together when `room` bytes are left for them,
    /// and how many bytes they take.
    fn turns(&self, room: u64) -> (Vec<Range<usize>>, u64) {
        let marks = &self.prepared.marks;
        let turns = match marks.bytes() <= room {
            true => marks.turns(room),
            // Longer chunks make tables less often.
            false => marks.turns(room / 2),
        };
        let bytes = |turn: &Range<usize>| marks.units[turn.clone()].iter().map(|unit| unit.bytes).sum();
        let most = turns.iter().map(bytes).max().unwrap_or(0);
        (turns, most)
    }

    /// Cuts the run so that it fits.
    ///
    /// # Errors
    /// The smallest chunks do not fit; the error tells the least memory that works.
    pub fn cut(&self) -> Result<Cuts> {
        match &self.prepared.decoding {
            None => self.fit_only(),
            Some(decoding) => self.decode(decoding),
        }
    }

    fn fit_only(&self) -> Result<Cuts> {
        let Prepared { marks, .. } = self.prepared;
        let fixed = self.fixed() + marks.read_bytes(self.prepared.electrodes());
        if fixed > self.limit {
            let what = "positions and spikes".into();
            return Err(Error::Memory { limit: self.limit, least: fixed, what });
        }
        let output_bytes = self.prepared.model.bytes() as u64;
        Ok(Cuts { memory_bytes: fixed, output_bytes, ..Cuts::default() })
    }

    fn decode(&self, decoding: &Decoding) -> Result<Cuts> {
        let rows = decoding.time.len();
        let shape = Shape::of(self.prepared, decoding);
        let states = decoding.result_states();
        let layout = self.prepared.layout(decoding, &states);
        let compress = self.prepared.options.compress;
        let writing = ResultFile::working_bytes(&layout, compress, 1 + shape.saved, self.threads as usize);
        let scratch = self.prepared.marks.scratch() + shape.block_of_a_unit;
        let fixed = self.fixed() + self.encoding(decoding) + shape.per_row * rows as u64;
        let fixed = fixed + self.threads * scratch + writing;
        let least_block = rows.min(FEWEST_ROWS);
        let wished_block = ((rows as f64 / 6.0).sqrt() as usize).clamp(FEWEST_ROWS, 4096).min(rows);
        let checkpoints = |block: usize| (rows.div_ceil(block) * shape.columns * 8) as u64;
        let need = |chunk: usize, block: usize| {
            fixed + checkpoints(block) + shape.chunk(chunk).max(shape.block(block))
        };
        let without_tables = need(least_block, least_block.max(wished_block.min(rows)));
        let least = without_tables + self.prepared.marks.largest();
        if least > self.limit {
            let what = "rows of the likelihood, with the recording and its model in memory".into();
            return Err(Error::Memory { limit: self.limit, least, what });
        }
        let (turns, tables) = self.turns(self.limit - without_tables);
        let store = rows as u64 * shape.stored_row;
        let held = without_tables + tables + store <= self.limit;
        let room = self.limit - tables - if held { store } else { 0 };
        let mut chunk = shape.wished_chunk(rows, self.enough(&turns)).max(least_block);
        while chunk > least_block && need(chunk, wished_block) > room {
            chunk = (chunk / 2 / least_block * least_block).max(least_block);
        }
        Ok(Cuts {
            chunk_rows: chunk,
            checkpoint_rows: wished_block,
            held,
            memory_bytes: need(chunk, wished_block) + tables + if held { store } else { 0 },
            turns,
            output_bytes: output_bytes(&layout, &self.prepared.options.save),
            flop: self.flop(decoding),
        })
    }

    /// Bytes of a chunk that more gains nothing over.
    fn enough(&self, turns: &[Range<usize>]) -> u64 {
        let similar = self.prepared.session.trains.iter().any(|train| train.width >= BOXED);
        match similar && !self.prepared.marks.is_empty() {
            _ if turns.len() > 1 => self.limit,
            true => ENOUGH_BYTES_OF_SIMILAR.min(self.limit / 8).max(ENOUGH_BYTES),
            false => ENOUGH_BYTES,
        }
    }

    fn flop(&self, decoding: &Decoding) -> f64 {
        let likelihood = self.prepared.marks.flop(decoding.spikes.iter().map(|spikes| spikes.rows.len()));
        // Forwards, again from the checkpoints, backwards.
        let steps =
            3.0 * 2.0 * decoding.chain.transition().multiply_adds() as f64 * decoding.time.len() as f64;
        likelihood + steps
    }
}

/// Bytes per row of everything that grows with rows.
struct Shape {
    columns: usize,
    /// Variables over all bins that are written forwards.
    saved: usize,
    /// A block of spikes over the bins of a unit, where electrodes are cut into such.
    block_of_a_unit: u64,
    /// One row in the store.
    stored_row: u64,
    /// Held for every row whatever happens: times, offsets, row numbers of spikes, estimates.
    per_row: u64,
    /// One row of a chunk on its way, without its spikes.
    chunk_row: u64,
    /// Log intensities of one spike; 0 for sorted units.
    spike: u64,
    /// A spike that comes from a file: its features and row number; 0 where all are held.
    read: u64,
    /// What the system reads of files besides, whatever a chunk's length.
    ends: u64,
    /// Spikes of all trains in each chunk of the smallest length.
    spikes: Vec<u32>,
    /// One row of a block of the smoother.
    block_row: u64,
}

impl Shape {
    fn of(prepared: &Prepared, decoding: &Decoding) -> Self {
        let element = if prepared.options.precision == Precision::F32 { 4 } else { 8 };
        let (rows, bins) = (decoding.time.len() as u64, prepared.model.bins() as u64);
        let columns = decoding.chain.states().columns();
        let width = decoding.chain.row_width() as u64;
        let viterbi = prepared.options.save.contains(&Save::Viterbi);
        let saved = prepared.options.save.iter();
        let saved =
            saved.filter(|s| matches!(s, Save::Filter | Save::Predictive | Save::Loglik)).count() as u64;
        let mut counts = vec![0u32; decoding.time.len().div_ceil(FEWEST_ROWS)];
        for spikes in &decoding.spikes {
            // Rows in a file come to memory step by step.
            for rows in spikes.rows.chunks(STEP) {
                rows.iter().for_each(|&row| counts[row as usize / FEWEST_ROWS] += 1);
                spikes.rows.release();
            }
        }
        let held: usize = decoding.spikes.iter().map(|d| d.rows.held_bytes()).sum();
        let mapped = decoding.spikes.iter().any(|d| d.rows.is_mapped());
        let widest = prepared.session.trains.iter().map(|train| train.width as u64).max().unwrap_or(0);
        let largest = prepared.marks.units.iter().map(|unit| unit.bins.len() as u64).max().unwrap_or(0);
        Shape {
            columns,
            block_of_a_unit: if largest < bins { BLOCK as u64 * largest * element } else { 0 },
            saved: saved as usize,
            stored_row: width * element + if viterbi { columns as u64 * 4 } else { 0 },
            per_row: 8 * 12 + (held as u64).div_ceil(rows),
            chunk_row: width * element + saved * columns as u64 * 8,
            spike: if prepared.marks.is_empty() { 0 } else { bins * element },
            read: if mapped { 8 * widest + 4 } else { 0 },
            ends: if mapped { ENDS * decoding.spikes.len() as u64 } else { 0 },
            spikes: counts,
            block_row: columns as u64 * 8 * 3 * IN_FLIGHT as u64,
        }
    }

    fn chunk(&self, rows: usize) -> u64 {
        let most = self
            .spikes
            .chunks(rows.div_ceil(FEWEST_ROWS).max(1))
            .map(|c| c.iter().map(|&n| u64::from(n)).sum());
        let most: u64 = most.max().unwrap_or(0);
        (rows as u64 * self.chunk_row + most * self.spike) * (IN_FLIGHT as u64 + 1)
            + most * self.read
            + self.ends
    }

    fn block(&self, rows: usize) -> u64 {
        rows as u64 * self.block_row
    }

    fn wished_chunk(&self, rows: usize, enough: u64) -> usize {
        let spikes: u64 = self.spikes.iter().map(|&n| u64::from(n)).sum();
        let row = self.chunk_row + (spikes * self.spike).div_ceil(rows as u64);
        let wished = (enough / row.max(1)) as usize;
        (wished / FEWEST_ROWS * FEWEST_ROWS).clamp(FEWEST_ROWS.min(rows), rows)
    }
}

/// Size of the result file, about.
fn output_bytes(layout: &ResultLayout, save: &[Save]) -> u64 {
    let wide = 4 * layout.state_bins().count() as u64;
    let per_row: u64 = save
        .iter()
        .map(|one| match one {
            Save::Filter | Save::Predictive | Save::Loglik => wide,
            Save::Map | Save::Mean | Save::Hpd => 16,
            Save::Viterbi => 8,
        })
        .sum();
    layout.time.len() as u64 * (8 + wide + per_row)
}

//! Reads epochs block by block into SI float64, whatever the storage.
//!
//! A request is a range of epochs, some channels and a range of samples; the answer lies
//! `[epoch][pick][sample]`. Contiguous storage is read by many workers at once, each with a small
//! buffer that stays in cache. Chunked, compressed and Fortran-order storage is read in larger
//! blocks along the storage's own grid, one after the other, so that every chunk is decoded once;
//! the decoding of a block and its conversion are shared out. Buffers are bounded by
//! [`SERIAL_BYTES`], or one chunk where chunks are larger, and by `WORKER_BYTES` a worker.

mod cutting;

use crate::array::pages::Lent;
use crate::array::{ByteOrder, Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::{Block, Dataset};
use cutting::{Run, block_of, cuts, runs};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of a block that is read and converted at once where blocks follow each other.
const SERIAL_BYTES: u64 = 32 << 20;
/// Bytes of a worker's block: half of a second-level cache.
const WORKER_BYTES: usize = 512 << 10;
/// Bytes of a file that are mapped in one go.
const LENT_BYTES: usize = 4 << 20;

/// An epochs dataset `[epoch, channel, sample]` as numbers.
pub(super) struct Epochs<'a> {
    pub dataset: &'a dyn Dataset,
    pub dtype: Dtype,
    pub order: ByteOrder,
    /// Storage that must be read in its own order.
    pub serial: bool,
}

/// What is read: `picks` are channels, in any order; `scales` turn their samples into SI units.
pub(super) struct Request<'a> {
    pub epochs: Range<usize>,
    pub picks: &'a [usize],
    pub scales: &'a [f64],
    pub samples: Range<usize>,
}

/// A sample that is no number: where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NotFinite {
    pub epoch: usize,
    /// Index into the request's picks.
    pub pick: usize,
    pub sample: usize,
}

/// Why a request failed.
pub(super) enum Fault {
    NotFinite(NotFinite),
    Failed(Error),
}

impl Epochs<'_> {
    /// Reads `request` into `out`, which has exactly its number of values.
    pub fn read(&self, request: &Request, out: &mut [f64]) -> Result<(), Fault> {
        if out.is_empty() {
            return Ok(());
        }
        let runs = runs(request.picks);
        if self.serial {
            self.read_serially(request, &runs, out)
        } else {
            self.read_at_once(request, &runs, out)
        }
    }

    /// Workers take groups of rows (an epoch's picks in their order) as they come.
    fn read_at_once(&self, request: &Request, runs: &[Run], out: &mut [f64]) -> Result<(), Fault> {
        let (picks, samples) = (request.picks.len(), request.samples.len());
        let row_bytes = (samples * self.dtype.size()).max(1);
        // Groups of rows never straddle epochs: several whole ones, or a part of one.
        let together = (WORKER_BYTES / (picks * row_bytes)).max(1) * picks;
        let rows = (WORKER_BYTES / row_bytes).clamp(1, together);
        let groups = out.par_chunks_mut(together * samples).enumerate().flat_map(|(group, out)| {
            let parts = out.par_chunks_mut(rows * samples).enumerate();
            parts.map(move |(part, out)| (group * together + part * rows, out))
        });
        let fault = groups.map_init(Vec::new, |scratch, (first, out)| {
            let part = Part { first, last: first + out.len() / samples };
            self.read_rows(request, runs, &part, scratch, out).err()
        });
        match fault.find_map_first(|fault| fault) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    /// Reads rows `part` of the request.
    fn read_rows(
        &self,
        request: &Request,
        runs: &[Run],
        part: &Part,
        scratch: &mut Vec<u8>,
        out: &mut [f64],
    ) -> Result<(), Fault> {
        let picks = request.picks.len();
        let mut worst: Option<NotFinite> = None;
        // Several epochs come whole; part of one epoch comes alone.
        let epochs = part.first / picks..part.last.div_ceil(picks);
        let wanted = part.first - epochs.start * picks..part.last - (epochs.end - 1) * picks;
        for run in runs {
            let (from, to) = (run.picks.start.max(wanted.start), run.picks.end.min(wanted.end));
            if from >= to {
                continue;
            }
            let channels = request.picks[from]..request.picks[to - 1] + 1;
            let in_file = request.epochs.start + epochs.start..request.epochs.start + epochs.end;
            let block = block_of(&in_file, &channels, &request.samples);
            scratch.resize(self.bytes(&block), 0);
            self.dataset.read_block(&block, scratch).map_err(Fault::Failed)?;
            let piece = Piece { epochs: in_file, channels, samples: request.samples.clone() };
            for epoch in epochs.clone() {
                for pick in from..to {
                    let row = (epoch * picks + pick - part.first) * request.samples.len();
                    let row = &mut out[row..row + request.samples.len()];
                    let found =
                        self.convert(request, &piece, scratch, (request.epochs.start + epoch, pick), row);
                    worst = earlier(worst, found);
                }
            }
        }
        worst.map_or(Ok(()), |at| Err(Fault::NotFinite(at)))
    }

    /// Goes through the storage in its own order, block after block.
    fn read_serially(&self, request: &Request, runs: &[Run], out: &mut [f64]) -> Result<(), Fault> {
        let lengths = self.block_lengths();
        let mut worst = None;
        let mut scratch = Vec::new();
        let cut = |range: &Range<usize>, axis: usize| cuts(range, lengths[axis]);
        let fortran = self.dataset.info().fortran;
        let (outer, inner) =
            if fortran { (&request.samples, &request.epochs) } else { (&request.epochs, &request.samples) };
        for slow in cut(outer, if fortran { 2 } else { 0 }) {
            for run in runs {
                for channels in cut(&run.channels, 1) {
                    for fast in cut(inner, if fortran { 0 } else { 2 }) {
                        let (epochs, samples) =
                            if fortran { (fast, slow.clone()) } else { (slow.clone(), fast) };
                        let piece = Piece { epochs, channels: channels.clone(), samples };
                        let found = self.read_piece(request, run, &piece, &mut scratch, out)?;
                        worst = earlier(worst, found);
                    }
                }
            }
            // In C order nothing that follows lies before what was found.
            if !fortran && worst.is_some() {
                break;
            }
        }
        worst.map_or(Ok(()), |at| Err(Fault::NotFinite(at)))
    }

    /// Block lengths per axis: whole chunks, as many as the budget holds, fastest axis first.
    fn block_lengths(&self) -> [usize; 3] {
        let info = self.dataset.info();
        let mut lengths = [1u64; 3];
        if let Some(chunks) = &info.chunks {
            for (length, &chunk) in lengths.iter_mut().zip(chunks) {
                *length = chunk.max(1);
            }
        }
        let order = if info.fortran { [0, 1, 2] } else { [2, 1, 0] };
        for axis in order {
            let bytes = lengths.iter().fold(self.dtype.size() as u64, |bytes, &n| bytes.saturating_mul(n));
            let whole = info.shape[axis].div_ceil(lengths[axis]);
            lengths[axis] =
                lengths[axis].saturating_mul((SERIAL_BYTES / bytes.max(1)).clamp(1, whole.max(1)));
        }
        lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Reads one block and puts its rows where they belong.
    fn read_piece(
        &self,
        request: &Request,
        run: &Run,
        piece: &Piece,
        scratch: &mut Vec<u8>,
        out: &mut [f64],
    ) -> Result<Option<NotFinite>, Fault> {
        let block = block_of(&piece.epochs, &piece.channels, &piece.samples);
        scratch.resize(self.bytes(&block), 0);
        self.dataset.read_block(&block, scratch).map_err(Fault::Failed)?;
        let (picks, samples) = (request.picks.len(), request.samples.len());
        let from = (piece.epochs.start - request.epochs.start) * picks * samples;
        let to = (piece.epochs.end - request.epochs.start) * picks * samples;
        let columns = piece.samples.start - request.samples.start..piece.samples.end - request.samples.start;
        let rows = out[from..to].par_chunks_mut(samples).enumerate().with_min_len(16);
        let found = rows.map(|(row, values)| {
            let (epoch, pick) = (piece.epochs.start + row / picks, row % picks);
            let inside = run.picks.contains(&pick) && piece.channels.contains(&request.picks[pick]);
            if !inside {
                return None;
            }
            self.convert(request, piece, scratch, (epoch, pick), &mut values[columns.clone()])
        });
        Ok(found.find_map_first(|found| found))
    }

    /// Turns the stored row of (epoch, pick) into SI units; tells the first sample that is no number.
    fn convert(
        &self,
        request: &Request,
        piece: &Piece,
        stored: &[u8],
        (epoch, pick): (usize, usize),
        row: &mut [f64],
    ) -> Option<NotFinite> {
        let channel = request.picks[pick] - piece.channels.start;
        let cell = ((epoch - piece.epochs.start) * piece.channels.len() + channel) * piece.samples.len();
        let size = self.dtype.size();
        to_f64(&stored[cell * size..(cell + row.len()) * size], self.dtype, self.order, row);
        let scale = request.scales[pick];
        if scale != 1.0 {
            row.iter_mut().for_each(|value| *value *= scale);
        }
        // Without an early end the test runs at memory speed.
        if row.iter().fold(true, |all, value| all & value.is_finite()) {
            return None;
        }
        let sample = row.iter().position(|value| !value.is_finite()).unwrap_or(0);
        Some(NotFinite { epoch, pick, sample: piece.samples.start + sample })
    }

    fn bytes(&self, block: &Block) -> usize {
        block.count.iter().product::<u64>() as usize * self.dtype.size()
    }
}

/// Brings mapped values into memory, part by part on all workers; false where that fails or one
/// of them is not finite.
pub(super) fn brought_and_finite(lent: &Lent) -> bool {
    let length = LENT_BYTES / size_of::<f64>();
    lent.values().par_chunks(length).enumerate().all(|(part, values)| {
        let first = part * LENT_BYTES;
        lent.bring(first..first + size_of_val(values))
            && values.iter().fold(true, |all, value| all & value.is_finite())
    })
}

/// Rows of a request, counted epoch by epoch.
struct Part {
    first: usize,
    last: usize,
}

/// A block of the file.
struct Piece {
    epochs: Range<usize>,
    channels: Range<usize>,
    samples: Range<usize>,
}

fn earlier(a: Option<NotFinite>, b: Option<NotFinite>) -> Option<NotFinite> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

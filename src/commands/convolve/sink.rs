//! Results on their way to the file, strip by strip.
//!
//! A file's rows are written in order. Several statistics of one plane lie one after the other
//! in the file (`[..., stats, y, x]`) but come side by side with every strip, so all but the
//! first wait in unlinked spool files beside the output until their plane is complete: memory
//! stays that of a strip.

use crate::array::Real;
use crate::error::Result;
use crate::io::scratch::ScratchFile;
use crate::io::{DatasetId, Writer};
use crate::kernels::focal::BlockCounts;
use crate::pipeline::{Chunk, Sink};
use std::path::{Path, PathBuf};

/// Results of one strip.
#[derive(Debug)]
pub struct StripOut<T> {
    /// One layer per statistic (one in all for a convolution), each `[row, column]`.
    pub layers: Vec<Vec<T>>,
    /// Hot spot classes `[row, column]`; empty for the other jobs.
    pub classes: Vec<i8>,
    /// What its blocks met.
    pub counts: BlockCounts,
}

impl<T> StripOut<T> {
    /// Room for `layers` layers, not yet of any size.
    pub fn empty(layers: usize) -> Self {
        let layers = (0..layers).map(|_| Vec::new()).collect();
        StripOut { layers, classes: Vec::new(), counts: BlockCounts::default() }
    }
}

/// Told of every result row once, in order: `(layer, plane, first row, rows)`.
pub type ResultOnlooker<'a, T> = Box<dyn FnMut(usize, u64, u64, &[T]) + Send + 'a>;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    /// Dataset of the layers; none when only the classes are kept (NPY of hot spots).
    pub layers: Option<DatasetId>,
    /// Dataset of the hot spot classes.
    pub classes: Option<DatasetId>,
}

/// Writes strips in order.
pub struct ResultSink<'a, T> {
    writer: &'a mut dyn Writer,
    targets: Targets,
    /// The last strip of a plane ends at this row.
    end: u64,
    spools: Vec<Spool>,
    beside: PathBuf,
    bytes: Vec<u8>,
    onlooker: Option<ResultOnlooker<'a, T>>,
    written: u64,
}

impl<'a, T: Real> ResultSink<'a, T> {
    /// A sink into datasets of `writer` for rows up to `end`; spool files, if any, lie beside
    /// `output`.
    pub fn new(writer: &'a mut dyn Writer, targets: Targets, end: u64, output: &Path) -> Self {
        ResultSink {
            writer,
            targets,
            end,
            spools: Vec::new(),
            beside: output.to_owned(),
            bytes: Vec::new(),
            onlooker: None,
            written: 0,
        }
    }

    /// Shows every result row to `onlooker`.
    pub fn watched_by(mut self, onlooker: ResultOnlooker<'a, T>) -> Self {
        self.onlooker = Some(onlooker);
        self
    }

    /// True where hot spot classes are written.
    pub fn has_classes(&self) -> bool {
        self.targets.classes.is_some()
    }

    /// Bytes handed to the writer so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn write_layers(&mut self, chunk: &Chunk, id: DatasetId, layers: &[Vec<T>]) -> Result<()> {
        for (index, layer) in layers.iter().enumerate() {
            self.bytes.clear();
            T::push_le(layer, &mut self.bytes);
            match index.checked_sub(1) {
                None => self.writer.append(id, &self.bytes)?,
                Some(spool) => {
                    if self.spools.len() <= spool {
                        self.spools.push(Spool::beside(&self.beside)?);
                    }
                    self.spools[spool].push(&self.bytes)?;
                }
            }
            self.written += self.bytes.len() as u64;
        }
        if chunk.end == self.end {
            for spool in &mut self.spools {
                spool.drain(&mut self.bytes, &mut |bytes| self.writer.append(id, bytes))?;
            }
        }
        Ok(())
    }
}

impl<T: Real> Sink for ResultSink<'_, T> {
    type Buffer = StripOut<T>;

    fn write(&mut self, chunk: &Chunk, out: &StripOut<T>) -> Result<()> {
        if let Some(onlooker) = &mut self.onlooker {
            for (index, layer) in out.layers.iter().enumerate() {
                onlooker(index, chunk.plane, chunk.start, layer);
            }
        }
        let classes: Vec<u8> = out.classes.iter().map(|class| class.to_le_bytes()[0]).collect();
        match (self.targets.layers, self.targets.classes) {
            (Some(z), Some(id)) => {
                self.bytes.clear();
                out.layers.iter().for_each(|layer| T::push_le(layer, &mut self.bytes));
                append_by_rows(self.writer, chunk.len(), [(z, &self.bytes), (id, &classes)])?;
                self.written += (self.bytes.len() + classes.len()) as u64;
                Ok(())
            }
            (Some(id), None) => self.write_layers(chunk, id, &out.layers),
            (None, Some(id)) => {
                self.written += classes.len() as u64;
                self.writer.append(id, &classes)
            }
            (None, None) => Ok(()),
        }
    }
}

/// Appends `rows` rows of two datasets in turn. Where chunks of both share a file, their order in
/// it then depends on neither strips nor parts.
///
/// # Errors
/// The file cannot be written.
pub fn append_by_rows(writer: &mut dyn Writer, rows: u64, pair: [(DatasetId, &[u8]); 2]) -> Result<()> {
    for row in 0..rows as usize {
        for (id, bytes) in pair {
            let length = bytes.len() / rows as usize;
            writer.append(id, &bytes[row * length..(row + 1) * length])?;
        }
    }
    Ok(())
}

/// Rows that wait in a file without a name.
struct Spool {
    file: ScratchFile,
    length: u64,
}

impl Spool {
    fn beside(output: &Path) -> Result<Self> {
        Ok(Spool { file: ScratchFile::beside(output)?, length: 0 })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(self.length, bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Hands everything to `take` in pieces no larger than `buffer` already was, and starts anew.
    fn drain(&mut self, buffer: &mut Vec<u8>, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let piece = buffer.len().max(1 << 16) as u64;
        let mut at = 0;
        while at < self.length {
            let length = piece.min(self.length - at);
            buffer.resize(length as usize, 0);
            self.file.read_at(at, buffer)?;
            take(buffer)?;
            at += length;
        }
        self.length = 0;
        self.file.clear()
    }
}

//! One dataset: reads of blocks, texts and references.

use super::cache::ChunkCache;
use super::chunks;
use super::describe::{Description, Layout, bytes_of, describe};
use super::header::Object;
use super::index::Table;
use super::source::{DAMAGED, Source};
use super::text;
use crate::array::pages::Lent;
use crate::error::{Error, Result};
use crate::io::{Block, Dataset, DatasetInfo, StoredType};
use std::sync::{Arc, Mutex, OnceLock};

/// A dataset of an HDF5 file; several threads may read blocks of it at once.
pub struct Hdf5Dataset {
    pub(super) source: Arc<Source>,
    pub(super) about: Description,
    pub(super) table: OnceLock<Table>,
    pub(super) cache: Mutex<ChunkCache>,
}

impl Hdf5Dataset {
    pub(super) fn new(source: &Arc<Source>, path: &str, object: &Object) -> Result<Hdf5Dataset> {
        let about = describe(source, path, object)?;
        Ok(Hdf5Dataset { source: source.clone(), about, table: OnceLock::new(), cache: Mutex::default() })
    }

    /// An error about this dataset.
    pub(super) fn fail(&self, at: &str, found: impl Into<String>, expected: &str, advice: &str) -> Error {
        Error::data(format!("{}{at}", self.source.place(&self.about.info.path)), found, expected, advice)
    }

    /// Reads a block of elements of any type with a known size.
    fn read_elements(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        self.check_block(block, out.len())?;
        if out.is_empty() {
            return Ok(());
        }
        if let Some(filter) = self.about.pipeline.unknown() {
            let expected = "deflate, LZF, Blosc 1, zstd, LZ4, bzip2, szip, bitshuffle or scale-offset";
            let advice = "pack it again with `h5repack -f SHUF -f GZIP=4 in.h5 out.h5`";
            return Err(self.fail("", filter, expected, advice));
        }
        match &self.about.layout {
            Layout::Chunked(chunking) => chunks::read(self, chunking, block, out),
            Layout::Unwritten => {
                fill_cells(out, self.about.fill.as_deref());
                Ok(())
            }
            Layout::Compact(data) => {
                let needed = bytes_of(&self.about.info.shape, self.about.element.size);
                if needed.is_none_or(|n| n > data.len() as u64) {
                    return Err(self.fail(
                        "",
                        format!("{} bytes", data.len()),
                        "the bytes of its shape",
                        DAMAGED,
                    ));
                }
                self.each_run(block, out.len(), &mut |at, run| {
                    let (at, end) = (at as usize, at as usize + run.len());
                    out[run].copy_from_slice(&data[at..end]);
                    Ok(())
                })
            }
            Layout::Contiguous(address, size) => self.read_contiguous(*address, *size, block, out),
            Layout::Elsewhere(reason) => {
                let advice = "copy the data into a plain dataset (h5repack, h5py)";
                Err(self.fail("", reason.clone(), "data in this file in a common layout", advice))
            }
        }
    }

    fn check_block(&self, block: &Block, len: usize) -> Result<()> {
        let shape = &self.about.info.shape;
        let inside = block.start.len() == shape.len()
            && block.count.len() == shape.len()
            && block
                .start
                .iter()
                .zip(&block.count)
                .zip(shape)
                .all(|((&s, &c), &d)| s.checked_add(c).is_some_and(|end| end <= d));
        let bytes = bytes_of(&block.count, self.about.element.size);
        if inside && bytes == Some(len as u64) {
            return Ok(());
        }
        let (start, count) = (&block.start, &block.count);
        Err(Error::Failed(format!(
            "{}: a block of {count:?} from {start:?} in {len} bytes does not fit shape {shape:?}",
            self.source.place(&self.about.info.path)
        )))
    }

    /// Calls `take` with the byte offset in the dataset and the range in the output of each
    /// contiguous run of the block.
    fn each_run(
        &self,
        block: &Block,
        len: usize,
        take: &mut dyn FnMut(u64, std::ops::Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let (shape, size) = (&self.about.info.shape, self.about.element.size as u64);
        // Axes from `whole` on are covered whole, so that one run spans them and the axis before.
        let whole = (0..shape.len()).rev().find(|&a| block.count[a] != shape[a]).map_or(0, |a| a + 1);
        let outer = whole.saturating_sub(1);
        let run: u64 = block.count[outer..].iter().product::<u64>() * size;
        let mut strides = vec![size; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        let first: u64 = block.start.iter().zip(&strides).map(|(&s, &w)| s * w).sum();
        let mut index = vec![0u64; outer];
        let mut done = 0usize;
        while done < len {
            let at = first + index.iter().zip(&strides).map(|(&i, &w)| i * w).sum::<u64>();
            take(at, done..done + run as usize)?;
            done += run as usize;
            for axis in (0..outer).rev() {
                index[axis] += 1;
                if index[axis] < block.count[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(())
    }

    fn read_contiguous(&self, address: u64, size: u64, block: &Block, out: &mut [u8]) -> Result<()> {
        let needed = bytes_of(&self.about.info.shape, self.about.element.size).unwrap_or(u64::MAX);
        // Old files leave the size out (0).
        if size != 0 && size < needed {
            return Err(self.fail("", format!("{size} bytes of storage"), &format!("{needed}"), DAMAGED));
        }
        if !self.source.holds(address, needed) {
            let found = format!(
                "{} bytes of file after its start at {address:#x}",
                self.source.len.saturating_sub(address)
            );
            return Err(self.fail("", found, &format!("{needed}"), DAMAGED));
        }
        let total = out.len();
        let mut pieces: Vec<(u64, &mut [u8])> = Vec::new();
        let mut rest = out;
        self.each_run(block, total, &mut |at, run| {
            let (piece, after) = std::mem::take(&mut rest).split_at_mut(run.len());
            rest = after;
            pieces.push((address + at, piece));
            if pieces.len() >= 4096 {
                super::contiguous::read_pieces(&self.source, &mut pieces)?;
            }
            Ok(())
        })?;
        super::contiguous::read_pieces(&self.source, &mut pieces)
    }

    /// All elements, for text and references, whose files are small.
    fn read_all(&self) -> Result<Vec<u8>> {
        let shape = &self.about.info.shape;
        let bytes = bytes_of(shape, self.about.element.size.saturating_add(24)).unwrap_or(u64::MAX);
        let limit = self.source.len.saturating_mul(32).clamp(64 << 20, 2 << 30);
        if bytes > limit {
            let expected = format!("at most {limit} bytes in memory");
            return Err(self.fail("", format!("{shape:?} texts or references"), &expected, DAMAGED));
        }
        let mut out = vec![0; bytes_of(shape, self.about.element.size).unwrap_or(0) as usize];
        self.read_elements(&Block { start: vec![0; shape.len()], count: shape.clone() }, &mut out)?;
        Ok(out)
    }

    fn wrong_type(&self, expected: &str) -> Error {
        let found = match &self.about.info.stored {
            StoredType::Other(name) => name.clone(),
            StoredType::Number(dtype, _) => dtype.name().to_owned(),
            stored => format!("{stored:?}").to_lowercase(),
        };
        self.fail("", found, expected, "choose another dataset")
    }
}

/// Fills cells with the fill value, zero where the file defines none.
pub(super) fn fill_cells(out: &mut [u8], fill: Option<&[u8]>) {
    match fill.filter(|value| value.iter().any(|&b| b != 0)) {
        None => out.fill(0),
        Some(value) => out.chunks_exact_mut(value.len()).for_each(|cell| cell.copy_from_slice(value)),
    }
}

impl Dataset for Hdf5Dataset {
    fn info(&self) -> &DatasetInfo {
        &self.about.info
    }

    fn read_block(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        match self.about.info.stored {
            StoredType::Number(..) | StoredType::Bool => self.read_elements(block, out),
            _ => Err(self.wrong_type("numbers or truth values")),
        }
    }

    fn lend(&self) -> Result<Option<Lent>> {
        let Layout::Contiguous(address, size) = self.about.layout else { return Ok(None) };
        let needed = bytes_of(&self.about.info.shape, self.about.element.size);
        let fits = needed.is_some_and(|needed| needed > 0 && needed <= size);
        let Some(needed) = needed.filter(|&n| fits && self.source.holds(address, n)) else {
            return Ok(None);
        };
        let at = self.source.base.saturating_add(address);
        let run = (usize::try_from(needed).unwrap_or(usize::MAX), false);
        Ok(crate::io::npy::map_run(&self.source.file, &self.source.path, at, run)?.map(Lent::new))
    }

    fn read_text(&self) -> Result<Vec<Vec<u8>>> {
        let form = self.about.element.text.ok_or_else(|| self.wrong_type("text"))?;
        text::texts(&self.source, &self.read_all()?, form, &self.about.info.path)
    }

    fn read_references(&self) -> Result<Vec<String>> {
        if self.about.info.stored != StoredType::Reference {
            return Err(self.wrong_type("object references"));
        }
        text::references(&self.source, &self.read_all()?, &self.about.info.path)
    }

    fn fill_value(&self) -> Option<Vec<u8>> {
        self.about.fill.clone()
    }
}

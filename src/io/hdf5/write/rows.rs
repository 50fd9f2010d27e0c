//! Rows that arrive in any order: backwards from a smoother, forwards from a filter.
//!
//! Contiguous storage takes them where they belong. Chunks wait, compressed, in a file of their
//! own beside the output and go in by their order at the end: where a chunk lies in the file then
//! depends neither on the order of the blocks nor on their size, so equal data give equal bytes.

use super::bands::Bands;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use rust_hdf5::{H5Dataset, Hdf5Error};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Which rows of a dataset came, and where its chunks wait.
#[derive(Default)]
pub(super) struct Rows {
    /// First row and end of every stretch, merged where they touch.
    stretches: BTreeMap<u64, u64>,
    /// Offset and length in the waiting file by position in the chunk grid.
    chunks: BTreeMap<Vec<usize>, (u64, usize)>,
}

impl Rows {
    /// Notes that rows `first .. end` came; false where some of them were there already.
    pub(super) fn note(&mut self, first: u64, end: u64) -> bool {
        let before = self.stretches.range(..end).next_back().map(|(&start, &stop)| (start, stop));
        if before.is_some_and(|(_, stop)| stop > first) {
            return false;
        }
        let start = match before {
            Some((start, stop)) if stop == first => start,
            _ => first,
        };
        let stop = self.stretches.remove(&end).unwrap_or(end);
        self.stretches.insert(start, stop);
        true
    }

    /// Takes whole rows from `first` on, whose count and place the caller has checked.
    pub(super) fn take(
        &mut self,
        first: usize,
        bytes: &[u8],
        (bands, dataset): (&Bands, &H5Dataset),
        waiting: &mut Waiting,
    ) -> Result<()> {
        let fault = super::names::failed(&waiting.path);
        let (start, extent) = bands.rows(first, bytes.len());
        if bands.chunks().is_none() {
            return bands.put(dataset, bytes, &start, &extent).map_err(fault);
        }
        for (at, chunk) in bands.packed(bytes, &start, &extent).map_err(fault)? {
            let place = waiting.push(&chunk)?;
            self.chunks.insert(at, place);
        }
        Ok(())
    }

    /// Moves the chunks that wait into `dataset`, in their order.
    pub(super) fn deliver(&self, dataset: &H5Dataset, bands: &Bands, waiting: &Waiting) -> Result<()> {
        let mut chunk = Vec::new();
        for (at, &(offset, length)) in &self.chunks {
            chunk.resize(length, 0);
            waiting.read(offset, &mut chunk)?;
            let put: Result<(), Hdf5Error> = bands.put_chunk(dataset, at, &chunk);
            put.map_err(super::names::failed(&waiting.path))?;
        }
        Ok(())
    }
}

/// The file in which chunks wait; made with the first one, removed when dropped.
pub(super) struct Waiting {
    path: PathBuf,
    file: Option<Beside>,
    length: u64,
}

impl Waiting {
    /// For the output at `path`, beside which the file will lie.
    pub(super) fn beside(path: &Path) -> Self {
        Waiting { path: path.to_owned(), file: None, length: 0 }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(u64, usize)> {
        let file = match &mut self.file {
            Some(file) => file,
            vacant => vacant.insert(Beside::create(&self.path)?),
        };
        file.file().write_all_at(chunk, self.length).map_err(Error::io(&self.path, "write"))?;
        let place = (self.length, chunk.len());
        self.length += chunk.len() as u64;
        Ok(place)
    }

    fn read(&self, offset: u64, chunk: &mut [u8]) -> Result<()> {
        match &self.file {
            Some(file) => file.read_at(offset, chunk),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_merge_in_any_order_and_never_overlap() {
        let mut rows = Rows::default();
        assert!(rows.note(8, 10) && rows.note(0, 3) && rows.note(5, 8));
        assert!(!rows.note(2, 5) && !rows.note(3, 6) && !rows.note(9, 12) && !rows.note(6, 7));
        assert!(!rows.note(0, 10));
        assert_eq!(rows.stretches.len(), 2);
        assert!(rows.note(3, 5));
        assert_eq!(rows.stretches, BTreeMap::from([(0, 10)]));
    }
}

//! Datasets whose bytes are still coming.

use super::bands::Bands;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::io::DatasetId;
use crate::io::direct::Direct;
use crate::io::npy::Progress;
use rust_hdf5::H5Dataset;
use std::sync::Arc;

/// The dataset whose bytes come when all else is written.
pub(super) struct Last {
    pub(super) id: DatasetId,
    pub(super) progress: Progress,
    pub(super) direct: Direct,
}

/// A dataset whose rows are still coming.
pub(super) struct Growing {
    pub(super) dataset: Arc<H5Dataset>,
    pub(super) progress: Progress,
    pub(super) bands: Bands,
    pub(super) rows: Rows,
}

impl Growing {
    /// Checks that rows from `first` on fit, are whole, begin and end with a chunk, and are new.
    pub(super) fn check_rows(&mut self, first: u64, bytes: usize) -> Result<()> {
        let (row, chunk) = (self.bands.row_bytes().max(1), self.bands.chunk_rows().max(1) as u64);
        let all = self.progress.promised() / row as u64;
        let end = first.saturating_add((bytes / row) as u64);
        let whole = bytes.is_multiple_of(row) && end <= all && self.bands.is_untouched();
        let aligned = first.is_multiple_of(chunk) && (end.is_multiple_of(chunk) || end == all);
        if !whole || !aligned || bytes == 0 || !self.rows.note(first, end) {
            return Err(Error::Failed(format!(
                "{}: rows {first} to {end} of {all} came twice, in part, or not as whole chunks of {chunk}",
                self.progress.place()
            )));
        }
        Ok(())
    }
}

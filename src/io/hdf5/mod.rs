//! Hierarchical Data Format 5: reading (and, in `write`, writing).
//!
//! Reading stands on the structure parsers of `hdf5-reader`, taken one by one (messages, B-trees,
//! heaps, chunk indexes but the arrays), because they are bounded and give errors on damaged input. Its own
//! group walk, attribute lists and dataset reads are not used: they hide dead links, decode text
//! to UTF-8 and lose facts that matter here (bit layout of floats, unfiltered edge chunks).
//! Object headers, link walk, attributes, chunk assembly and the filters deflate, shuffle,
//! fletcher32 and LZF are ours; the rarer filters (Blosc 1, scale-offset, n-bit, szip,
//! bitshuffle, bzip2, zstd, LZ4) go through the bounded decoders of `rust-hdf5`, which never sees
//! a file here. Every length that a file states is checked against the file's size or a cap
//! before it is allocated.
//!
//! Axes are slowest first, blocks are C order, bytes as stored.

mod arrays;
mod attributes;
mod cache;
mod chunks;
mod contiguous;
mod dataset;
mod describe;
mod filters;
mod group;
mod header;
mod heap;
mod index;
mod links;
mod source;
mod text;
mod types;
mod unshuffle;
pub mod write;

use crate::error::{Error, Result};
use crate::io::{Attribute, Container, Dataset, Entry, Format};
use group::Kind;
use source::Source;
use std::path::Path;
use std::sync::Arc;

pub use dataset::Hdf5Dataset;

/// An HDF5 (or netCDF-4) file open for reading; cheap to clone, shared by its datasets.
#[derive(Clone)]
pub struct Hdf5File {
    source: Arc<Source>,
}

/// Opens an HDF5 file for reading.
///
/// # Errors
/// The file is missing or unreadable, is not HDF5 (netCDF classic is named as such), or is
/// shorter than its own header says.
pub fn open(path: &Path) -> Result<Hdf5File> {
    Ok(Hdf5File { source: Arc::new(Source::open(path)?) })
}

impl Hdf5File {
    /// Where in the file the bytes of a contiguous dataset lie: first and number.
    ///
    /// # Errors
    /// It is not there, or stored otherwise.
    pub(crate) fn contiguous(&self, path: &str) -> Result<(u64, u64)> {
        let dataset = self.open_dataset(path)?;
        match dataset.about.layout {
            describe::Layout::Contiguous(address, size) => Ok((self.source.base + address, size)),
            _ => Err(dataset.fail("", "another layout", "a contiguous dataset", "")),
        }
    }

    /// One dataset, as its own type. Soft links are followed.
    ///
    /// # Errors
    /// No dataset has this path, or its description cannot be read.
    pub fn open_dataset(&self, path: &str) -> Result<Hdf5Dataset> {
        let path = group::tidy(path);
        let address = self.source.resolve(&path)?;
        let object = self.source.object(address)?;
        match group::kind(&object) {
            Kind::Dataset => Hdf5Dataset::new(&self.source, &path, &object),
            _ => {
                Err(Error::data(self.source.place(&path), "a group", "a dataset", "name a dataset inside it"))
            }
        }
    }
}

impl Container for Hdf5File {
    fn path(&self) -> &Path {
        &self.source.path
    }

    fn format(&self) -> Format {
        Format::Hdf5
    }

    /// Each object once, under the first name met; live soft links and further hard links to an
    /// object already listed are left out.
    fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.source.walk(&mut |path, found| {
            entries.push(match found {
                group::Found::Group(_) => Entry::Group(path.to_owned()),
                group::Found::Dataset(object) => {
                    Entry::Dataset(describe::describe(&self.source, path, object)?.info)
                }
                group::Found::Dead(target) => Entry::Link(path.to_owned(), target.to_owned()),
            });
            Ok(())
        })?;
        Ok(entries)
    }

    fn attributes(&self, path: &str) -> Result<Vec<Attribute>> {
        let path = group::tidy(path);
        let address = self.source.resolve(&path)?;
        let object = self.source.object(address)?;
        attributes::read(&self.source, &path, &object)
    }

    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(self.open_dataset(path)?))
    }

    fn dimension_scales(&self, path: &str) -> Result<Vec<Vec<String>>> {
        let path = group::tidy(path);
        let address = self.source.resolve(&path)?;
        let object = self.source.object(address)?;
        attributes::dimension_scales(&self.source, &path, &object)
    }
}

//! Files behind one small pair of traits.
//!
//! [`Container`] reads (list, attributes, datasets), [`Dataset`] reads blocks of one array,
//! [`Writer`] creates datasets, appends rows, sets attributes and finishes by rename. Nothing
//! outside this folder knows a file format; [`open`] and [`create`] choose by content and
//! extension. [`memory`] holds the same traits over arrays, for tests, benches and library users.

pub mod atomic;
mod block;
mod choose;
pub mod column;
pub(crate) mod direct;
#[cfg(feature = "hdf5")]
pub mod hdf5;
pub mod kept;
pub mod memory;
pub mod netcdf;
pub mod npy;
pub mod npz;
pub mod scratch;
pub mod spec;

use crate::array::pages::Lent;
use crate::array::{ByteOrder, Dtype};
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Arc;

pub use choose::{create, open, output_format};
pub use spec::InputSpec;

/// Formats that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One array, numpy's own format.
    Npy,
    /// A zip archive of `.npy` members.
    Npz,
    /// Hierarchical Data Format 5.
    Hdf5,
    /// HDF5 with the netCDF-4 conventions.
    Netcdf4,
    /// Arrays in memory.
    Memory,
}

/// What a dataset holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredType {
    /// Numbers that [`crate::array`] converts.
    Number(Dtype, ByteOrder),
    /// Truth values, one byte each, 0 or 1 (numpy bool, h5py's boolean enum).
    Bool,
    /// Text, fixed or variable length: [`Dataset::read_text`].
    Text,
    /// References to other objects: [`Dataset::read_references`].
    Reference,
    /// Anything else (complex, compound, opaque...), by a name fit for a message.
    Other(String),
}

impl std::fmt::Display for StoredType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoredType::Number(dtype, ByteOrder::Big) if dtype.size() > 1 => {
                write!(f, "{} (big-endian)", dtype.name())
            }
            StoredType::Number(dtype, _) => f.write_str(dtype.name()),
            StoredType::Bool => f.write_str("bool"),
            StoredType::Text => f.write_str("text"),
            StoredType::Reference => f.write_str("reference"),
            StoredType::Other(name) => f.write_str(name),
        }
    }
}

/// Shape, type and storage of one dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetInfo {
    /// Path inside the file, with a leading `/` (`/group/data`); the member name for NPZ; empty for NPY.
    pub path: String,
    /// Lengths of the axes, slowest first, as a C-order reader sees them.
    pub shape: Vec<u64>,
    /// Element type and byte order as stored.
    pub stored: StoredType,
    /// True where the file stores Fortran order; blocks are delivered in C order all the same.
    pub fortran: bool,
    /// Chunk shape where the storage is chunked.
    pub chunks: Option<Vec<u64>>,
    /// Compression level where the dataset uses deflate (0 when the level is not recorded).
    pub deflate: Option<u32>,
    /// True where the bytes are shuffled before compression.
    pub shuffle: bool,
    /// Length of the first axis is unlimited.
    pub unlimited: bool,
}

/// A node of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A group by its path; the root is `/`.
    Group(String),
    /// A dataset.
    Dataset(DatasetInfo),
    /// A link that leads nowhere here (external file, dangling): its path and where it points.
    Link(String, String),
}

/// Value of an attribute. Arrays are flat in C order; `shape` of [`Attribute`] tells the form.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// Integers of any signed width.
    Int(Vec<i64>, Dtype),
    /// Integers of any unsigned width.
    Uint(Vec<u64>, Dtype),
    /// Floating point of any width.
    Float(Vec<f64>, Dtype),
    /// Truth values.
    Bool(Vec<bool>),
    /// Text as bytes (not necessarily UTF-8), fixed or variable length in the file.
    Text(Vec<Vec<u8>>),
    /// Paths of the objects referred to.
    Reference(Vec<String>),
    /// No value (null data space).
    Empty,
    /// A type we do not read, named for a message.
    Unsupported(String),
}

/// A named value on a group or dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Empty for a scalar.
    pub shape: Vec<u64>,
    /// Its value.
    pub value: AttributeValue,
}

/// A rectangular part of a dataset: `start[i] .. start[i] + count[i]` on each axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// First index on each axis.
    pub start: Vec<u64>,
    /// Number of indices on each axis.
    pub count: Vec<u64>,
}

/// Where a file that has named arrays keeps its label.
const LABEL: &str = "/nissl_part";

/// A file open for reading.
pub trait Container: Send + Sync {
    /// Where it lies.
    fn path(&self) -> &Path;
    /// Which format it is.
    fn format(&self) -> Format;
    /// Every group, dataset and dead link, parents before children, in the file's order of names.
    fn list(&self) -> Result<Vec<Entry>>;
    /// All attributes of a group (`/` is the root) or dataset.
    fn attributes(&self, path: &str) -> Result<Vec<Attribute>>;
    /// One dataset.
    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>>;
    /// For each axis of `path` the datasets attached as its dimension scales (HDF5); empty
    /// where the format has none.
    fn dimension_scales(&self, _path: &str) -> Result<Vec<Vec<String>>> {
        Ok(Vec::new())
    }
    /// The label that [`Writer::label`] left; none where there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    fn label(&self) -> Result<Option<Vec<u8>>> {
        let name = LABEL.trim_start_matches('/');
        let is_label = |entry: &Entry| match entry {
            Entry::Dataset(info) => info.path.trim_start_matches('/') == name,
            _ => false,
        };
        if !self.list()?.iter().any(is_label) {
            return Ok(None);
        }
        Ok(self.dataset(LABEL)?.read_text()?.into_iter().next())
    }
}

/// One array of a file, readable block by block from several threads at once.
pub trait Dataset: Send + Sync {
    /// Shape, type and storage.
    fn info(&self) -> &DatasetInfo;

    /// Reads `block` into `out` as stored elements (stored byte order, C order).
    ///
    /// Decompression runs in parallel on the rayon pool the caller is in. `out` has exactly
    /// the block's size in bytes.
    ///
    /// # Errors
    /// The file cannot be read, is truncated, or a chunk does not decode; the message names
    /// file, dataset and chunk.
    fn read_block(&self, block: &Block, out: &mut [u8]) -> Result<()>;

    /// Like [`Dataset::read_block`], but lends the bytes: from the memory map where the storage
    /// permits, otherwise from `scratch`.
    fn with_block(
        &self,
        block: &Block,
        scratch: &mut Vec<u8>,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        scratch.clear();
        scratch.resize(block_bytes(self.info(), block), 0);
        self.read_block(block, scratch)?;
        use_bytes(scratch)
    }

    /// All elements as they are stored, where they lie in the file one after the other in C order and
    /// the system can map them. As long as it is held, the file must stay as it is.
    ///
    /// # Errors
    /// The file became shorter.
    fn lend(&self) -> Result<Option<Lent>> {
        Ok(None)
    }

    /// All elements of a text dataset as bytes.
    fn read_text(&self) -> Result<Vec<Vec<u8>>>;

    /// Paths that the elements of a reference dataset point to.
    fn read_references(&self) -> Result<Vec<String>>;

    /// The value of never-written cells, as one stored element, where the file defines it.
    fn fill_value(&self) -> Option<Vec<u8>>;
}

/// How a new dataset is laid out. Rows along the first axis arrive by [`Writer::append`].
#[derive(Debug, Clone)]
pub struct DatasetSpec {
    /// Path inside the file (ignored by NPY; member name for NPZ). Missing groups are made.
    pub path: String,
    /// Final shape; the writer checks that all rows arrived.
    pub shape: Vec<u64>,
    /// Element type; written little-endian.
    pub dtype: Dtype,
    /// Chunk shape; `None` leaves it contiguous where the format can.
    pub chunks: Option<Vec<u64>>,
    /// Deflate level 1..9 with shuffle, or none.
    pub deflate: Option<u32>,
    /// Fill value as one little-endian element.
    pub fill: Option<Vec<u8>>,
}

/// Handle of a dataset under construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DatasetId(pub usize);

/// A file under construction, beside its final name until [`Writer::finish`].
///
/// Dropping a writer without finishing removes what was written.
pub trait Writer: Send {
    /// Makes a dataset.
    fn create(&mut self, spec: &DatasetSpec) -> Result<DatasetId>;
    /// Appends elements (little-endian, C order). Whole rows of the first axis are not needed,
    /// but writers are fastest with them.
    fn append(&mut self, id: DatasetId, bytes: &[u8]) -> Result<()>;
    /// Puts whole rows of the first axis, from `first_row` on, where they belong: blocks in any
    /// order, each row once, and none by [`Writer::append`] too. In a chunked dataset a block
    /// begins at a chunk and ends at one or at the array's end. The file does not depend on how
    /// the rows were cut into blocks nor on the order of these.
    ///
    /// # Errors
    /// Rows that came before, are not there or not whole chunks; the disk; or a format that
    /// cannot.
    fn write_rows(&mut self, id: DatasetId, _first_row: u64, _bytes: &[u8]) -> Result<()> {
        Err(Error::Failed(format!("dataset {}: this format takes rows in their order only", id.0)))
    }
    /// Makes the dataset that stands for a netCDF dimension without values: `length` cells of
    /// which none is ever written.
    ///
    /// # Errors
    /// The path is taken, or the format has no such thing.
    fn create_dimension(&mut self, path: &str, _length: u64) -> Result<()> {
        Err(Error::Failed(format!("{path}: dimensions have no place in this format")))
    }
    /// Tells that everything but the bytes of `id`, of which none came yet, is in the file now: only
    /// [`Writer::append`] to `id` and [`Writer::finish`] may follow. A large array then goes to
    /// the disk by the shortest way.
    ///
    /// # Errors
    /// The file cannot be written, or another dataset is not complete.
    fn only(&mut self, _id: DatasetId) -> Result<()> {
        Ok(())
    }
    /// Makes a text dataset (scalar when `shape` is empty).
    fn create_text(&mut self, path: &str, shape: &[u64], values: &[Vec<u8>]) -> Result<()>;
    /// Keeps `text` in the file where readers of its arrays do not look: what a part of a run says
    /// of itself. Once, at any time before [`Writer::finish`].
    ///
    /// # Errors
    /// The file cannot be written.
    fn label(&mut self, text: &str) -> Result<()> {
        self.create_text(LABEL, &[], &[text.as_bytes().to_vec()])
    }
    /// Makes a dataset of truth values; `spec.dtype` must be [`Dtype::I8`], the appended bytes 0 or 1.
    ///
    /// # Errors
    /// As [`Writer::create`], another element type, or a format without truth values.
    fn create_truth(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        Err(Error::Failed(format!("{}: truth values have no place in this format", spec.path)))
    }
    /// Makes a 1-D dataset of references to the objects at `targets`, which exist already.
    ///
    /// # Errors
    /// The path is taken, a target is missing, or the format has no references.
    fn create_references(&mut self, path: &str, _targets: &[&str]) -> Result<()> {
        Err(Error::Failed(format!("{path}: references have no place in this format")))
    }
    /// From here on scalar text attributes are of variable length, which h5py shows as `str`; the
    /// fixed-length ones that netCDF asks for it shows as bytes. Only HDF5 has both.
    fn use_variable_text(&mut self, _on: bool) {}
    /// Makes a group (and its parents).
    fn create_group(&mut self, path: &str) -> Result<()>;
    /// Sets an attribute on a group (`/` is the root) or dataset.
    fn set_attribute(&mut self, path: &str, attribute: &Attribute) -> Result<()>;
    /// Declares `scale` a dimension scale named `name` and attaches it to `axis` of `dataset`.
    fn attach_scale(&mut self, dataset: &str, axis: usize, scale: &str) -> Result<()>;
    /// Closes, syncs and renames into place; checks that every dataset is complete.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Size in bytes of `block` as stored.
pub fn block_bytes(info: &DatasetInfo, block: &Block) -> usize {
    let element = match &info.stored {
        StoredType::Number(dtype, _) => dtype.size(),
        _ => 1,
    };
    block.count.iter().map(|&n| n as usize).product::<usize>() * element
}

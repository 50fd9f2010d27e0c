//! The file traits over arrays in memory: library users, tests and benches need no disk.
//!
//! [`MemoryFile`] is a container one fills or a [`MemoryWriter`] leaves behind. Axes are slowest
//! first; arrays lie in C order, little-endian.

mod writer;

use super::block::{self, ReadAt};
use super::npy;
use super::{Attribute, Block, Container, Dataset, DatasetInfo, Entry, Format, StoredType};
use crate::array::{ByteOrder, Real};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use writer::{MemoryOutput, MemoryWriter};

/// Groups, arrays and attributes by path.
#[derive(Debug, Clone, Default)]
pub struct MemoryFile {
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// `None` for a group.
    array: Option<Arc<MemoryArray>>,
    attributes: Vec<Attribute>,
    /// Paths of the scales on each axis.
    scales: Vec<Vec<String>>,
}

/// One array or text dataset.
#[derive(Debug, Clone)]
pub struct MemoryArray {
    info: DatasetInfo,
    bytes: Vec<u8>,
    text: Vec<Vec<u8>>,
    fill: Option<Vec<u8>>,
}

fn rooted(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

impl MemoryFile {
    /// An empty file: the root group alone.
    pub fn new() -> Self {
        MemoryFile { nodes: BTreeMap::from([("/".to_owned(), Node::default())]) }
    }

    /// Adds an array of working values of `shape`, C order.
    ///
    /// # Errors
    /// The number of values is not the shape's.
    pub fn with<T: Real>(mut self, path: &str, shape: &[u64], values: &[T]) -> Result<Self> {
        let dtype = T::WORK.dtype();
        let mut bytes = Vec::with_capacity(size_of_val(values));
        T::push_le(values, &mut bytes);
        self.insert(path, shape, StoredType::Number(dtype, ByteOrder::Little), bytes)?;
        Ok(self)
    }

    /// Adds an array of stored elements (C order) in any type and byte order.
    ///
    /// # Errors
    /// The number of bytes is not the shape's.
    pub fn insert(&mut self, path: &str, shape: &[u64], stored: StoredType, bytes: Vec<u8>) -> Result<()> {
        let element = block::element_size(&stored);
        let wanted = block::byte_length(shape, element);
        if wanted != Some(bytes.len() as u64) {
            let expected = format!("those of an array of shape {shape:?}");
            return Err(Error::data(rooted(path), format!("{} bytes", bytes.len()), expected, ""));
        }
        let info = described(path, shape, stored);
        self.put(path, MemoryArray { info, bytes, text: Vec::new(), fill: None });
        Ok(())
    }

    /// The bytes of an array as stored, if there is one at `path`.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.nodes.get(&rooted(path))?.array.as_ref().map(|array| array.bytes.as_slice())
    }

    /// Sets or replaces an attribute of a node that exists.
    ///
    /// # Errors
    /// There is no such node.
    pub fn set_attribute(&mut self, path: &str, attribute: Attribute) -> Result<()> {
        let attributes = &mut self.node_mut(path)?.attributes;
        attributes.retain(|known| known.name != attribute.name);
        attributes.push(attribute);
        Ok(())
    }

    fn group(&mut self, path: &str) {
        let path = rooted(path);
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0);
        for end in ends.chain([path.len()]) {
            self.nodes.entry(path[..end].to_owned()).or_default();
        }
    }

    fn put(&mut self, path: &str, array: MemoryArray) {
        let path = rooted(path);
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            self.group(parent);
        }
        self.nodes.insert(path, Node { array: Some(Arc::new(array)), ..Node::default() });
    }

    fn node(&self, path: &str) -> Result<&Node> {
        let path = rooted(path);
        self.nodes.get(&path).ok_or_else(|| Error::data(path, "nothing", "a group or dataset", ""))
    }

    fn node_mut(&mut self, path: &str) -> Result<&mut Node> {
        let path = rooted(path);
        self.nodes.get_mut(&path).ok_or_else(|| Error::data(path, "nothing", "a group or dataset", ""))
    }
}

fn described(path: &str, shape: &[u64], stored: StoredType) -> DatasetInfo {
    DatasetInfo {
        path: rooted(path),
        shape: shape.to_vec(),
        stored,
        fortran: false,
        chunks: None,
        deflate: None,
        shuffle: false,
        unlimited: false,
    }
}

impl Container for MemoryFile {
    fn path(&self) -> &Path {
        Path::new("memory")
    }

    fn format(&self) -> Format {
        Format::Memory
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let entry = |(path, node): (&String, &Node)| match &node.array {
            Some(array) => Entry::Dataset(array.info.clone()),
            None => Entry::Group(path.clone()),
        };
        Ok(self.nodes.iter().map(entry).collect())
    }

    fn attributes(&self, path: &str) -> Result<Vec<Attribute>> {
        Ok(self.node(path)?.attributes.clone())
    }

    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>> {
        match &self.node(path)?.array {
            Some(array) => Ok(array.clone()),
            None => Err(Error::data(rooted(path), "a group", "a dataset", "")),
        }
    }

    fn dimension_scales(&self, path: &str) -> Result<Vec<Vec<String>>> {
        Ok(self.node(path)?.scales.clone())
    }
}

impl ReadAt for MemoryArray {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let there = usize::try_from(offset).ok().and_then(|at| self.bytes.get(at..)?.get(..out.len()));
        match there {
            Some(bytes) => out.copy_from_slice(bytes),
            None => {
                return Err(Error::data(self.info.path.as_str(), "no such bytes", "bytes of the array", ""));
            }
        }
        Ok(())
    }
}

impl Dataset for MemoryArray {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn read_block(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        npy::read_block(&self.info.path, &self.info, self, block, out)
    }

    fn with_block(
        &self,
        block: &Block,
        scratch: &mut Vec<u8>,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        scratch.resize(super::block_bytes(&self.info, block), 0);
        block::check(&self.info.path, &self.info, block, scratch.len())?;
        let element = block::element_size(&self.info.stored);
        let runs = block::Runs::new(&self.info.shape, &block.start, &block.count, element);
        let lent = runs.single().and_then(|at| self.bytes.get(at as usize..)?.get(..runs.length));
        match lent {
            Some(bytes) => use_bytes(bytes),
            None => {
                self.read_block(block, scratch)?;
                use_bytes(scratch)
            }
        }
    }

    fn read_text(&self) -> Result<Vec<Vec<u8>>> {
        match self.info.stored {
            StoredType::Text => Ok(self.text.clone()),
            _ => Err(npy::no_such_elements(&self.info.path, "text")),
        }
    }

    fn read_references(&self) -> Result<Vec<String>> {
        Err(npy::no_such_elements(&self.info.path, "references"))
    }

    fn fill_value(&self) -> Option<Vec<u8>> {
        self.fill.clone()
    }
}

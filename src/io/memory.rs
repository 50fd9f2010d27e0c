//! The file traits over arrays in memory: library users, tests and benches need no disk.
//!
//! [`MemoryFile`] is a container one fills or a [`MemoryWriter`] leaves behind. Axes are slowest
//! first; arrays lie in C order, little-endian.

use super::block::{self, ReadAt};
use super::npy;
use super::{
    Attribute, Block, Container, Dataset, DatasetId, DatasetInfo, DatasetSpec, Entry, Format, StoredType,
    Writer,
};
use crate::array::{ByteOrder, Dtype, Real};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

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

/// What a [`MemoryWriter`] leaves behind once it finished.
#[derive(Debug, Clone, Default)]
pub struct MemoryOutput(Arc<Mutex<Option<MemoryFile>>>);

impl MemoryOutput {
    /// The finished file, once.
    pub fn take(&self) -> Option<MemoryFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Writer into memory.
#[derive(Debug)]
pub struct MemoryWriter {
    file: MemoryFile,
    growing: Vec<(DatasetSpec, npy::Progress, Vec<u8>)>,
    output: MemoryOutput,
}

impl Default for MemoryWriter {
    fn default() -> Self {
        MemoryWriter { file: MemoryFile::new(), growing: Vec::new(), output: MemoryOutput::default() }
    }
}

impl MemoryWriter {
    /// A writer and the place where its file appears on `finish`.
    pub fn new() -> (Self, MemoryOutput) {
        let writer = MemoryWriter::default();
        let output = writer.output.clone();
        (writer, output)
    }
}

/// The description of a dataset that a writer was asked for.
fn spec_info(spec: &DatasetSpec) -> DatasetInfo {
    let mut info = described(&spec.path, &spec.shape, number(spec.dtype));
    info.chunks = spec.chunks.clone();
    info.deflate = spec.deflate;
    info.shuffle = spec.deflate.is_some();
    info
}

fn number(dtype: Dtype) -> StoredType {
    StoredType::Number(dtype, ByteOrder::Little)
}

impl Writer for MemoryWriter {
    fn create(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        let progress = npy::Progress::new(rooted(&spec.path), spec)?;
        if self.file.nodes.contains_key(&rooted(&spec.path)) {
            return Err(Error::Failed(format!("{}: made twice", rooted(&spec.path))));
        }
        // Takes the path, so that attributes and scales can be set before the values are complete.
        let empty = MemoryArray { info: spec_info(spec), bytes: Vec::new(), text: Vec::new(), fill: None };
        self.file.put(&spec.path, empty);
        self.growing.push((spec.clone(), progress, Vec::new()));
        Ok(DatasetId(self.growing.len() - 1))
    }

    fn append(&mut self, id: DatasetId, bytes: &[u8]) -> Result<()> {
        let Some((_, progress, values)) = self.growing.get_mut(id.0) else {
            return Err(Error::Failed(format!("memory: no dataset of number {}", id.0)));
        };
        progress.add(bytes.len())?;
        values.extend_from_slice(bytes);
        Ok(())
    }

    fn create_text(&mut self, path: &str, shape: &[u64], values: &[Vec<u8>]) -> Result<()> {
        if shape.iter().product::<u64>() != values.len() as u64 {
            let expected = format!("those of shape {shape:?}");
            return Err(Error::data(rooted(path), format!("{} texts", values.len()), expected, ""));
        }
        let info = described(path, shape, StoredType::Text);
        self.file.put(path, MemoryArray { info, bytes: Vec::new(), text: values.to_vec(), fill: None });
        Ok(())
    }

    fn create_group(&mut self, path: &str) -> Result<()> {
        self.file.group(path);
        Ok(())
    }

    fn set_attribute(&mut self, path: &str, attribute: &Attribute) -> Result<()> {
        self.file.set_attribute(path, attribute.clone())
    }

    fn attach_scale(&mut self, dataset: &str, axis: usize, scale: &str) -> Result<()> {
        let scale = rooted(scale);
        self.file.node(&scale)?;
        let node = self.file.node_mut(dataset)?;
        let axes = node.array.as_ref().map_or(0, |array| array.info.shape.len());
        if axis >= axes {
            return Err(Error::data(rooted(dataset), format!("{axes} axes"), format!("an axis {axis}"), ""));
        }
        node.scales.resize(axes, Vec::new());
        if let Some(scales) = node.scales.get_mut(axis) {
            scales.push(scale);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        for (spec, progress, bytes) in std::mem::take(&mut self.growing) {
            progress.check_complete()?;
            let array =
                MemoryArray { info: spec_info(&spec), bytes, text: Vec::new(), fill: spec.fill.clone() };
            self.file.node_mut(&spec.path)?.array = Some(Arc::new(array));
        }
        *self.output.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::AttributeValue;

    #[test]
    fn what_was_written_is_read_back() {
        let (mut writer, output) = MemoryWriter::new();
        let spec = DatasetSpec {
            path: "g/values".into(),
            shape: vec![2, 3],
            dtype: Dtype::F32,
            chunks: None,
            deflate: None,
            fill: None,
        };
        let id = writer.create(&spec).unwrap();
        let units = Attribute {
            name: "units".into(),
            shape: vec![],
            value: AttributeValue::Text(vec![b"m".to_vec()]),
        };
        writer.set_attribute("/g/values", &units).unwrap();
        writer.create_text("/names", &[2], &[b"y".to_vec(), b"x".to_vec()]).unwrap();
        writer.attach_scale("g/values", 1, "names").unwrap();
        assert!(writer.attach_scale("g/values", 2, "names").is_err());
        let mut bytes = Vec::new();
        f32::push_le(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &mut bytes);
        writer.append(id, &bytes[..4]).unwrap();
        writer.append(id, &bytes[4..]).unwrap();
        assert!(writer.append(id, &[0]).is_err());
        Box::new(writer).finish().unwrap();

        let file = output.take().unwrap();
        assert_eq!(file.list().unwrap().len(), 4);
        assert_eq!(file.attributes("/g/values").unwrap(), [units]);
        assert_eq!(file.dimension_scales("/g/values").unwrap(), [vec![], vec!["/names".to_owned()]]);
        let array = file.dataset("g/values").unwrap();
        let mut out = [0; 8];
        array.read_block(&Block { start: vec![0, 2], count: vec![2, 1] }, &mut out).unwrap();
        assert_eq!(out, [&bytes[8..12], &bytes[20..24]].concat()[..]);
        let rows = Block { start: vec![1, 0], count: vec![1, 3] };
        let mut seen = Vec::new();
        array
            .with_block(&rows, &mut Vec::new(), &mut |b| {
                seen.extend_from_slice(b);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, bytes[12..]);
        assert_eq!(file.dataset("/names").unwrap().read_text().unwrap()[1], b"x");
    }

    #[test]
    fn an_unfinished_dataset_leaves_nothing() {
        let (mut writer, output) = MemoryWriter::new();
        let spec = DatasetSpec {
            path: "a".into(),
            shape: vec![2],
            dtype: Dtype::U8,
            chunks: None,
            deflate: None,
            fill: None,
        };
        writer.create(&spec).unwrap();
        assert!(Box::new(writer).finish().is_err());
        assert!(output.take().is_none());
    }
}

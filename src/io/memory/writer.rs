//! Writer into memory.

use super::{MemoryArray, MemoryFile, described, rooted};
use crate::array::{ByteOrder, Dtype};
use crate::error::{Error, Result};
use crate::io::{Attribute, DatasetId, DatasetInfo, DatasetSpec, StoredType, Writer, npy};
use std::sync::{Arc, Mutex, PoisonError};

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
    use crate::array::Real;
    use crate::io::{AttributeValue, Block, Container};

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

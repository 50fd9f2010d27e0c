//! Copies what stands in a file besides the epochs: groups, datasets, attributes, scales.
//!
//! Arrays are streamed in bounded blocks. What the writer cannot make (compound types, links to
//! other files) is told, not passed over in silence.

use crate::array::{ByteOrder, Dtype};
use crate::error::Result;
use crate::io::{
    Attribute, AttributeValue, Block, Container, DatasetInfo, DatasetSpec, Entry, StoredType, Writer,
};
use std::collections::HashSet;

/// Bytes copied at once.
const BLOCK_BYTES: u64 = 16 << 20;
/// Deflate level where the input does not record its own.
const USUAL_LEVEL: u32 = 4;
/// Attributes that the writer makes itself when scales are attached.
const OF_SCALES: [&str; 2] = ["DIMENSION_LIST", "REFERENCE_LIST"];

/// One copy from file to file.
pub(super) struct Copying<'a> {
    pub container: &'a dyn Container,
    pub writer: &'a mut dyn Writer,
    /// Trimmed paths that the caller makes itself.
    pub left_out: &'a [String],
    pub warnings: &'a mut Vec<String>,
    /// Paths of the datasets made so far.
    pub made: HashSet<String>,
    /// Paths of the groups made so far.
    pub groups: HashSet<String>,
}

impl Copying<'_> {
    /// True for a dataset that [`Copying::nodes`] made, or the caller.
    pub fn is_made(&self, info: &DatasetInfo) -> bool {
        self.made.contains(&info.path)
    }

    /// True for a path that may be referred to; groups are all copied.
    fn is_there(&self, path: &str) -> bool {
        self.made.contains(path) || self.groups.contains(path)
    }

    fn left_out(&self, path: &str) -> bool {
        self.left_out.iter().any(|other| other == path.trim_matches('/'))
    }

    fn warn(&mut self, path: &str, what: &str) {
        let file = self.container.path().display();
        self.warnings.push(format!("{file}:{path}: {what} is not copied to the cleaned file"));
    }

    /// Copies groups and datasets of values, without their attributes.
    pub fn nodes(&mut self, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            match entry {
                Entry::Group(path) => {
                    if path != "/" {
                        self.writer.create_group(path)?;
                    }
                    self.groups.insert(path.clone());
                }
                Entry::Link(path, target) => self.warn(path, &format!("the link to {target}")),
                Entry::Dataset(info) if self.left_out(&info.path) => {}
                // They wait until their targets are there.
                Entry::Dataset(info) if info.stored == StoredType::Reference => {}
                Entry::Dataset(info) => self.dataset(info)?,
            }
        }
        Ok(())
    }

    /// Copies the datasets of references, whose targets all stand by now.
    pub fn references(&mut self, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            if let Entry::Dataset(info) = entry
                && info.stored == StoredType::Reference
            {
                self.referring(info)?;
            }
        }
        Ok(())
    }

    fn dataset(&mut self, info: &DatasetInfo) -> Result<()> {
        match &info.stored {
            StoredType::Number(dtype, order) => self.array(info, *dtype, *order, false)?,
            StoredType::Bool => self.array(info, Dtype::I8, ByteOrder::NATIVE, true)?,
            StoredType::Text => {
                let texts = self.container.dataset(&info.path)?.read_text()?;
                self.writer.create_text(&info.path, &info.shape, &texts)?;
            }
            other => {
                let what = format!("a dataset of type {other}");
                self.warn(&info.path, &what);
                return Ok(());
            }
        }
        self.made.insert(info.path.clone());
        Ok(())
    }

    fn array(&mut self, info: &DatasetInfo, dtype: Dtype, order: ByteOrder, truth: bool) -> Result<()> {
        let dataset = self.container.dataset(&info.path)?;
        let mut fill = dataset.fill_value().filter(|_| !truth);
        if let Some(fill) = &mut fill {
            to_little(fill, dtype, order);
        }
        let spec = DatasetSpec { fill, ..spec_like(info, dtype, info.shape.clone(), None) };
        let id = if truth { self.writer.create_truth(&spec)? } else { self.writer.create(&spec)? };
        let mut bytes = Vec::new();
        for block in blocks(info, dtype.size() as u64) {
            bytes.resize(block.count.iter().product::<u64>() as usize * dtype.size(), 0);
            dataset.read_block(&block, &mut bytes)?;
            to_little(&mut bytes, dtype, order);
            self.writer.append(id, &bytes)?;
        }
        Ok(())
    }

    fn referring(&mut self, info: &DatasetInfo) -> Result<()> {
        let targets = self.container.dataset(&info.path)?.read_references()?;
        if info.shape.len() != 1 || targets.iter().any(|target| !self.is_there(target)) {
            self.warn(&info.path, "a dataset of references");
            return Ok(());
        }
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        self.writer.create_references(&info.path, &targets)?;
        self.made.insert(info.path.clone());
        Ok(())
    }

    /// Copies the attributes of one node; the objects that they refer to must be there.
    pub fn attributes(&mut self, path: &str) -> Result<()> {
        let attributes = self.container.attributes(path)?;
        let is_scale = is_scale(&attributes);
        for attribute in attributes {
            let name = attribute.name.as_str();
            if OF_SCALES.contains(&name) || (is_scale && name == "CLASS") {
                continue;
            }
            match &attribute.value {
                AttributeValue::Unsupported(kind) => {
                    let what = format!("the attribute {name} of type {kind}");
                    self.warn(path, &what);
                }
                AttributeValue::Reference(targets) if targets.iter().any(|target| !self.is_there(target)) => {
                    let what = format!("the attribute {name}, a reference to nothing in it,");
                    self.warn(path, &what);
                }
                _ => {
                    // netCDF knows the name of a scale in fixed-length text only.
                    self.writer.use_variable_text(!(is_scale && name == "NAME"));
                    self.writer.set_attribute(path, &attribute)?;
                }
            }
        }
        Ok(())
    }

    /// Attaches the dimension scales of a dataset, on the axes from `first` on.
    pub fn scales(&mut self, path: &str, first: usize) -> Result<()> {
        for (axis, scales) in self.container.dimension_scales(path)?.into_iter().enumerate() {
            for scale in scales {
                if axis < first {
                    self.warn(path, &format!("the dimension scale {scale} of axis {axis}"));
                } else if self.made.contains(&scale) {
                    self.writer.attach_scale(path, axis, &scale)?;
                }
            }
        }
        Ok(())
    }
}

fn is_scale(attributes: &[Attribute]) -> bool {
    let class = attributes.iter().find(|attribute| attribute.name == "CLASS");
    class.is_some_and(|class| {
        matches!(&class.value, AttributeValue::Text(texts)
            if texts.first().is_some_and(|text| text.starts_with(b"DIMENSION_SCALE")))
    })
}

/// A dataset laid out as `info`, with another shape or compression.
pub(super) fn spec_like(
    info: &DatasetInfo,
    dtype: Dtype,
    shape: Vec<u64>,
    compress: Option<u32>,
) -> DatasetSpec {
    let own = info.deflate.map(|level| if level == 0 { USUAL_LEVEL } else { level });
    DatasetSpec {
        path: info.path.clone(),
        shape,
        dtype,
        chunks: info.chunks.clone(),
        deflate: compress.or(own),
        fill: None,
    }
}

/// Turns stored elements into little-endian ones.
pub(super) fn to_little(bytes: &mut [u8], dtype: Dtype, order: ByteOrder) {
    if order == ByteOrder::Big && dtype.size() > 1 {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
}

/// Blocks of bounded size that follow each other in C order and cover the dataset.
fn blocks(info: &DatasetInfo, element: u64) -> Vec<Block> {
    let shape = &info.shape;
    if shape.contains(&0) {
        return Vec::new();
    }
    let behind = |axis: usize| shape[axis + 1..].iter().fold(element, |bytes, &n| bytes.saturating_mul(n));
    // The first axis whose rows are small enough is cut; those before it go one by one.
    let Some(axis) = (0..shape.len()).find(|&axis| behind(axis) <= BLOCK_BYTES) else {
        return vec![Block { start: vec![], count: vec![] }];
    };
    let chunk = info.chunks.as_ref().map_or(1, |chunks| chunks[axis].max(1));
    let fit = BLOCK_BYTES / behind(axis).max(1);
    let step = if fit >= chunk { fit / chunk * chunk } else { fit.max(1) };
    let outer: u64 = shape[..axis].iter().product();
    let mut found = Vec::new();
    for number in 0..outer {
        let (mut start, mut count) = (vec![0; shape.len()], shape.clone());
        let mut rest = number;
        for before in (0..axis).rev() {
            (start[before], count[before]) = (rest % shape[before], 1);
            rest /= shape[before];
        }
        let mut at = 0;
        while at < shape[axis] {
            (start[axis], count[axis]) = (at, step.min(shape[axis] - at));
            found.push(Block { start: start.clone(), count: count.clone() });
            at += step;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(shape: &[u64], chunks: Option<&[u64]>) -> DatasetInfo {
        DatasetInfo {
            path: "/a".into(),
            shape: shape.to_vec(),
            stored: StoredType::Number(Dtype::F64, ByteOrder::Little),
            fortran: false,
            chunks: chunks.map(<[u64]>::to_vec),
            deflate: None,
            shuffle: false,
            unlimited: false,
        }
    }

    #[test]
    fn blocks_are_bounded_and_cover_every_cell_in_order() {
        for (shape, chunks) in [
            (vec![], None),
            (vec![0, 3], None),
            (vec![5], None),
            (vec![3, 2 << 20, 2], None),
            (vec![1, 2, 5 << 20], Some(vec![1, 1, 1000])),
            (vec![300, 64, 1000], Some(vec![19, 8, 125])),
        ] {
            let info = info(&shape, chunks.as_deref());
            let mut next = 0;
            for block in blocks(&info, 8) {
                let cells: u64 = block.count.iter().product();
                assert!(cells * 8 <= BLOCK_BYTES, "{shape:?}");
                let first = block.start.iter().zip(&shape).fold(0, |at, (&s, &n)| at * n + s);
                assert_eq!(first, next, "{shape:?}");
                next += cells;
            }
            assert_eq!(next, shape.iter().product::<u64>(), "{shape:?}");
        }
    }
}

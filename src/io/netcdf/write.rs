//! Result files that `xarray` opens with dimensions, coordinates, attributes and reference system
//! in place (spec convolve 7.3). Plain HDF5 results have the same structure.
//!
//! [`create_raster_file`] makes everything but the cells; they follow by [`Writer::append`], row
//! by row in the order of the layout's dimensions.

use super::layout::{Companion, Dimension, RasterLayout, Values, text, text_attribute, unique};
use super::scales::{name_without_values, not_a_number, set_dimension_id, set_fill};
use crate::array::{ByteOrder, Dtype, to_f32};
use crate::error::{Error, Result};
use crate::io::{
    Attribute, AttributeValue, Block, Dataset, DatasetId, DatasetSpec, StoredType, Writer, block_bytes,
};

/// Bytes of a coordinate that are copied at a time.
const COPY: usize = 1 << 20;

/// A result variable over the dimensions of a layout.
#[derive(Debug, Clone)]
pub struct OutVariable<'a> {
    /// Its name: `convolution_2d`.
    pub name: &'a str,
    /// Its element type.
    pub dtype: Dtype,
    /// A further axis before the rows with a text for each position: (`stats`, its labels).
    pub labels: Option<(&'a str, &'a [&'a str])>,
    /// Deflate level; `None` stores plainly.
    pub deflate: Option<u32>,
    /// Attributes that replace or join those of the layout.
    pub attributes: Vec<Attribute>,
}

impl OutVariable<'_> {
    /// Lengths of its axes: planes' axes, labels, y, x.
    pub fn shape(&self, layout: &RasterLayout) -> Vec<u64> {
        self.with_labels(layout.shape(), |labels| labels.len() as u64)
    }

    /// `axes` with what belongs to the label axis put before the last two.
    fn with_labels<T>(&self, mut axes: Vec<T>, of: impl Fn(&[&str]) -> T) -> Vec<T> {
        if let Some((_, labels)) = self.labels {
            axes.insert(axes.len().saturating_sub(2), of(labels));
        }
        axes
    }
}

/// Makes globals, dimensions, coordinates, grid mapping and the result variables; the cells of
/// the variables, in the order given, are appended to the handles returned.
///
/// `history` is the line added to the file's history. Nothing written depends on time or machine.
///
/// # Errors
/// A coordinate cannot be read or written, or a variable's name is that of a coordinate.
pub fn create_raster_file(
    writer: &mut dyn Writer,
    layout: &RasterLayout,
    variables: &[OutVariable],
    history: &str,
) -> Result<Vec<DatasetId>> {
    for attribute in globals(layout, history) {
        writer.set_attribute("/", &attribute)?;
    }
    let mut made = Made { writer, layout, names: Vec::new() };
    for axis in 0..layout.dimensions.len() {
        made.dimension(axis)?;
    }
    let is_coordinate = |companion: &Companion| {
        companion.axes.len() == 1 && layout.dimensions[companion.axes[0]].name == companion.name
    };
    for companion in layout.companions.iter().filter(|companion| !is_coordinate(companion)) {
        made.companion(companion)?;
    }
    let mut ids = Vec::with_capacity(variables.len());
    for variable in variables {
        ids.push(made.variable(variable)?);
    }
    Ok(ids)
}

/// Global attributes of the result: the input's, the conventions, and one more line of history.
fn globals(layout: &RasterLayout, history: &str) -> Vec<Attribute> {
    let mut globals: Vec<Attribute> = Vec::new();
    if text(&layout.globals, "Conventions").is_none() {
        globals.push(text_attribute("Conventions", "CF-1.8"));
    }
    globals.extend(layout.globals.iter().filter(|attribute| attribute.name != "history").map(portable));
    let line = match text(&layout.globals, "history") {
        Some(before) if !before.trim().is_empty() => format!("{}\n{history}", before.trim_end()),
        _ => history.to_owned(),
    };
    globals.push(text_attribute("history", &line));
    globals
}

/// An attribute in the form that every reader takes: one text as a scalar, no truth values and no
/// half precision (the netCDF library refuses whole files over them), empty as empty text.
fn portable(attribute: &Attribute) -> Attribute {
    let (shape, value) = match &attribute.value {
        AttributeValue::Text(texts) if texts.len() == 1 => (Vec::new(), attribute.value.clone()),
        AttributeValue::Empty => (Vec::new(), AttributeValue::Text(vec![Vec::new()])),
        AttributeValue::Bool(values) => (
            attribute.shape.clone(),
            AttributeValue::Int(values.iter().map(|&value| i64::from(value)).collect(), Dtype::I8),
        ),
        AttributeValue::Float(values, Dtype::F16) => {
            (attribute.shape.clone(), AttributeValue::Float(values.clone(), Dtype::F32))
        }
        other => (attribute.shape.clone(), other.clone()),
    };
    Attribute { name: attribute.name.clone(), shape, value }
}

/// The file so far.
struct Made<'a> {
    writer: &'a mut dyn Writer,
    layout: &'a RasterLayout,
    /// Everything in the root group; dimensions first, so that an index is a netCDF dimension id.
    names: Vec<String>,
}

impl Made<'_> {
    /// Makes the scale of an axis, with its values where it has a coordinate.
    fn dimension(&mut self, axis: usize) -> Result<()> {
        let Dimension { name, length } = &self.layout.dimensions[axis];
        if self.names.contains(name) {
            // The same dimension on a second axis.
            return Ok(());
        }
        let id = self.names.len();
        self.names.push(name.clone());
        match self.layout.coordinate(axis) {
            Some(coordinate) => self.values(coordinate)?,
            None => self.length_only(name, *length)?,
        }
        set_dimension_id(self.writer, name, id)
    }

    fn length_only(&mut self, name: &str, length: u64) -> Result<()> {
        let spec = DatasetSpec {
            path: name.to_owned(),
            shape: vec![length],
            dtype: Dtype::F32,
            chunks: None,
            deflate: None,
            fill: None,
        };
        let id = self.writer.create(&spec)?;
        let zeros = [0; 4096];
        let mut rest = length.saturating_mul(4);
        while rest > 0 {
            let part = rest.min(zeros.len() as u64);
            self.writer.append(id, &zeros[..part as usize])?;
            rest -= part;
        }
        self.writer.set_attribute(name, &text_attribute("NAME", &name_without_values(length)))
    }

    fn companion(&mut self, companion: &Companion) -> Result<()> {
        self.claim(&companion.name)?;
        self.values(companion)?;
        for (at, &axis) in companion.axes.iter().enumerate() {
            self.writer.attach_scale(&companion.name, at, &self.layout.dimensions[axis].name)?;
        }
        Ok(())
    }

    fn claim(&mut self, name: &str) -> Result<()> {
        if self.names.iter().any(|known| known == name) {
            return Err(Error::data(
                format!("result variable {name}"),
                "a coordinate of that name in the input",
                "names that differ",
                "rename the input's coordinate",
            ));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    fn values(&mut self, companion: &Companion) -> Result<()> {
        let name = &companion.name;
        let stored = match &companion.values {
            Values::Text(texts) => return self.texts(companion, texts),
            Values::Stored(dataset) => dataset,
        };
        match stored.info().stored {
            StoredType::Number(dtype, order) => {
                copy_numbers(self.writer, name, stored.as_ref(), dtype, order)?
            }
            _ => return self.texts(companion, &stored.read_text()?),
        }
        self.attributes(name, &companion.attributes)
    }

    fn texts(&mut self, companion: &Companion, texts: &[Vec<u8>]) -> Result<()> {
        let length = |&axis: &usize| self.layout.dimensions[axis].length;
        let shape: Vec<u64> = companion.axes.iter().map(length).collect();
        self.writer.create_text(&companion.name, &shape, texts)?;
        self.attributes(&companion.name, &companion.attributes)
    }

    fn attributes(&mut self, name: &str, attributes: &[Attribute]) -> Result<()> {
        attributes.iter().try_for_each(|attribute| self.writer.set_attribute(name, &portable(attribute)))
    }

    fn variable(&mut self, variable: &OutVariable) -> Result<DatasetId> {
        let names = self.layout.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let axis = match variable.labels {
            Some((name, labels)) => self.label_axis(name, labels)?,
            None => String::new(),
        };
        let scales = variable.with_labels(names, |_| axis.clone());
        self.claim(variable.name)?;
        let chunks = self.layout.chunks.clone().map(|chunks| variable.with_labels(chunks, |_| 1));
        let shape = variable.shape(self.layout);
        let spec = DatasetSpec {
            path: variable.name.to_owned(),
            chunks: chunks.filter(|chunks| chunks.len() == shape.len() && !shape.contains(&0)),
            shape,
            dtype: variable.dtype,
            deflate: variable.deflate,
            fill: not_a_number(variable.dtype),
        };
        let id = self.writer.create(&spec)?;
        set_fill(self.writer, variable.name, variable.dtype)?;
        let replaced =
            |attribute: &&Attribute| variable.attributes.iter().all(|own| own.name != attribute.name);
        let inherited: Vec<Attribute> = self.layout.attributes.iter().filter(replaced).cloned().collect();
        self.attributes(variable.name, &inherited)?;
        self.attributes(variable.name, &variable.attributes)?;
        for (axis, scale) in scales.iter().enumerate() {
            self.writer.attach_scale(variable.name, axis, scale)?;
        }
        Ok(id)
    }

    /// Makes the text coordinate of a label axis; its name, which differs from `name` where the
    /// input has one of that name already (statistics of statistics).
    fn label_axis(&mut self, name: &str, labels: &[&str]) -> Result<String> {
        let name = unique(name.to_owned(), &|name| self.names.iter().any(|known| known == name));
        let id = self.layout.dimensions.len();
        let texts: Vec<Vec<u8>> = labels.iter().map(|label| label.as_bytes().to_vec()).collect();
        self.writer.create_text(&name, &[texts.len() as u64], &texts)?;
        self.names.push(name.clone());
        set_dimension_id(self.writer, &name, id)?;
        Ok(name)
    }
}

/// Copies a dataset of numbers as it is, little-endian; half precision, which netCDF has not,
/// becomes float32.
fn copy_numbers(
    writer: &mut dyn Writer,
    name: &str,
    dataset: &dyn Dataset,
    dtype: Dtype,
    order: ByteOrder,
) -> Result<()> {
    let info = dataset.info();
    let target = if dtype == Dtype::F16 { Dtype::F32 } else { dtype };
    let spec = DatasetSpec {
        path: name.to_owned(),
        shape: info.shape.clone(),
        dtype: target,
        chunks: None,
        deflate: None,
        fill: None,
    };
    let id = writer.create(&spec)?;
    let mut block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = Vec::new();
    let rows = info.shape.first().copied().unwrap_or(1);
    let row_bytes = block_bytes(info, &block) / (rows as usize).max(1);
    let at_once = (COPY / row_bytes.max(1)).max(1) as u64;
    let mut row = 0;
    while row < rows {
        let count = at_once.min(rows - row);
        if let (Some(start), Some(length)) = (block.start.first_mut(), block.count.first_mut()) {
            (*start, *length) = (row, count);
        }
        bytes.resize(block_bytes(info, &block), 0);
        dataset.read_block(&block, &mut bytes)?;
        to_little_endian(&mut bytes, dtype, order);
        writer.append(id, &bytes)?;
        row += count;
    }
    Ok(())
}

fn to_little_endian(bytes: &mut Vec<u8>, dtype: Dtype, order: ByteOrder) {
    if dtype == Dtype::F16 {
        let mut wide = vec![0f32; bytes.len() / 2];
        to_f32(bytes, dtype, order, &mut wide);
        *bytes = wide.iter().flat_map(|value| value.to_le_bytes()).collect();
    } else if order == ByteOrder::Big {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
}

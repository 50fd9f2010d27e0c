//! Writing a model.

use super::super::encoding::{EncodedTrain, EncodingModel, RateUnits};
use super::LAYOUT;
use crate::array::{Dtype, Real};
use crate::error::Result;
use crate::io::hdf5::write::Hdf5Writer;
use crate::io::{Attribute, AttributeValue, DatasetSpec, Writer};
use std::path::Path;

/// Values written at a time.
const PIECE: usize = 1 << 16;

/// Writes `model` to `path`; an existing file is replaced when all is written.
///
/// # Errors
/// The file cannot be written.
pub fn write(model: &EncodingModel, path: &Path) -> Result<()> {
    let mut writer = Box::new(Hdf5Writer::create(path)?);
    writer.use_variable_text(true);
    let mut out = Out { writer };
    out.text("/", "layout", LAYOUT)?;
    out.text("/", "kind", model.kind.name())?;
    match model.rate_units {
        RateUnits::Samples => out.text("/", "rate_units", "samples")?,
        RateUnits::Seconds { sample_period } => {
            out.text("/", "rate_units", "seconds")?;
            out.number("/", "sample_period", sample_period)?;
        }
    }
    out.numbers("/", "bin_size", &model.bin_size)?;
    out.numbers("/", "position_std", &model.position_std)?;
    out.numbers("/", "waveform_std", &model.waveform_std)?;
    out.count("/", "axes", model.axes())?;
    out.count("/", "trains", model.trains.len())?;
    grid(&mut out, model)?;
    let axes = model.axes();
    out.array("/samples", &model.samples, axes)?;
    out.array("/weights", &model.weights, 1)?;
    out.array("/occupancy", &model.occupancy, 1)?;
    out.array("/ground", &model.ground, 1)?;
    out.writer.create_group("/trains")?;
    for (k, encoded) in model.trains.iter().enumerate() {
        train(&mut out, &format!("/trains/{k}"), encoded, axes)?;
        encoded.release();
    }
    out.writer.finish()
}

fn grid(out: &mut Out, model: &EncodingModel) -> Result<()> {
    for (axis, edges) in model.grid.edges.iter().enumerate() {
        out.array(&format!("/grid/edges_{axis}"), edges, 1)?;
    }
    let shape = model.grid.shape.iter().map(|&n| n as u64).collect();
    let id = out.writer.create_truth(&spec("/grid/interior", shape, Dtype::I8))?;
    let bytes: Vec<u8> = model.grid.interior.iter().map(|&inside| u8::from(inside)).collect();
    out.writer.append(id, &bytes)?;
    match &model.track {
        Some(track) => out.writer.create_text("/track_graph", &[], &[track.to_json().into_bytes()]),
        None => Ok(()),
    }
}

fn train(out: &mut Out, path: &str, train: &EncodedTrain, axes: usize) -> Result<()> {
    out.writer.create_group(path)?;
    out.text(path, "name", &train.name)?;
    out.number(path, "rate", train.rate)?;
    out.count(path, "spikes", train.spikes(axes))?;
    out.count(path, "width", train.width)?;
    out.array(&format!("{path}/positions"), &train.positions, axes)?;
    out.array(&format!("{path}/marks"), &train.marks, train.width)?;
    out.array(&format!("{path}/weights"), &train.weights, 1)?;
    out.array(&format!("{path}/field"), &train.field, 1)
}

struct Out {
    writer: Box<Hdf5Writer>,
}

impl Out {
    fn attribute(&mut self, path: &str, name: &str, shape: &[u64], value: AttributeValue) -> Result<()> {
        let attribute = Attribute { name: name.into(), shape: shape.to_vec(), value };
        self.writer.set_attribute(path, &attribute)
    }

    fn text(&mut self, path: &str, name: &str, text: &str) -> Result<()> {
        self.attribute(path, name, &[], AttributeValue::Text(vec![text.as_bytes().to_vec()]))
    }

    fn number(&mut self, path: &str, name: &str, value: f64) -> Result<()> {
        self.attribute(path, name, &[], AttributeValue::Float(vec![value], Dtype::F64))
    }

    fn numbers(&mut self, path: &str, name: &str, values: &[f64]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let shape = [values.len() as u64];
        self.attribute(path, name, &shape, AttributeValue::Float(values.to_vec(), Dtype::F64))
    }

    fn count(&mut self, path: &str, name: &str, value: usize) -> Result<()> {
        self.attribute(path, name, &[], AttributeValue::Int(vec![value as i64], Dtype::I64))
    }

    /// Rows of `columns` values; one column makes a 1-D array, no value none at all.
    fn array(&mut self, path: &str, values: &[f64], columns: usize) -> Result<()> {
        if values.is_empty() || columns == 0 {
            return Ok(());
        }
        let mut shape = vec![(values.len() / columns) as u64, columns as u64];
        if !(path == "/samples" || path.ends_with("/positions") || path.ends_with("/marks")) {
            shape.truncate(1);
        }
        let id = self.writer.create(&spec(path, shape, Dtype::F64))?;
        let mut bytes = Vec::new();
        for piece in values.chunks(PIECE) {
            bytes.clear();
            f64::push_le(piece, &mut bytes);
            self.writer.append(id, &bytes)?;
        }
        Ok(())
    }
}

fn spec(path: &str, shape: Vec<u64>, dtype: Dtype) -> DatasetSpec {
    DatasetSpec { path: path.to_owned(), shape, dtype, chunks: None, deflate: None, fill: None }
}

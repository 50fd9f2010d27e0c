//! Writing the state.

use super::super::fitted::{Fitted, FittedState};
use super::{ROOT, key};
use crate::array::{Dtype, Real};
use crate::error::{Error, Result};
use crate::io::hdf5::write::Hdf5Writer;
use crate::io::{Attribute, AttributeValue, DatasetSpec, Writer};
use std::path::Path;

/// h5io's usual deflate level of text.
const TEXT_LEVEL: u32 = 4;

/// Writes `state` to `path`, as the peer's `AutoReject.save` would.
///
/// # Errors
/// The file cannot be written, or a loss does not fit the grids.
pub fn write(state: &FittedState, path: &Path) -> Result<()> {
    let expected = state.consensus.len() * state.n_interpolate.len() * state.cv;
    for fitted in &state.groups {
        if fitted.loss.len() != expected || fitted.thresholds.len() != fitted.names.len() {
            return Err(Error::Failed(format!(
                "{}: {} losses and {} thresholds of {} channels do not fit the grids",
                path.display(),
                fitted.loss.len(),
                fitted.thresholds.len(),
                fitted.names.len()
            )));
        }
    }
    let mut writer = Box::new(Hdf5Writer::create(path)?);
    writer.use_variable_text(true);
    let mut out = Titled { writer };
    out.dictionary(ROOT)?;
    asked(&mut out, state)?;
    found(&mut out, state)?;
    let local = under(ROOT, "local_reject_");
    out.dictionary(&local)?;
    for fitted in &state.groups {
        one_type(&mut out, &under(&local, fitted.kind.name()), fitted)?;
    }
    out.writer.finish()
}

fn under(path: &str, name: &str) -> String {
    format!("{path}/{}", key(name))
}

/// What the fit was asked for.
fn asked(out: &mut Titled, state: &FittedState) -> Result<()> {
    let at = |name| under(ROOT, name);
    out.floats(&at("consensus"), "ndarray", &[state.consensus.len()], &state.consensus)?;
    out.integers(&at("n_interpolate"), "ndarray", &state.n_interpolate)?;
    out.truth(&at("picks"), "None")?;
    out.truth(&at("verbose"), "int")?;
    out.integers(&at("n_jobs"), "int", &[1])?;
    out.integers(&at("cv"), "int", &[state.cv as i64])?;
    out.integers(&at("random_state"), "int", &[state.seed.into()])?;
    out.text(&at("thresh_method"), &state.thresh_method)
}

/// What it found, over all types.
fn found(out: &mut Titled, state: &FittedState) -> Result<()> {
    let at = |name| under(ROOT, name);
    let picks: Vec<i64> = state.picks.iter().map(|&pick| pick as i64).collect();
    out.integers(&at("picks_"), "ndarray", &picks)?;
    out.truth(&at("dots"), "None")?;
    for name in ["threshes_", "n_interpolate_", "consensus_", "loss_"] {
        out.dictionary(&at(name))?;
    }
    let shape = [state.consensus.len(), state.n_interpolate.len(), state.cv];
    for fitted in &state.groups {
        let kind = fitted.kind.name();
        thresholds(out, &at("threshes_"), fitted)?;
        out.integers(&under(&at("n_interpolate_"), kind), "np_int64", &[fitted.n_interpolate])?;
        out.floats(&under(&at("consensus_"), kind), "float", &[1], &[fitted.consensus])?;
        out.floats(&under(&at("loss_"), kind), "ndarray", &shape, &fitted.loss)?;
    }
    Ok(())
}

fn thresholds(out: &mut Titled, path: &str, fitted: &Fitted) -> Result<()> {
    for (name, &threshold) in fitted.names.iter().zip(&fitted.thresholds) {
        out.floats(&under(path, name), "float", &[1], &[threshold])?;
    }
    Ok(())
}

/// The estimator that the peer keeps for one type. Its own consensus and n_interpolate are the
/// untouched defaults; what was chosen stands in the fields with an underscore.
fn one_type(out: &mut Titled, path: &str, fitted: &Fitted) -> Result<()> {
    let at = |name| under(path, name);
    let kind = fitted.kind.name();
    out.dictionary(path)?;
    out.floats(&at("consensus"), "float", &[1], &[0.1])?;
    out.integers(&at("n_interpolate"), "int", &[0])?;
    out.group(&at("picks"), "list")?;
    for (index, &pick) in fitted.picks.iter().enumerate() {
        out.integers(&format!("{}/idx_{index}", at("picks")), "np_int64", &[pick as i64])?;
    }
    out.truth(&at("verbose"), "int")?;
    out.dictionary(&at("threshes_"))?;
    thresholds(out, &at("threshes_"), fitted)?;
    out.truth(&at("dots"), "None")?;
    out.dictionary(&at("n_interpolate_"))?;
    out.dictionary(&at("consensus_"))?;
    out.integers(&under(&at("n_interpolate_"), kind), "np_int64", &[fitted.n_interpolate])?;
    out.floats(&under(&at("consensus_"), kind), "float", &[1], &[fitted.consensus])?;
    Ok(())
}

/// Datasets and groups with a title.
struct Titled {
    writer: Box<Hdf5Writer>,
}

impl Titled {
    fn title(&mut self, path: &str, title: &str) -> Result<()> {
        let value = AttributeValue::Text(vec![title.as_bytes().to_vec()]);
        self.writer.set_attribute(path, &Attribute { name: "TITLE".into(), shape: Vec::new(), value })
    }

    fn group(&mut self, path: &str, title: &str) -> Result<()> {
        self.writer.create_group(path)?;
        self.title(path, title)
    }

    fn dictionary(&mut self, path: &str) -> Result<()> {
        self.group(path, "dict")
    }

    fn floats(&mut self, path: &str, title: &str, shape: &[usize], values: &[f64]) -> Result<()> {
        let mut bytes = Vec::new();
        f64::push_le(values, &mut bytes);
        let id = self.writer.create(&spec(path, shape, Dtype::F64))?;
        self.writer.append(id, &bytes)?;
        self.title(path, title)
    }

    fn integers(&mut self, path: &str, title: &str, values: &[i64]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let id = self.writer.create(&spec(path, &[values.len()], Dtype::I64))?;
        self.writer.append(id, &bytes)?;
        self.title(path, title)
    }

    /// False: what h5io stores for `None` and for a flag that is off.
    fn truth(&mut self, path: &str, title: &str) -> Result<()> {
        let id = self.writer.create_truth(&spec(path, &[1], Dtype::I8))?;
        self.writer.append(id, &[0])?;
        self.title(path, title)
    }

    fn text(&mut self, path: &str, text: &str) -> Result<()> {
        let length = text.len();
        let chunks = Some(vec![length.max(1) as u64]);
        let spec = DatasetSpec { chunks, deflate: Some(TEXT_LEVEL), ..spec(path, &[length], Dtype::U8) };
        let id = self.writer.create(&spec)?;
        self.writer.append(id, text.as_bytes())?;
        self.title(path, "unicode")
    }
}

fn spec(path: &str, shape: &[usize], dtype: Dtype) -> DatasetSpec {
    let shape = shape.iter().map(|&n| n as u64).collect();
    DatasetSpec { path: path.to_owned(), shape, dtype, chunks: None, deflate: None, fill: None }
}

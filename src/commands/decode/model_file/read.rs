//! Reading a model; every length and number is checked before it is used.

use super::super::encoding::{EPS, EncodedTrain, EncodingModel, Likelihood, RateUnits};
use super::super::grid::PlaceGrid;
use super::super::track::TrackGraph;
use super::LAYOUT;
use crate::array::{Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::io::{self, Attribute, AttributeValue, Block, Container, Dataset, Entry, StoredType};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Deflate makes data at most about this much smaller: a shape that claims more lies.
const MOST_PER_BYTE: u64 = 1100;
const DAMAGED: &str = "the model file is damaged; fit again with --fit-only";
/// Trains of a model at most.
const MOST_TRAINS: usize = 1 << 20;
/// Position axes of a model at most.
const MOST_AXES: usize = 2;

/// Reads a model; its spikes lie in files `beside` an output where one is named.
///
/// # Errors
/// A file that cannot be read, another layout, or content that does not fit together.
pub fn read(path: &Path, beside: Option<&Path>) -> Result<EncodingModel> {
    let stored = Stored { beside, ..Stored::open(path)? };
    let root = stored.attributes("/")?;
    let (kind, rate_units) = stored.kinds(&root)?;
    let axes = root.count("axes", MOST_AXES)?;
    let grid = stored.grid(axes)?;
    let bins = grid.interior_bins.len();
    let sorted = kind == Likelihood::Sorted;
    let waveform_std = if sorted { Vec::new() } else { positive(&root, "waveform_std", 0)? };
    let mut trains = Vec::new();
    for k in 0..root.count("trains", MOST_TRAINS)? {
        let train = stored.train(k, (kind, axes, bins))?;
        if waveform_std.len() > 1 && train.width != waveform_std.len() {
            let found = format!("marks of {} features", train.width);
            return Err(stored.bad(&format!("/trains/{k}"), found, "one for each waveform_std"));
        }
        trains.push(train);
    }
    let samples = stored.numbers("/samples", &[None, Some(axes)])?;
    let weights = stored.optional("/weights", samples.len() / axes, &[Some(samples.len() / axes)])?;
    if weights.iter().any(|&w| w < 0.0) || (!weights.is_empty() && weights.iter().sum::<f64>() == 0.0) {
        return Err(stored.bad("/weights", "weights below 0 or all 0".into(), "some above 0"));
    }
    Ok(EncodingModel {
        kind,
        bin_size: positive(&root, "bin_size", 0)?,
        position_std: positive(&root, "position_std", axes)?,
        waveform_std,
        rate_units,
        occupancy: stored.at_least("/occupancy", bins, 0.0)?,
        ground: stored.at_least("/ground", bins, 0.0)?,
        track: stored.track(axes)?,
        samples,
        weights,
        trains,
        grid,
    })
}

/// Attributes of one object.
struct Facts {
    place: String,
    attributes: Vec<Attribute>,
}

impl Facts {
    fn bad(&self, name: &str, found: impl Into<String>, expected: &str) -> Error {
        Error::data(format!("{}@{name}", self.place), found, expected, DAMAGED)
    }

    fn value(&self, name: &str) -> Result<&AttributeValue> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name);
        found.map(|found| &found.value).ok_or_else(|| self.bad(name, "nothing", "an attribute"))
    }

    fn text(&self, name: &str) -> Result<String> {
        match self.value(name)? {
            AttributeValue::Text(texts) if texts.len() == 1 => {
                String::from_utf8(texts[0].clone()).map_err(|_| self.bad(name, "bytes", "UTF-8 text"))
            }
            _ => Err(self.bad(name, "another type", "text")),
        }
    }

    fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        match self.value(name)? {
            AttributeValue::Float(values, _) if values.iter().all(|v| v.is_finite()) => Ok(values.clone()),
            _ => Err(self.bad(name, "another type, or not finite", "numbers")),
        }
    }

    fn count(&self, name: &str, most: usize) -> Result<usize> {
        let count = match self.value(name)? {
            AttributeValue::Int(values, _) if values.len() == 1 => usize::try_from(values[0]).ok(),
            _ => None,
        };
        let expected = format!("a count up to {most}");
        count.filter(|&count| count <= most).ok_or_else(|| self.bad(name, "something else", &expected))
    }
}

/// Positive numbers, as many as asked (0: any number but none).
fn positive(facts: &Facts, name: &str, count: usize) -> Result<Vec<f64>> {
    let values = facts.numbers(name)?;
    if values.is_empty() || (count > 0 && values.len() != count) || values.iter().any(|&v| v <= 0.0) {
        return Err(facts.bad(name, format!("{values:?}"), "positive numbers, one per axis or feature"));
    }
    Ok(values)
}

struct Stored<'a> {
    container: Box<dyn Container>,
    shapes: HashMap<String, Vec<u64>>,
    place: String,
    file_bytes: u64,
    /// The output beside which spikes lie in files.
    beside: Option<&'a Path>,
}

impl Stored<'_> {
    fn open(path: &Path) -> Result<Self> {
        let container = io::open(path)?;
        let file_bytes = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        let mut shapes = HashMap::new();
        for entry in container.list()? {
            if let Entry::Dataset(info) = entry {
                shapes.insert(info.path, info.shape);
            }
        }
        Ok(Stored { container, shapes, place: path.display().to_string(), file_bytes, beside: None })
    }

    /// What the file is a model of; checks that it is one.
    fn kinds(&self, root: &Facts) -> Result<(Likelihood, RateUnits)> {
        if root.text("layout").ok().as_deref() != Some(LAYOUT) {
            let found =
                root.text("layout").map_or("no attribute 'layout'".into(), |l| format!("layout '{l}'"));
            let expected = format!("a model written with --fit-only (layout '{LAYOUT}')");
            return Err(Error::data(&self.place, found, expected, ""));
        }
        let kind = match root.text("kind")?.as_str() {
            "clusterless" => Likelihood::Clusterless,
            "sorted" => Likelihood::Sorted,
            other => return Err(self.bad("/", format!("kind '{other}'"), "clusterless or sorted")),
        };
        let rate_units = match root.text("rate_units")?.as_str() {
            "samples" => RateUnits::Samples,
            "seconds" => RateUnits::Seconds { sample_period: positive(root, "sample_period", 1)?[0] },
            other => return Err(self.bad("/", format!("rate_units '{other}'"), "samples or seconds")),
        };
        Ok((kind, rate_units))
    }

    fn bad(&self, path: &str, found: String, expected: &str) -> Error {
        Error::data(format!("{}:{path}", self.place), found, expected, DAMAGED)
    }

    fn attributes(&self, path: &str) -> Result<Facts> {
        let attributes = self.container.attributes(path)?;
        Ok(Facts { place: format!("{}:{path}", self.place), attributes })
    }

    /// A dataset whose axes have the given lengths, those that are given.
    fn dataset(&self, path: &str, lengths: &[Option<usize>]) -> Result<(Arc<dyn Dataset>, usize)> {
        let Some(shape) = self.shapes.get(path) else {
            return Err(self.bad(path, "nothing".into(), "a dataset"));
        };
        let fits = |(&n, length): (&u64, &Option<usize>)| length.is_none_or(|length| length as u64 == n);
        let count = shape.iter().try_fold(1u64, |count, &n| count.checked_mul(n));
        let most = self.file_bytes.saturating_mul(MOST_PER_BYTE);
        match count.filter(|count| count.checked_mul(8).is_some_and(|bytes| bytes <= most)) {
            Some(count) if shape.len() == lengths.len() && shape.iter().zip(lengths).all(fits) => {
                Ok((self.container.dataset(path)?, count as usize))
            }
            _ => {
                let length = |n: &Option<usize>| n.map_or("n".to_owned(), |n| n.to_string());
                let expected = lengths.iter().map(length).collect::<Vec<_>>().join(", ");
                Err(self.bad(path, format!("shape {shape:?}"), &format!("[{expected}]")))
            }
        }
    }

    fn bytes(dataset: &dyn Dataset, size: usize) -> Result<Vec<u8>> {
        let shape = &dataset.info().shape;
        let mut bytes = vec![0; size];
        dataset.read_block(&Block { start: vec![0; shape.len()], count: shape.clone() }, &mut bytes)?;
        Ok(bytes)
    }

    /// Finite float64 values.
    fn numbers(&self, path: &str, lengths: &[Option<usize>]) -> Result<Vec<f64>> {
        let (dataset, count) = self.dataset(path, lengths)?;
        let StoredType::Number(Dtype::F64, order) = dataset.info().stored else {
            let found = format!("elements of type {}", dataset.info().stored);
            return Err(self.bad(path, found, "float64"));
        };
        let bytes = Self::bytes(dataset.as_ref(), count * 8)?;
        let mut values = vec![0.0; count];
        to_f64(&bytes, Dtype::F64, order, &mut values);
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(self.bad(path, format!("{} at element {at}", values[at]), "finite numbers")),
        }
    }

    /// None where nothing is stored because there is no element, or the array is not kept.
    fn optional(&self, path: &str, rows: usize, lengths: &[Option<usize>]) -> Result<Vec<f64>> {
        if rows == 0 || !self.shapes.contains_key(path) {
            return Ok(Vec::new());
        }
        self.numbers(path, lengths)
    }

    fn at_least(&self, path: &str, count: usize, least: f64) -> Result<Vec<f64>> {
        let values = self.numbers(path, &[Some(count)])?;
        match values.iter().find(|&&value| value < least) {
            None => Ok(values),
            Some(value) => Err(self.bad(path, format!("{value}"), &format!("numbers of {least} or more"))),
        }
    }

    fn grid(&self, axes: usize) -> Result<PlaceGrid> {
        if axes == 0 {
            return Err(self.bad("/", "no axes".into(), "at least one"));
        }
        let edges = (0..axes).map(|axis| self.numbers(&format!("/grid/edges_{axis}"), &[None]));
        let edges = edges.collect::<Result<Vec<_>>>()?;
        let shape: Vec<Option<usize>> = edges.iter().map(|edges| edges.len().checked_sub(1)).collect();
        let (dataset, count) = self.dataset("/grid/interior", &shape)?;
        if !matches!(dataset.info().stored, StoredType::Bool) {
            let found = format!("elements of type {}", dataset.info().stored);
            return Err(self.bad("/grid/interior", found, "truth values"));
        }
        let interior = Self::bytes(dataset.as_ref(), count)?.into_iter().map(|byte| byte != 0).collect();
        PlaceGrid::from_edges(edges, interior).map_err(|e| self.bad("/grid", e.to_string(), "a place grid"))
    }

    fn track(&self, axes: usize) -> Result<Option<TrackGraph>> {
        let path = "/track_graph";
        if !self.shapes.contains_key(path) {
            return Ok(None);
        }
        let text = self.container.dataset(path)?.read_text()?.into_iter().next().unwrap_or_default();
        let text = String::from_utf8(text).map_err(|_| self.bad(path, "bytes".into(), "UTF-8 text"))?;
        if axes != 1 {
            return Err(self.bad(path, format!("a track graph and {axes} axes"), "one axis with a track"));
        }
        TrackGraph::from_json(&text, &format!("{}:{path}", self.place)).map(Some)
    }

    fn train(&self, k: usize, (kind, axes, bins): (Likelihood, usize, usize)) -> Result<EncodedTrain> {
        let path = format!("/trains/{k}");
        let facts = self.attributes(&path)?;
        let most = usize::try_from(self.file_bytes.saturating_mul(MOST_PER_BYTE)).unwrap_or(usize::MAX);
        let (spikes, width) = (facts.count("spikes", most)?, facts.count("width", most)?);
        let at = |name: &str| format!("{path}/{name}");
        let rows = |name: &str, columns: usize| {
            if spikes == 0 || columns == 0 {
                return Ok(Column::default());
            }
            Column::keep(self.numbers(&at(name), &[Some(spikes), Some(columns)])?, self.beside)
        };
        let rate = facts.numbers("rate")?;
        let [rate] = rate[..] else { return Err(facts.bad("rate", format!("{rate:?}"), "one number")) };
        if rate < 0.0 {
            return Err(facts.bad("rate", format!("{rate}"), "a rate of 0 or more"));
        }
        let field = match kind {
            Likelihood::Clusterless => Vec::new(),
            Likelihood::Sorted => self.at_least(&at("field"), bins, EPS)?,
        };
        Ok(EncodedTrain {
            name: facts.text("name")?,
            width,
            marks: rows("marks", width)?,
            positions: rows("positions", axes)?,
            weights: Column::keep(self.optional(&at("weights"), spikes, &[Some(spikes)])?, self.beside)?,
            rate,
            field,
        })
    }
}

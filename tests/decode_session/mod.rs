//! Fixtures of `decode` as arrays, and small session files made for a test.
#![allow(dead_code)] // Each test file uses its part.

use nissl::array::{Dtype, to_f64};
use nissl::commands::decode::options::Likelihood;
use nissl::commands::decode::session::{self, Session, SessionChoices};
use nissl::error::ExitCode;
use nissl::io::{self, Attribute, AttributeValue, Block, DatasetSpec, InputSpec, StoredType, Writer};
use std::path::{Path, PathBuf};

/// The sets made by the peer.
pub const SETS: [&str; 3] = ["track1d", "wtrack", "arena2d"];

/// A file of a fixture set.
pub fn fixture(set: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/decode").join(set).join(name)
}

/// Shape and values of an array; `dataset` is empty for `.npy`.
pub fn array(path: &Path, dataset: &str) -> (Vec<u64>, Vec<f64>) {
    let dataset = io::open(path).unwrap().dataset(dataset).unwrap();
    let info = dataset.info();
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = vec![0; io::block_bytes(info, &block)];
    dataset.read_block(&block, &mut bytes).unwrap();
    let values = match info.stored {
        StoredType::Number(dtype, order) => {
            let mut values = vec![0.0; bytes.len() / dtype.size()];
            to_f64(&bytes, dtype, order, &mut values);
            values
        }
        _ => bytes.iter().map(|&byte| f64::from(byte)).collect(),
    };
    (info.shape.clone(), values)
}

/// A reference array of the peer.
pub fn reference(set: &str, name: &str) -> Vec<f64> {
    array(&fixture(set, &format!("{name}.npy")), "").1
}

/// Reads a whole file or folder, with the spikes in memory and in files, and holds one against the other.
pub fn read(path: &Path, choices: &SessionChoices) -> nissl::error::Result<Session> {
    let held = session::read(&InputSpec::file(path), choices)?;
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.nc");
    // Less than four times what is there.
    let memory = choices.memory.min(2 * held.bytes() + 1000);
    let narrow = SessionChoices { memory, beside: Some(output.clone()), ..choices.clone() };
    let mapped = session::read(&InputSpec::file(path), &narrow)?;
    assert_eq!(mapped.trains, held.trains);
    assert_eq!(mapped.warnings, held.warnings);
    if mapped.beside == Some(output) {
        assert!(mapped.trains.iter().all(|train| train.times.is_mapped()));
    }
    Ok(held)
}

/// Choices for sorted units.
pub fn sorted() -> SessionChoices {
    SessionChoices { likelihood: Likelihood::Sorted, ..SessionChoices::default() }
}

/// The value of a dataset.
#[derive(Clone)]
pub enum Value {
    F64(Vec<f64>),
    F32(Vec<f32>),
    Uint(Dtype, Vec<u64>),
    Bool(Vec<bool>),
    Text(Vec<&'static str>),
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Value::F64(v) => v.len(),
            Value::F32(v) => v.len(),
            Value::Uint(_, v) => v.len(),
            Value::Bool(v) => v.len(),
            Value::Text(v) => v.len(),
        }
    }

    fn bytes(&self) -> (Dtype, Vec<u8>) {
        match self {
            Value::F64(v) => (Dtype::F64, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Value::F32(v) => (Dtype::F32, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Value::Uint(dtype, v) => {
                (*dtype, v.iter().flat_map(|v| v.to_le_bytes()[..dtype.size()].to_vec()).collect())
            }
            Value::Bool(v) => (Dtype::I8, v.iter().map(|&v| u8::from(v)).collect()),
            Value::Text(_) => panic!("text has no bytes"),
        }
    }
}

impl From<&[f64]> for Value {
    fn from(values: &[f64]) -> Value {
        Value::F64(values.to_vec())
    }
}

/// Datasets by path, with their number of columns (0 for one axis), and attributes.
#[derive(Clone, Default)]
pub struct Content {
    datasets: Vec<(String, usize, Value)>,
    attributes: Vec<(String, &'static str, AttributeValue)>,
}

impl Content {
    /// Adds a dataset, or puts another in its place; `columns` 0 for one axis.
    pub fn set(mut self, path: &str, columns: usize, value: impl Into<Value>) -> Self {
        self.datasets.retain(|(other, _, _)| other != path);
        self.datasets.push((path.to_owned(), columns, value.into()));
        self
    }

    /// Takes a dataset, or a group with all it holds, away.
    pub fn without(mut self, path: &str) -> Self {
        let below = format!("{path}/");
        self.datasets.retain(|(other, _, _)| other != path && !other.starts_with(&below));
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, path: &str, name: &'static str, value: AttributeValue) -> Self {
        self.attributes.push((path.to_owned(), name, value));
        self
    }

    /// The groups above the datasets, parents first.
    fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        let datasets = self.datasets.iter().map(|(path, _, _)| path.clone());
        // An attribute may stand on a group without datasets.
        for path in datasets.chain(self.attributes.iter().map(|(path, _, _)| format!("{path}/x"))) {
            for (at, _) in path.match_indices('/').filter(|&(at, _)| at > 0) {
                groups.push(path[..at].to_owned());
            }
        }
        groups.sort();
        groups.dedup();
        groups.retain(|group| !self.datasets.iter().any(|(path, _, _)| path == group));
        groups
    }

    /// Writes an HDF5 file.
    pub fn hdf5(&self, path: &Path) {
        let mut writer = io::create(path).unwrap();
        for group in self.groups() {
            writer.create_group(&group).unwrap();
        }
        for (path, columns, value) in &self.datasets {
            write(writer.as_mut(), path, *columns, value);
        }
        for (path, name, value) in &self.attributes {
            let attribute = Attribute { name: (*name).into(), shape: Vec::new(), value: value.clone() };
            writer.set_attribute(path, &attribute).unwrap();
        }
        writer.finish().unwrap();
    }

    /// Writes a folder of `.npy` with the same tree.
    pub fn folder(&self, folder: &Path) {
        for (path, columns, value) in &self.datasets {
            let file = folder.join(format!("{}.npy", path.trim_start_matches('/')));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let (dtype, bytes) = value.bytes();
            // numpy's truth values are '|b1', which the writer has no name for.
            let code = match value {
                Value::Bool(_) => "|b1".to_owned(),
                _ if dtype.size() == 1 => format!("|{}", dtype.code()),
                _ => format!("<{}", dtype.code()),
            };
            std::fs::write(file, npy(&code, &shape(*columns, value), &bytes)).unwrap();
        }
    }
}

fn shape(columns: usize, value: &Value) -> Vec<u64> {
    match columns {
        0 => vec![value.len() as u64],
        n => vec![(value.len() / n) as u64, n as u64],
    }
}

fn write(writer: &mut dyn Writer, path: &str, columns: usize, value: &Value) {
    let shape = shape(columns, value);
    if let Value::Text(texts) = value {
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        return writer.create_text(path, &shape, &texts).unwrap();
    }
    let (dtype, bytes) = value.bytes();
    let spec = DatasetSpec { path: path.into(), shape, dtype, chunks: None, deflate: None, fill: None };
    let id = match value {
        Value::Bool(_) => writer.create_truth(&spec).unwrap(),
        _ => writer.create(&spec).unwrap(),
    };
    writer.append(id, &bytes).unwrap();
}

/// The bytes of a `.npy` file.
pub fn npy(code: &str, shape: &[u64], body: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({axes}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(body);
    file
}

/// Text for an attribute.
pub fn text(value: &str) -> AttributeValue {
    AttributeValue::Text(vec![value.as_bytes().to_vec()])
}

/// The layout of a fixture's `inputs.h5` as content that can be written again or changed.
pub fn content_of(path: &Path) -> Content {
    let mut content = Content::default().attribute("/", "layout", text("decode-inputs-1"));
    for entry in io::open(path).unwrap().list().unwrap() {
        let io::Entry::Dataset(info) = entry else { continue };
        let (shape, values) = array(path, &info.path);
        let value = match info.stored {
            StoredType::Bool => Value::Bool(values.iter().map(|&v| v == 1.0).collect()),
            StoredType::Number(Dtype::F32, _) => Value::F32(values.iter().map(|&v| v as f32).collect()),
            _ => Value::F64(values),
        };
        content = content.set(&info.path, shape.get(1).map_or(0, |&n| n as usize), value);
    }
    content
}

/// A small sound session of two electrodes, 2 features each, and 1-D positions.
pub fn small() -> Content {
    Content::default()
        .attribute("/", "layout", text("decode-inputs-1"))
        .set("/position/time", 0, &[0.0, 1.0, 2.0, 3.0][..])
        .set("/position/data", 1, &[0.0, 10.0, 20.0, 30.0][..])
        .set("/electrodes/0/spike_times", 0, &[0.5, 1.5, 2.5][..])
        .set("/electrodes/0/features", 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..])
        .set("/electrodes/1/spike_times", 0, &[0.25][..])
        .set("/electrodes/1/features", 2, &[7.0, 8.0][..])
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Positions and spikes agree in every bit.
pub fn assert_same(a: &Session, b: &Session) {
    assert_eq!(bits(&a.positions.time), bits(&b.positions.time));
    assert_eq!(bits(&a.positions.data), bits(&b.positions.data));
    assert_eq!(a.positions.axes, b.positions.axes);
    assert_eq!(a.trains.len(), b.trains.len());
    for (a, b) in a.trains.iter().zip(&b.trains) {
        assert_eq!((&a.name, a.width), (&b.name, b.width));
        assert_eq!(bits(&a.times), bits(&b.times), "{}", a.label);
        assert_eq!(bits(&a.marks), bits(&b.marks), "{}", a.label);
    }
}

/// The session, or the message and exit code.
pub type Read = Result<Session, (String, ExitCode)>;

/// Reads `content` from HDF5 and from a folder, and gives both outcomes.
pub fn both(content: &Content, choices: &SessionChoices) -> [(PathBuf, Read); 2] {
    let folder = tempfile::tempdir().unwrap();
    let (file, tree) = (folder.path().join("a.h5"), folder.path().join("tree"));
    content.hdf5(&file);
    content.folder(&tree);
    [file, tree].map(|path| {
        let found = read(&path, choices).map_err(|error| (error.to_string(), error.exit_code()));
        (path, found)
    })
}

/// Reads copies of a file with a byte turned over or the end cut off: an error or a session each,
/// with little memory.
pub fn never_panics(path: &Path) {
    let sound = std::fs::read(path).unwrap();
    let choices = SessionChoices { memory: 64 << 20, ..SessionChoices::default() };
    let mut refused = 0;
    let step = (sound.len() / 1500).max(1);
    for at in (0..sound.len()).step_by(step) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        std::fs::write(path, &bytes).unwrap();
        refused += usize::from(read(path, &choices).is_err());
        if at % 16 == 0 {
            std::fs::write(path, &sound[..at]).unwrap();
            assert!(read(path, &choices).is_err(), "cut at {at}");
        }
    }
    assert!(refused > 0);
}

//! Made recordings, and how they are opened.

use nissl::commands::autoreject::Recording;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::error::Error;
use nissl::io::InputSpec;
use std::path::{Path, PathBuf};

pub fn opened(path: &Path, sources: &ChannelSources) -> (Result<Recording, Error>, Vec<String>) {
    let mut warnings = Vec::new();
    let input = InputSpec::parse(path.to_str().unwrap()).unwrap();
    (Recording::open(&input, sources, &mut warnings), warnings)
}

pub fn open(path: &Path, sources: &ChannelSources) -> Recording {
    opened(path, sources).0.unwrap_or_else(|e| panic!("{e}"))
}

pub fn refused(path: &Path, sources: &ChannelSources) -> Error {
    opened(path, sources).0.err().unwrap_or_else(|| panic!("{path:?} was taken"))
}

pub fn all_of(recording: &Recording, picks: &[usize]) -> Vec<f64> {
    let mut out = vec![-1.0; recording.epochs() * picks.len() * recording.samples()];
    recording.read(0..recording.epochs(), picks, 0..recording.samples(), &mut out).unwrap();
    out
}

/// A deterministic value for each cell that every numeric type can hold.
pub fn value(at: usize) -> f64 {
    (at * 37 % 101) as f64
}

pub fn values(shape: [usize; 3]) -> Vec<f64> {
    (0..shape.iter().product()).map(value).collect()
}

/// Writes an NPY file by hand: any type string and order.
pub fn write_npy(path: &Path, descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let order = if fortran { "True" } else { "False" };
    let text =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({},), }}", shape.join(", "));
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

pub fn write_f64(path: &Path, shape: [usize; 3], values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    write_npy(path, "<f8", false, &shape, &bytes);
}

pub struct Tables {
    pub folder: tempfile::TempDir,
}

impl Tables {
    pub fn new(shape: [usize; 3]) -> Self {
        let tables = Tables { folder: tempfile::tempdir().unwrap() };
        write_f64(&tables.at("e.npy"), shape, &values(shape));
        tables
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn with(&self, name: &str, text: &str) -> Option<PathBuf> {
        std::fs::write(self.at(name), text).unwrap();
        Some(self.at(name))
    }

    pub fn refused(&self, sources: &ChannelSources) -> String {
        let folder = format!("{}/", self.folder.path().display());
        refused(&self.at("e.npy"), sources).to_string().replace(&folder, "")
    }
}

//! Arrays, texts and JSON values read back from files, to be compared.
//!
//! A place is written as on the command line: `out.npy`, `out.nc:/acausal_posterior`, `log.npz:labels`.
//! Arrays are held whole, as float64; integers that float64 cannot hold become text.

use super::steps::Table;
use crate::array::{ByteOrder, Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::{self, Block, Dataset, InputSpec, StoredType};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a place holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// Numbers or truth values, with their element type.
    Numbers(Table, String),
    /// Text, or integers beyond 2^53 as text.
    Texts(Vec<usize>, Vec<String>),
    /// A JSON file.
    Json(Value),
}

/// Largest JSON file that is taken.
const LARGEST_JSON: u64 = 1 << 30;

/// Beyond it float64 skips whole numbers.
const WHOLE: f64 = (1_u64 << 53) as f64;

/// Reads `place` below `folder`; an array may take up to `memory` bytes.
///
/// # Errors
/// The file or dataset is not there, is of another kind, or too large.
pub fn read(folder: &Path, place: &str, memory: u64) -> Result<Held> {
    let spec = InputSpec::parse(&folder.join(place).to_string_lossy())?;
    if is_json(&spec.path) {
        return json(&spec.path).map(Held::Json);
    }
    let file = io::open(&spec.path)?;
    let dataset = file.dataset(spec.dataset.as_deref().unwrap_or(""))?;
    array(dataset.as_ref(), &spec.to_string(), memory)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Reads a JSON file.
///
/// # Errors
/// It cannot be read, or is none.
pub fn json(path: &Path) -> Result<Value> {
    let place = path.display().to_string();
    let size = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    if size > LARGEST_JSON {
        return Err(Error::data(place, format!("{size} bytes"), "at most 1G of JSON", ""));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(place, format!("text that is no JSON ({e})"), "JSON", ""))
}

fn array(dataset: &dyn Dataset, place: &str, memory: u64) -> Result<Held> {
    let info = dataset.info();
    let shape: Vec<usize> = info.shape.iter().map(|&n| n as usize).collect();
    if matches!(info.stored, StoredType::Text) {
        let texts = dataset.read_text()?;
        let texts = texts.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        return Ok(Held::Texts(shape, texts.collect()));
    }
    let (dtype, order) = match info.stored {
        StoredType::Number(dtype, order) => (dtype, order),
        StoredType::Bool => (Dtype::U8, ByteOrder::Little),
        _ => {
            let found = format!("elements of type {}", info.stored);
            return Err(Error::data(place, found, "numbers, truth values or text", ""));
        }
    };
    let cells = info.shape.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
    // As stored, and as float64.
    let bytes = cells.and_then(|cells| cells.checked_mul(8 + dtype.size() as u64));
    if bytes.is_none_or(|bytes| bytes > memory) {
        return Err(Error::Memory { limit: memory, least: bytes.unwrap_or(u64::MAX), what: place.into() });
    }
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut stored = vec![0; io::block_bytes(info, &block)];
    dataset.read_block(&block, &mut stored)?;
    let mut values = vec![0.0; stored.len() / dtype.size()];
    to_f64(&stored, dtype, order, &mut values);
    if matches!(dtype, Dtype::I64 | Dtype::U64) && values.iter().any(|v| v.abs() > WHOLE) {
        let texts = stored.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok());
        return Ok(Held::Texts(shape, texts.map(|bytes| whole(bytes, dtype, order)).collect()));
    }
    let name = if info.stored == StoredType::Bool { "bool" } else { dtype.name() };
    Ok(Held::Numbers(Table::new(shape, values), name.into()))
}

fn whole(bytes: [u8; 8], dtype: Dtype, order: ByteOrder) -> String {
    let value = match order {
        ByteOrder::Little => u64::from_le_bytes(bytes),
        ByteOrder::Big => u64::from_be_bytes(bytes),
    };
    if dtype == Dtype::I64 { (value as i64).to_string() } else { value.to_string() }
}

/// All arrays and texts of the files that a run left in `folder`, as places below it; reports and
/// pictures are left out.
///
/// # Errors
/// A file cannot be read.
pub fn places(folder: &Path) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for path in files(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("npy") => places.push(name),
            Some("json") if !name.ends_with("report.json") => places.push(name),
            Some("npz" | "h5" | "hdf5" | "nc" | "nc4" | "cdf") => {
                let file = io::open(&path)?;
                for entry in file.list()? {
                    let io::Entry::Dataset(info) = entry else { continue };
                    if comparable(&info.stored) {
                        places.push(format!("{name}:{}", info.path));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(places)
}

fn comparable(stored: &StoredType) -> bool {
    matches!(stored, StoredType::Number(..) | StoredType::Bool | StoredType::Text)
}

/// All files below `folder`, in order.
///
/// # Errors
/// A folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder, "open"))? {
            let entry = entry.map_err(Error::io(&folder, "read"))?;
            let kind = entry.file_type().map_err(Error::io(&folder, "read"))?;
            match kind.is_dir() {
                true => waiting.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::DatasetSpec;

    fn archive(path: &Path, dtype: Dtype, bytes: &[u8]) {
        let mut writer = io::create(path).unwrap();
        let shape = vec![(bytes.len() / dtype.size()) as u64];
        let spec = DatasetSpec { path: "a".into(), shape, dtype, chunks: None, deflate: None, fill: None };
        let id = writer.create(&spec).unwrap();
        writer.append(id, bytes).unwrap();
        writer.create_text("names", &[2], &[b"Fp1".to_vec(), b"Cz".to_vec()]).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn numbers_texts_and_json_are_read_by_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        archive(&at("x.npz"), Dtype::I16, &[1, 0, 0xff, 0xff]);
        std::fs::write(at("s.json"), "{\"a\": [1]}").unwrap();
        std::fs::write(at("report.json"), "{}").unwrap();
        std::fs::create_dir(at("deep")).unwrap();
        std::fs::write(at("deep/plot.png"), "").unwrap();
        let read = |place: &str| read(folder.path(), place, 1 << 20);
        assert_eq!(
            read("x.npz:a").unwrap(),
            Held::Numbers(Table::new(vec![2], vec![1.0, -1.0]), "int16".into())
        );
        assert_eq!(read("x.npz:names").unwrap(), Held::Texts(vec![2], vec!["Fp1".into(), "Cz".into()]));
        assert_eq!(read("s.json").unwrap(), Held::Json(serde_json::json!({"a": [1]})));
        assert!(read("x.npz:b").is_err() && read("none.npy").is_err() && read("x.npz").is_err());
        assert_eq!(places(folder.path()).unwrap(), ["s.json", "x.npz:a", "x.npz:names"]);
        assert_eq!(files(folder.path()).unwrap().len(), 4);
    }

    #[test]
    fn large_whole_numbers_are_told_apart_and_large_arrays_refused() {
        let folder = tempfile::tempdir().unwrap();
        let values = [1_i64 << 60, (1 << 60) + 1, -5];
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        archive(&folder.path().join("t.npz"), Dtype::I64, &bytes);
        let texts = values.map(|v| v.to_string()).to_vec();
        assert_eq!(read(folder.path(), "t.npz:a", 1 << 20).unwrap(), Held::Texts(vec![3], texts));
        let error = read(folder.path(), "t.npz:a", 40).unwrap_err();
        assert!(matches!(error, Error::Memory { least: 48, .. }), "{error}");
    }
}

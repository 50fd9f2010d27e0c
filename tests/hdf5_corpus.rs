//! The HDF5 reader against h5py: every dataset whole and by odd blocks, every attribute, every
//! link, of the files kept under `fixtures/io/hdf5` and, where Python is at hand, of a wide corpus.

#![cfg(feature = "hdf5")]

use nissl::array::{ByteOrder, Dtype};
use nissl::io::{Attribute, AttributeValue, Block, Container, Dataset, Entry, StoredType, block_bytes, hdf5};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What h5py read, from a manifest of `make_hdf5_corpus.py`.
fn check_folder(folder: &Path) -> usize {
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    let manifest: Vec<Value> = serde_json::from_str(&manifest).expect("JSON");
    let mut datasets = 0;
    for file in &manifest {
        let name = text(&file["file"]);
        datasets += check_file(folder, name, list(&file["entries"]));
    }
    datasets
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

fn check_file(folder: &Path, name: &str, expected: &[Value]) -> usize {
    let file = hdf5::open(&folder.join(name)).expect("opens");
    let entries = file.list().expect("lists");
    let found: BTreeSet<(String, &str)> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Group(path) => (path.clone(), "group"),
            Entry::Dataset(info) => (info.path.clone(), "dataset"),
            Entry::Link(path, _) => (path.clone(), "link"),
        })
        .collect();
    let wanted: BTreeSet<(String, &str)> =
        expected.iter().map(|e| (text(&e["path"]).to_owned(), text(&e["kind"]))).collect();
    assert_eq!(found, wanted, "{name}");
    assert_eq!(entries.len(), wanted.len(), "{name}: each once");
    let mut datasets = 0;
    for entry in expected {
        let path = text(&entry["path"]);
        if entry["kind"] == "link" {
            continue;
        }
        check_attributes(&file, path, list(&entry["attributes"]), name);
        if entry["kind"] == "dataset" {
            let dataset = file.dataset(path).unwrap_or_else(|err| panic!("{name}{path}: {err}"));
            check_dataset(folder, dataset.as_ref(), entry, name);
            check_scales(&file, path, entry);
            datasets += 1;
        }
    }
    datasets
}

fn check_scales(file: &hdf5::Hdf5File, path: &str, entry: &Value) {
    let found = file.dimension_scales(path).expect("scales");
    let wanted: Vec<Vec<String>> = serde_json::from_value(entry["scales"].clone()).unwrap_or_default();
    assert_eq!(found, wanted, "{path}");
}

fn check_dataset(folder: &Path, dataset: &dyn Dataset, entry: &Value, name: &str) {
    let info = dataset.info();
    let at = format!("{name}:{}", info.path);
    let shape: Vec<u64> = serde_json::from_value(entry["shape"].clone()).expect("a shape");
    let chunks: Option<Vec<u64>> = serde_json::from_value(entry["chunks"].clone()).unwrap_or_default();
    assert_eq!(info.shape, shape, "{at}");
    assert_eq!(info.chunks, chunks, "{at}");
    let order = if entry["big"] == true { ByteOrder::Big } else { ByteOrder::Little };
    match text(&entry["stored"]) {
        "other" => {
            assert!(matches!(info.stored, StoredType::Other(_)), "{at}: {:?}", info.stored);
            let block = Block { start: vec![0; shape.len()], count: shape.clone() };
            assert!(dataset.read_block(&block, &mut vec![0; block_bytes(info, &block)]).is_err(), "{at}");
        }
        "text" => {
            assert_eq!(info.stored, StoredType::Text, "{at}");
            let wanted: Vec<Vec<u8>> = list(&entry["values"]).iter().map(|v| unhex(text(v))).collect();
            assert_eq!(dataset.read_text().expect("text"), wanted, "{at}");
        }
        "reference" => {
            assert_eq!(info.stored, StoredType::Reference, "{at}");
            let wanted: Vec<String> = serde_json::from_value(entry["values"].clone()).expect("paths");
            assert_eq!(dataset.read_references().expect("references"), wanted, "{at}");
        }
        _ if entry["readable"] == false => {
            let block = Block { start: vec![0; shape.len()], count: shape.clone() };
            let err =
                dataset.read_block(&block, &mut vec![0; block_bytes(info, &block)]).expect_err("refused");
            assert!(err.to_string().contains(text(&entry["why"])), "{at}: {err}");
        }
        "bool" => {
            assert_eq!(info.stored, StoredType::Bool, "{at}");
            check_blocks(dataset, &values(folder, entry), &at);
        }
        code => {
            let dtype = Dtype::ALL.into_iter().find(|d| d.code() == code).expect("a number");
            // One byte has no order.
            let order = if dtype.size() == 1 { None } else { Some(order) };
            let StoredType::Number(found, found_order) = info.stored else {
                panic!("{at}: {:?}", info.stored)
            };
            assert_eq!(found, dtype, "{at}");
            assert!(order.is_none_or(|order| order == found_order), "{at}");
            check_blocks(dataset, &values(folder, entry), &at);
        }
    }
}

/// The bytes that h5py read, in stored order.
fn values(folder: &Path, entry: &Value) -> Vec<u8> {
    if let Some(hex) = entry["hex"].as_str() {
        return unhex(hex);
    }
    npy_bytes(&folder.join(text(&entry["npy"])))
}

fn npy_bytes(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("an .npy file");
    assert_eq!(bytes[6], 1, "version 1 of .npy");
    bytes[10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))..].to_vec()
}

/// The whole, odd rectangles, and strips of rows that overlap by a halo.
fn check_blocks(dataset: &dyn Dataset, whole: &[u8], at: &str) {
    let shape = &dataset.info().shape;
    let mut blocks = vec![Block { start: vec![0; shape.len()], count: shape.clone() }];
    let mut state = 12345u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below.max(1)
    };
    for _ in 0..8 {
        let start: Vec<u64> = shape.iter().map(|&n| draw(n)).collect();
        let count = shape.iter().zip(&start).map(|(&n, &s)| draw(n - s + 1)).collect();
        blocks.push(Block { start, count });
    }
    if let Some((&rows, rest)) = shape.split_first() {
        for first in (0..rows).step_by(((rows / 5) as usize).max(1)) {
            let start: Vec<u64> =
                std::iter::once(first.saturating_sub(2)).chain(rest.iter().map(|_| 0)).collect();
            let stop = (first + rows / 5 + 2).min(rows);
            let count = std::iter::once(stop - start[0]).chain(rest.iter().copied()).collect();
            blocks.push(Block { start, count });
        }
    }
    for block in blocks {
        let mut out = vec![0xA5; block_bytes(dataset.info(), &block)];
        dataset.read_block(&block, &mut out).unwrap_or_else(|err| panic!("{at} {block:?}: {err}"));
        assert!(out == cut(whole, dataset, &block), "{at} {block:?}: other bytes than h5py");
    }
}

/// The bytes of a block, cut out of the whole.
fn cut(whole: &[u8], dataset: &dyn Dataset, block: &Block) -> Vec<u8> {
    let shape = &dataset.info().shape;
    let one = Block { start: vec![0; shape.len()], count: vec![1; shape.len()] };
    let size = block_bytes(dataset.info(), &one);
    let total: u64 = block.count.iter().product();
    (0..total)
        .flat_map(|n| {
            let (mut left, mut cell, mut stride) = (n, 0, 1);
            for axis in (0..shape.len()).rev() {
                cell += (block.start[axis] + left % block.count[axis]) * stride;
                left /= block.count[axis];
                stride *= shape[axis];
            }
            &whole[cell as usize * size..(cell as usize + 1) * size]
        })
        .copied()
        .collect()
}

fn check_attributes(file: &hdf5::Hdf5File, path: &str, expected: &[Value], name: &str) {
    let found = file.attributes(path).unwrap_or_else(|err| panic!("{name}{path}: {err}"));
    let names: BTreeSet<&str> = found.iter().map(|a| a.name.as_str()).collect();
    let wanted: BTreeSet<&str> = expected.iter().map(|a| text(&a["name"])).collect();
    assert_eq!(names, wanted, "{name}:{path}");
    assert_eq!(found.len(), expected.len(), "{name}:{path}: each once");
    for entry in expected {
        let attribute = found.iter().find(|a| a.name == text(&entry["name"])).expect("found above");
        check_attribute(attribute, entry, &format!("{name}:{path}@{}", attribute.name));
    }
}

fn check_attribute(found: &Attribute, entry: &Value, at: &str) {
    let shape: Vec<u64> = serde_json::from_value(entry["shape"].clone()).expect("a shape");
    let kind = text(&entry["kind"]);
    if kind == "unsupported" {
        assert!(
            matches!(&found.value, AttributeValue::Unsupported(name) if !name.is_empty()),
            "{at}: {found:?}"
        );
        return;
    }
    assert_eq!(found.shape, shape, "{at}");
    let values = entry["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = || values.iter().map(text);
    let dtype = entry["code"].as_str().and_then(|code| Dtype::ALL.into_iter().find(|d| d.code() == code));
    let wanted = match kind {
        "empty" => AttributeValue::Empty,
        "bool" => AttributeValue::Bool(values.iter().map(|v| v.as_bool().expect("bool")).collect()),
        "text" => AttributeValue::Text(texts().map(unhex).collect()),
        "reference" => AttributeValue::Reference(texts().map(str::to_owned).collect()),
        "int" => {
            AttributeValue::Int(texts().map(|v| v.parse().expect("int")).collect(), dtype.expect("a type"))
        }
        "uint" => {
            AttributeValue::Uint(texts().map(|v| v.parse().expect("uint")).collect(), dtype.expect("a type"))
        }
        "float" => {
            let AttributeValue::Float(found, code) = &found.value else { panic!("{at}: {found:?}") };
            assert_eq!(Some(*code), dtype, "{at}");
            let bits: Vec<String> = found.iter().map(|v| format!("{:016x}", v.to_bits())).collect();
            assert_eq!(bits, texts().collect::<Vec<_>>(), "{at}");
            return;
        }
        other => panic!("{at}: unknown kind {other}"),
    };
    assert_eq!(found.value, wanted, "{at}");
}

/// Runs the corpus script; `None` (said aloud) where there is no Python.
fn corpus(arguments: &[&str]) -> Option<tempfile::TempDir> {
    let Some(python) = std::env::var_os("NISSL_PYTHON") else {
        assert!(std::env::var_os("NISSL_REQUIRE_ALL").is_none(), "NISSL_PYTHON is not set");
        eprintln!("skipped: NISSL_PYTHON is not set, so there is no h5py to compare with");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/make_hdf5_corpus.py");
    let done = std::process::Command::new(python).arg(script).arg(folder.path()).args(arguments).output();
    let done = done.expect("python starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    said.lines().filter(|line| line.starts_with("skipped")).for_each(|line| eprintln!("{line}"));
    Some(folder)
}

#[test]
fn kept_files_read_as_h5py_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/io/hdf5");
    assert!(check_folder(&folder) >= 20);
}

#[test]
fn corpus_reads_as_h5py_reads_it() {
    if let Some(folder) = corpus(&[]) {
        assert!(check_folder(folder.path()) > 500);
    }
}

/// For a check by hand of other files: `make_hdf5_corpus.py --describe FOLDER FILES` beside them.
#[test]
#[ignore = "needs a folder in NISSL_HDF5_FOLDER"]
fn further_files_read_as_h5py_reads_them() {
    let folder = std::env::var_os("NISSL_HDF5_FOLDER").expect("NISSL_HDF5_FOLDER");
    assert!(check_folder(Path::new(&folder)) > 0);
}

#[test]
fn files_beyond_4_gib() {
    let Some(folder) = corpus(&["--big"]) else { return };
    let file = hdf5::open(&folder.path().join("big.h5")).expect("opens");
    assert!(file.path().metadata().expect("metadata").len() > 4 << 30);
    let attributes = file.attributes("/").expect("attributes");
    assert_eq!(attributes[0].value, AttributeValue::Text(vec![b"beyond".to_vec(), b"4 GiB".to_vec()]));
    let hole = file.dataset("/hole").expect("hole");
    let block = Block { start: vec![598_999, 9], count: vec![5, 42] };
    let mut out = vec![0; block_bytes(hole.info(), &block)];
    hole.read_block(&block, &mut out).expect("reads");
    assert!(out == npy_bytes(&folder.path().join("big.hole.npy")));
    for name in ["after", "tail"] {
        let dataset = file.dataset(name).expect("a dataset");
        check_blocks(dataset.as_ref(), &npy_bytes(&folder.path().join(format!("big.{name}.npy"))), name);
    }
    assert_eq!(file.dataset("/name").expect("name").read_text().expect("text"), [b"beyond"]);
}

//! NPY and NPZ against numpy: its files read by us, ours read by it, and damaged ones refused.

#[path = "common/python.rs"]
mod python;

use nissl::array::{ByteOrder, Dtype, to_f64};
use nissl::io::{self, Block, Dataset, DatasetSpec, Entry, StoredType};
use nissl::{Error, Result};
use python::python;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/io/npy").join(name)
}

fn whole(dataset: &dyn Dataset) -> Result<Vec<u8>> {
    let info = dataset.info();
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut out = vec![0; io::block_bytes(info, &block)];
    dataset.read_block(&block, &mut out)?;
    Ok(out)
}

fn values(dataset: &dyn Dataset) -> Vec<f64> {
    let bytes = whole(dataset).unwrap();
    match dataset.info().stored {
        StoredType::Number(dtype, order) => {
            let mut out = vec![0.0; bytes.len() / dtype.size()];
            to_f64(&bytes, dtype, order, &mut out);
            out
        }
        _ => bytes.iter().map(|&b| f64::from(b)).collect(),
    }
}

/// The formula of `fixtures/io/npy/make.py`.
fn expected(dtype: &str, cells: usize) -> Vec<f64> {
    let cell = |i: usize| match dtype {
        "bool" => f64::from(u8::from(i.is_multiple_of(3))),
        _ if dtype.starts_with("int") => 7.0 * i as f64 - 5.0,
        _ if dtype.starts_with("uint") => 7.0 * i as f64 + 3.0,
        _ => 0.375 * i as f64 - 1.5,
    };
    (0..cells).map(cell).collect()
}

#[test]
fn numpy_arrays_of_every_type_order_and_layout_are_read_exactly() {
    let cases: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("arrays.json")).unwrap()).unwrap();
    let arrays = cases["arrays"].as_array().unwrap();
    assert!(arrays.len() >= 46, "{}", arrays.len());
    for case in arrays {
        let name = case["file"].as_str().unwrap();
        let file = io::open(&fixture(name)).unwrap();
        let dataset = file.dataset("").unwrap();
        let shape: Vec<u64> = case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let dtype = case["dtype"].as_str().unwrap();
        let info = dataset.info();
        assert_eq!((&info.shape, info.fortran), (&shape, case["fortran"].as_bool().unwrap()), "{name}");
        match info.stored {
            StoredType::Number(found, order) => {
                assert_eq!(found.name(), dtype, "{name}");
                assert_eq!(order == ByteOrder::Big, case["order"] == ">", "{name}");
            }
            StoredType::Bool => assert_eq!(dtype, "bool", "{name}"),
            _ => panic!("{name}: {info:?}"),
        }
        assert_eq!(values(&*dataset), expected(dtype, shape.iter().product::<u64>() as usize), "{name}");
    }
}

#[test]
fn arrays_that_are_no_numbers_are_listed_and_refused_by_name() {
    for (name, dtype) in [
        ("object.npy", "object ('|O')"),
        ("complex.npy", "complex ('<c16')"),
        ("time.npy", "datetime ('<M8[ns]')"),
        ("structured.npy", "structured [('a', '<f4'), ('b', '<i2', (3))]"),
    ] {
        let file = io::open(&fixture(name)).unwrap();
        let dataset = file.dataset("").unwrap();
        assert_eq!(dataset.info().stored, StoredType::Other(dtype.into()), "{name}");
        let error = whole(&*dataset).unwrap_err().to_string();
        assert!(error.contains(dtype) && error.contains("astype(float)"), "{error}");
    }
}

#[test]
fn arrays_of_text_are_read_as_text_and_refused_as_numbers() {
    for name in ["text.npy", "bytes.npy"] {
        let file = io::open(&fixture(name)).unwrap();
        let dataset = file.dataset("").unwrap();
        assert_eq!(dataset.info().stored, StoredType::Text, "{name}");
        let texts = dataset.read_text().unwrap();
        assert_eq!(texts.len() as u64, dataset.info().shape.iter().product::<u64>(), "{name}");
        assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(&0)), "{texts:?}");
        let error = whole(&*dataset).unwrap_err().to_string();
        assert!(error.contains("an array of text") && error.contains("astype(float)"), "{error}");
    }
}

#[test]
fn archives_of_both_kinds_hold_the_same_arrays() {
    for name in ["stored.npz", "deflated.npz"] {
        let file = io::open(&fixture(name)).unwrap();
        let names: Vec<_> = file
            .list()
            .unwrap()
            .into_iter()
            .map(|entry| match entry {
                Entry::Dataset(info) => info.path,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(values(&*file.dataset("a").unwrap()), expected("float64", 12));
        assert_eq!(values(&*file.dataset("/b").unwrap()), expected("int16", 35));
        assert_eq!(values(&*file.dataset("c.npy").unwrap()), expected("bool", 9));
        let error = file.dataset("d").err().unwrap().to_string();
        assert!(error.contains("one of a, b, c"), "{error}");
    }
}

#[test]
fn truncated_bodies_name_both_lengths_and_longer_ones_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let mut bytes = std::fs::read(fixture("f8_le_c.npy")).unwrap();
    bytes.extend(b"more");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(values(&*io::open(&path).unwrap().dataset("").unwrap()), expected("float64", 15));
    bytes.truncate(bytes.len() - 5);
    std::fs::write(&path, &bytes).unwrap();
    let error = io::open(&path).err().unwrap().to_string();
    assert!(error.contains("found 119 bytes of array data, expected 120 (shape [3, 5])"), "{error}");
    // A shape whose product wraps around 64 bits must not look small.
    let header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header);
    std::fs::write(&path, &bytes).unwrap();
    let error = io::open(&path).err().unwrap().to_string();
    assert!(error.contains("fits in a file"), "{error}");
}

fn spec(path: &str, shape: &[u64], dtype: Dtype, deflate: Option<u32>) -> DatasetSpec {
    DatasetSpec { path: path.into(), shape: shape.to_vec(), dtype, chunks: None, deflate, fill: None }
}

/// `cells` elements that are different from each other, as stored.
fn elements(dtype: Dtype, cells: u64) -> Vec<u8> {
    (0..cells)
        .flat_map(|i| match dtype {
            Dtype::F16 => half::f16::from_f64(i as f64 / 8.0).to_le_bytes().to_vec(),
            Dtype::F32 => (i as f32 / 7.0).to_le_bytes().to_vec(),
            Dtype::F64 => (i as f64 / 7.0).to_le_bytes().to_vec(),
            _ => (i as i64 * 5 - 9).to_le_bytes()[..dtype.size()].to_vec(),
        })
        .collect()
}

const NUMPY_READS: &str = "
import sys, hashlib, numpy as np
for path in sys.argv[1:]:
    loaded = np.load(path)
    for key in (loaded.files if path.endswith('.npz') else ['']):
        a = loaded[key] if key else loaded
        if not key:
            import io
            again = io.BytesIO(); np.save(again, a)
            assert again.getvalue() == open(path, 'rb').read(), path
        print(key, a.dtype.str, ','.join(map(str, a.shape)), hashlib.sha256(a.tobytes()).hexdigest())
";

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn numpy_reads_what_we_write_and_would_have_written_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut paths, mut wanted) = (Vec::new(), Vec::new());
    let shapes: [&[u64]; 5] = [&[], &[0, 3], &[7], &[11, 13], &[2, 3, 4]];
    for dtype in Dtype::ALL {
        for (number, shape) in shapes.into_iter().enumerate() {
            let path = folder.path().join(format!("{}-{number}.npy", dtype.code()));
            let bytes = elements(dtype, shape.iter().product());
            let mut writer = io::create(&path).unwrap();
            let id = writer.create(&spec("", shape, dtype, None)).unwrap();
            // In uneven parts, as strips come.
            for part in bytes.chunks(37) {
                writer.append(id, part).unwrap();
            }
            writer.finish().unwrap();
            assert_eq!(whole(&*io::open(&path).unwrap().dataset("").unwrap()).unwrap(), bytes);
            let order = if dtype.size() == 1 { '|' } else { '<' };
            let axes: Vec<_> = shape.iter().map(u64::to_string).collect();
            wanted.push(format!(" {order}{} {} {}", dtype.code(), axes.join(","), sha256(&bytes)));
            paths.push(path);
        }
    }
    let arguments: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let Some(seen) = python("numpy reads our .npy", NUMPY_READS, &arguments) else { return };
    assert_eq!(seen.lines().collect::<Vec<_>>(), wanted);
}

/// Three members whose rows come interleaved.
fn write_archive(path: &Path, deflate: Option<u32>) -> Vec<(String, Vec<u8>)> {
    let mut writer = io::create(path).unwrap();
    let members = [("x", Dtype::F64), ("y", Dtype::I16), ("none", Dtype::F32)];
    let mut made = Vec::new();
    for (name, dtype) in members {
        let shape: &[u64] = if name == "none" { &[0] } else { &[400, 300] };
        let id = writer.create(&spec(name, shape, dtype, deflate)).unwrap();
        made.push((id, elements(dtype, shape.iter().product())));
    }
    for strip in 0..10 {
        for (id, bytes) in &made {
            let length = bytes.len() / 10;
            writer.append(*id, &bytes[strip * length..][..length]).unwrap();
        }
    }
    writer.finish().unwrap();
    members.iter().zip(made).map(|((name, _), (_, bytes))| ((*name).to_owned(), bytes)).collect()
}

#[test]
fn archives_go_both_ways_and_equal_arrays_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, deflate) in [("stored.npz", None), ("deflated.npz", Some(4))] {
        let path = folder.path().join(name);
        let members = write_archive(&path, deflate);
        let again = folder.path().join(format!("again-{name}"));
        write_archive(&again, deflate);
        assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap(), "{name}");
        let file = io::open(&path).unwrap();
        for (member, bytes) in &members {
            assert!(whole(&*file.dataset(member).unwrap()).unwrap() == *bytes, "{name}:{member}");
        }
        paths.push(path);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "temporary files stayed");
    let arguments: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let Some(seen) = python("numpy reads our .npz", NUMPY_READS, &arguments) else { return };
    let x = format!("x <f8 400,300 {}", sha256(&elements(Dtype::F64, 120_000)));
    assert_eq!(seen.lines().filter(|line| *line == x).count(), 2, "{seen}");
    assert_eq!(seen.lines().count(), 6);
}

/// Overlapping ascending strips, then jumps: all of them equal the whole array's rows.
#[test]
fn deflated_members_are_right_in_any_order_of_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let members = write_archive(&path, Some(1));
    let file = io::open(&path).unwrap();
    let dataset = file.dataset("x").unwrap();
    let row = 300 * 8;
    for (start, count) in [(0u64, 60u64), (40, 60), (80, 60), (390, 10), (0, 1), (200, 200), (10, 380)] {
        let mut out = vec![0; count as usize * row];
        dataset.read_block(&Block { start: vec![start, 0], count: vec![count, 300] }, &mut out).unwrap();
        assert!(out == members[0].1[start as usize * row..][..out.len()], "{start} {count}");
    }
    let mut out = vec![0; 8 * 8];
    dataset.read_block(&Block { start: vec![100, 5], count: vec![4, 2] }, &mut out).unwrap();
    assert_eq!(out[..16], members[0].1[100 * row + 40..][..16]);
    assert_eq!(out[48..], members[0].1[103 * row + 40..][..16]);
}

#[test]
fn blocks_outside_and_wrong_buffers_are_errors() {
    let file = io::open(&fixture("f8_le_c.npy")).unwrap();
    let dataset = file.dataset("").unwrap();
    for (start, count, bytes) in [
        (vec![1, 0], vec![3, 5], 120),
        (vec![0, u64::MAX], vec![3, 5], 120),
        (vec![0], vec![3], 24),
        (vec![0, 0], vec![3, 5], 119),
    ] {
        let block = Block { start, count };
        assert!(dataset.read_block(&block, &mut vec![0; bytes]).is_err(), "{block:?}");
    }
    assert!(file.dataset("/x").is_err());
}

/// A generator good enough to damage files with, the same in every run.
struct Chance(u64);
impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(5) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = [0, 0xff, b'9', b'(', b','][chance.below(5)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, b'9'),
            _ => {
                let end = (at + 1 + chance.below(8)).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
        }
        if bytes.is_empty() {
            bytes.push(0x93);
        }
    }
}

/// Reads everything a damaged file claims to hold; a claim beyond the file's reach must be an error.
fn read_all(path: &Path, reach: usize) -> Result<Vec<(DatasetSize, Vec<u8>)>> {
    let file = io::open(path)?;
    let mut all = Vec::new();
    for entry in file.list()? {
        let Entry::Dataset(info) = entry else { continue };
        let dataset = file.dataset(&info.path)?;
        if matches!(info.stored, StoredType::Number(..) | StoredType::Bool) {
            let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
            let bytes = if info.shape.contains(&0) { 0 } else { io::block_bytes(&info, &block) };
            assert!(bytes <= reach, "{}: {info:?}", path.display());
            all.push(((info.path.clone(), info.shape.clone()), whole(&*dataset)?));
        }
    }
    Ok(all)
}
type DatasetSize = (String, Vec<u64>);

fn mutate(original: &Path, rounds: usize, checked: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let pristine = std::fs::read(original).unwrap();
    let right = read_all(original, usize::MAX).unwrap();
    let mut chance = Chance(20_260_101);
    let mut refused = 0;
    for round in 0..rounds {
        let mut bytes = pristine.clone();
        damage(&mut bytes, &mut chance);
        std::fs::write(&path, &bytes).unwrap();
        match read_all(&path, bytes.len() * 1100) {
            Err(Error::Data { .. } | Error::Io { .. }) => refused += 1,
            Err(other) => panic!("round {round}: {other}"),
            // An archive has checksums: whatever it still gives under the old name and shape is right.
            Ok(found) if checked => {
                for (size, bytes) in found {
                    let same = right.iter().find(|(known, _)| *known == size);
                    assert!(same.is_none_or(|(_, wanted)| *wanted == bytes), "round {round}: {size:?}");
                }
            }
            Ok(_) => {}
        }
    }
    refused
}

#[test]
fn damaged_arrays_are_refused_or_read_as_they_stand() {
    assert!(mutate(&fixture("f8_be_f.npy"), 700, false) > 300);
    assert!(mutate(&fixture("cube_f.npy"), 700, false) > 300);
}

#[test]
fn damaged_archives_are_refused_or_right() {
    assert!(mutate(&fixture("stored.npz"), 700, true) > 300);
    assert!(mutate(&fixture("deflated.npz"), 700, true) > 300);
}

#[test]
fn a_member_that_inflates_beyond_its_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.npz");
    write_archive(&path, Some(9));
    let mut bytes = std::fs::read(&path).unwrap();
    // The directory's inflated size of "x", halved along with nothing else.
    let size = (400u32 * 300 * 8 + 128).to_le_bytes();
    let at = bytes.windows(4).rposition(|w| w == size).unwrap();
    bytes[at..at + 4].copy_from_slice(&(400u32 * 300 * 4 + 128).to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let error = io::open(&path).err().unwrap().to_string();
    assert!(error.contains("bomb.npz:x"), "{error}");
}

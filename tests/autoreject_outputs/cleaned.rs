//! Cleaned epochs: every cell but the repaired ones bit for bit, and all that lay beside them.

use crate::common::read;
use crate::opened::{open, tiny};
use nissl::array::{Dtype, Real};
use nissl::commands::autoreject::cleaned::write_cleaned;
use nissl::error::Result;
use nissl::io::{self, Attribute, AttributeValue, Container, DatasetSpec, Entry};
use std::path::Path;

/// Channel 2 of odd epochs becomes the epoch's number, in units of a thousandth.
fn repairs(samples: usize) -> impl Fn(usize) -> Result<Vec<(usize, Vec<f64>)>> + Sync {
    move |epoch| Ok(if epoch % 2 == 1 { vec![(2, vec![epoch as f64 / 1000.0; samples])] } else { vec![] })
}

fn stored_bytes(path: &Path, dataset: &str) -> Vec<u8> {
    let file = io::open(path).unwrap();
    let dataset = file.dataset(dataset).unwrap();
    let info = dataset.info();
    let block = io::Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut bytes = vec![0; io::block_bytes(info, &block)];
    dataset.read_block(&block, &mut bytes).unwrap();
    bytes
}

/// Checks a cleaned file against its input: all cells but the repaired ones bit for bit.
fn check_cleaned(input: &Path, output: &Path, dataset: &str, kept: &[usize]) {
    let recording = open(input);
    let (channels, samples) = (recording.channels(), recording.samples());
    let (before, after) = (stored_bytes(input, dataset), stored_bytes(output, dataset));
    let size = before.len() / (recording.epochs() * channels * samples);
    let row = samples * size;
    assert_eq!(after.len(), kept.len() * channels * row);
    let values = read(output, dataset).values;
    for (at, &epoch) in kept.iter().enumerate() {
        for channel in 0..channels {
            let place = at * channels + channel;
            if epoch % 2 == 1 && channel == 2 {
                let wanted = values[place * samples..(place + 1) * samples].iter();
                assert!(wanted.into_iter().all(|&v| (v - epoch as f64 / 1000.0).abs() < 1e-6), "{epoch}");
            } else {
                let from = (epoch * channels + channel) * row;
                assert!(
                    after[place * row..][..row] == before[from..][..row],
                    "epoch {epoch} channel {channel}"
                );
            }
        }
    }
}

fn number(path: &str, shape: &[u64], dtype: Dtype) -> DatasetSpec {
    DatasetSpec { path: path.into(), shape: shape.to_vec(), dtype, chunks: None, deflate: None, fill: None }
}

/// An HDF5 recording with company: groups, attributes of all kinds, scales, truth values, text.
fn write_company(path: &Path) {
    let mut writer = io::create(path).unwrap();
    let mut spec = number("/epochs/data", &[25, 6, 400], Dtype::F32);
    (spec.chunks, spec.deflate) = (Some(vec![7, 4, 130]), Some(3));
    let id = writer.create(&spec).unwrap();
    let values: Vec<f32> = (0..25 * 6 * 400).map(|at| (at as f32 * 0.37).sin()).collect();
    let mut bytes = Vec::new();
    f32::push_le(&values, &mut bytes);
    writer.append(id, &bytes).unwrap();
    let names: Vec<Vec<u8>> = (1..=6).map(|n| format!("EEG{n}").into_bytes()).collect();
    writer.create_text("/epochs/ch_names", &[6], &names).unwrap();
    let id = writer.create(&number("/epochs/events", &[25], Dtype::I16)).unwrap();
    writer.append(id, &(0..25i16).flat_map(i16::to_le_bytes).collect::<Vec<_>>()).unwrap();
    let id = writer.create(&number("/epochs/time", &[400], Dtype::F64)).unwrap();
    writer.append(id, &vec![0; 3200]).unwrap();
    let id = writer.create(&number("/epochs/trial", &[25], Dtype::I8)).unwrap();
    writer.append(id, &[1; 25]).unwrap();
    let id = writer.create_truth(&number("/notes/seen", &[3], Dtype::I8)).unwrap();
    writer.append(id, &[1, 0, 1]).unwrap();
    writer.create_text("/notes/who", &[], &[b"J\xc3\xb6rg".to_vec()]).unwrap();
    writer.create_references("/notes/about", &["/epochs/data", "/notes"]).unwrap();
    writer.attach_scale("/epochs/data", 2, "/epochs/time").unwrap();
    writer.attach_scale("/epochs/data", 0, "/epochs/trial").unwrap();
    let text = |name: &str, text: &str| Attribute {
        name: name.into(),
        shape: vec![],
        value: AttributeValue::Text(vec![text.as_bytes().to_vec()]),
    };
    writer.use_variable_text(true);
    writer.set_attribute("/", &text("title", "a recording")).unwrap();
    writer.set_attribute("/epochs/data", &text("units", "V")).unwrap();
    let gain = Attribute {
        name: "gain".into(),
        shape: vec![2],
        value: AttributeValue::Float(vec![1.5, 2.0], Dtype::F64),
    };
    writer.set_attribute("/notes", &gain).unwrap();
    let target = Attribute {
        name: "of".into(),
        shape: vec![],
        value: AttributeValue::Reference(vec!["/epochs/data".into()]),
    };
    writer.set_attribute("/notes", &target).unwrap();
    writer.finish().unwrap();
}

#[test]
fn cleaned_hdf5_keeps_its_company_layout_and_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.h5"), folder.path().join("epochs.h5"));
    write_company(&input);
    let kept: Vec<usize> = (0..25).filter(|e| ![0, 7, 8, 20].contains(e)).collect();
    let warnings = write_cleaned(&open(&input), &output, &kept, None, &repairs(400)).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].ends_with(
        "in.h5:/epochs/data: the dimension scale /epochs/trial of axis 0 is not copied to the cleaned file"
    ));
    check_cleaned(&input, &output, "/epochs/data", &kept);
    let (before, after) = (io::open(&input).unwrap(), io::open(&output).unwrap());
    let paths = |file: &dyn Container| {
        let mut paths: Vec<String> = file
            .list()
            .unwrap()
            .into_iter()
            .map(|entry| match entry {
                Entry::Dataset(info) => format!("{} {:?} {}", info.path, info.shape, info.stored),
                Entry::Group(path) => path,
                Entry::Link(path, _) => path,
            })
            .collect();
        paths.sort();
        paths
    };
    let mut wanted = paths(&*before);
    wanted.iter_mut().for_each(|path| *path = path.replace("/epochs/data [25,", "/epochs/data [21,"));
    wanted.push("/epochs/selection [21] int64".into());
    wanted.sort();
    assert_eq!(paths(&*after), wanted);
    let info = after.dataset("/epochs/data").unwrap().info().clone();
    assert_eq!((info.chunks, info.deflate, info.shuffle), (Some(vec![7, 4, 130]), Some(3), true));
    let selection = read(&output, "/epochs/selection").values;
    assert_eq!(selection, kept.iter().map(|&e| e as f64).collect::<Vec<_>>());
    for dataset in ["/epochs/events", "/epochs/time", "/notes/seen"] {
        assert_eq!(stored_bytes(&output, dataset), stored_bytes(&input, dataset), "{dataset}");
    }
    for node in ["/", "/epochs", "/notes"] {
        assert_eq!(after.attributes(node).unwrap(), before.attributes(node).unwrap(), "{node}");
    }
    assert_eq!(after.dataset("/notes/who").unwrap().read_text().unwrap(), ["J\u{f6}rg".as_bytes()]);
    assert_eq!(after.dataset("/notes/about").unwrap().read_references().unwrap(), ["/epochs/data", "/notes"]);
    assert_eq!(after.dimension_scales("/epochs/data").unwrap()[2], ["/epochs/time"]);

    let level = folder.path().join("level.h5");
    write_cleaned(&open(&input), &level, &kept, Some(9), &repairs(400)).unwrap();
    assert_eq!(io::open(&level).unwrap().dataset("/epochs/data").unwrap().info().deflate, Some(9));
    check_cleaned(&input, &level, "/epochs/data", &kept);

    let none = folder.path().join("none.h5");
    write_cleaned(&open(&input), &none, &[], None, &repairs(400)).unwrap();
    let info = io::open(&none).unwrap().dataset("/epochs/data").unwrap().info().clone();
    assert_eq!(info.shape, [0, 6, 400]);
    let again = folder.path().join("again.h5");
    write_cleaned(&open(&output), &again, &[2, 5], None, &repairs(400)).unwrap();
    assert_eq!(read(&again, "/epochs/selection").values, [2.0, 5.0]);
}

#[test]
fn cleaned_arrays_and_archives_hold_the_same_bits_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let shape = [90u64, 9, 3000];
    let count = shape.iter().product::<u64>();
    let mut bytes = Vec::new();
    f64::push_le(&(0..count).map(|at| ((at % 1013) as f64 * 0.01).cos()).collect::<Vec<_>>(), &mut bytes);
    for name in ["a.npy", "a.npz", "b.npz", "a.h5"] {
        let mut writer = io::create(&at(name)).unwrap();
        let deflate = (name == "b.npz").then_some(6);
        let path = if name == "a.h5" { "/epochs/data" } else { "data" };
        let id = writer.create(&DatasetSpec { deflate, ..number(path, &shape, Dtype::F64) }).unwrap();
        writer.append(id, &bytes).unwrap();
        if name.ends_with("npz") {
            let names: Vec<Vec<u8>> = (1..=9).map(|n| format!("E{n}").into_bytes()).collect();
            writer.create_text("ch_names", &[9], &names).unwrap();
        }
        writer.finish().unwrap();
    }
    let kept: Vec<usize> = (0..90).filter(|e| e % 11 != 3).collect();
    for (name, dataset) in [("a.npy", ""), ("a.npz", "data"), ("b.npz", "data"), ("a.h5", "/epochs/data")] {
        let mut files = Vec::new();
        for threads in [1, 3] {
            let output = at(&format!("out-{threads}-{name}"));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let recording = open(&at(name));
            pool.install(|| write_cleaned(&recording, &output, &kept, None, &repairs(3000))).unwrap();
            check_cleaned(&at(name), &output, dataset, &kept);
            files.push(std::fs::read(&output).unwrap());
        }
        assert!(files[0] == files[1], "{name}");
    }
    let size = |name: &str| std::fs::metadata(at(name)).unwrap().len();
    assert!(size("out-1-b.npz") * 4 < size("out-1-a.npz"));
    let file = io::open(&at("out-1-a.npz")).unwrap();
    assert_eq!(file.dataset("ch_names").unwrap().read_text().unwrap()[8], b"E9");
    assert_eq!(read(&at("out-1-a.npz"), "selection").values.len(), kept.len());
}

#[test]
fn big_endian_and_fortran_input_is_cleaned_in_the_same_type() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npy"), folder.path().join("epochs.npy"));
    let text = "{'descr': '>f4', 'fortran_order': True, 'shape': (4, 3, 5), }";
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend((0..60).flat_map(|at| (at as f32).to_be_bytes()));
    std::fs::write(&input, file).unwrap();
    write_cleaned(&open(&input), &output, &[0, 1, 3], None, &repairs(5)).unwrap();
    let (before, after) = (read(&input, ""), read(&output, ""));
    assert_eq!((after.dtype, after.shape), (Dtype::F32, vec![3, 3, 5]));
    for (at, epoch) in [0, 1, 3].into_iter().enumerate() {
        for cell in 0..15 {
            let repaired = epoch % 2 == 1 && cell / 5 == 2;
            let wanted =
                if repaired { (epoch as f32 / 1000.0).into() } else { before.values[epoch * 15 + cell] };
            assert_eq!(after.values[at * 15 + cell], wanted);
        }
    }
}

#[test]
fn a_repair_that_fails_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("epochs.h5");
    let failing = |_| Err(nissl::Error::Failed("no weights".into()));
    let error = write_cleaned(&tiny(), &output, &[0, 1], None, &failing).unwrap_err();
    assert_eq!(error.to_string(), "no weights");
    let short = |_| Ok(vec![(0, vec![0.0])]);
    assert!(write_cleaned(&tiny(), &output, &[0, 1], None, &short).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

//! What `autoreject` writes, read back by us and by the peer's own readers.
#![cfg(feature = "hdf5")]

mod common;
#[path = "common/python.rs"]
mod python;

use common::{fixture, read};
use nissl::array::{Dtype, Real};
use nissl::commands::autoreject::cleaned::write_cleaned;
use nissl::commands::autoreject::fitted::RejectLog;
use nissl::commands::autoreject::options::{ChannelSources, Method};
use nissl::commands::autoreject::recording::Recording;
use nissl::commands::autoreject::summary::{Named, Summary, read_thresholds};
use nissl::commands::autoreject::{reject_log, state};
use nissl::error::Result;
use nissl::io::npz::NpzWriter;
use nissl::io::{self, Attribute, AttributeValue, Container, DatasetSpec, Entry, InputSpec, Writer};
use std::path::Path;

fn open(path: &Path) -> Recording {
    let mut warnings = Vec::new();
    let input = InputSpec::file(path);
    Recording::open(&input, &ChannelSources::default(), &mut warnings).unwrap_or_else(|e| panic!("{e}"))
}

fn tiny() -> Recording {
    open(&fixture("autoreject/tiny/epochs.h5"))
}

fn visual() -> Recording {
    open(&fixture("autoreject/visual/epochs.h5"))
}

fn same_labels(a: &RejectLog, b: &RejectLog) -> bool {
    let bits = |log: &RejectLog| log.labels.iter().map(|v| (v.is_nan(), v.max(-1.0))).collect::<Vec<_>>();
    a.ch_names == b.ch_names && a.bad_epochs == b.bad_epochs && bits(a) == bits(b)
}

#[test]
fn the_peers_reject_logs_are_read_and_ours_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reject_log.npz");
    for (recording, peer) in
        [(tiny(), "autoreject/tiny/reject_log.npz"), (visual(), "autoreject/visual/peer_reject_log.npz")]
    {
        let log = reject_log::read(&fixture(peer), &recording).unwrap();
        assert_eq!(log.ch_names.len(), recording.channels());
        let unpicked = log.labels.iter().filter(|label| label.is_nan()).count();
        assert_eq!(unpicked, (recording.channels() - recording.picks().len()) * recording.epochs());
        reject_log::write(&log, &path).unwrap();
        assert!(same_labels(&reject_log::read(&path, &recording).unwrap(), &log));
        let first = std::fs::read(&path).unwrap();
        reject_log::write(&log, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
}

fn refusal(log: &RejectLog, recording: &Recording) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.npz");
    reject_log::write(log, &path).unwrap();
    let error = reject_log::read(&path, recording).unwrap_err().to_string();
    let home = format!("{}/", Path::new(env!("CARGO_MANIFEST_DIR")).display());
    error.replace(&format!("{}/", folder.path().display()), "").replace(&home, "")
}

#[test]
fn reject_logs_of_other_recordings_and_senseless_labels_are_refused() {
    let recording = tiny();
    let good = reject_log::read(&fixture("autoreject/tiny/reject_log.npz"), &recording).unwrap();
    let mut log = good.clone();
    log.ch_names[3] = "Xy".into();
    let name = &recording.list()[3].name;
    assert_eq!(
        refusal(&log, &recording),
        format!(
            "log.npz:ch_names, channel 3: found 'Xy', expected '{name}' as in \
             fixtures/autoreject/tiny/epochs.h5:/epochs/data; the log is of another recording"
        )
    );
    let mut log = good.clone();
    log.labels[2 * 10 + 4] = 3.0;
    assert_eq!(
        refusal(&log, &recording),
        format!(
            "log.npz:labels, epoch 2, channel {}: found 3, expected 0 (good), 1 (bad), 2 (repaired) or NaN \
             (not picked)",
            recording.list()[4].name
        )
    );
    let mut log = good.clone();
    log.bad_epochs.pop();
    log.labels.truncate(19 * 10);
    assert_eq!(
        refusal(&log, &recording),
        "log.npz:bad_epochs: found shape [19], expected [20] as in \
         fixtures/autoreject/tiny/epochs.h5:/epochs/data; the log is of another recording"
    );
    let other = reject_log::read(&fixture("autoreject/tiny/splits.npz"), &recording).unwrap_err().to_string();
    assert!(
        other.contains("no such member, expected a reject log: ch_names, bad_epochs and labels"),
        "{other}"
    );
    let mut short = good;
    short.labels.pop();
    let path = tempfile::tempdir().unwrap().path().join("log.npz");
    assert!(reject_log::write(&short, &path).is_err());
}

#[test]
fn a_log_saved_with_whole_numbers_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.npz");
    let recording = tiny();
    let good = reject_log::read(&fixture("autoreject/tiny/reject_log.npz"), &recording).unwrap();
    let mut writer = Box::new(NpzWriter::create(&path).unwrap());
    let names: Vec<Vec<u8>> = good.ch_names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let spec = |path: &str, shape: &[u64]| DatasetSpec {
        path: path.into(),
        shape: shape.to_vec(),
        dtype: Dtype::I8,
        chunks: None,
        deflate: None,
        fill: None,
    };
    let id = writer.create(&spec("labels", &[20, 10])).unwrap();
    writer.append(id, &good.labels.iter().map(|&v| v as u8).collect::<Vec<_>>()).unwrap();
    writer.create_text("ch_names", &[10], &names).unwrap();
    let id = writer.create(&spec("bad_epochs", &[20])).unwrap();
    writer.append(id, &good.bad_epochs.iter().map(|&v| v.into()).collect::<Vec<u8>>()).unwrap();
    writer.finish().unwrap();
    assert!(same_labels(&reject_log::read(&path, &recording).unwrap(), &good));
}

#[test]
fn the_peers_states_are_read_and_ours_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("autoreject.h5");
    for (recording, peer, cv) in [
        (tiny(), "autoreject/tiny/autoreject_state.h5", 5),
        (visual(), "autoreject/visual/peer_autoreject.h5", 10),
    ] {
        let state = state::read(&fixture(peer), &recording).unwrap();
        assert_eq!((state.picks.as_slice(), state.cv, state.seed), (recording.picks(), cv, 42));
        assert_eq!(state.thresh_method, "bayesian_optimization");
        assert_eq!(state.groups[0].names.len(), recording.picks().len());
        state::write(&state, &path).unwrap();
        assert_eq!(state::read(&path, &recording).unwrap(), state);
        // Every entry of the peer's file is in ours, with the same shape and type.
        let entries = |path: &Path| {
            let file = io::open(path).unwrap();
            let mut found: Vec<_> = file
                .list()
                .unwrap()
                .into_iter()
                .map(|entry| match entry {
                    Entry::Dataset(i) => {
                        (i.path.clone(), Some((i.shape, i.stored.to_string(), i.chunks, i.deflate)))
                    }
                    Entry::Group(path) => (path, None),
                    other => panic!("{other:?}"),
                })
                .map(|(path, what)| {
                    let title = file.attributes(&path).unwrap();
                    (path, what, title.first().map(|title| title.value.clone()))
                })
                .collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            found
        };
        assert_eq!(entries(&path), entries(&fixture(peer)));
    }
    let error = state::read(&fixture("autoreject/tiny/autoreject_state.h5"), &visual()).unwrap_err();
    assert!(error.to_string().contains("the state was fitted on other channels; fit again"), "{error}");
    let error = state::read(&fixture("autoreject/visual/peer_autoreject.h5"), &tiny()).unwrap_err();
    assert!(error.to_string().contains("expected one of the 10 channels of"), "{error}");
    let error = state::read(&fixture("autoreject/tiny/epochs.h5"), &tiny()).unwrap_err();
    assert!(error.to_string().contains("found no group 'autoreject'"), "{error}");
}

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

#[test]
fn summaries_are_written_for_scripts_and_their_thresholds_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary.json");
    let recording = tiny();
    let mut summary = Summary::new(Method::Local, 42, &recording);
    let thresholds: Vec<f64> = (1..=10).map(|n| f64::from(n) * 1.1e-5).collect();
    summary.thresholds =
        Some(recording.list().iter().map(|c| c.name.clone()).zip(thresholds.iter().copied()).collect());
    summary.loss = Some(Named(vec![("eeg".into(), vec![vec![1.5, f64::INFINITY]])]));
    summary.consensus = Some(Named(vec![("eeg".into(), 0.1 + 0.2)]));
    summary.bad_epochs = vec![3];
    summary.interpolated = vec![(4, "Fp1".into())];
    summary.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["loss"]["eeg"], serde_json::json!([[1.5, null]]));
    assert_eq!(json["consensus"]["eeg"], 0.30000000000000004);
    assert_eq!(json["interpolated"], serde_json::json!([[4, "Fp1"]]));
    assert_eq!(
        (&json["method"], &json["reject"], &json["seed"]),
        (&"local".into(), &serde_json::Value::Null, &42.into())
    );
    assert!(text.contains("\n  \"bad_epochs\": [3],\n"), "{text}");
    assert_eq!(read_thresholds(&path, &recording, recording.picks()).unwrap(), thresholds);
    assert_eq!(read_thresholds(&path, &recording, &[4, 1]).unwrap(), [thresholds[4], thresholds[1]]);

    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = read_thresholds(&path, &recording, &[0, 1]).unwrap_err().to_string();
        error.replace(&format!("{}/", folder.path().display()), "")
    };
    let names: Vec<&str> = recording.list().iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        refused(&format!("{{\"{}\": 1e-4}}", names[0])),
        format!(
            "summary.json: found no threshold for {}, expected one for every picked channel; add them, or \
             leave the channels out with --bads",
            names[1]
        )
    );
    assert!(
        refused("{\"Fp9\": 1e-4}")
            .starts_with("summary.json: found a threshold for 'Fp9', expected names of ")
    );
    assert_eq!(
        refused(&format!("{{\"{}\": 1e-4, \"{}\": -1}}", names[0], names[1])),
        format!("summary.json, channel {}: found -1, expected a positive number", names[1])
    );
    assert_eq!(
        refused("{\"thresholds\": null}"),
        "summary.json: found a summary without thresholds, expected an object of channel names and \
         thresholds, or a summary.json; only a local fit has thresholds by channel"
    );
    assert!(refused("[1]").starts_with("summary.json: found something else, expected an object"));
    assert!(refused("{").starts_with("summary.json: found no JSON (EOF"));
    std::fs::write(&path, format!("{{\"{}\": 50, \"{}\": 70.5}}", names[0], names[1])).unwrap();
    let microvolts = ChannelSources { unit: 1e-6, ..ChannelSources::default() };
    let input = InputSpec::file(fixture("autoreject/tiny/epochs.h5"));
    let scaled = Recording::open(&input, &microvolts, &mut Vec::new()).unwrap();
    assert_eq!(read_thresholds(&path, &scaled, &[1, 0]).unwrap(), [70.5 * 1e-6, 50.0 * 1e-6]);
}

#[test]
fn the_peer_opens_our_log_state_and_cleaned_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let input = fixture("autoreject/visual/epochs.h5");
    let recording = open(&input);
    let log = reject_log::read(&fixture("autoreject/visual/peer_reject_log.npz"), &recording).unwrap();
    let peer = fixture("autoreject/visual/peer_autoreject.h5");
    let fitted = state::read(&peer, &recording).unwrap();
    reject_log::write(&log, &folder.path().join("reject_log.npz")).unwrap();
    state::write(&fitted, &folder.path().join("autoreject.h5")).unwrap();
    let kept: Vec<usize> = (0..80).filter(|&epoch| !log.bad_epochs[epoch]).collect();
    // Repaired rows carry their channel number, so that the script can tell them from all others.
    let marked = |epoch: usize| {
        let repaired = (0..32).filter(|channel| log.labels[epoch * 32 + channel] == 2.0);
        Ok(repaired.map(|channel| (channel, vec![f64::from(channel as u32); 154])).collect())
    };
    write_cleaned(&recording, &folder.path().join("epochs.h5"), &kept, None, &marked).unwrap();
    let script = include_str!("interop/autoreject_files.py");
    let name = "the_peer_opens_our_log_state_and_cleaned_epochs";
    let Some(printed) = python::python(name, script, &[&input, folder.path(), &peer]) else { return };
    let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let names: Vec<&str> = recording.list().iter().map(|c| c.name.as_str()).collect();
    let bad: Vec<usize> = (0..80).filter(|&epoch| log.bad_epochs[epoch]).collect();
    let repaired = log.labels.iter().filter(|&&label| label == 2.0).count();
    assert_eq!(found["names"], serde_json::json!(names));
    assert!(found["names_dtype"].as_str().unwrap().starts_with("<U"), "{found}");
    assert_eq!((&found["bad_epochs"], &found["bad_dtype"]), (&serde_json::json!(bad), &"bool".into()));
    // With the state that we wrote the peer finds the bad epochs that it found itself.
    assert_eq!(found["own_bad_epochs"], serde_json::json!(bad));
    assert_eq!((&found["repaired"], &found["unpicked"]), (&repaired.into(), &160.into()));
    assert_eq!(found["thresh_method"], "bayesian_optimization");
    assert_eq!((&found["fields"], &found["different"]), (&15.into(), &serde_json::json!([])));
    assert_eq!(found["loss_shape"], serde_json::json!([[11, 3, 10]]));
    assert_eq!(found["cleaned"], serde_json::json!([kept.len(), 32, 154]));
    assert_eq!(found["selection"], serde_json::json!(kept));
    assert_eq!(found["difference"], 0.0);
    assert_eq!(found["marked"], true);
}

#[test]
fn the_conversion_of_fif_that_is_advised_gives_what_mne_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (fif, h5) = (folder.path().join("made-epo.fif"), folder.path().join("epochs.h5"));
    let name = "the_conversion_of_fif_that_is_advised_gives_what_mne_holds";
    let make = r#"
import sys, mne, numpy as np
mne.set_log_level("error")
montage = mne.channels.make_standard_montage("biosemi16")
info = mne.create_info(montage.ch_names + ["VEOG"], 200.0, ["eeg"] * 16 + ["eog"])
data = np.random.RandomState(0).randn(7, 17, 30) * 1e-5
epochs = mne.EpochsArray(data, info, tmin=-0.05)
epochs.set_montage(montage)
epochs.info["bads"] = sys.argv[2:]
epochs.save(sys.argv[1], fmt="double")
# FIF keeps positions in single precision: what counts is what MNE reads.
epochs = mne.read_epochs(sys.argv[1])
print(repr(float(epochs.get_data()[3, 2, 11])), *epochs.info["chs"][4]["loc"][:3])
"#;
    for bads in [vec![], vec![Path::new("O1"), Path::new("Cz")]] {
        let arguments = [vec![fif.as_path()], bads.clone()].concat();
        let Some(printed) = python::python(name, make, &arguments) else { return };
        let mut warnings = Vec::new();
        let refused = Recording::open(&InputSpec::file(&fif), &ChannelSources::default(), &mut warnings);
        let advice = refused.err().unwrap().to_string();
        let (_, code) = advice.split_once("python -c \"").unwrap();
        let moved = format!("import os, sys; os.chdir(sys.argv[1]); {}", code.trim_end_matches('"'));
        python::python(name, &moved, &[folder.path()]).unwrap();
        let recording = open(&h5);
        assert_eq!((recording.epochs(), recording.channels(), recording.samples()), (7, 17, 30));
        assert_eq!((recording.sfreq(), recording.tmin()), (Some(200.0), -0.05));
        assert_eq!(recording.picks().len(), 16 - bads.len());
        let mut value = [0.0];
        recording.read(3..4, &[2], 11..12, &mut value).unwrap();
        let place = recording.list()[4].position.unwrap();
        let found: Vec<f64> = value.iter().chain(&place).copied().collect();
        let expected: Vec<f64> = printed.split_whitespace().map(|v| v.parse().unwrap()).collect();
        assert_eq!(found, expected);
        std::fs::remove_file(&h5).unwrap();
        std::fs::remove_file(&fif).unwrap();
    }
}

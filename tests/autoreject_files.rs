//! Files of `autoreject`: recordings in every storage, tables beside them, and what is refused.

mod common;

use common::{fixture, read};
use nissl::array::{Dtype, Real};
use nissl::commands::autoreject::Recording;
use nissl::commands::autoreject::channels::ChannelKind;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::error::Error;
use nissl::io::{self, DatasetSpec, InputSpec};
use std::path::{Path, PathBuf};

fn opened(path: &Path, sources: &ChannelSources) -> (Result<Recording, Error>, Vec<String>) {
    let mut warnings = Vec::new();
    let input = InputSpec::parse(path.to_str().unwrap()).unwrap();
    (Recording::open(&input, sources, &mut warnings), warnings)
}

fn open(path: &Path, sources: &ChannelSources) -> Recording {
    opened(path, sources).0.unwrap_or_else(|e| panic!("{e}"))
}

fn refused(path: &Path, sources: &ChannelSources) -> Error {
    opened(path, sources).0.err().unwrap_or_else(|| panic!("{path:?} was taken"))
}

fn all_of(recording: &Recording, picks: &[usize]) -> Vec<f64> {
    let mut out = vec![-1.0; recording.epochs() * picks.len() * recording.samples()];
    recording.read(0..recording.epochs(), picks, 0..recording.samples(), &mut out).unwrap();
    out
}

/// A deterministic value for each cell that every numeric type can hold.
fn value(at: usize) -> f64 {
    (at * 37 % 101) as f64
}

fn values(shape: [usize; 3]) -> Vec<f64> {
    (0..shape.iter().product()).map(value).collect()
}

/// Writes an NPY file by hand: any type string and order.
fn write_npy(path: &Path, descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) {
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

fn write_f64(path: &Path, shape: [usize; 3], values: &[f64]) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    write_npy(path, "<f8", false, &shape, &bytes);
}

fn stored(value: f64, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::I8 => (value as i8).to_le_bytes().to_vec(),
        Dtype::U8 => (value as u8).to_le_bytes().to_vec(),
        Dtype::I16 => (value as i16).to_le_bytes().to_vec(),
        Dtype::U16 => (value as u16).to_le_bytes().to_vec(),
        Dtype::I32 => (value as i32).to_le_bytes().to_vec(),
        Dtype::U32 => (value as u32).to_le_bytes().to_vec(),
        Dtype::I64 => (value as i64).to_le_bytes().to_vec(),
        Dtype::U64 => (value as u64).to_le_bytes().to_vec(),
        Dtype::F16 => half::f16::from_f64(value).to_le_bytes().to_vec(),
        Dtype::F32 => (value as f32).to_le_bytes().to_vec(),
        Dtype::F64 => value.to_le_bytes().to_vec(),
    }
}

/// Checks parts of a recording whose cells are [`value`]s of their C-order index.
fn check_parts(recording: &Recording, shape: [usize; 3]) {
    let [epochs, channels, samples] = shape;
    let parts = [
        (0..epochs, (0..channels).collect::<Vec<_>>(), 0..samples),
        (1..epochs.min(6), vec![0, channels - 1], samples / 3..samples),
        (epochs - 1..epochs, vec![channels - 1, 1, 0], 2..3),
        (0..epochs, vec![2], samples - 2..samples),
        (2..2, vec![0], 0..samples),
        (0..1, vec![], 0..samples),
    ];
    for (e, picks, s) in parts {
        let mut out = vec![f64::NAN; e.len() * picks.len() * s.len()];
        recording.read(e.clone(), &picks, s.clone(), &mut out).unwrap();
        let mut at = 0;
        for epoch in e {
            for &pick in &picks {
                for sample in s.clone() {
                    let wanted = value((epoch * channels + pick) * samples + sample);
                    assert_eq!(out[at], wanted, "{epoch} {pick} {sample} {}", recording.place());
                    at += 1;
                }
            }
        }
    }
}

#[test]
fn the_reference_recordings_are_read_with_all_that_goes_with_them() {
    let tiny = open(&fixture("autoreject/tiny/epochs.h5"), &ChannelSources::default());
    assert_eq!((tiny.epochs(), tiny.channels(), tiny.samples()), (20, 10, 50));
    assert_eq!((tiny.sfreq(), tiny.tmin()), (Some(100.0), 0.0));
    assert_eq!(tiny.picks(), (0..10).collect::<Vec<_>>());
    assert_eq!(tiny.list()[0].name, "Fp1");
    let expected = read(&fixture("autoreject/tiny/epochs.npy"), "").values;
    assert_eq!(all_of(&tiny, tiny.picks()), expected);
    let positions = read(&fixture("autoreject/tiny/ch_pos.npy"), "").values;
    let found: Vec<f64> = tiny.list().iter().flat_map(|channel| channel.position.unwrap()).collect();
    assert_eq!(found, positions);

    let (visual, warnings) = opened(&fixture("autoreject/visual/epochs.h5"), &ChannelSources::default());
    let visual = visual.unwrap();
    assert_eq!((visual.epochs(), visual.channels(), visual.samples()), (80, 32, 154));
    assert_eq!((visual.sfreq(), visual.picks().len(), warnings), (Some(128.0), 30, vec![]));
    assert!((visual.tmin() + 0.3).abs() < 0.01);
    let eog = visual.list().iter().filter(|channel| channel.kind == ChannelKind::Eog).count();
    assert_eq!(eog, 2);
    let all: Vec<usize> = (0..32).collect();
    assert_eq!(all_of(&visual, &all), read(&fixture("autoreject/visual/epochs.h5"), "/epochs/data").values);
}

#[test]
fn every_number_type_and_order_gives_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let shape = [7, 5, 9];
    for dtype in Dtype::ALL {
        for (order, fortran) in [('<', false), ('>', false), ('<', true), ('>', true)] {
            let path = folder.path().join("a.npy");
            let mut bytes = Vec::new();
            for cell in 0..shape.iter().product() {
                let index = if fortran {
                    let (e, rest) = (cell % 7, cell / 7);
                    (e * 5 + rest % 5) * 9 + rest / 5
                } else {
                    cell
                };
                let mut element = stored(value(index), dtype);
                if order == '>' {
                    element.reverse();
                }
                bytes.extend(element);
            }
            write_npy(&path, &format!("{order}{}", dtype.code()), fortran, &shape, &bytes);
            check_parts(&open(&path, &ChannelSources::default()), shape);
        }
    }
}

fn write_chunked(path: &Path, shape: [usize; 3], chunks: Option<Vec<u64>>, deflate: Option<u32>) {
    let mut writer = io::create(path).unwrap();
    let spec = DatasetSpec {
        path: "/epochs/data".into(),
        shape: shape.map(|n| n as u64).to_vec(),
        dtype: Dtype::F64,
        chunks,
        deflate,
        fill: None,
    };
    let id = writer.create(&spec).unwrap();
    let mut bytes = Vec::new();
    f64::push_le(&values(shape), &mut bytes);
    writer.append(id, &bytes).unwrap();
    writer.finish().unwrap();
}

#[test]
fn storage_and_threads_do_not_show_in_the_values() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough for several blocks of both ways of reading.
    let shape = [40, 21, 1500];
    write_f64(&folder.path().join("a.npy"), shape, &values(shape));
    write_chunked(&folder.path().join("plain.h5"), shape, None, None);
    write_chunked(&folder.path().join("odd.h5"), shape, Some(vec![19, 8, 127]), Some(1));
    write_chunked(&folder.path().join("flat.h5"), shape, Some(vec![1, 21, 1500]), None);
    write_chunked(&folder.path().join("column.h5"), shape, Some(vec![40, 1, 64]), Some(1));
    write_chunked(&folder.path().join("a.npz"), shape, None, None);
    write_chunked(&folder.path().join("deflated.npz"), shape, None, Some(1));
    for name in ["a.npy", "plain.h5", "odd.h5", "flat.h5", "column.h5", "a.npz", "deflated.npz"] {
        let recording = open(&folder.path().join(name), &ChannelSources::default());
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| check_parts(&recording, shape));
        }
    }
}

/// Groups of rows once ran on from one epoch into the next, and what was beyond was left as it
/// was: of 128 channels x 1000 samples every second 512 KiB were zeros.
#[test]
fn epochs_larger_than_a_workers_block_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for shape in [[5, 21, 5000], [3, 128, 1000], [3, 7, 70_000], [4, 5, 90_000]] {
        write_f64(&path, shape, &values(shape));
        check_parts(&open(&path, &ChannelSources::default()), shape);
    }
}

#[test]
fn the_first_sample_that_is_no_number_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let shape = [30, 12, 2000];
    let mut data = values(shape);
    for (epoch, channel, sample) in [(17, 3, 1999), (17, 4, 2), (20, 0, 0)] {
        data[(epoch * 12 + channel) * 2000 + sample] = f64::NAN;
    }
    data[(29 * 12 + 1) * 2000] = f64::INFINITY;
    let path = folder.path().join("a.npy");
    write_f64(&path, shape, &data);
    let recording = open(&path, &ChannelSources::default());
    let mut out = vec![0.0; data.len()];
    let picks: Vec<usize> = (0..12).collect();
    let message = recording.read(0..30, &picks, 0..2000, &mut out).unwrap_err().to_string();
    let place = path.display();
    assert_eq!(
        message,
        format!(
            "{place}, epoch 17, channel EEG004, sample 1999: found NaN or infinity, expected finite samples \
             in all picked channels; drop the epoch, or leave the channel out with --bads"
        )
    );
    let mut out = vec![0.0; 1];
    let infinite = recording.read(29..30, &[1], 0..1, &mut out).unwrap_err().to_string();
    assert!(infinite.contains("epoch 29, channel EEG002, sample 0"), "{infinite}");
    // What is not asked for does no harm.
    recording.read(0..17, &picks, 0..2000, &mut vec![0.0; 17 * 12 * 2000]).unwrap();
    recording.read(0..30, &[7], 0..2000, &mut vec![0.0; 30 * 2000]).unwrap();
}

struct Tables {
    folder: tempfile::TempDir,
}

impl Tables {
    fn new(shape: [usize; 3]) -> Self {
        let tables = Tables { folder: tempfile::tempdir().unwrap() };
        write_f64(&tables.at("e.npy"), shape, &values(shape));
        tables
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(&self, name: &str, text: &str) -> Option<PathBuf> {
        std::fs::write(self.at(name), text).unwrap();
        Some(self.at(name))
    }

    fn refused(&self, sources: &ChannelSources) -> String {
        let folder = format!("{}/", self.folder.path().display());
        refused(&self.at("e.npy"), sources).to_string().replace(&folder, "")
    }
}

#[test]
fn bids_tables_name_type_mark_and_place_channels() {
    let tables = Tables::new([3, 4, 10]);
    let sources = ChannelSources {
        channels: tables.with(
            "sub-01_channels.tsv",
            "status\tname\ttype\tunits\ngood\tFp1\tEEG\tV\nbad\tFp2\tEEG\tV\nn/a\tCz\tEEG\tV\ngood\tVEOG\tVEOG\tV\n",
        ),
        electrodes: tables
            .with("sub-01_electrodes.tsv", "name\tz\ty\tx\nCz\t93\t1\t2\nFp1\t4\t5.5\t-6\nVEOG\tn/a\tn/a\tn/a\n"),
        sfreq: Some(250.0),
        ..ChannelSources::default()
    };
    tables.with("sub-01_coordsystem.json", r#"{"EEGCoordinateUnits": "mm"}"#);
    let (recording, warnings) = opened(&tables.at("e.npy"), &sources);
    let recording = recording.unwrap();
    let list = recording.list();
    assert_eq!(list.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Fp1", "Fp2", "Cz", "VEOG"]);
    assert_eq!(list.iter().map(|c| c.bad).collect::<Vec<_>>(), [false, true, false, false]);
    assert_eq!((list[3].kind, list[3].position, list[1].position), (ChannelKind::Eog, None, None));
    let place = list[0].position.unwrap();
    let expected = [-0.006, 0.0055, 0.004];
    assert!(place.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{place:?}");
    assert_eq!((recording.picks(), recording.sfreq()), (&[0, 2][..], Some(250.0)));
    assert_eq!(warnings, Vec::<String>::new());

    tables.with("sub-01_coordsystem.json", r#"{"EEGCoordinateUnits": "inch"}"#);
    assert_eq!(
        tables.refused(&sources),
        "sub-01_coordsystem.json, EEGCoordinateUnits: found 'inch', expected m, cm or mm"
    );
    std::fs::remove_file(tables.at("sub-01_coordsystem.json")).unwrap();
    assert_eq!(
        tables.refused(&sources),
        "sub-01_electrodes.tsv: found a coordinate of 93 m, expected positions on a head; \
         state EEGCoordinateUnits (mm, cm or m) in a coordsystem.json beside it"
    );
    let picked = ChannelSources {
        picks: vec!["Fp2".into(), "VEOG".into()],
        bads: vec!["VEOG".into()],
        electrodes: None,
        ..sources
    };
    assert_eq!(open(&tables.at("e.npy"), &picked).picks(), [1, 3]);
}

#[test]
fn tables_that_do_not_fit_are_refused_by_name() {
    let tables = Tables::new([3, 2, 10]);
    let with = |name: &str, text: &str| ChannelSources {
        channels: tables.with(name, text),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&with("c.tsv", "name\ttype\nFp1\tEEG\n")),
        "c.tsv: found 1 channels, expected the 2 of e.npy; one row per channel, in their order"
    );
    assert_eq!(
        tables.refused(&with("c.tsv", "name\ttype\nFp1\tEEG\nFp1\tEEG\n")),
        "e.npy: found 'Fp1' for the channels 0 and 1, expected a name of its own for each channel; rename one"
    );
    assert_eq!(
        tables.refused(&with("c.tsv", "label\ttype\nFp1\tEEG\nFp2\tEEG\n")),
        "c.tsv: found columns label, type, expected a column 'name'; name it in the first line"
    );
    let electrodes = ChannelSources {
        electrodes: tables.with("e.tsv", "name\tx\ty\tz\nFp1\t0\t0\t0\n"),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&electrodes),
        "e.tsv: found 1 electrodes for the 2 channels of e.npy, expected one row per channel, in their \
         order; name all channels with --channels"
    );
    let strangers = ChannelSources {
        channels: tables.with("c.tsv", "name\nA\nB\n"),
        electrodes: tables.with("e.tsv", "name\tx\ty\tz\nFp1\t0\t0\t0\n"),
        ..ChannelSources::default()
    };
    assert_eq!(
        tables.refused(&strangers),
        "e.tsv: found no row of any channel, expected names of the channels of e.npy"
    );
    let missing = ChannelSources { channels: Some(tables.at("absent.tsv")), ..ChannelSources::default() };
    assert_eq!(
        tables.refused(&missing),
        "absent.tsv: cannot open: no such file or directory; check the path"
    );
    let montage = ChannelSources { montage: Some("biosemi16".into()), ..with("c.tsv", "name\nA\nB\n") };
    assert_eq!(
        tables.refused(&montage),
        "e.npy: found EEG channels A, B, none of which is in the montage biosemi16, expected names of its \
         electrodes; give another --montage, --electrodes, or names with --channels"
    );
    let one = ChannelSources { montage: Some("standard_1020".into()), ..with("c.tsv", "name\ncz\nB\n") };
    let (recording, warnings) = opened(&tables.at("e.npy"), &one);
    let recording = recording.unwrap();
    assert_eq!(recording.list()[0].position.unwrap()[2], 0.14019949417439556);
    assert_eq!(recording.list()[1].position, None);
    assert!(warnings.iter().any(|w| w.ends_with("no position from it: B")), "{warnings:?}");
    let pick = ChannelSources { picks: vec!["Pz".into()], ..with("c.tsv", "name\nP2\nCz\n") };
    let error = refused(&tables.at("e.npy"), &pick);
    assert!(matches!(error, Error::Usage(_)));
    assert_eq!(error.to_string(), "--picks Pz: no channel and no type of this name; near it: P2, Cz");
}

#[test]
fn an_array_alone_gets_names_and_a_warning() {
    let tables = Tables::new([3, 2, 10]);
    let (recording, warnings) = opened(&tables.at("e.npy"), &ChannelSources::default());
    let recording = recording.unwrap();
    assert_eq!((recording.list()[1].name.as_str(), recording.list()[1].position), ("EEG002", None));
    assert!(warnings[0].contains("channels are called EEG001, EEG002"), "{warnings:?}");
    assert_eq!((recording.sfreq(), recording.picks()), (None, &[0, 1][..]));
    let montage = ChannelSources { montage: Some("biosemi16".into()), ..ChannelSources::default() };
    assert_eq!(
        tables.refused(&montage),
        "e.npy: found 2 channels without names, expected names, or the 16 channels of the montage; \
         give --channels"
    );
}

#[test]
fn units_scale_voltages_and_are_warned_about() {
    let tables = Tables::new([3, 2, 10]);
    let sources = ChannelSources {
        channels: tables.with("c.tsv", "name\ttype\nCz\tEEG\nM1\tMEGMAG\n"),
        unit: 1e-6,
        ..ChannelSources::default()
    };
    let recording = open(&tables.at("e.npy"), &sources);
    let out = all_of(&recording, &[0, 1]);
    assert_eq!((out[1], out[11]), (value(1) * 1e-6, value(11)));
    assert_eq!((recording.unit(), recording.scale(0), recording.scale(1)), (1e-6, 1e-6, 1.0));
    assert_eq!(recording.unit_warning(0.01), None);
    let warning = recording.unit_warning(0.02).unwrap();
    assert!(warning.ends_with("over 10 mV; data in microvolts need --unit uV"), "{warning}");
    let zero = ChannelSources { unit: 0.0, ..ChannelSources::default() };
    assert!(matches!(refused(&tables.at("e.npy"), &zero), Error::Usage(_)));
}

#[test]
fn inputs_that_are_no_epochs_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = ChannelSources::default();
    let message = |name: &str| {
        refused(&at(name), &plain).to_string().replace(&format!("{}/", folder.path().display()), "")
    };
    std::fs::write(at("sub-01-epo.fif"), b"x").unwrap();
    let fif = message("sub-01-epo.fif");
    assert!(
        fif.starts_with(
            "sub-01-epo.fif: found a FIF file, expected HDF5, NPY or NPZ; convert it: python -c \"import mne"
        ),
        "{fif}"
    );
    assert!(message("absent.fif").ends_with("no such file or directory; check the path"));
    write_npy(&at("two.npy"), "<f8", false, &[2, 3], &[0; 48]);
    assert_eq!(
        message("two.npy"),
        "two.npy: found 2 axes, shape [2, 3], expected 3 axes [epoch, channel, sample], none of them empty; \
         name another dataset, or reshape it"
    );
    write_npy(&at("none.npy"), "<f8", false, &[0, 3, 5], &[]);
    assert_eq!(
        message("none.npy"),
        "none.npy: found shape [0, 3, 5], expected 3 axes [epoch, channel, sample], none of them empty; \
         name another dataset"
    );
    write_npy(&at("complex.npy"), "<c16", false, &[1, 1, 1], &[0; 16]);
    assert_eq!(
        message("complex.npy"),
        "complex.npy: found elements of type complex ('<c16'), expected numbers; \
         save the epochs as float64 or float32"
    );
    write_npy(&at("text.npy"), "<U1", false, &[1, 1, 1], &[65, 0, 0, 0]);
    assert!(message("text.npy").starts_with("text.npy: found elements of type text, expected numbers"));
    let mut writer = io::create(&at("several.h5")).unwrap();
    for path in ["/a", "/g/b", "/c"] {
        let shape = if path == "/c" { vec![4] } else { vec![1, 2, 2] };
        let spec = DatasetSpec {
            path: path.into(),
            shape,
            dtype: Dtype::F64,
            chunks: None,
            deflate: None,
            fill: None,
        };
        let id = writer.create(&spec).unwrap();
        writer.append(id, &[0; 32]).unwrap();
    }
    writer.create_text("/g/ch_names", &[2], &[b"Cz".to_vec(), b"Pz".to_vec()]).unwrap();
    writer.create_text("/ch_names", &[3], &[b"Cz".to_vec(), b"Pz".to_vec(), b"Oz".to_vec()]).unwrap();
    writer.finish().unwrap();
    assert_eq!(
        message("several.h5"),
        "several.h5: found several arrays of 3 axes: /a [1, 2, 2], /g/b [1, 2, 2], expected one array of \
         epochs; name it: several.h5:PATH"
    );
    assert_eq!(
        message("several.h5:/a"),
        "several.h5:/ch_names: found 3 values, expected 2, one per channel; write it anew"
    );
    let named = open(&at("several.h5:/g/b"), &plain);
    assert_eq!((named.list()[1].name.as_str(), named.place().ends_with("several.h5:/g/b")), ("Pz", true));
    assert_eq!(
        message("several.h5:/c"),
        "several.h5:/c: found 1 axes, shape [4], expected 3 axes [epoch, channel, sample], none of them \
         empty; name another dataset, or reshape it"
    );
}

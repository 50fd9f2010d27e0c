//! Element types, layouts and threads do not show in the values.

use crate::common::{fixture, read};
use crate::made::{all_of, open, opened, value, values, write_f64, write_npy};
use nissl::array::{Dtype, Real};
use nissl::commands::autoreject::Recording;
use nissl::commands::autoreject::channels::ChannelKind;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::io::{self, DatasetSpec};
use std::path::Path;

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

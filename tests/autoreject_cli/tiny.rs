//! Recordings with next to nothing in them: a right result, or one line that says what is missing.

use crate::common::splitmix;
use crate::desk::{Desk, error_lines};
use nissl::array::Dtype;
use nissl::io::{self, DatasetSpec};
use std::path::Path;

/// A recording to write: its shape and the types of its channels, which lie on a sphere.
pub fn write(path: &Path, [n, c, t]: [usize; 3], kinds: &[&str], amplitude: f64) {
    let mut writer = io::create(path).unwrap();
    let mut add = |name: &str, shape: &[usize], values: &[f64]| {
        let path = format!("/epochs/{name}");
        let shape = shape.iter().map(|&n| n as u64).collect();
        let spec = DatasetSpec { path, shape, dtype: Dtype::F64, chunks: None, deflate: None, fill: None };
        let id = writer.create(&spec).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        writer.append(id, &bytes).unwrap();
    };
    let values: Vec<f64> = splitmix(5, n * c * t).map(|v| amplitude * (v - 0.5)).collect();
    let place = |i: usize| {
        let (height, turn) = (0.9 - 0.5 * i as f64 / c as f64, 2.4 * i as f64);
        let radius = (1.0_f64 - height * height).sqrt();
        [radius * turn.cos(), radius * turn.sin(), height].map(|v| 0.095 * v)
    };
    let positions: Vec<f64> = (0..c).flat_map(place).collect();
    add("data", &[n, c, t], &values);
    add("ch_pos", &[c, 3], &positions);
    add("sfreq", &[1], &[100.0]);
    let names: Vec<Vec<u8>> = (0..c).map(|i| format!("E{i}").into_bytes()).collect();
    let kind = |i: usize| kinds[i.min(kinds.len() - 1)].as_bytes().to_vec();
    let kinds: Vec<Vec<u8>> = (0..c).map(kind).collect();
    writer.create_text("/epochs/ch_names", &[c as u64], &names).unwrap();
    writer.create_text("/epochs/ch_types", &[c as u64], &kinds).unwrap();
    writer.finish().unwrap();
}

/// Shape, types, flags, and the words of the refusal; none where it must run.
type Row = ([usize; 3], &'static [&'static str], &'static str, &'static [&'static str]);

const EEG: &[&str] = &["eeg"];
const FEW: &str = "--cv 2 --n-interpolate 1";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Channels.
    ([12, 1, 20], EEG, "", &["1 picks", "at least 4", "--n-interpolate"]),
    ([12, 3, 20], EEG, "", &["3 picks", "at least 4"]),
    ([12, 1, 20], EEG, FEW, &[]),
    ([12, 2, 20], EEG, FEW, &[]),
    ([12, 4, 20], EEG, "", &[]),
    ([12, 1, 20], EEG, "--method global", &[]),
    ([12, 1, 20], EEG, "--method ransac", &["1 good channels of 1 picks", "at least 3"]),
    ([12, 3, 20], EEG, "--cv 2 --n-interpolate 100", &[]),
    // Samples.
    ([12, 6, 1], EEG, "", &[]),
    ([12, 6, 1], EEG, "--method global", &[]),
    ([12, 6, 2], EEG, "--threshold-search random", &[]),
    // Epochs and folds.
    ([1, 6, 20], EEG, "", &["1 epoch,", "at least 10", "give more epochs"]),
    ([1, 6, 20], EEG, FEW, &["1 epoch,", "at least 2", "give more epochs"]),
    ([1, 6, 20], EEG, "--method ransac", &[]),
    ([2, 6, 20], EEG, "", &["2 epochs", "--cv 2"]),
    ([2, 6, 20], EEG, FEW, &["1 test", "at least 2", "more epochs"]),
    ([2, 6, 20], EEG, "--no-augment --n-interpolate 0 --cv 2", &[]),
    ([2, 6, 20], EEG, "--method global --cv 2", &[]),
    ([3, 6, 20], EEG, FEW, &[]),
    ([9, 6, 20], EEG, "", &["9 epochs", "at least 10", "--cv 9 or fewer"]),
    ([9, 6, 20], EEG, "--cv 9", &[]),
    ([12, 6, 20], EEG, "--cv 13", &["12 epochs", "at least 13", "--cv 12 or fewer"]),
    ([4, 6, 20], EEG, "--method global", &["4 epochs", "at least 5", "--cv 4 or fewer"]),
    ([1, 1, 1], EEG, "--method global", &["1 epoch,", "give more epochs"]),
    // Picks.
    ([12, 6, 20], EEG, "--bads eeg", &["no good data channel", "--bads"]),
    ([12, 6, 20], EEG, "--bads eeg --method global", &["no good data channel", "--bads"]),
    ([12, 6, 20], EEG, "--bads E0,E1,E2,E3,E4 --n-interpolate 1", &[]),
    ([12, 6, 20], &["eog"], "", &["no good data channel", "eeg"]),
    ([12, 6, 20], &["eog"], "--method ransac", &["no good data channel", "eeg"]),
    ([12, 6, 20], &["eog"], "--method global", &[]),
    ([12, 6, 20], &["misc"], "--method global", &["no good data channel"]),
    ([12, 6, 20], &["eeg", "eog"], "--n-interpolate 1", &[]),
    ([12, 6, 20], &["eeg", "ecog"], "--n-interpolate 1", &[]),
];

#[test]
fn what_is_too_small_is_told_in_one_line_and_the_rest_runs() {
    let desk = Desk::new();
    for (at, (shape, kinds, flags, words)) in ROWS.iter().enumerate() {
        let (input, out) = (format!("tiny{at}.h5"), format!("out{at}"));
        write(&desk.path(&input), *shape, kinds, 1e-5);
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let output = desk.run(&[&[input.as_str(), "-o", &out], &flags[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{shape:?} {kinds:?} {flags:?}: {said}");
        assert!(!said.contains("panicked"), "{what}");
        if words.is_empty() {
            assert_eq!(output.status.code(), Some(0), "{what}");
            check(&desk, &out, shape[0], &what);
            continue;
        }
        assert_eq!(output.status.code(), Some(65), "{what}");
        assert_eq!((error_lines(&output).len(), said.contains(&input)), (1, true), "{what}");
        words.iter().for_each(|word| assert!(said.contains(word), "no '{word}': {what}"));
        assert!(!desk.path(&out).exists(), "{what}");
    }
}

/// Every epoch is either kept or bad, and thresholds are numbers.
fn check(desk: &Desk, out: &str, epochs: usize, what: &str) {
    let summary = desk.summary(out);
    let count = |key: &str| summary[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("selection") + count("bad_epochs"), epochs, "{what}");
    let kept = crate::common::read(&desk.path(out).join("epochs.h5"), "/epochs/data");
    assert_eq!(kept.shape[0], count("selection"), "{what}");
    assert!(kept.values.iter().all(|v| v.is_finite()), "{what}");
    for (name, threshold) in summary["thresholds"].as_object().into_iter().flatten() {
        assert!(threshold.as_f64().is_some_and(|t| t >= 0.0), "{name}: {what}");
    }
}

#[test]
fn empty_axes_are_refused_by_shape() {
    let desk = Desk::new();
    for shape in [[0, 6, 20], [12, 0, 20], [12, 6, 0], [0, 0, 0]] {
        let text: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let shown = format!("[{}]", text.join(", "));
        crate::common::write_npy(&desk.path("empty.npy"), "<f8", &shape, &[]);
        for method in ["local", "global", "ransac"] {
            let flags = ["empty.npy", "-o", "out", "--method", method];
            desk.refused(&flags, 65, &["empty.npy", &shown, "none of them empty"]);
        }
    }
}

#[test]
fn channels_without_any_signal_are_kept_as_they_are() {
    let desk = Desk::new();
    write(&desk.path("flat.h5"), [12, 6, 20], EEG, 0.0);
    for (at, flags) in
        [&["--cv", "3"][..], &["--method", "global"], &["--method", "ransac"]].iter().enumerate()
    {
        let out = format!("flat{at}");
        let output = desk.run(&[&["flat.h5", "-o", &out], *flags].concat());
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        let kept = crate::common::read(&desk.path(&out).join("epochs.h5"), "/epochs/data");
        assert!(kept.shape[0] == 12 && kept.values.iter().all(|&v| v == 0.0), "{flags:?}");
    }
}

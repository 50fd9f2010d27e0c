//! `nissl autoreject` on the real recording of the README against what the package itself made of
//! it, and the pitfalls of real data, through the program.
#![cfg(feature = "hdf5")]

mod common;

use common::{done, fixture, nissl, read, splitmix};
use nissl::array::Dtype;
use nissl::commands::autoreject::{fitted::RejectLog, reject_log};
use nissl::io::{self, DatasetSpec};
use serde_json::Value;
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn run(input: &Path, out: &Path, flags: &[&str]) -> Value {
    let mut command = nissl(&["autoreject", "-q", "--progress", "none"]);
    done(command.arg(input).arg("-o").arg(out).args(flags));
    json(&out.join("summary.json"))
}

/// The error line of a run that must fail with exit code 65.
fn refused(input: &Path, out: &Path, flags: &[&str]) -> String {
    let mut command = nissl(&["autoreject", "-q", "--progress", "none"]);
    let output = command.arg(input).arg("-o").arg(out).args(flags).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{message}");
    assert!(!out.exists(), "an output was left");
    message
}

/// Epochs with channels on a sphere, names `E0`, `E1`...
struct Made {
    shape: [usize; 3],
    values: Vec<f64>,
    kinds: Vec<&'static str>,
    positions: Vec<[f64; 3]>,
}

impl Made {
    /// Waves with some noise, in volts.
    fn new(shape: [usize; 3]) -> Self {
        let [n, c, t] = shape;
        let noise: Vec<f64> = splitmix(11, n * c * t).collect();
        let wave = |at: usize| {
            let (epoch, channel, sample) = (at / (c * t), at / t % c, at % t);
            let phase = sample as f64 * 0.1 + epoch as f64;
            1e-5 * (phase.sin() * (1.0 + 0.3 * (channel as f64).cos()) + noise[at] - 0.5)
        };
        let position = |i: usize| {
            let (height, turn) = (0.9 - 1.2 * i as f64 / c as f64, 2.4 * i as f64);
            let radius = (1.0 - height * height).sqrt();
            [radius * turn.cos(), radius * turn.sin(), height].map(|v| 0.095 * v)
        };
        Made {
            shape,
            values: (0..n * c * t).map(wave).collect(),
            kinds: vec!["eeg"; c],
            positions: (0..c).map(position).collect(),
        }
    }

    /// Multiplies a channel of an epoch.
    fn scale(&mut self, epoch: usize, channel: usize, factor: f64) {
        let [_, c, t] = self.shape;
        self.values[(epoch * c + channel) * t..][..t].iter_mut().for_each(|v| *v *= factor);
    }

    fn write(&self, path: &Path) {
        let mut writer = io::create(path).unwrap();
        let mut add = |name: &str, shape: Vec<u64>, values: &[f64]| {
            let (chunks, deflate, fill) = (None, None, None);
            let path = format!("/epochs/{name}");
            let spec = DatasetSpec { path, shape, dtype: Dtype::F64, chunks, deflate, fill };
            let id = writer.create(&spec).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            writer.append(id, &bytes).unwrap();
        };
        add("data", self.shape.map(|n| n as u64).to_vec(), &self.values);
        add("ch_pos", vec![self.shape[1] as u64, 3], &self.positions.concat());
        add("sfreq", vec![], &[250.0]);
        let channels = [self.shape[1] as u64];
        let names: Vec<Vec<u8>> = (0..self.shape[1]).map(|c| format!("E{c}").into_bytes()).collect();
        writer.create_text("/epochs/ch_names", &channels, &names).unwrap();
        let kinds: Vec<Vec<u8>> = self.kinds.iter().map(|k| k.as_bytes().to_vec()).collect();
        writer.create_text("/epochs/ch_types", &channels, &kinds).unwrap();
        writer.finish().unwrap();
    }
}

/// Cheap grids for made data.
const SMALL: [&str; 6] = ["--cv", "4", "--n-interpolate", "1,2", "--consensus", "0.2,0.5,1"];

#[test]
fn the_real_recording_gives_the_peers_reject_log_given_its_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (fixture("autoreject/visual/epochs.h5"), folder.path().join("out"));
    let peer = json(&fixture("autoreject/visual/peer.json"));
    let given = folder.path().join("thresholds.json");
    std::fs::write(&given, attained(&peer["thresholds"]).to_string()).unwrap();
    let summary = run(&input, &out, &["--thresholds", given.to_str().unwrap()]);
    for field in ["consensus", "n_interpolate", "bad_epochs"] {
        assert_eq!(summary[field], peer[field], "{field}");
    }
    assert_eq!(
        summary["interpolated"].as_array().unwrap().len() as u64,
        peer["n_interpolated"].as_u64().unwrap()
    );
    let grid = |value: &Value| -> Vec<Option<f64>> {
        let rows = value.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        rows.map(|cell| cell.as_f64().filter(|loss| *loss >= 0.0)).collect()
    };
    for (got, want) in grid(&summary["loss"]["eeg"]).iter().zip(grid(&peer["loss"])) {
        match (got, want) {
            (Some(got), Some(want)) => assert!((got - want).abs() <= 1e-9 * want, "{got} instead of {want}"),
            (got, want) => assert_eq!(*got, want),
        }
    }
    let labels = |path: &Path| read(path, "labels").values;
    let got = labels(&out.join("reject_log.npz"));
    let want = labels(&fixture("autoreject/visual/peer_reject_log.npz"));
    assert!(got.iter().zip(&want).all(|(g, w)| g == w || (g.is_nan() && w.is_nan())));
    cleaned_average_is_the_peers(&out);
}

/// The peer's thresholds as the amplitudes they were taken from: two of the stored ones are a unit
/// in the last place off, and a vote asks for more than the threshold.
fn attained(thresholds: &Value) -> Value {
    let epochs = read(&fixture("autoreject/visual/epochs.h5"), "/epochs/data");
    let names = json(&fixture("autoreject/visual/peer.json"))["ch_names"].clone();
    let mut attained = thresholds.clone();
    let mut moved = 0;
    for (name, threshold) in attained.as_object_mut().unwrap() {
        let channel = names.as_array().unwrap().iter().position(|n| n == name).unwrap();
        let stored = threshold.as_f64().unwrap();
        for epoch in 0..80 {
            let row = &epochs.values[(epoch * 32 + channel) * 154..][..154];
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let amplitude = most - row.iter().copied().fold(f64::INFINITY, f64::min);
            if amplitude != stored && (amplitude - stored).abs() <= 4.0 * f64::EPSILON * stored {
                *threshold = amplitude.into();
                moved += 1;
            }
        }
    }
    assert_eq!(moved, 2, "all others are amplitudes of the recording or of predicted epochs");
    attained
}

fn cleaned_average_is_the_peers(out: &Path) {
    let cleaned = read(&out.join("epochs.h5"), "/epochs/data");
    let original = read(&fixture("autoreject/visual/epochs.h5"), "/epochs/data");
    let want = read(&fixture("autoreject/visual/peer_clean_average.npy"), "");
    let [n, c, t] = cleaned.shape[..] else { panic!("three axes") };
    assert_eq!((n, c, t), (76, 32, 154));
    let kinds: Vec<usize> = (0..c).filter(|c| ![1, 5].contains(c)).collect();
    assert_eq!(want.shape, [kinds.len(), t]);
    let scale = want.values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (at, want) in want.values.iter().enumerate() {
        let (channel, sample) = (kinds[at / t], at % t);
        let sum: f64 = (0..n).map(|e| cleaned.values[(e * c + channel) * t + sample]).sum();
        assert!((sum / n as f64 - want).abs() <= 1e-9 * scale, "channel {channel} sample {sample}");
    }
    // Eye movements are not picked: bit for bit as they were.
    let selection = read(&out.join("epochs.h5"), "/epochs/selection").values;
    for (epoch, &from) in selection.iter().enumerate() {
        for channel in [1, 5] {
            let row = |values: &[f64], e: usize| values[(e * c + channel) * t..][..t].to_vec();
            assert_eq!(row(&cleaned.values, epoch), row(&original.values, from as usize));
        }
    }
}

#[test]
fn the_peers_state_applied_gives_the_peers_log() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (fixture("autoreject/visual/epochs.h5"), folder.path().join("out"));
    let state = fixture("autoreject/visual/peer_autoreject.h5");
    let summary = run(&input, &out, &["--apply", state.to_str().unwrap()]);
    assert_eq!(summary["bad_epochs"], json(&fixture("autoreject/visual/peer.json"))["bad_epochs"]);
    // One stored threshold is a unit in the last place below the amplitude it was taken from.
    let (got, want) = (out.join("reject_log.npz"), fixture("autoreject/visual/peer_reject_log.npz"));
    let labels = |path: &Path| read(path, "labels").values;
    let pairs = labels(&got).into_iter().zip(labels(&want)).enumerate();
    let differ: Vec<usize> = pairs.filter(|(_, (g, w))| g != w && !w.is_nan()).map(|(at, _)| at).collect();
    assert_eq!(differ, [78 * 32]);
}

#[test]
fn an_edited_log_is_followed_to_the_letter() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (fixture("autoreject/visual/epochs.h5"), folder.path().join("out"));
    let log = fixture("autoreject/visual/peer_reject_log.npz");
    let summary = run(&input, &out, &["--reject-log", log.to_str().unwrap()]);
    let peer = json(&fixture("autoreject/visual/peer.json"));
    assert_eq!(summary["bad_epochs"], peer["bad_epochs"]);
    cleaned_average_is_the_peers(&out);
    assert!(!out.join("autoreject.h5").exists(), "nothing was fitted");
}

#[test]
fn the_global_threshold_of_the_real_recording_is_the_peers() {
    let folder = tempfile::tempdir().unwrap();
    let input = fixture("autoreject/visual/epochs.h5");
    let summary = run(&input, &folder.path().join("out"), &["--method", "global"]);
    let peer = json(&fixture("autoreject/visual/peer.json"));
    assert_eq!(summary["reject"]["eeg"], peer["reject"]["eeg"]);
    assert!(summary["reject"]["eog"].as_f64().unwrap() > 0.0, "eye movements have a limit of their own");
    assert_eq!(summary["validation_curve"]["eeg"]["thresholds"].as_array().unwrap().len(), 15);
}

#[test]
fn epochs_larger_than_memory_are_walked_in_several_passes_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("long.h5");
    let mut made = Made::new([200, 24, 1400]);
    (0..200).for_each(|e| made.scale(e, e % 24, 1.0 + (e % 7) as f64));
    made.write(&input);
    let limits = [("whole", "4G"), ("pieces", "72M")];
    for (out, memory) in limits {
        let out = folder.path().join(out);
        run(&input, &out, &[&["--memory", memory, "--threads", "2"], &SMALL[..]].concat());
        let report = json(&out.join("report.json"));
        let held = report["plan"]["subjects"][0]["held"].as_bool().unwrap();
        assert_eq!(held, memory == "4G", "{memory}");
        let (peak, limit) =
            (report["peak_rss"].as_u64().unwrap(), report["memory"]["bytes"].as_u64().unwrap());
        assert!(peak < limit + (100 << 20), "{memory}: {peak} bytes at most");
    }
    for name in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json"] {
        let bytes = |out: &str| std::fs::read(folder.path().join(out).join(name)).unwrap();
        assert!(bytes("whole") == bytes("pieces"), "{name} differs");
    }
}

#[test]
fn a_constant_channel_has_many_ties_and_is_never_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("flat.h5");
    let mut made = Made::new([24, 8, 60]);
    (0..24).for_each(|e| made.scale(e, 3, 0.0));
    made.write(&input);
    let summary = run(&input, &folder.path().join("out"), &SMALL);
    let repaired = summary["interpolated"].as_array().unwrap();
    assert!(repaired.iter().all(|pair| pair[1] != "E3"), "{repaired:?}");
    let ransac = run(&input, &folder.path().join("ransac"), &["--method", "ransac"]);
    assert!(ransac["bad_channels"].as_array().unwrap().iter().all(|name| name != "E3"));
}

#[test]
fn quantised_data_with_tied_amplitudes_are_fitted() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("ties.h5");
    let mut made = Made::new([24, 8, 60]);
    made.values.iter_mut().for_each(|v| *v = (*v * 4e5).round() / 4e5);
    made.write(&input);
    let exact =
        run(&input, &folder.path().join("exact"), &[&["--threshold-search", "exact"], &SMALL[..]].concat());
    let excess = exact["excess_loss"].as_object().unwrap();
    assert!(excess.values().all(|share| share.as_f64() == Some(0.0)));
}

#[test]
fn all_bad_epochs_leave_an_empty_file_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("bad.h5"), folder.path().join("out"));
    Made::new([12, 6, 40]).write(&input);
    let limits: Vec<String> = (0..6).map(|c| format!("\"E{c}\": 1e-9")).collect();
    std::fs::write(folder.path().join("limits.json"), format!("{{{}}}", limits.join(", "))).unwrap();
    let limits = folder.path().join("limits.json");
    let flags = [&["--thresholds", limits.to_str().unwrap()], &SMALL[..]].concat();
    let mut command = nissl(&["autoreject", "--progress", "none"]);
    let output = done(command.arg(&input).arg("-o").arg(&out).args(&flags));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("every epoch is bad") && said.contains("reject_log.png"), "{said}");
    assert_eq!(read(&out.join("epochs.h5"), "/epochs/data").shape, [0, 6, 40]);
    assert_eq!(json(&out.join("summary.json"))["bad_epochs"].as_array().unwrap().len(), 12);
}

#[test]
fn epochs_without_any_source_become_zeros_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("loud.h5"), folder.path().join("out"));
    Made::new([12, 6, 40]).write(&input);
    let mut log = RejectLog {
        ch_names: (0..6).map(|c| format!("E{c}")).collect(),
        bad_epochs: vec![false; 12],
        labels: vec![0.0; 72],
    };
    log.labels[24..30].fill(2.0);
    let path = folder.path().join("log.npz");
    reject_log::write(&log, &path).unwrap();
    let summary = run(&input, &out, &["--reject-log", path.to_str().unwrap()]);
    assert_eq!(summary["sourceless_epochs"], 1);
    assert_eq!(summary["nearest_source"][0], Value::Null);
    let cleaned = read(&out.join("epochs.h5"), "/epochs/data");
    assert!(cleaned.values[4 * 240..5 * 240].iter().all(|v| *v == 0.0));
    assert!(cleaned.values[..4 * 240].iter().all(|v| *v != 0.0));
}

#[test]
fn a_huge_offset_leaves_the_thresholds_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, offset) = (folder.path().join("plain.h5"), folder.path().join("offset.h5"));
    let mut made = Made::new([24, 8, 60]);
    (0..24).for_each(|e| made.scale(e, e % 8, 1.0 + (e % 5) as f64));
    made.write(&plain);
    made.values.iter_mut().for_each(|v| *v += 0.5);
    made.write(&offset);
    let flags = [&["--threshold-search", "exact"], &SMALL[..]].concat();
    let plain = run(&plain, &folder.path().join("a"), &flags);
    let offset = run(&offset, &folder.path().join("b"), &flags);
    for (name, threshold) in plain["thresholds"].as_object().unwrap() {
        let (a, b) = (threshold.as_f64().unwrap(), offset["thresholds"][name].as_f64().unwrap());
        assert!((a - b).abs() <= 1e-8 * a, "{name}: {a} and {b}");
    }
}

#[test]
fn twins_in_one_place_share_their_weights_and_two_at_the_origin_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("twins.h5");
    let mut made = Made::new([24, 8, 60]);
    made.positions[1] = made.positions[0];
    made.write(&input);
    run(&input, &folder.path().join("out"), &SMALL);
    made.positions[1] = [0.0; 3];
    made.positions[0] = [0.0; 3];
    let zeros = folder.path().join("zeros.h5");
    made.write(&zeros);
    let message = refused(&zeros, &folder.path().join("none"), &SMALL);
    assert!(message.contains("2 channels at the origin") && message.contains("--electrodes"), "{message}");
}

#[test]
fn too_few_epochs_for_the_folds_are_refused_with_the_number_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("few.h5");
    Made::new([6, 8, 40]).write(&input);
    let message = refused(&input, &folder.path().join("out"), &[]);
    assert!(message.contains("6 epochs") && message.contains("--cv 6"), "{message}");
}

#[test]
fn several_types_are_fitted_apart_and_meg_is_not_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("mixed.h5");
    let mut made = Made::new([24, 12, 60]);
    made.kinds[8..].fill("ecog");
    (0..24).for_each(|e| made.scale(e, e % 12, 1.0 + (e % 5) as f64));
    made.write(&input);
    let summary = run(&input, &folder.path().join("out"), &SMALL);
    assert_eq!(summary["loss"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ecog", "eeg"]);
    made.kinds[8..].fill("mag");
    let meg = folder.path().join("meg.h5");
    made.write(&meg);
    let message = refused(&meg, &folder.path().join("none"), &SMALL);
    assert!(message.contains("4 mag channels") && message.contains("--method global"), "{message}");
    let plain = ["--no-augment", "--n-interpolate", "0", "--cv", "4"];
    let summary = run(&meg, &folder.path().join("plain"), &plain);
    assert_eq!(summary["thresholds"].as_object().unwrap().len(), 12);
    assert!(summary["interpolated"].as_array().unwrap().is_empty());
    let summary = run(&meg, &folder.path().join("global"), &["--method", "global"]);
    assert!(summary["reject"]["mag"].as_f64().unwrap() > 0.0);
}

#[test]
fn epochs_with_more_bad_channels_than_are_repaired_can_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let input = fixture("autoreject/visual/epochs.h5");
    let peer = fixture("autoreject/visual/peer.json");
    let flags = ["--thresholds", peer.to_str().unwrap()];
    let plain = run(&input, &folder.path().join("a"), &flags);
    let strict = run(&input, &folder.path().join("b"), &[&flags[..], &["--drop-unrepaired"]].concat());
    let count = |summary: &Value| summary["bad_epochs"].as_array().unwrap().len();
    assert!(count(&strict) > count(&plain));
    let log = read(&folder.path().join("b/reject_log.npz"), "labels").values;
    for epoch in strict["selection"].as_array().unwrap() {
        let row = &log[epoch.as_u64().unwrap() as usize * 32..][..32];
        assert!(row.iter().all(|label| *label != 1.0), "epoch {epoch} keeps a bad channel");
    }
}

#[test]
fn a_run_that_is_done_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("x.h5"), folder.path().join("out"));
    Made::new([24, 8, 60]).write(&input);
    run(&input, &out, &[&["--resume"], &SMALL[..]].concat());
    let written = |name: &str| std::fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let before: Vec<_> = ["epochs.h5", "report.json", "summary.json"].map(written).to_vec();
    run(&input, &out, &[&["--resume"], &SMALL[..]].concat());
    assert_eq!(before, ["epochs.h5", "report.json", "summary.json"].map(written).to_vec());
    assert!(!out.join("checkpoint.json").exists());
    // Another run's results are not taken for its own.
    let mut command = nissl(&["autoreject", "-q", "--resume", "--seed", "7"]);
    let output = command.arg(&input).arg("-o").arg(&out).args(SMALL).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

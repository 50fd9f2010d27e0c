//! Pitfalls of real data (spec autoreject 17).

use crate::common::{done, nissl, read};
use crate::runs::{Made, SMALL, json, refused, run};
use nissl::commands::autoreject::fitted::RejectLog;
use nissl::commands::autoreject::reject_log;
use serde_json::Value;

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

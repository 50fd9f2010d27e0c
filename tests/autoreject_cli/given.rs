//! States, reject logs and thresholds of earlier runs.

use crate::common::{read, write_npy};
use crate::desk::{Desk, SMALL, error_lines};
use crate::tiny;
use nissl::commands::autoreject::fitted::RejectLog;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::commands::autoreject::{Recording, reject_log};
use nissl::io::InputSpec;

#[test]
fn a_state_a_log_and_thresholds_of_an_earlier_run_give_its_labels_again() {
    let desk = Desk::new();
    let first = desk.clean("out", &SMALL);
    let applied = desk.clean("applied", &["--apply", "out/autoreject.h5"]);
    let logged = desk.clean("logged", &["--reject-log", "out/reject_log.npz"]);
    let given = desk.clean("given", &[&["--thresholds", "out/summary.json"], &SMALL[..]].concat());
    for (name, other) in [("--apply", &applied), ("--reject-log", &logged), ("--thresholds", &given)] {
        for key in ["bad_epochs", "interpolated"] {
            assert_eq!(other[key], first[key], "{name}: {key}");
        }
    }
    assert_eq!(given["consensus"], first["consensus"]);
    let cleaned = |out: &str| read(&desk.path(out).join("epochs.h5"), "/epochs/data");
    assert_eq!(cleaned("applied"), cleaned("out"));
    assert_eq!(cleaned("logged"), cleaned("out"));
}

/// The reject log that the run `run` on `input` left.
fn opened_log(desk: &Desk, input: &str, run: &str) -> RejectLog {
    let input = InputSpec::parse(desk.path(input).to_str().unwrap()).unwrap();
    let recording = Recording::open(&input, &ChannelSources::default(), &mut Vec::new()).unwrap();
    reject_log::read(&desk.path(run).join("reject_log.npz"), &recording).unwrap()
}

/// Writes `edited.npz`: the reject log of a run, with some labels set anew.
fn edited(desk: &Desk, run: &str, edits: &[(usize, usize, f64)]) {
    let mut log = opened_log(desk, "epochs.h5", run);
    for &(epoch, channel, label) in edits {
        log.labels[epoch * 10 + channel] = label;
    }
    reject_log::write(&log, &desk.path("edited.npz")).unwrap();
}

/// The line of a run that must refuse `edited.npz`.
fn refused(desk: &Desk, flags: &[&str]) -> String {
    let output = desk.run(&[&["epochs.h5", "-o", "out", "--reject-log", "edited.npz"], flags].concat());
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!desk.path("out").exists());
    let lines = error_lines(&output);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

#[test]
fn a_log_that_would_repair_what_is_not_picked_is_refused() {
    let desk = Desk::new();
    desk.clean("some", &[&["--picks", "Fp1,Fp2,F3,F4,C3,C4"], &SMALL[..]].concat());
    let picks = ["--picks", "Fp1,Fp2,F3,F4,C3,C4"];
    // P4 (channel 7) is not among them.
    edited(&desk, "some", &[(3, 7, 2.0), (4, 7, 1.0)]);
    let line = refused(&desk, &picks);
    for word in ["edited.npz:labels, epoch 3, channel P4", "label 2", "not picked", "--picks"] {
        assert!(line.contains(word), "no '{word}' in {line}");
    }
    // The same through --bads, and marks without consequence.
    let line = refused(&desk, &["--bads", "P4"]);
    assert!(line.contains("channel P4"), "{line}");
    edited(&desk, "some", &[(3, 7, 1.0), (4, 8, 0.0)]);
    desk.clean("marked", &[&["--reject-log", "edited.npz"], &picks[..]].concat());
    let cleaned = |out: &str| read(&desk.path(out).join("epochs.h5"), "/epochs/data");
    assert_eq!(cleaned("marked"), cleaned("some"));
}

#[test]
fn a_log_that_says_nothing_of_a_source_is_refused() {
    let desk = Desk::new();
    desk.clean("some", &[&["--picks", "Fp1,Fp2,F3,F4,C3,C4"], &SMALL[..]].concat());
    // Without --picks the other four would take part in the repairs.
    edited(&desk, "some", &[(3, 1, 2.0)]);
    let line = refused(&desk, &[]);
    for word in ["edited.npz:labels, channel P3", "NaN", "every epoch", "--picks and --bads"] {
        assert!(line.contains(word), "no '{word}' in {line}");
    }
    // One label makes it known; NaN elsewhere leaves the channel as it is, as the peer does.
    let known: Vec<(usize, usize, f64)> = (6..10).map(|channel| (0, channel, 0.0)).collect();
    edited(&desk, "some", &[&[(3, 1, 2.0)], &known[..]].concat());
    let summary = desk.clean("known", &["--reject-log", "edited.npz"]);
    assert!(summary["interpolated"].as_array().unwrap().contains(&serde_json::json!([3, "Fp2"])));
    // A log that only drops epochs needs no labels at all.
    let nan: Vec<(usize, usize, f64)> = (0..200).map(|at| (at / 10, at % 10, f64::NAN)).collect();
    edited(&desk, "some", &nan);
    let summary = desk.clean("dropped", &["--reject-log", "edited.npz"]);
    assert_eq!(summary["bad_epochs"], desk.summary("some")["bad_epochs"]);
}

#[test]
fn labels_that_mean_nothing_are_refused_with_those_that_do() {
    let desk = Desk::new();
    desk.clean("run", &SMALL);
    for label in [3.0, -1.0, 0.5, f64::INFINITY] {
        edited(&desk, "run", &[(5, 2, label)]);
        let line = refused(&desk, &[]);
        for word in ["edited.npz:labels, epoch 5, channel F3", &format!("found {label}"), "2 (repaired)"] {
            assert!(line.contains(word), "no '{word}' in {line}");
        }
    }
}

#[test]
fn states_and_logs_without_repairs_serve_what_cannot_be_repaired() {
    let desk = Desk::new();
    // MEG, and EEG without positions.
    for (kind, amplitude, reason) in [("mag", 1e-12, "field mapping"), ("eeg", 1e-5, "no position")] {
        tiny::write(&desk.path("epochs.h5"), [12, 10, 20], &[kind], amplitude);
        let mut input = vec!["epochs.h5"];
        if kind == "eeg" {
            let data = read(&desk.path("epochs.h5"), "/epochs/data");
            let bytes: Vec<u8> = data.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            write_npy(&desk.path("bare.npy"), "<f8", &data.shape, &bytes);
            input = vec!["bare.npy"];
        }
        let run =
            |out: &str, flags: &[&str]| desk.run(&[&input[..], &["--force", "-o", out], flags].concat());
        let plain = ["--no-augment", "--n-interpolate", "0", "--cv", "3", "--consensus", "0.1,0.4"];
        assert!(run("plain", &plain).status.success(), "{kind}");
        let first = desk.summary("plain");
        for given in [["--apply", "plain/autoreject.h5"], ["--reject-log", "plain/reject_log.npz"]] {
            let output = run("again", &given);
            assert!(output.status.success(), "{kind} {given:?}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(desk.summary("again")["bad_epochs"], first["bad_epochs"], "{kind} {given:?}");
        }
        let mut log = opened_log(&desk, input[0], "plain");
        log.labels[7] = 2.0;
        reject_log::write(&log, &desk.path("edited.npz")).unwrap();
        let output = run("repaired", &["--reject-log", "edited.npz"]);
        assert_eq!(output.status.code(), Some(65), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(error_lines(&output)[0].contains(reason), "{kind}: {:?}", error_lines(&output));
    }
}

//! What a run leaves behind, and what it never touches.

use crate::common::{done, nissl, read};
use crate::desk::{Desk, SMALL, json};
use serde_json::Value;

#[test]
fn the_output_is_a_folder_of_its_own() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("full")).unwrap();
    std::fs::write(desk.path("full/mine.txt"), "x").unwrap();
    desk.refused(&["epochs.h5", "-o", "full"], 2, &["full: exists already", "--force"]);
    desk.refused(&["epochs.h5", "-o", "epochs.h5", "--force"], 2, &["epochs.h5", "also read"]);
    desk.refused(&["epochs.h5", "-o", "full/mine.txt"], 2, &["not a folder"]);
    // The cleaned epochs would be called as the input is.
    desk.refused(&["epochs.h5", "-o", ".", "--force"], 2, &["epochs.h5", "is an input"]);
    std::fs::write(desk.path("full/reject_log.npz"), "x").unwrap();
    let flags = ["epochs.h5", "-o", "full", "--force", "--reject-log", "full/reject_log.npz"];
    desk.refused(&flags, 2, &["full/reject_log.npz", "is an input"]);
    assert_eq!(desk.names("full"), ["mine.txt", "reject_log.npz"]);
}

#[test]
fn a_run_leaves_all_files_and_a_report_in_its_folder() {
    let desk = Desk::new();
    let summary = desk.clean("out", &SMALL);
    let expected = [
        "autoreject.h5",
        "epochs.h5",
        "loss.png",
        "loss.svg",
        "reject_log.npz",
        "reject_log.png",
        "reject_log.svg",
        "report.json",
        "summary.json",
        "thresholds.png",
        "thresholds.svg",
    ];
    let left: Vec<String> =
        desk.names("out").into_iter().filter(|n| cfg!(feature = "plot") || !n.ends_with("g")).collect();
    let expected = expected.iter().filter(|n| cfg!(feature = "plot") || !n.ends_with('g'));
    assert_eq!(left, expected.copied().collect::<Vec<_>>());
    for key in ["consensus", "n_interpolate", "thresholds", "loss", "bad_epochs", "interpolated", "seed"] {
        assert!(!summary[key].is_null(), "{key} in {summary}");
    }
    assert_eq!(summary["seed"], 42);
    let loss = &summary["loss"]["eeg"];
    assert_eq!((loss.as_array().unwrap().len(), loss[0].as_array().unwrap().len()), (11, 2));
    assert!(loss[0][0].is_null(), "a consensus of 0 keeps nothing: its loss is infinite");
    let report = json(&desk.path("out/report.json"));
    assert_eq!((&report["command"], &report["outcome"]["exit_code"]), (&"autoreject".into(), &0.into()));
    let log = read(&desk.path("out/reject_log.npz"), "labels");
    assert_eq!(log.shape, [20, 10]);
    let kept = 20 - summary["bad_epochs"].as_array().unwrap().len();
    assert_eq!(read(&desk.path("out/epochs.h5"), "/epochs/data").shape, [kept, 10, 50]);
}

#[test]
fn an_existing_result_is_replaced_only_by_force_and_strangers_stay() {
    let desk = Desk::new();
    desk.clean("out", &SMALL);
    let before = std::fs::read(desk.path("out/epochs.h5")).unwrap();
    let again = desk.run(&[&["epochs.h5", "-o", "out"], &SMALL[..]].concat());
    assert_eq!(again.status.code(), Some(2));
    std::fs::write(desk.path("out/notes.txt"), "mine").unwrap();
    desk.clean("out", &[&["--force"], &SMALL[..]].concat());
    assert_eq!(std::fs::read(desk.path("out/epochs.h5")).unwrap(), before, "equal inputs, equal bytes");
    assert_eq!(std::fs::read_to_string(desk.path("out/notes.txt")).unwrap(), "mine");
}

#[test]
fn the_report_goes_where_it_is_asked_and_can_be_run_again() {
    let desk = Desk::new();
    let output = desk.run(&[&["epochs.h5", "-o", "out", "--report", "-"], &SMALL[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([20, 10, 50]));
    assert!(!desk.path("out/report.json").exists());
    desk.clean("kept", &[&["--report", "kept/mine.json"], &SMALL[..]].concat());
    assert!(desk.path("kept/mine.json").is_file() && !desk.path("kept/report.json").exists());
    let mut again = nissl(&["--from-report", "kept/mine.json", "--", "-o", "again", "--report", "r.json"]);
    done(again.current_dir(desk.folder.path()));
    assert_eq!(desk.summary("again"), desk.summary("kept"));
}

#[test]
fn threads_and_memory_do_not_change_a_byte() {
    let desk = Desk::new();
    desk.clean("one", &[&["--threads", "1"], &SMALL[..]].concat());
    desk.clean("two", &[&["--threads", "2", "--memory", "256M"], &SMALL[..]].concat());
    for name in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json"] {
        let bytes = |out: &str| std::fs::read(desk.path(out).join(name)).unwrap();
        assert!(bytes("one") == bytes("two"), "{name} differs");
    }
}

//! Flags: which exclude each other, which values are wrong, and what each one does.

use crate::common::{done, fixture, nissl, read, write_npy};
use crate::desk::{Desk, SMALL};

#[test]
fn flags_that_contradict_each_other_are_refused_unread() {
    let desk = Desk::new();
    for (flags, words) in [
        (&["--apply", "s.h5", "--thresholds", "t.json"][..], "--thresholds"),
        (&["--apply", "s.h5", "--reject-log", "l.npz"], "--reject-log"),
        (&["--apply", "s.h5", "--consensus", "0.5"], "--consensus"),
        (&["--apply", "s.h5", "--cv", "5"], "--cv"),
        (&["--apply", "s.h5", "--seed", "1"], "--seed"),
        (&["--reject-log", "l.npz", "--n-interpolate", "1"], "--n-interpolate"),
        (&["--reject-log", "l.npz", "--drop-unrepaired"], "--drop-unrepaired"),
        (&["--reject-log", "l.npz", "--fresh-labels"], "--fresh-labels"),
        (&["--thresholds", "t.json", "--threshold-search", "exact"], "--threshold-search"),
        (&["--thresholds", "t.json", "--no-augment"], "--no-augment"),
        (&["--electrodes", "e.tsv", "--montage", "biosemi64"], "--montage"),
        (&["--decim", "2"], "--method global"),
        (&["--decim", "2", "--method", "ransac"], "--method global"),
        (&["--method", "global", "--n-interpolate", "1,4"], "--n-interpolate"),
        (&["--method", "global", "--consensus", "0.5"], "--consensus"),
        (&["--method", "global", "--apply", "s.h5"], "--apply"),
        (&["--method", "global", "--threshold-search", "random"], "bayesian or exact"),
        (&["--method", "ransac", "--threshold-search", "exact"], "--threshold-search"),
        (&["--method", "ransac", "--cv", "5"], "--cv"),
        (&["--method", "ransac", "--thresholds", "t.json"], "--thresholds"),
    ] {
        desk.refused(&[&["absent.h5", "-o", "out"], flags].concat(), 2, &[words]);
    }
}

#[test]
fn values_that_cannot_be_right_are_refused_with_what_is() {
    let desk = Desk::new();
    for (flags, words) in [
        (&["--method", "median"][..], "ransac"),
        (&["--threshold-search", "grid"], "bayesian"),
        (&["--n-interpolate", "1,x"], "such as 1,4,32"),
        (&["--n-interpolate", "4,4"], "twice"),
        (&["--consensus", "0:1"], "0:1:11"),
        (&["--consensus", "1.5"], "from 0 to 1"),
        (&["--consensus", "0:1:0"], "number of values"),
        (&["--cv", "1"], "from 2 on"),
        (&["--method", "global", "--decim", "0"], "from 1 on"),
        (&["--seed", "4294967296"], "4294967295"),
        (&["--seed=-1"], "--seed"),
        (&["--unit", "MV"], "fT/cm"),
        (&["--sfreq", "0"], "such as 250"),
        (&["--picks", "eeg,,eog"], "empty"),
        (&["--compress", "10"], "1..=9"),
    ] {
        desk.refused(&[&["absent.h5", "-o", "out"], flags].concat(), 2, &[words]);
    }
    desk.refused(&["-o", "out"], 2, &["EPOCHS"]);
    desk.refused(&["absent.h5"], 2, &["--output"]);
    desk.refused(&["absent.npy", "-o", "out", "--compress", "3"], 2, &["NPY"]);
}

#[test]
fn exact_thresholds_are_never_worse_and_the_seed_is_reported() {
    let desk = Desk::new();
    let flags = |more: &[&'static str]| [more, &SMALL[..]].concat();
    let exact = desk.clean("exact", &flags(&["--threshold-search", "exact", "--seed", "7"]));
    let random = desk.clean("random", &flags(&["--threshold-search", "random", "--seed", "7"]));
    assert_eq!((&exact["seed"], &random["seed"]), (&7.into(), &7.into()));
    assert_ne!(exact["thresholds"], random["thresholds"]);
    let plain = desk.clean("plain", &flags(&["--no-augment"]));
    assert_ne!(plain["thresholds"], exact["thresholds"]);
}

#[test]
fn picks_and_bads_choose_the_channels_and_leave_the_others_alone() {
    let desk = Desk::new();
    let some = desk.clean("some", &[&["--picks", "Fp1,Fp2,F3,F4,C3,C4"], &SMALL[..]].concat());
    assert_eq!(some["thresholds"].as_object().unwrap().len(), 6);
    let labels = read(&desk.path("some/reject_log.npz"), "labels");
    assert_eq!(labels.values.iter().filter(|v| v.is_nan()).count(), 20 * 4);
    let without = desk.clean("without", &[&["--bads", "P4"], &SMALL[..]].concat());
    assert!(without["thresholds"].get("P4").is_none());
    assert_eq!(without["thresholds"].as_object().unwrap().len(), 9);
    desk.refused(&["epochs.h5", "-o", "out", "--picks", "Nz"], 2, &["Nz"]);
}

#[test]
fn a_unit_scales_on_the_way_in_and_back_on_the_way_out() {
    let desk = Desk::new();
    let volts = read(&fixture("autoreject/tiny/epochs.npy"), "");
    let micro: Vec<u8> = volts.values.iter().flat_map(|v| (v * 1e6).to_le_bytes()).collect();
    write_npy(&desk.path("micro.npy"), "<f8", &[20, 10, 50], &micro);
    let names = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"];
    let table: String = names.iter().map(|name| format!("{name}\tEEG\tgood\n")).collect();
    std::fs::write(desk.path("channels.tsv"), format!("name\ttype\tstatus\n{table}")).unwrap();
    let sides = ["--channels", "channels.tsv", "--montage", "standard_1020"];
    let run = |out: &str, unit: &[&str]| {
        let mut command = nissl(&["autoreject", "--progress", "none", "micro.npy", "-o", out]);
        done(command.args(SMALL).args(sides).args(unit).current_dir(desk.folder.path()))
    };
    run("scaled", &["--unit", "uV"]);
    let cleaned = read(&desk.path("scaled/micro.npy").with_file_name("epochs.npy"), "");
    let largest = cleaned.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    assert!(largest > 1.0, "still microvolts: {largest}");
    let warned = String::from_utf8(run("taken_for_volts", &[]).stderr).unwrap();
    assert!(warned.contains("uV") || warned.contains('\u{b5}'), "{warned}");
}

#[test]
fn the_other_methods_write_what_is_theirs() {
    let desk = Desk::new();
    let global = desk.clean("global", &["--method", "global"]);
    assert!(global["reject"]["eeg"].as_f64().is_some_and(|limit| limit > 0.0), "{global}");
    assert!(!desk.path("global/autoreject.h5").exists());
    let kept = 20 - global["bad_epochs"].as_array().unwrap().len();
    assert_eq!(read(&desk.path("global/epochs.h5"), "/epochs/data").shape[0], kept);
    let ransac = desk.clean("ransac", &["--method", "ransac"]);
    assert!(ransac["bad_channels"].is_array(), "{ransac}");
    assert_eq!(ransac["seed"], 435_656);
    assert_eq!(read(&desk.path("ransac/epochs.h5"), "/epochs/data").shape[0], 20, "no epoch is dropped");
    for log in ["global/reject_log.png", "ransac/reject_log.png"] {
        assert_eq!(desk.path(log).exists(), cfg!(feature = "plot"), "{log}");
    }
}

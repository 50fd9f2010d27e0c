//! `nissl autoreject` at the command line: what each flag does, what bad input meets, and what
//! several inputs leave behind.
#![cfg(feature = "hdf5")]

mod common;

use common::{done, fixture, nissl, read, write_npy};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// Ten channels, twenty epochs, fifty samples.
const TINY: &str = "autoreject/tiny/epochs.h5";
/// The grid that suits so few epochs.
const SMALL: [&str; 6] = ["--cv", "5", "--n-interpolate", "1,4", "--consensus", "0:1:11"];

/// A folder to work in, with the small recording under several names.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(fixture(TINY), folder.path().join("epochs.h5")).unwrap();
        Desk { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of the recording under another name.
    fn copy(&self, name: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::copy(fixture(TINY), self.path(name)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = nissl(&["autoreject", "--progress", "none"]);
        command.args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs with the small grid into `out` and demands success.
    fn clean(&self, out: &str, flags: &[&str]) -> Value {
        let mut command = nissl(&["autoreject", "--progress", "none", "epochs.h5", "-o", out]);
        done(command.args(flags).current_dir(self.folder.path()));
        self.summary(out)
    }

    fn summary(&self, out: &str) -> Value {
        json(&self.path(out).join("summary.json"))
    }

    /// Demands exit `code` and one error line with all of `words`; the output must not be there.
    fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}: stdout is for results");
        assert_eq!(message.lines().filter(|l| l.contains("error: ")).count(), 1, "{arguments:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{arguments:?}: no '{word}' in {message}");
        }
        assert!(!self.path("out").exists(), "{arguments:?} left an output");
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn error_lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.contains("error: ")).map(str::to_owned).collect()
}

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
fn results_of_several_inputs_never_share_a_folder() {
    let desk = Desk::new();
    desk.refused(&["a/epochs.h5", "a/epochs.npy", "-o", "out"], 2, &["a/epochs.h5", "a/epochs.npy"]);
    desk.refused(&["epochs.h5", "epochs.h5", "-o", "out"], 2, &["out/epochs"]);
    std::fs::create_dir_all(desk.path("study/b")).unwrap();
    std::fs::write(desk.path("study/b/x"), "").unwrap();
    let output = desk.run(&["a.h5", "b.h5", "-o", "study"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error_lines(&output)[0].contains("study/b: exists already"), "{:?}", error_lines(&output));
}

#[test]
fn a_missing_input_is_told_by_name() {
    let desk = Desk::new();
    desk.refused(&["absent.h5", "-o", "out"], 1, &["absent.h5", "cannot open"]);
    desk.refused(&["epochs.h5:/nothing/here", "-o", "out"], 65, &["epochs.h5", "nothing/here"]);
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
fn of_several_inputs_a_bad_one_does_not_stop_the_rest() {
    let desk = Desk::new();
    desk.copy("sub-01/epochs.h5");
    desk.copy("sub-03/epochs.h5");
    std::fs::create_dir(desk.path("sub-02")).unwrap();
    std::fs::write(desk.path("sub-02/epochs.h5"), "no HDF5 at all").unwrap();
    let inputs = ["sub-01/epochs.h5", "sub-02/epochs.h5", "sub-03/epochs.h5", "-o", "out"];
    let output = desk.run(&[&inputs[..], &SMALL[..]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = error_lines(&output);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("sub-02/epochs.h5"), "{errors:?}");
    assert_eq!(desk.names("out"), ["report.json", "sub-01_epochs", "sub-03_epochs"]);
    let summaries = ["out/sub-01_epochs", "out/sub-03_epochs"].map(|out| desk.summary(out));
    assert!(summaries[0]["loss"] == summaries[1]["loss"] && summaries[0]["input"] != summaries[1]["input"]);
    let outcome = &json(&desk.path("out/report.json"))["outcome"];
    assert_eq!((&outcome["status"], &outcome["exit_code"]), (&"partial".into(), &4.into()));
    assert!(outcome["failures"][0].as_str().unwrap().contains("sub-02/epochs.h5"), "{outcome}");
}

#[test]
fn where_all_inputs_fail_each_is_told_and_the_code_is_the_first_ones() {
    let desk = Desk::new();
    std::fs::write(desk.path("bad.h5"), "no HDF5 at all").unwrap();
    let output = desk.run(&["bad.h5", "absent.h5", "-o", "out"]);
    assert_eq!(output.status.code(), Some(65), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = error_lines(&output);
    assert!(
        errors.len() == 2 && errors[0].contains("bad.h5") && errors[1].contains("absent.h5"),
        "{errors:?}"
    );
    let output = desk.run(&["absent.h5", "bad.h5", "-o", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!desk.path("out/report.json").exists());
}

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
fn npy_with_bids_tables_gives_the_numbers_of_hdf5() {
    let desk = Desk::new();
    let first = desk.clean("out", &SMALL);
    let names = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"];
    let at = read(&fixture("autoreject/tiny/ch_pos.npy"), "");
    let mut channels = String::from("name\ttype\tunits\tstatus\n");
    let mut electrodes = String::from("name\tx\ty\tz\n");
    for (index, name) in names.iter().enumerate() {
        let [x, y, z] = at.values[index * 3..][..3] else { panic!("positions are [channel, 3]") };
        channels += &format!("{name}\tEEG\tV\tgood\n");
        electrodes += &format!("{name}\t{x:?}\t{y:?}\t{z:?}\n");
    }
    std::fs::write(desk.path("channels.tsv"), channels).unwrap();
    std::fs::write(desk.path("electrodes.tsv"), electrodes).unwrap();
    std::fs::copy(fixture("autoreject/tiny/epochs.npy"), desk.path("epochs.npy")).unwrap();
    let sides = ["--channels", "channels.tsv", "--electrodes", "electrodes.tsv"];
    let mut command = nissl(&["autoreject", "--progress", "none", "epochs.npy", "-o", "npy"]);
    done(command.args(SMALL).args(sides).current_dir(desk.folder.path()));
    let second = desk.summary("npy");
    for key in ["thresholds", "loss", "bad_epochs", "interpolated"] {
        assert_eq!(second[key], first[key], "{key}");
    }
    let (h5, npy) =
        (read(&desk.path("out/epochs.h5"), "/epochs/data"), read(&desk.path("npy/epochs.npy"), ""));
    assert_eq!(h5.values, npy.values);
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
fn a_dry_run_prints_the_plan_and_leaves_nothing() {
    let desk = Desk::new();
    let output = desk.run(&[&["epochs.h5", "-o", "out", "--dry-run"], &SMALL[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = String::from_utf8(output.stdout).unwrap();
    for word in ["20", "10", "50", "epochs.h5", "out"] {
        assert!(plan.contains(word), "{word} in {plan}");
    }
    assert!(!desk.path("out").exists());
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

#[test]
fn a_dry_run_ends_as_the_run_itself_would_where_inputs_are_refused() {
    let desk = Desk::new();
    std::fs::write(desk.path("bad.h5"), "no HDF5 at all").unwrap();
    for (inputs, code, errors) in [
        (&["epochs.h5"][..], 0, 0),
        (&["epochs.h5", "bad.h5"], 4, 1),
        (&["absent.h5", "epochs.h5"], 4, 1),
        (&["bad.h5", "absent.h5"], 65, 2),
        (&["absent.h5", "bad.h5"], 1, 2),
        (&["bad.h5"], 65, 1),
    ] {
        let all = [inputs, &["-o", "out"], &SMALL].concat();
        let dry = desk.run(&[&all[..], &["--dry-run"]].concat());
        let text = String::from_utf8_lossy(&dry.stderr);
        assert_eq!(dry.status.code(), Some(code), "{inputs:?}: {text}");
        assert_eq!(error_lines(&dry).len(), errors, "{inputs:?}: {text}");
        let plan = String::from_utf8_lossy(&dry.stdout);
        let told = if inputs.len() > 1 { errors } else { 0 };
        assert_eq!(plan.matches("\nrefused ").count(), told, "{inputs:?}: {plan}");
        assert!(!desk.path("out").exists(), "{inputs:?}");
        let real = desk.run(&all);
        assert_eq!((real.status.code(), error_lines(&real)), (dry.status.code(), error_lines(&dry)));
        if desk.path("out").exists() {
            std::fs::remove_dir_all(desk.path("out")).unwrap();
        }
    }
}

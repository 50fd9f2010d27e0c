//! The command line as a script meets it: messages, exit codes, streams, limits, signals.
//! What each flag of a command does to its result is tested beside that command.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMITS: [&str; 3] = ["NISSL_THREADS", "NISSL_MEMORY", "NISSL_BACKEND"];

fn nissl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nissl"));
    for variable in LIMITS {
        command.env_remove(variable);
    }
    command
}

/// A command line that would be right if its raster were there.
fn convolve(flags: &[&str]) -> Command {
    let mut command = nissl();
    command.args(["convolve", "absent.npy", "-o", "out.npy", "--kernel", "box:3x3"]).args(flags);
    command
}

/// A folder with a raster of 4 x 4 float64 cells.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    raster(&folder.path().join("raster.npy"), 4, 4);
    folder
}

/// Writes an NPY file of float64 zeros, sparse on disk.
fn raster(path: &Path, rows: u64, columns: u64) {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    header += &" ".repeat(117 - header.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    std::fs::write(path, &bytes).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_len(128 + rows * columns * 8).unwrap();
}

/// Exactly one line, with the program's name in front.
fn one_error_line() -> impl Predicate<str> {
    predicate::function(|text: &str| text.lines().count() == 1 && text.starts_with("nissl: error: "))
}

#[test]
fn help_and_version_go_to_stdout_and_succeed() {
    for arguments in
        [&["--help"][..], &["-h"], &["help", "convolve"], &["convolve", "--help"], &["convolve", "-h"]]
    {
        nissl().args(arguments).assert().success().stdout(contains("Usage: nissl")).stderr(is_empty());
    }
    let version = concat!("nissl ", env!("CARGO_PKG_VERSION"), "\n");
    nissl().arg("--version").assert().success().stdout(version);
    nissl().arg("-V").assert().success().stdout(version);
}

#[test]
fn a_bare_call_shows_the_help_as_a_usage_error() {
    nissl().assert().code(2).stdout(is_empty()).stderr(contains("Usage: nissl"));
}

#[test]
fn mistakes_in_the_command_line_are_one_line_with_exit_code_2() {
    for (flags, words) in [
        (&["--algoritm", "fft"][..], "--algorithm"),
        (&["--threads", "0"], "from 1 to 1024"),
        (&["--threads", "two"], "from 1 to 1024"),
        (&["--memory", "lots"], "such as 8G"),
        (&["--memory=-1G"], "--memory"),
        (&["--backend", "gpu"], "wgpu"),
        (&["--progress", "loud"], "plain"),
        (&["--force", "--force"], "--force"),
        (&["--kernel", "laplace"], "--kernel"),
    ] {
        let wrong = convolve(flags).assert().code(2).stdout(is_empty());
        wrong.stderr(one_error_line()).stderr(contains(words)).stderr(contains("nissl convolve --help"));
    }
    nissl().arg("smooth").assert().code(2).stderr(one_error_line()).stderr(contains("smooth"));
    nissl()
        .args(["convolve", "a.npy"])
        .assert()
        .code(2)
        .stderr(one_error_line())
        .stderr(contains("--output"));
}

#[test]
fn flags_of_convolve_that_contradict_each_other_are_refused_unread() {
    for (flags, words) in [
        (&["--stat", "mean", "--hotspots"][..], "--hotspots"),
        (&["--mean-passes", "2"], "--mean-passes"),
        (&["--exclude", "3"], "--mean-passes"),
        (&["--exact", "--fast"], "--fast"),
        (&["--exact", "--algorithm", "fft"], "--algorithm fft"),
        (&["--hotspots", "--fast"], "--fast"),
        (&["--hotspots", "--nan", "ignore"], "--nan"),
        (&["--hotspots", "--dtype", "f64"], "--dtype"),
        (&["--stat", "mean", "--normalize"], "--normalize"),
        (&["--stat", "mean", "--exact"], "--exact"),
        (&["--stat", "median"], "variety"),
        (&["--stat", "mean,mean"], "twice"),
        (&["--boundary", "mirror"], "reflect101"),
        (&["--boundary", "constant:x"], "constant:0"),
        (&["--nan", "skip"], "footprint"),
        (&["--dtype", "f16"], "f32"),
        (&["--cell-size", "0"], "above 0"),
        (&["--cell-size", "1,2,3"], "--cell-size"),
        (&["--dims", "y"], "lat,lon"),
        (&["--compress", "0"], "1..=9"),
        (&["--compress", "5"], "NPY"),
        (&["--plot", "picture.gif"], ".svg"),
    ] {
        convolve(flags).assert().code(2).stdout(is_empty()).stderr(one_error_line()).stderr(contains(words));
    }
    let both = ["convolve", "a.h5:/x", "--var", "y", "-o", "b.h5", "--kernel", "1"];
    nissl().args(both).assert().code(2).stderr(contains("--var"));
    let passes = ["convolve", "a.npy", "-o", "b.npy", "--mean-passes"];
    nissl().args(passes).arg("0").assert().code(2).stderr(one_error_line());
    nissl().args(passes).args(["1", "--exclude", "nan,x"]).assert().code(2).stderr(contains("'x'"));
    nissl().args(passes).args(["1", "--kernel", "1"]).assert().code(2).stderr(contains("--kernel"));
}

#[test]
fn exact_goes_with_direct() {
    for flags in
        [&["--exact"][..], &["--exact", "--algorithm", "direct"], &["--exact", "--algorithm", "auto"]]
    {
        convolve(flags).assert().code(1).stderr(contains("absent.npy"));
    }
}

#[test]
fn bad_values_from_the_environment_are_told_by_the_name_of_their_variable() {
    for (variable, value) in [("NISSL_THREADS", "0"), ("NISSL_MEMORY", "much"), ("NISSL_BACKEND", "tpu")] {
        let wrong = convolve(&[]).env(variable, value).assert().code(2);
        wrong.stderr(one_error_line()).stderr(contains(variable)).stderr(contains(value));
    }
    // A flag wins over its variable, also over one that is wrong.
    convolve(&["--threads", "1"]).env("NISSL_THREADS", "0").assert().code(1).stderr(contains("absent.npy"));
}

#[test]
fn an_absent_backend_is_an_error_only_when_asked_for_by_name() {
    let all = [("cuda", cfg!(feature = "cuda")), ("wgpu", cfg!(feature = "wgpu"))];
    for (name, _) in all.into_iter().filter(|(_, built)| !built) {
        let wrong = convolve(&["--backend", name]).assert().code(1).stdout(is_empty());
        wrong.stderr(one_error_line()).stderr(contains("without the feature")).stderr(contains(name));
    }
    if !cfg!(feature = "cuda") {
        convolve(&[]).env("NISSL_BACKEND", "cuda").assert().code(1).stderr(contains("cuda"));
    }
    convolve(&["--backend", "auto"]).assert().code(1).stderr(contains("absent.npy"));
}

#[test]
fn a_missing_input_is_a_failure_that_names_it() {
    convolve(&[]).assert().code(1).stdout(is_empty()).stderr(contains("nissl: error: absent.npy"));
}

#[test]
fn a_line_end_in_a_file_name_does_not_break_the_line() {
    let arguments = ["convolve", "ab\nsent.npy", "-o", "o.npy", "--kernel", "box:3x3"];
    nissl().args(arguments).assert().code(1).stderr(one_error_line());
}

#[test]
fn completions_are_printed_for_every_shell() {
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef nissl"), ("fish", "complete -c nissl")] {
        nissl().args(["completions", shell]).assert().success().stdout(contains(word)).stderr(is_empty());
    }
    nissl().args(["completions", "csh"]).assert().code(2).stderr(one_error_line()).stderr(contains("fish"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nissl"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_full_disk_under_stdout_is_an_error() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: no /dev/full on this system");
        return;
    }
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nissl"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stdout"));
}

#[test]
fn only_reports_can_be_run_again() {
    let desk = desk();
    let again = |text: &str| {
        std::fs::write(desk.path().join("r.json"), text).unwrap();
        nissl().current_dir(desk.path()).args(["--from-report", "r.json"]).assert()
    };
    again("no json").code(65).stderr(one_error_line()).stderr(contains("r.json"));
    again("{}").code(65).stderr(contains("a report of nissl"));
    again(r#"{"schema": 9, "argv": ["nissl", "convolve"]}"#).code(65).stderr(contains("schema 9"));
    again(r#"{"schema": 1, "argv": ["nissl", "--from-report", "r.json"]}"#).code(65);
    again(r#"{"schema": 1, "argv": ["nissl", "convolve"]}"#).code(2).stderr(one_error_line());
    nissl().args(["--from-report", "absent.json"]).assert().code(1).stderr(contains("absent.json"));
    nissl().args(["--", "--force"]).assert().code(2).stderr(one_error_line());
}

/// Runs convolve over the 4 x 4 raster of `desk`.
fn run(desk: &TempDir, flags: &[&str]) -> Output {
    let arguments = ["convolve", "raster.npy", "-o", "out.npy", "--kernel", "box:3x3"];
    nissl().current_dir(desk.path()).args(arguments).args(flags).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_run_leaves_output_and_report_and_keeps_stdout_clean() {
    let desk = desk();
    let output = run(&desk, &[]);
    let told = text(&output.stderr);
    assert!(output.status.success() && output.stdout.is_empty(), "{told}");
    for word in ["time", "cells/s", "memory", "output    out.npy"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
    let report = std::fs::read(desk.path().join("out.npy.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["outcome"]["status"], "done");
    assert_eq!(report["argv"][1], "convolve");
    assert_eq!(report["outcome"]["outputs"][0], "out.npy");
    for pointer in
        ["/plan", "/host/cpu", "/host/cores_allowed", "/threads/why", "/memory/bytes", "/peak_rss", "/stages"]
    {
        assert!(report.pointer(pointer).is_some_and(|v| !v.is_null()), "no {pointer}");
    }
    assert!(report["threads"]["count"].as_u64() >= report["threads"]["worked"].as_u64());
}

#[test]
fn quiet_says_nothing_and_json_progress_is_nothing_but_json() {
    let desk = desk();
    assert_eq!(text(&run(&desk, &["-q"]).stderr), "");
    for line in text(&run(&desk, &["--force", "--progress", "json"]).stderr).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn of_quiet_and_verbose_the_last_one_wins() {
    let desk = desk();
    assert_eq!(text(&run(&desk, &["-v", "-q"]).stderr), "");
    assert!(text(&run(&desk, &["-q", "-v", "--force"]).stderr).contains("backend cpu"));
}

#[test]
fn verbose_tells_what_was_found() {
    let told = text(&run(&desk(), &["-v", "--threads", "1"]).stderr);
    for word in ["backend cpu", "threads 1: --threads", "memory"] {
        assert!(told.contains(word), "no {word} in {told}");
    }
}

#[test]
fn a_report_on_stdout_is_one_json_object() {
    let desk = desk();
    let output = run(&desk, &["--report", "-"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["command"], "convolve");
    assert!(!desk.path().join("out.npy.report.json").exists());
}

#[test]
fn a_report_never_replaces_a_file_of_the_user() {
    let desk = desk();
    std::fs::write(desk.path().join("mine.txt"), "mine").unwrap();
    for (report, words) in [
        ("raster.npy", "another --report"),
        ("out.npy", "another --report"),
        ("mine.txt", "--force"),
        (".", "folder"),
    ] {
        let output = run(&desk, &["--report", report]);
        assert_eq!(output.status.code(), Some(2), "{report}");
        assert!(text(&output.stderr).contains(words), "{report}: {}", text(&output.stderr));
    }
    let output = run(&desk, &["--report", "nowhere/r.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere: cannot write"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(desk.path().join("mine.txt")).unwrap(), "mine");
    assert!(!desk.path().join("out.npy").exists());
}

#[test]
fn a_device_as_report_stays_a_device() {
    let desk = desk();
    let output = run(&desk, &["--report", "/dev/null"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!Path::new("/dev/null").is_file());
}

#[test]
fn a_failed_run_writes_a_report_only_where_one_was_asked_for() {
    let desk = desk();
    let flags = ["--memory", "1"];
    assert_eq!(run(&desk, &flags).status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(desk.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["raster.npy"]);
}

#[test]
fn dry_run_prints_the_plan_and_writes_nothing() {
    let desk = desk();
    let output = run(&desk, &["--dry-run", "--report", "r.json"]);
    assert!(output.status.success() && !output.stdout.is_empty());
    let left: Vec<_> = std::fs::read_dir(desk.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["raster.npy"]);
}

#[test]
fn a_report_runs_again_with_other_flags_in_place_of_the_stored_ones() {
    let desk = desk();
    assert!(run(&desk, &["-q"]).status.success());
    let again = |more: &[&str]| {
        let report = ["--from-report", "out.npy.report.json"];
        nissl().current_dir(desk.path()).args(report).args(more).assert()
    };
    again(&[]).code(2).stderr(contains("--force"));
    again(&["--", "-o", "again.npy"]).success();
    again(&["--", "--force"]).success();
    let first = std::fs::read(desk.path().join("out.npy")).unwrap();
    assert!(first == std::fs::read(desk.path().join("again.npy")).unwrap());
}

#[test]
fn more_threads_than_cpus_are_given_with_a_warning() {
    let desk = desk();
    let told = text(&run(&desk, &["--threads", "1024", "-q"]).stderr);
    assert!(told.starts_with("nissl: warning: --threads 1024"), "{told}");
    let report = std::fs::read(desk.path().join("out.npy.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["threads"]["count"], 1024);
}

#[test]
fn limits_of_a_batch_job_bind_the_defaults() {
    let desk = desk();
    let arguments = ["convolve", "raster.npy", "-o", "out.npy", "--kernel", "box:3x3", "--report", "-", "-q"];
    let mut command = nissl();
    command.current_dir(desk.path()).args(arguments);
    command.env("SLURM_JOB_ID", "7").env("SLURM_CPUS_PER_TASK", "1").env("SLURM_MEM_PER_NODE", "512");
    let report: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(report["threads"]["count"], 1);
    assert_eq!(report["memory"]["bytes"].as_u64().unwrap(), (512u64 << 20) / 5 * 4);
    assert_eq!(report["memory"]["why"], "80 % of SLURM_MEM_PER_NODE");
    assert_eq!(report["host"]["slurm"]["SLURM_JOB_ID"], "7");
}

#[test]
fn a_signal_ends_a_run_at_once_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough to be caught at work, sparse on disk.
    raster(&folder.path().join("raster.npy"), 30_000, 8_000);
    for signal in ["INT", "TERM", "USR1"] {
        let arguments = [
            "convolve",
            "raster.npy",
            "-o",
            "out.npy",
            "--kernel",
            "gauss:20",
            "--exact",
            "--progress",
            "none",
        ];
        // A background job of a script starts its children with SIGINT ignored, which nissl honours.
        let child = std::process::Command::new("env")
            .args(["--default-signal=INT,TERM,USR1", env!("CARGO_BIN_EXE_nissl")])
            .args(arguments)
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_unfinished(folder.path());
        let sent = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        let (code, said) = match signal {
            "INT" => (130, "interrupted; no output was written"),
            // In its first seconds a run has kept nothing.
            _ => (75, "stopped by a signal; run again with --resume to go on from what is kept"),
        };
        assert_eq!(output.status.code(), Some(code), "{signal}");
        assert_eq!(text(&output.stderr), format!("nissl: error: {said}\n"));
        assert!(sent.elapsed() < Duration::from_secs(5), "{signal}: {:?}", sent.elapsed());
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["raster.npy"], "{signal}");
    }
}

/// Waits until the output is under construction.
fn wait_for_unfinished(folder: &Path) {
    let begun = Instant::now();
    while std::fs::read_dir(folder).unwrap().count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run never began to write");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn warnings_carry_the_name_of_the_program() {
    let told = text(&run(&desk(), &["--threads", "1000"]).stderr);
    let line = told.lines().find(|l| l.contains("warning")).unwrap().to_owned();
    assert!(starts_with("nissl: warning: ").eval(&line), "{line}");
}

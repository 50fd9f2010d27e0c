//! Runs that are stopped or killed: what was done is kept, and the run that goes on ends with the
//! bytes of one that was never stopped.
#![cfg(unix)]

mod common;

use common::{done, fixture, nissl, splitmix, write_npy};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A command line, and what it writes into a folder.
struct Work {
    words: Vec<String>,
    output: &'static str,
}

fn raster(folder: &Path, rows: usize, columns: usize) -> PathBuf {
    let path = folder.join("in.npy");
    let bytes: Vec<u8> = splitmix(3, rows * columns).flat_map(f64::to_le_bytes).collect();
    write_npy(&path, "<f8", &[rows, columns], &bytes);
    path
}

/// Small strips and much work for each.
fn convolve(folder: &Path, rows: usize, output: &'static str) -> Work {
    let input = raster(folder, rows, 400).display().to_string();
    let words = [
        "convolve",
        &input,
        "--kernel",
        "circle:15",
        "--algorithm",
        "direct",
        "--memory",
        "3M",
        "--threads",
        "1",
    ];
    Work { words: words.map(str::to_owned).to_vec(), output }
}

fn decode() -> Work {
    let session = fixture("decode/real/clusterless.h5").display().to_string();
    let words = [
        "decode",
        &session,
        "--encode-interval",
        "4397:4997",
        "--time",
        "4997:5297:0.0166666666666667",
        "--position-std",
        "12",
        "--bin-size",
        "6",
        "--movement-var",
        "36",
        "--algorithm",
        "direct",
        "--save",
        "filter,map,viterbi",
        "--memory",
        "40M",
        "--threads",
        "1",
    ];
    Work { words: words.map(str::to_owned).to_vec(), output: "out.nc" }
}

impl Work {
    /// Puts `new` in the place of the word `old`.
    fn with(&mut self, old: &str, new: &str) -> &mut Self {
        let at = self.words.iter().position(|word| word == old).unwrap();
        self.words[at] = new.into();
        self
    }

    fn command(&self, folder: &Path, output: &str) -> Command {
        let mut command = nissl(&[]);
        command.args(&self.words).args(["-q", "-o"]).arg(folder.join(output));
        command.stderr(Stdio::piped());
        command
    }

    fn whole(&self, folder: &Path) -> Vec<u8> {
        let name = format!("whole-{}", self.output);
        done(&mut self.command(folder, &name));
        std::fs::read(folder.join(name)).unwrap()
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What a run keeps beside `output`, its size.
fn kept(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    let kept = entries.filter(|e| e.file_name().to_string_lossy().ends_with(".kept"));
    kept.map(|e| e.metadata().unwrap().len()).sum()
}

/// Waits until something is kept, or the process ended.
fn wait_for_kept(child: &mut Child, folder: &Path, bytes: u64) {
    let end = Instant::now() + Duration::from_secs(60);
    while kept(folder) <= bytes && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "nothing was kept");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn stopped_in_the_middle_goes_on(work: &Work, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let whole = work.whole(folder.path());
    let mut child = work.command(folder.path(), work.output).arg("--resume").spawn().unwrap();
    wait_for_kept(&mut child, folder.path(), 100);
    signal(&child, name);
    signal(&child, name);
    let asked = Instant::now();
    let ended = child.wait_with_output().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "the chunk in hand took {:?}", asked.elapsed());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(75), "{said}");
    assert!(said.contains("--resume"), "{said}");
    assert!(!folder.path().join(work.output).exists());
    let before = kept(folder.path());
    assert!(before > 100, "{before} bytes kept");
    // Without --resume the checkpoint is not stepped over.
    let refused = work.command(folder.path(), work.output).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    done(work.command(folder.path(), work.output).arg("--resume"));
    assert!(std::fs::read(folder.path().join(work.output)).unwrap() == whole, "other bytes");
    assert_eq!(kept(folder.path()), 0, "the checkpoint went");
    let report = std::fs::read_to_string(folder.path().join(format!("{}.report.json", work.output))).unwrap();
    assert!(report.contains("\"resumed_rows\""), "nothing was taken over: {report}");
}

#[test]
fn a_stopped_convolution_goes_on_from_its_strips() {
    let folder = tempfile::tempdir().unwrap();
    for (output, name) in [("out.npy", "TERM"), ("out.nc", "USR1")] {
        stopped_in_the_middle_goes_on(&convolve(folder.path(), 2400, output), name);
    }
}

/// A run that nobody told of `--resume` keeps what it does once it has lasted a while; the rows before
/// are done again.
#[test]
fn a_long_run_is_kept_without_being_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let work = convolve(folder.path(), 20_000, "out.npy");
    let mut child = work.command(folder.path(), work.output).spawn().unwrap();
    while !std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .any(|e| e.path().extension() == Some("tmp".as_ref()))
    {
        assert!(child.try_wait().unwrap().is_none(), "over before it was seen to begin");
    }
    assert_eq!(kept(folder.path()), 0);
    // Laid to rest for as long as a run keeps nothing.
    signal(&child, "STOP");
    std::thread::sleep(Duration::from_millis(5200));
    signal(&child, "CONT");
    wait_for_kept(&mut child, folder.path(), 100);
    signal(&child, "TERM");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(75), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(kept(folder.path()) > 100);
    let refused = work.command(folder.path(), work.output).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    done(work.command(folder.path(), work.output).arg("--resume"));
    assert_eq!(kept(folder.path()), 0);
    let report = std::fs::read_to_string(folder.path().join("out.npy.report.json")).unwrap();
    assert!(report.contains("\"resumed_rows\""), "{report}");
    let resumed = std::fs::read(folder.path().join("out.npy")).unwrap();
    assert!(resumed == work.whole(folder.path()), "other bytes");
}

/// Killed between the rename of the output and its report, a run is known again.
#[test]
fn an_output_without_its_report_is_no_obstacle_to_its_own_run() {
    let folder = tempfile::tempdir().unwrap();
    let work = convolve(folder.path(), 1200, "out.npy");
    let whole = work.whole(folder.path());
    let mut found = 0;
    for _ in 0..200 {
        let mut child = work.command(folder.path(), work.output).arg("--resume").spawn().unwrap();
        while !folder.path().join(work.output).exists() && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        let _ = child.wait();
        let report = folder.path().join("out.npy.report.json");
        if !report.exists() {
            assert!(kept(folder.path()) > 0, "the name of the run stands beside its output");
            found += 1;
        }
        done(work.command(folder.path(), work.output).arg("--resume"));
        assert!(std::fs::read(folder.path().join(work.output)).unwrap() == whole && report.exists());
        assert_eq!(kept(folder.path()), 0);
        std::fs::remove_file(folder.path().join(work.output)).unwrap();
        std::fs::remove_file(report).unwrap();
        if found == 3 {
            return;
        }
    }
    assert!(found > 0, "no kill came between output and report");
}

/// What the report counts is of the whole run, however often it was stopped.
#[test]
fn counts_of_a_resumed_run_are_those_of_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let counts = |output: &str| {
        let report = folder.path().join(format!("{output}.report.json"));
        let report: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
        let mut counts = report["outcome"]["counts"].as_object().unwrap().clone();
        let resumed = counts.remove("resumed_rows").is_some();
        counts.remove("resumed_rows_back");
        (counts, resumed)
    };
    let mut convolve = convolve(folder.path(), 2400, "out.npy");
    convolve.with("direct", "fft").with("3M", "5M");
    for work in [convolve, decode()] {
        work.whole(folder.path());
        let mut child = work.command(folder.path(), work.output).arg("--resume").spawn().unwrap();
        wait_for_kept(&mut child, folder.path(), 100);
        signal(&child, "TERM");
        let _ = child.wait();
        done(work.command(folder.path(), work.output).arg("--resume"));
        let (found, resumed) = counts(work.output);
        assert!(resumed, "{found:?}");
        assert_eq!(found, counts(&format!("whole-{}", work.output)).0);
    }
}

/// A stop on the way back repeats neither the likelihood nor the blocks that are done.
#[test]
fn a_decoding_goes_on_in_the_midst_of_its_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let work = decode();
    let whole = work.whole(folder.path());
    let mut in_the_back = 0;
    for step in 1..40 {
        let mut child = work.command(folder.path(), work.output).arg("--resume").spawn().unwrap();
        // The log grows past the likelihood while the way back is walked.
        wait_for_kept(&mut child, folder.path(), step * 300_000);
        signal(&child, "TERM");
        if child.wait().unwrap().code() == Some(0) {
            break;
        }
        in_the_back += usize::from(kept(folder.path()) > step * 300_000);
    }
    assert!(in_the_back > 0, "no stop at all");
    done(work.command(folder.path(), work.output).arg("--resume"));
    assert!(std::fs::read(folder.path().join(work.output)).unwrap() == whole, "other bytes");
    let report = std::fs::read_to_string(folder.path().join("out.nc.report.json")).unwrap();
    assert!(report.contains("\"resumed_rows_back\""), "{report}");
}

#[test]
fn a_stopped_decoding_goes_on_from_its_likelihood() {
    stopped_in_the_middle_goes_on(&decode(), "TERM");
}

#[test]
fn an_interrupt_ends_a_run_at_once_and_leaves_no_half_output() {
    let folder = tempfile::tempdir().unwrap();
    let work = convolve(folder.path(), 20_000, "out.npy");
    for flags in [&["--resume"][..], &[]] {
        // A background job of a script starts its children with SIGINT ignored, which nissl honours.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", env!("CARGO_BIN_EXE_nissl")])
            .args(&work.words)
            .args(["-q", "-o"])
            .arg(folder.path().join("out.npy"))
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::fs::read_dir(folder.path()).unwrap().count() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the run never began to write");
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&child, "INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|n| n == "out.npy" || n.ends_with(".tmp")), "{names:?}");
        // What was kept so far may stay; the next round begins without it.
        for name in names.iter().filter(|n| n.ends_with(".kept")) {
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
}

#[test]
fn a_stopped_autoreject_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let inputs: Vec<PathBuf> = (1..=3)
        .map(|i| {
            let path = folder.path().join(format!("sub-{i}.h5"));
            std::fs::copy(fixture("autoreject/real14/epochs.h5"), &path).unwrap();
            path
        })
        .collect();
    let run = |out: &str, flags: &[&str]| {
        let mut command = nissl(&["autoreject", "-q", "--threads", "1", "--cv", "5"]);
        command.args(&inputs).arg("-o").arg(folder.path().join(out)).args(flags);
        command.stderr(Stdio::piped());
        command
    };
    done(&mut run("whole", &[]));
    let child = run("out", &["--resume"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(60));
    signal(&child, "TERM");
    signal(&child, "USR1");
    let code = child.wait_with_output().unwrap().status.code();
    // A machine that is quicker than the signal has done its work.
    assert!(matches!(code, Some(75 | 0)), "{code:?}");
    done(&mut run("out", &["--resume"]));
    for input in ["sub-1", "sub-2", "sub-3"] {
        for file in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json"] {
            let read = |out: &str| std::fs::read(folder.path().join(out).join(input).join(file)).unwrap();
            assert!(read("whole") == read("out"), "{input}/{file}");
        }
    }
}

/// Kills at random moments, as often as `NISSL_KILLS` says; the work then ends with the same bytes.
fn killed_again_and_again(work: &Work) {
    let kills: usize = std::env::var("NISSL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let whole = work.whole(folder.path());
    let whole_ms = began.elapsed().as_millis().max(2) as f64;
    let output = folder.path().join(work.output);
    for moment in splitmix(77, kills) {
        let before = kept(folder.path());
        let mut child = work.command(folder.path(), work.output).arg("--resume").spawn().unwrap();
        std::thread::sleep(Duration::from_millis((moment * whole_ms) as u64));
        let _ = child.kill();
        let _ = child.wait();
        if output.exists() {
            assert!(std::fs::read(&output).unwrap() == whole, "a file that only looks whole");
            std::fs::remove_file(&output).unwrap();
            let _ = std::fs::remove_file(folder.path().join(format!("{}.report.json", work.output)));
        } else {
            assert!(kept(folder.path()) >= before, "what was kept before a kill is kept after it");
        }
    }
    done(work.command(folder.path(), work.output).args(["--resume", "--force"]));
    assert!(std::fs::read(&output).unwrap() == whole, "other bytes");
}

#[test]
fn a_killed_convolution_loses_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    killed_again_and_again(&convolve(folder.path(), 1200, "out.npy"));
}

#[test]
fn a_killed_decoding_loses_nothing_that_was_kept() {
    killed_again_and_again(&decode());
}

#[test]
fn a_killed_autoreject_ends_with_the_same_bytes() {
    let kills: usize = std::env::var("NISSL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("sub-1.h5");
    std::fs::copy(fixture("autoreject/real14/epochs.h5"), &input).unwrap();
    let run = |out: &str| {
        let mut command = nissl(&["autoreject", "-q", "--threads", "1", "--cv", "5", "--resume"]);
        command.arg(&input).arg("-o").arg(folder.path().join(out)).stderr(Stdio::piped());
        command
    };
    let began = Instant::now();
    done(&mut run("whole"));
    let whole_ms = began.elapsed().as_millis().max(2) as f64;
    for moment in splitmix(78, kills) {
        let mut child = run("out").spawn().unwrap();
        std::thread::sleep(Duration::from_millis((moment * whole_ms) as u64));
        let _ = child.kill();
        let _ = child.wait();
        let summary = folder.path().join("out/summary.json");
        if summary.exists() {
            let read = |out: &str| std::fs::read(folder.path().join(out).join("epochs.h5")).unwrap();
            assert!(read("whole") == read("out"), "a summary without its results");
            std::fs::remove_dir_all(folder.path().join("out")).unwrap();
        }
    }
    done(&mut run("out"));
    for file in ["epochs.h5", "reject_log.npz", "autoreject.h5", "summary.json", "loss.svg"] {
        let read = |out: &str| std::fs::read(folder.path().join(out).join(file)).unwrap();
        assert!(read("whole") == read("out"), "{file}");
    }
}

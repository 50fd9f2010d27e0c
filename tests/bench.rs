//! `nissl bench` from outside: results, comparisons, refusals, signals, what is left behind.
#![cfg(all(feature = "cli", feature = "hdf5"))]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn nissl(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nissl"));
    for variable in ["NISSL_THREADS", "NISSL_MEMORY", "NISSL_BACKEND"] {
        command.env_remove(variable);
    }
    command.args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Demands an exit code and one line that holds all `words`.
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
}

/// A desk with a work folder on it, so that what is left behind can be seen.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.path("work")).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn word(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A bench of the smallest works with its work folder here.
    fn bench(&self, words: &[&str]) -> Command {
        let mut command =
            nissl(&["bench", "--repeat", "1", "--progress", "none", "--work", &self.word("work")]);
        command.args(words);
        command
    }

    fn timed(&self, words: &[&str]) -> (Output, Value) {
        let to = self.word("result.json");
        let output = self.bench(words).args(["--json", &to, "--force"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (output, serde_json::from_slice(&std::fs::read(to).unwrap()).unwrap())
    }

    fn nothing_is_left(&self) {
        let left: Vec<_> = std::fs::read_dir(self.path("work")).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn numbers(value: &Value, names: &[&str]) -> bool {
    names.iter().all(|name| value[name].as_f64().is_some_and(|number| number >= 0.0))
}

#[test]
fn a_bench_of_all_kinds_tells_times_stages_ceilings_and_leaves_nothing() {
    let desk = Desk::new();
    let only = "autoreject/small_fast,convolve/dense3_2000,decode/tiny,stream/electrodes8_2k,io/npy_32m";
    let (output, result) = desk.timed(&["--only", only, "--threads", "2,1"]);
    assert_eq!((result["kind"].as_str(), result["schema"].as_u64()), (Some("nissl-bench"), Some(1)));
    let works = result["works"].as_array().unwrap();
    assert_eq!(works.len(), 9, "four with two numbers of threads, and the stream");
    for work in works {
        assert!(numbers(work, &["wall_s", "least_s", "most_s", "spread", "cpu_s", "items"]), "{work:#}");
        assert_eq!(work["runs_s"].as_array().unwrap().len(), 1);
        let stages = work["stages"].as_array().unwrap();
        assert!(!stages.is_empty() && stages.iter().all(|s| numbers(s, &["wall_s", "cpu_s"])), "{work:#}");
        let shares = stages.iter().filter_map(|stage| stage["share"].as_f64());
        assert!(shares.clone().count() > 0 && shares.clone().all(|share| share > 0.0), "{work:#}");
        let inside = work["command"] == "io";
        assert_eq!(work["peak_rss"].as_u64().is_none_or(|bytes| bytes < 1 << 20), inside, "{work:#}");
    }
    let latency = &works.iter().find(|work| work["command"] == "stream").unwrap()["latency"];
    assert!(latency["ticks"].as_u64().unwrap() > 9000 && numbers(latency, &["p50_s", "p999_s", "max_s"]));
    let ceilings = result["ceilings"].as_array().unwrap();
    let named = |name: &str| ceilings.iter().filter(|c| c["name"] == name).count();
    assert_eq!([named("copy"), named("fma f32 baseline"), named("file read")], [2, 2, 2]);
    let told = text(&output.stdout);
    for word in ["ceiling", "autoreject/small_fast", "thresholds", "share of", "speed-up", "p99.9", "memory"]
    {
        assert!(told.contains(word), "{word} in {told}");
    }
    desk.nothing_is_left();
}

/// A serial regression would show as one worker, and as no speed-up where there are cores.
#[test]
fn with_two_threads_two_distinct_ones_do_shares_of_every_parallel_work() {
    let desk = Desk::new();
    let only = "autoreject/small_fast,convolve/dense15_2000,decode/medium,io/hdf5_gzip_shuffle_32m";
    let (_, result) = desk.timed(&["--only", only, "--threads", "1,2"]);
    for work in result["works"].as_array().unwrap() {
        let threads = work["threads"].as_u64();
        assert_eq!(work["workers"].as_u64(), threads, "{work:#}");
        assert_eq!(work["speedup"].is_number(), threads == Some(2), "{work:#}");
    }
}

#[test]
fn markdown_and_pictures_come_from_a_stored_result_too() {
    let desk = Desk::new();
    let (_, _) = desk.timed(&["decode", "--only", "decode/tiny", "--threads", "1"]);
    let (from, svg, png) = (desk.word("result.json"), desk.word("times.svg"), desk.word("times.png"));
    let output = nissl(&["bench", "--from", &from, "--markdown", "--plot", &svg]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("| decode/tiny | 1 |"), "{}", text(&output.stdout));
    assert!(std::fs::read_to_string(svg).unwrap().contains("decode/tiny"));
    assert!(nissl(&["bench", "--from", &from, "--plot", &png]).output().unwrap().status.success());
    assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
}

/// The same result with all times divided: what was faster before.
fn planted(desk: &Desk, change: impl Fn(&mut Value)) -> String {
    let mut result: Value =
        serde_json::from_slice(&std::fs::read(desk.path("result.json")).unwrap()).unwrap();
    change(&mut result);
    let to = desk.path("before.json");
    std::fs::write(&to, result.to_string()).unwrap();
    to.display().to_string()
}

fn quicker(result: &mut Value) {
    for work in result["works"].as_array_mut().unwrap() {
        for name in ["wall_s", "least_s", "most_s"] {
            work[name] = json!(work[name].as_f64().unwrap() / 4.0);
        }
    }
}

#[test]
fn a_planted_slowdown_is_found_named_and_ends_with_3() {
    let desk = Desk::new();
    desk.timed(&["--only", "convolve/dense15_2000", "--threads", "1"]);
    let from = desk.word("result.json");
    let same = nissl(&["bench", "--from", &from, "--baseline", &from]).output().unwrap();
    assert!(same.status.success(), "{}", text(&same.stderr));
    let before = planted(&desk, quicker);
    let compare = |words: &[&str]| {
        nissl(&["bench", "--from", &from, "--baseline", &before]).args(words).output().unwrap()
    };
    refused(&compare(&[]), 3, &["convolve/dense15_2000 with 1 thread", "4.00x", "allowed are 1.2x"]);
    assert!(text(&compare(&[]).stdout).contains("slower than 1.2x"));
    assert!(compare(&["--max-slowdown", "5"]).status.success());
    // A stage alone.
    let before = planted(&desk, |result| {
        for stage in result["works"][0]["stages"].as_array_mut().unwrap() {
            if stage["name"] == "compute" {
                stage["wall_s"] = json!(stage["wall_s"].as_f64().unwrap() / 10.0);
            }
        }
    });
    let output = nissl(&["bench", "--from", &from, "--baseline", &before]).output().unwrap();
    refused(&output, 3, &["stage compute", "10.00x"]);
    // A slowdown that runs differ by among themselves is none.
    let before = planted(&desk, |result| {
        quicker(result);
        result["works"][0]["spread"] = json!(1.5);
    });
    let output = nissl(&["bench", "--from", &from, "--baseline", &before]).output().unwrap();
    assert!(
        output.status.success() && text(&output.stdout).contains("within noise"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_fresh_run_is_compared_as_well() {
    let desk = Desk::new();
    desk.timed(&["--only", "convolve/dense3_2000", "--threads", "1"]);
    let before = planted(&desk, |result| {
        for _ in 0..3 {
            quicker(result);
        }
    });
    let output = desk
        .bench(&["--only", "convolve/dense3_2000", "--threads", "1", "--baseline", &before])
        .output()
        .unwrap();
    // Stages may have got slower besides, on a busy machine.
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("convolve/dense3_2000 with 1 thread: "), "{said}");
    desk.nothing_is_left();
}

#[test]
fn a_baseline_of_another_machine_is_refused_unless_wanted() {
    let desk = Desk::new();
    desk.timed(&["--only", "decode/tiny", "--threads", "1"]);
    let from = desk.word("result.json");
    let before = planted(&desk, |result| result["host"]["cpu"] = json!("Abacus 3000"));
    let compare = |words: &[&str]| nissl(&["bench", "--baseline", &before]).args(words).output().unwrap();
    refused(&compare(&["--from", &from]), 65, &["another machine", "Abacus 3000", "--other-machine"]);
    assert!(compare(&["--from", &from, "--other-machine"]).status.success());
    // Told before minutes of work.
    let start = Instant::now();
    refused(&compare(&["--size", "full"]), 65, &["another machine"]);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_no_result_is_bad_data() {
    let desk = Desk::new();
    let file = desk.path("x.json");
    for (content, word) in [
        ("", "no JSON"),
        ("{}", "another kind"),
        (r#"{"kind": "nissl-bench", "schema": 2}"#, "schema 2"),
        (r#"{"kind": "nissl-bench", "schema": 1}"#, "missing field"),
    ] {
        std::fs::write(&file, content).unwrap();
        let name = file.display().to_string();
        refused(&nissl(&["bench", "--from", &name]).output().unwrap(), 65, &["x.json", word]);
        refused(&nissl(&["bench", "--baseline", &name]).output().unwrap(), 65, &["x.json", word]);
    }
    refused(&nissl(&["bench", "--from", "absent.json"]).output().unwrap(), 1, &["absent.json"]);
}

#[test]
fn mistakes_in_the_command_line_are_usage_errors() {
    for (words, told) in [
        (&["everything"][..], "everything"),
        (&["--size", "huge"], "huge"),
        (&["--only", "convolve/nothing"], "no work"),
        (&["--threads", "1,1"], "twice"),
        (&["--threads", "0"], "numbers of threads"),
        (&["--max-slowdown", "0.9"], "at least 1"),
        (&["--repeat", "0"], "1 to 1000"),
        (&["--other-machine"], "--baseline"),
        (&["--verify", "--record", "x", "--", "convolve"], "cannot be used with"),
        (&["--verify", "--json", "x.json"], "--json goes with times"),
        (&["--record", "x"], "<COMMAND>"),
        (&["--from", "x.json", "--keep", "y"], "--keep goes with timing"),
        (&["--plot", "x.jpg"], ".svg or .png"),
    ] {
        let output = nissl(&["bench"]).args(words).output().unwrap();
        refused(&output, 2, &[told]);
    }
    if !cfg!(feature = "cuda") {
        let absent = nissl(&["bench", "--backend", "cuda", "--only", "decode/tiny"]).output().unwrap();
        refused(&absent, 1, &["cuda"]);
    }
}

#[test]
fn a_dry_run_lists_the_works_and_does_nothing() {
    let desk = Desk::new();
    let output = desk.bench(&["--size", "full", "--dry-run"]).output().unwrap();
    let told = text(&output.stdout);
    for word in
        ["autoreject/large_128ch", "6000 epochs x 128 channels x 1000", "convolve/dense15_20000_f32", "disk"]
    {
        assert!(told.contains(word), "{word} in {told}");
    }
    desk.nothing_is_left();
}

#[test]
fn a_folder_without_room_is_refused_before_work() {
    // Nobody writes into /proc, and what is there has no room.
    let output = nissl(&["bench", "--work", "/proc", "--only", "decode/tiny"]).output().unwrap();
    refused(&output, 1, &["/proc", "free", "--work"]);
    let output = nissl(&["bench", "--work", "absent/folder", "--only", "decode/tiny"]).output().unwrap();
    refused(&output, 1, &["absent/folder"]);
}

#[test]
fn inputs_are_kept_with_their_command_lines_for_other_programs() {
    let desk = Desk::new();
    let keep = desk.word("inputs");
    desk.timed(&["--only", "decode/tiny,stream/electrodes8_2k", "--threads", "1", "--keep", &keep]);
    let told: Value =
        serde_json::from_slice(&std::fs::read(desk.path("inputs/decode/tiny/command.json")).unwrap())
            .unwrap();
    assert_eq!((told["work"].as_str(), told["input"].as_str()), (Some("decode/tiny"), Some("input.h5")));
    let words: Vec<&str> =
        told["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let (input, out) = (desk.word("inputs/decode/tiny/input.h5"), desk.word("out.nc"));
    let words: Vec<&str> = words
        .into_iter()
        .map(|word| match word {
            "{in}" => input.as_str(),
            "{out}" => out.as_str(),
            other => other,
        })
        .collect();
    assert!(nissl(&words).arg("-q").status().unwrap().success());
    assert!(desk.path("inputs/stream/electrodes8_2k/config.json").is_file());
    // What is there already is not written into.
    let again = desk.bench(&["--only", "decode/tiny", "--keep", &keep]).output().unwrap();
    refused(&again, 2, &["exists already", "--force"]);
}

/// Hashes of all inputs that are kept in a folder.
fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(inputs(&path));
        } else {
            found.push((path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn inputs_are_the_same_on_one_core_and_on_all() {
    let desk = Desk::new();
    let only =
        "autoreject/small_fast,convolve/dense3_2000,decode/tiny,decode/arena,stream/electrodes8_2k,io/*";
    let make = |name: &str, pinned: bool| {
        let keep = desk.word(name);
        let mut command = desk.bench(&["--only", only, "--threads", "1", "--keep", &keep]);
        if pinned {
            // What the process may use is what makes the inputs.
            command.env("SLURM_CPUS_PER_TASK", "1");
        }
        assert!(command.output().unwrap().status.success());
        inputs(&desk.path(name))
    };
    let (one, all) = (make("one", true), make("all", false));
    assert!(one.len() >= 8);
    for (a, b) in one.iter().zip(&all) {
        assert!(a == b, "{} differs", a.0.display());
    }
    assert_eq!(one.len(), all.len());
}

/// A process whose parent is `parent`.
fn child_of(parent: u32) -> Option<u32> {
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse::<u32>().ok());
    // PID (NAME) STATE PARENT; names may hold blanks.
    let parent_of = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    processes.into_iter().find(|process| parent_of(process) == Some(parent))
}

#[test]
fn a_signal_stops_bench_and_child_and_leaves_nothing() {
    let desk = Desk::new();
    let words =
        ["bench", "--only", "stream/*", "--threads", "1", "--repeat", "50", "--progress", "none", "--work"];
    // A background job of a script starts its children with SIGINT ignored, which nissl honours.
    let mut bench = Command::new("env");
    bench.args(["--default-signal=INT", env!("CARGO_BIN_EXE_nissl")]).args(words);
    let bench = bench.arg(desk.path("work")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let child = loop {
        if let Some(child) = child_of(bench.id()) {
            break child;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no run was begun");
        std::thread::sleep(Duration::from_millis(5));
    };
    let killed = Command::new("kill").args(["-INT", &bench.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = bench.wait_with_output().unwrap();
    refused(&output, 130, &["interrupted"]);
    assert!(!Path::new(&format!("/proc/{child}")).exists(), "the run goes on");
    desk.nothing_is_left();
}

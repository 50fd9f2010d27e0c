//! `nissl bench --record`: a lab's own reference, made and checked again.

mod bench_common;
mod common;

use bench_common::Bench;
use common::{fixture, splitmix};
use serde_json::Value;
use std::path::Path;

const LINE: [&str; 7] = ["convolve", "in.npy", "-o", "out.npy", "--kernel", "k.npy", "--boundary"];

fn desk() -> Bench {
    let bench = Bench::new();
    std::fs::remove_file(bench.path("case.json")).unwrap();
    bench.npy("k.npy", &[3, 3], &splitmix(5, 9).collect::<Vec<_>>());
    bench
}

fn record<'a>(flags: &[&'a str], line: &[&'a str]) -> Vec<&'a str> {
    [&["--record", "refs/dem"], flags, &["--"], line].concat()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_recorded_holds_and_a_change_is_found() {
    let bench = desk();
    let line = [&LINE[..], &["wrap"]].concat();
    bench.run(&record(&["--rtol", "1e-12"], &line)).has(
        0,
        &["refs/dem/case.json: 2 of 2 inputs copied, 1 outputs"],
        &[],
    );
    assert_eq!(names(&bench.path("refs")), ["dem"], "nothing half-made is left");
    assert_eq!(names(&bench.path("refs/dem")), ["case.json", "expected", "inputs"]);
    assert!(!bench.path("out.npy").exists() && !bench.path("out.npy.report.json").exists());
    let text = std::fs::read_to_string(bench.path("refs/dem/case.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let case = &file["cases"][0];
    assert_eq!(case["name"], "dem");
    let words =
        ["convolve", "{case}/inputs/in.npy", "-o", "{out}/out.npy", "--kernel", "{case}/inputs/k.npy"];
    assert_eq!(case["command"].as_array().unwrap()[..6], words.map(Value::from));
    assert_eq!((&case["expect"][0]["rtol"], &case["expect"][0]["same_type"]), (&1e-12.into(), &true.into()));
    // It stands on its own.
    std::fs::remove_file(bench.path("in.npy")).unwrap();
    bench.run(&["--verify", "refs"]).has(0, &["dem/dem", "108", "ok", "all within tolerance"], &[]);
    let mut values = bench.values("refs/dem/expected/out.npy");
    values[20] *= 1.0 + 1e-9;
    bench.npy("refs/dem/expected/out.npy", &[12, 9], &values);
    bench.run(&["--verify", "refs"]).has(3, &["DIFFERS"], &["out.npy [2, 2]"]);
}

#[test]
fn an_existing_case_is_replaced_only_by_force_and_strangers_stay() {
    let bench = desk();
    bench.run(&record(&[], &[&LINE[..], &["wrap"]].concat())).has(0, &[], &[]);
    std::fs::write(bench.path("refs/dem/notes.txt"), "mine").unwrap();
    let before = std::fs::read(bench.path("refs/dem/expected/out.npy")).unwrap();
    let again = [&LINE[..], &["reflect"]].concat();
    bench.run(&record(&[], &again)).has(2, &[], &["refs/dem: exists already", "--force"]);
    assert_eq!(std::fs::read(bench.path("refs/dem/expected/out.npy")).unwrap(), before);
    bench.run(&record(&["--force"], &again)).has(0, &[], &[]);
    assert_ne!(std::fs::read(bench.path("refs/dem/expected/out.npy")).unwrap(), before);
    assert_eq!(names(&bench.path("refs/dem")), ["case.json", "expected", "inputs", "notes.txt"]);
    bench.run(&["--verify", "refs"]).has(0, &["ok"], &[]);
}

#[test]
fn large_inputs_are_named_with_their_sum_and_a_changed_one_is_told() {
    let bench = desk();
    let values: Vec<f64> = splitmix(8, 400 * 1000).collect();
    bench.npy("large.npy", &[400, 1000], &values);
    let line = ["nissl", "convolve", "large.npy", "-o", "out.npy", "--kernel=k.npy"];
    bench.run(&record(&[], &line)).has(0, &["1 of 2 inputs copied", "not copied: ", "large.npy"], &[]);
    assert_eq!(names(&bench.path("refs/dem/inputs")), ["k.npy"]);
    bench.run(&["--verify", "refs"]).has(0, &["400000", "ok"], &[]);
    let mut values = values;
    values[77] = 0.5;
    bench.npy("large.npy", &[400, 1000], &values);
    bench.run(&["--verify", "refs"]).has(65, &["BAD CASE"], &["large.npy: found 3200128 bytes"]);
}

#[test]
fn a_command_line_that_fails_leaves_nothing() {
    let bench = desk();
    for (line, code, part) in [
        (&["convolve", "none.npy", "-o", "out.npy", "--kernel", "k.npy"][..], 1, "none.npy: cannot open"),
        (
            &["convolve", "in.npy", "-o", "out.npy", "--kernel", "in.npy"],
            1,
            "--record: the command line fails",
        ),
        (&["convolve", "in.npy", "--kernel", "k.npy"], 2, "no output"),
        (&["bench", "--verify"], 2, "the command 'bench'"),
    ] {
        bench.run(&record(&[], line)).has(code, &[], &[part]);
        let left = bench.path("refs");
        assert!(!left.exists() || names(&left).is_empty(), "{line:?}");
    }
}

/// Arrays, text, truth values and JSON of all commands repeat exactly.
#[cfg(feature = "hdf5")]
#[test]
fn every_command_can_be_recorded_and_holds() {
    let bench = desk();
    let at = |name: &str| fixture(name).display().to_string();
    let epochs = at("autoreject/tiny/epochs.h5");
    let (session, config) = (at("decode/track1d/inputs.h5"), at("decode/realtime_classifier/config.json"));
    let events = at("decode/realtime_classifier/events.ns");
    for (name, line) in [
        ("clean", vec!["autoreject", &epochs, "-o", "cleaned", "--cv", "4", "--n-interpolate", "1,2"]),
        ("where", vec!["decode", &session, "-o", "p.nc", "--model", "contfrag", "--save", "map"]),
        ("ticks", vec!["decode", "--stream", &events, "-o", "t.nc", "--realtime-config", &config]),
    ] {
        let folder = format!("refs/{name}");
        bench.run(&[&["--record", &folder, "--"], &line[..]].concat()).has(0, &["inputs copied"], &[]);
    }
    bench.run(&["--verify", "refs"]).has(0, &["clean/clean", "where/where", "ticks/ticks", "3 runs"], &[]);
    let text = std::fs::read_to_string(bench.path("refs/clean/case.json")).unwrap();
    for output in ["cleaned/epochs.h5:/epochs/data", "cleaned/reject_log.npz:labels", "\"/consensus\""] {
        assert!(text.contains(output), "{output}");
    }
    assert!(!text.contains("\"/input\""), "where the input lay is no result");
}

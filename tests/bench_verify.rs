//! `nissl bench --verify`: right references hold, planted faults of each kind are caught and named.

mod bench_common;
mod common;

use bench_common::{Bench, told};
use common::splitmix;
use serde_json::{Value, json};
use std::path::Path;

/// All references of this repository that a command line reaches.
#[cfg(feature = "hdf5")]
#[test]
fn every_reference_of_this_repository_holds() {
    let told = told(Path::new(env!("CARGO_MANIFEST_DIR")), &["--verify"]);
    told.has(
        0,
        &["all within tolerance", "autoreject/synth32/fit_default", "decode/realtime_classifier/stream"],
        &[],
    );
    let runs: usize = told.out.lines().last().unwrap().split(' ').next().unwrap().parse().unwrap();
    // 97 convolutions, 8 means and 8 statistics in 4 modes, the convolutions twice, and more.
    assert!(runs > 4 * (2 * 97 + 8 + 8), "{runs}");
}

#[test]
fn a_right_reference_holds_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let temporary = bench.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let told = bench.run(&["--verify", ".", "--work", "tmp"]);
    told.has(0, &["box", "108", "ok", "1 runs, 108 values compared", "all within tolerance"], &[]);
    assert_eq!(told.err, "");
    assert!(std::fs::read_dir(temporary).unwrap().next().is_none());
    bench.run(&["--verify", ".", "--markdown"]).has(
        0,
        &["| case | runs |", "| box | 1 | 108 | 0 | 0 |  | ok |"],
        &[],
    );
}

#[test]
fn a_planted_wrong_reference_is_caught_and_named() {
    let bench = Bench::new();
    let mut values = bench.values("expected.npy");
    values[5 * 9 + 4] += 1e-12;
    bench.npy("expected.npy", &[12, 9], &values);
    bench.verify().has(
        3,
        &["DIFFERS", "1.0e-12", "out.npy [5, 4]", "1 DIFFER"],
        &["nissl: error: box: out.npy [5, 4]:", "1 of 108 values beyond the tolerance"],
    );
    let mut case = bench.case();
    case["expect"][0]["atol"] = json!(1e-11);
    bench.cases(&[case]);
    bench.verify().has(0, &["1.0e-12", "1.0e-11", "ok"], &[]);
}

#[test]
fn nan_and_infinities_in_other_places_differ_whatever_is_allowed() {
    for (at, wrong) in [(7, f64::NAN), (50, f64::INFINITY), (107, f64::NEG_INFINITY)] {
        let bench = Bench::new();
        let mut values = bench.values("expected.npy");
        values[at] = wrong;
        bench.npy("expected.npy", &[12, 9], &values);
        let mut case = bench.case();
        case["expect"][0]["atol"] = json!(1e300);
        bench.cases(&[case]);
        bench.verify().has(3, &["DIFFERS"], &[&format!("out.npy [{}, {}]", at / 9, at % 9)]);
    }
}

#[test]
fn shapes_and_element_types_must_be_those_of_the_reference() {
    let bench = Bench::new();
    let values = bench.values("expected.npy");
    bench.npy("expected.npy", &[9, 12], &values);
    bench.verify().has(3, &["DIFFERS"], &["box: out.npy: shape [12, 9], expected [9, 12]"]);
    let bytes: Vec<u8> = values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect();
    common::write_npy(&bench.path("expected.npy"), "<f4", &[12, 9], &bytes);
    bench.verify().has(3, &["DIFFERS"], &["elements of type float64, expected float32"]);
}

#[test]
fn what_the_run_does_not_leave_is_a_mismatch_and_what_the_case_does_not_have_is_bad() {
    let bench = Bench::new();
    for (output, part) in [("other.npy", "cannot open"), ("out.npy:/z", "box: out.npy")] {
        let mut case = bench.case();
        case["expect"][0]["output"] = json!(output);
        bench.cases(&[case]);
        bench.verify().has(3, &["DIFFERS"], &[part]);
    }
    let mut case = bench.case();
    case["expect"][0]["expected"] = json!("none.npy");
    bench.cases(&[case]);
    bench.verify().has(65, &["BAD CASE"], &["none.npy"]);
}

#[cfg(feature = "hdf5")]
#[test]
fn datasets_of_containers_are_compared_by_name() {
    let bench = Bench::new();
    let mut case = bench.case();
    case["command"][3] = json!("{out}/out.nc");
    case["expect"][0]["output"] = json!("out.nc:/convolution_2d");
    let mut missing = case.clone();
    missing["name"] = json!("missing");
    missing["expect"][0]["output"] = json!("out.nc:/nothing");
    bench.cases(&[missing]);
    bench.verify().has(3, &["DIFFERS"], &["missing: out.nc", "nothing"]);
    let found = bench.verify().err;
    assert!(!found.contains("nissl-bench-"), "the temporary folder says nothing: {found}");
}

#[test]
fn another_exit_code_than_expected_is_a_mismatch() {
    let bench = Bench::new();
    let mut case = bench.case();
    case["command"][1] = json!("{case}/none.npy");
    bench.cases(&[case.clone()]);
    bench.verify().has(3, &["DIFFERS"], &["ended with code 1, expected 0", "none.npy: cannot open"]);
    case["exit"] = json!(1);
    case.as_object_mut().unwrap().remove("expect");
    bench.cases(&[case]);
    bench.verify().has(0, &["ok"], &[]);
}

#[test]
fn bad_case_files_are_named_and_all_others_run_all_the_same() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("broken")).unwrap();
    std::fs::write(bench.path("broken/case.json"), "{\"cases\": [").unwrap();
    std::fs::create_dir(bench.path("misspelt")).unwrap();
    let mut case = bench.case();
    case["expect"][0]["rtoll"] = json!(1.0);
    std::fs::write(bench.path("misspelt/case.json"), json!({"cases": [case]}).to_string()).unwrap();
    bench.verify().has(
        65,
        &["box", "ok", "2 BAD"],
        &[
            "broken/case.json",
            "no JSON",
            "misspelt/case.json, /cases/0/expect/0: found unknown field `rtoll`",
        ],
    );
    // A mismatch weighs more.
    let mut values = bench.values("expected.npy");
    values[0] += 1.0;
    bench.npy("expected.npy", &[12, 9], &values);
    bench.verify().has(3, &["1 DIFFER, 2 BAD"], &[]);
}

#[test]
fn cases_are_picked_by_name_and_nothing_to_pick_is_told() {
    let bench = Bench::new();
    let mut other = bench.case();
    other["name"] = json!("other");
    let mut listed = bench.case();
    listed["name"] = json!("{mode} box");
    listed["each"] = json!(["modes"]);
    listed["expect"][0]["expected"] = json!("{mode}.npy");
    let lists = json!({"modes": [{"mode": "expected"}, {"mode": "wrong"}]});
    let file = json!({"lists": lists, "cases": [bench.case(), other, listed]});
    std::fs::write(bench.path("case.json"), file.to_string()).unwrap();
    bench.npy("wrong.npy", &[12, 9], &splitmix(9, 108).collect::<Vec<_>>());
    let picked = |only: &str| bench.run(&["--verify", ".", "--only", only]);
    picked("other").has(0, &["other", "1 runs"], &[]);
    picked("other,expected box").has(0, &["2 runs"], &[]);
    picked("*box").has(3, &["expected box", "wrong box", "3 runs", "1 DIFFER"], &["wrong box: out.npy"]);
    picked("none").has(2, &[], &["--only none"]);
    std::fs::remove_file(bench.path("case.json")).unwrap();
    bench.verify().has(65, &[], &["no case.json", "--record"]);
    bench.run(&["--verify", "nowhere"]).has(1, &[], &["nowhere: cannot open"]);
}

#[test]
fn referenced_inputs_are_held_against_their_sum() {
    let bench = Bench::new();
    let mut case = bench.case();
    case["command"][1] = json!("{raster}");
    let input = std::fs::read(bench.path("in.npy")).unwrap();
    let sum: String = {
        use sha2::{Digest, Sha256};
        Sha256::digest(&input).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    case["inputs"] = json!({"raster": {"path": "in.npy", "bytes": input.len(), "sha256": sum}});
    bench.cases(&[case]);
    bench.verify().has(0, &["ok"], &[]);
    let mut values = bench.values("in.npy");
    values[3] += 1.0;
    bench.npy("in.npy", &[12, 9], &values);
    bench.verify().has(65, &["BAD CASE"], &["in.npy: found", "the input 'raster' as recorded"]);
}

#[test]
fn parts_of_json_and_reports_can_be_expected() {
    let bench = Bench::new();
    let mut case = bench.case();
    let expect =
        |pointer: &str, equals: Value| json!({"output": "report.json", "pointer": pointer, "equals": equals});
    case["expect"] =
        json!([expect("/plan/algorithm/name", json!("exact")), expect("/outcome/exit_code", json!(0))]);
    bench.cases(&[case.clone()]);
    let told = bench.verify();
    let name = told.out.contains("ok");
    assert!(name || told.err.contains("/plan/algorithm/name"), "{}{}", told.out, told.err);
    case["expect"] = json!([expect("/outcome/exit_code", json!(1)), expect("/nothing", json!(1))]);
    bench.cases(&[case]);
    bench.verify().has(3, &["DIFFERS"], &["report.json/outcome/exit_code", "0 instead of 1"]);
}

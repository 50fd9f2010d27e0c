//! `nissl decode` on recordings that exercise what the larger sets do not: several encoding runs, NaN
//! positions, missing rows, penalties, no-spike states, wide and narrow marks, masks. Each
//! `fixtures/decode/extra/*/case.json` names the runs and the arrays of the peer that they must give.
#![cfg(feature = "hdf5")]

mod common;

use common::{done, fixture, nissl, read};
use serde_json::Value;
use std::path::Path;

/// Posteriors of all runs of a case, in both precisions.
fn case(name: &str) {
    let folder = fixture("decode/extra").join(name);
    let text = std::fs::read(folder.join("case.json")).unwrap();
    let case: Value = serde_json::from_slice(&text).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let runs = case["runs"].as_array().unwrap();
    assert!(!runs.is_empty());
    for (at, run) in runs.iter().enumerate() {
        for (precision, tolerance) in [("f64", 1e-7), ("f32", 2e-5)] {
            let out = scratch.path().join(format!("{at}-{precision}.nc"));
            let mut command = nissl(&["decode", "-q", "--progress", "none", "--precision", precision]);
            command.arg(folder.join("inputs.h5")).arg("-o").arg(&out);
            for flag in run["flags"].as_array().unwrap() {
                let flag = flag.as_str().unwrap();
                // Files lie beside the case.
                let beside = folder.join(flag);
                command.arg(if beside.is_file() { beside.as_os_str() } else { flag.as_ref() });
            }
            done(&mut command);
            let expected = read(&folder.join("expected.npz"), run["posterior"].as_str().unwrap()).values;
            compare(&format!("{name} {at} {precision}"), &out, &expected, tolerance);
        }
    }
}

#[track_caller]
fn compare(what: &str, out: &Path, expected: &[f64], tolerance: f64) {
    let found = read(out, "/acausal_posterior");
    let wide = found.shape[1];
    // Bins that are not interior are NaN in the file; the peer's array leaves them out.
    let keep: Vec<usize> = (0..wide).filter(|&c| !found.values[c].is_nan()).collect();
    let rows = found.values.chunks(wide);
    let found: Vec<f64> = rows.flat_map(|row| keep.iter().map(|&c| row[c])).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // The file holds float32.
    assert!(apart <= tolerance + 6e-8, "{what}: {apart:e} apart");
}

#[test]
fn marks_of_two_eight_and_ten_features_and_a_bandwidth_for_each() {
    ["marks_d2", "marks_d8", "marks_d10", "marks_vector"].into_iter().for_each(case);
}

#[test]
fn masks_with_filled_holes_and_grown_edges() {
    case("mask_arena");
}

#[test]
fn time_without_spikes_is_a_state_of_its_own() {
    case("nospike_contfrag");
}

#[test]
fn penalties_near_the_animal_follow_the_paths_it_could_take() {
    ["penalty_line", "penalty_arena", "penalty_wtrack"].into_iter().for_each(case);
}

#[test]
fn encoding_runs_end_at_their_margins_and_rows_without_a_position_say_nothing() {
    case("runs_nan");
}

#[test]
fn sorted_units_with_and_without_the_weights_of_position_samples() {
    case("weights_sorted");
}

//! The published tool's answers (`fixtures/convolve`), through every algorithm (spec convolve 12).

mod common;
mod focal_common;

use common::Array;
use focal_common::{Judge, Plane, requests, run};
use nissl::array::Real;
use nissl::backend::CpuLevel;
use nissl::kernels::focal::{KernelType, NanRule, Weights, choose};
use nissl::kernels::window::Boundary;

const MODES: [Boundary; 4] = [Boundary::Nan, Boundary::Nearest, Boundary::Reflect, Boundary::Wrap];

fn stored(case: &serde_json::Value, key: &str) -> Array {
    common::read(&common::fixture("convolve").join(case[key].as_str().unwrap()), "")
}

/// Values as the working type has them; float64 holds every value of these files.
fn values<T: Real>(array: &Array) -> Vec<T> {
    array.values.iter().map(|&v| T::round_from(v)).collect()
}

fn kernel(array: Array) -> Weights {
    let kind = KernelType::of(array.dtype);
    Weights::new(array.values, array.shape[0], array.shape[1], kind).unwrap()
}

/// One case in four modes through every request; returns how many runs were compared and the
/// largest share of a tolerance by request.
fn check<T: Real>(case: &serde_json::Value, worst: &mut Vec<(String, f64, String)>) -> usize {
    let (input, weights) = (stored(case, "input"), kernel(stored(case, "kernel")));
    let plane = Plane { values: values::<T>(&input), height: input.shape[0], width: input.shape[1] };
    let expected: Vec<T> = values(&stored(case, "expected"));
    let cells = plane.values.len();
    let mut runs = 0;
    for (mode, boundary) in MODES.into_iter().enumerate() {
        let want = &expected[mode * cells..(mode + 1) * cells];
        let mut judge = Judge::new(&plane, &weights, boundary);
        for (name, request) in requests(NanRule::Propagate, T::WORK) {
            let Ok(recipe) = choose(&weights, plane.shape(), T::WORK, &request) else { continue };
            for level in CpuLevel::available() {
                let (got, _) = run(&plane, &weights, recipe.clone(), level, boundary);
                let share = judge
                    .compare(&got, want, &recipe)
                    .unwrap_or_else(|e| panic!("{} {name} {level:?}: {e}", case["id"]));
                runs += 1;
                match worst.iter_mut().find(|w| w.0 == name) {
                    Some(w) if w.1 >= share => {}
                    Some(w) => (w.1, w.2) = (share, case["id"].to_string()),
                    None => worst.push((name.into(), share, case["id"].to_string())),
                }
            }
        }
    }
    runs
}

#[test]
fn all_reference_cases_through_all_algorithms() {
    let manifest = std::fs::read(common::fixture("convolve/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let cases = manifest["convolve"].as_array().unwrap();
    assert_eq!(cases.len(), 97);
    let (mut worst, mut runs) = (Vec::new(), 0);
    for case in cases {
        let wide = case["out_dtype"] == "<f8";
        runs += if wide { check::<f64>(case, &mut worst) } else { check::<f32>(case, &mut worst) };
    }
    eprintln!("{runs} runs, largest share of the tolerance: {worst:?}");
    assert!(runs >= 97 * 4 * 3);
}

//! Focal mean, focal statistics and hot spots of the library against the peer's stored results
//! (`fixtures/convolve`, whose README has the tolerances and where they come from).

mod common;

use common::Array;
use nissl::array::Real;
use nissl::backend::CpuLevel;
use nissl::kernels::focal::{KernelType, Weights};
use nissl::kernels::focal_mean::{self, Excludes, Smoothing};
use nissl::kernels::focal_stats::{self, FocalStats, Mask, Statistic};
use nissl::kernels::hotspots::{self, GlobalStats, Moments};
use nissl::kernels::window::{Boundary, Window};
use std::path::{Path, PathBuf};

const MODES: [Boundary; 4] = [Boundary::Nan, Boundary::Nearest, Boundary::Reflect, Boundary::Wrap];

fn cases(kind: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(fixture("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest[kind].as_array().unwrap().clone()
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/convolve").join(path)
}

/// A stored array widened to float64, which holds every value of these files.
fn stored(case: &serde_json::Value, key: &str) -> Array {
    common::read(&fixture(case[key].as_str().unwrap()), "")
}

/// The part of `array` at `index` of its first axes.
fn part(array: &Array, index: &[usize]) -> Vec<f64> {
    index.iter().fold(array.clone(), |array, &i| array.part(i)).values
}

fn weights(case: &serde_json::Value) -> Weights {
    let kernel = stored(case, "kernel");
    let (rows, cols) = (kernel.shape[0], kernel.shape[1]);
    Weights { values: kernel.values, rows, cols, kind: KernelType::F64 }
}

/// The raster in the working type.
fn raster<T: Real>(case: &serde_json::Value) -> (Vec<T>, usize, usize) {
    let input = stored(case, "input");
    (input.values.iter().map(|&v| T::round_from(v)).collect(), input.shape[0], input.shape[1])
}

fn assert_same<T: Real>(what: &str, got: &[T], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (g, e)) in got.iter().zip(expected).enumerate() {
        let g = g.widen();
        assert!(g == *e || (g.is_nan() && e.is_nan()), "{what}, cell {at}: got {g:e}, expected {e:e}");
    }
}

fn mean_case<T: Real>(case: &serde_json::Value) {
    let (values, height, width) = raster::<T>(case);
    let expected = stored(case, "expected");
    let number = |v: &serde_json::Value| v.as_f64().unwrap_or(f64::NAN);
    let exclude: Vec<f64> = case["excludes"].as_array().unwrap().iter().map(number).collect();
    let smoothing = Smoothing {
        passes: case["passes"].as_u64().unwrap() as usize,
        excludes: Excludes::new::<T>(&exclude),
        level: CpuLevel::detect(),
    };
    for (mode, boundary) in MODES.iter().enumerate() {
        let window = Window::whole(&values, height, width, *boundary);
        let mut out = vec![T::NAN; values.len()];
        focal_mean::rows(&window, 0..height, &smoothing, &mut out, &mut Default::default());
        assert_same(&format!("{} {boundary:?}", case["id"]), &out, &part(&expected, &[mode]));
    }
}

#[test]
fn focal_means_are_the_peers_bits() {
    let cases = cases("mean");
    assert_eq!(cases.len(), 8);
    for case in &cases {
        match case["out_dtype"].as_str().unwrap() {
            "<f4" => mean_case::<f32>(case),
            _ => mean_case::<f64>(case),
        }
    }
}

fn stats_case<T: Real>(case: &serde_json::Value) {
    let (values, height, width) = raster::<T>(case);
    let expected = stored(case, "expected");
    let names: Vec<&str> = case["stats"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert_eq!(names, Statistic::ALL.map(Statistic::name));
    let mask = Mask::from_weights(&weights(case)).unwrap();
    let stats = FocalStats { mask, statistics: Statistic::ALL.to_vec(), level: CpuLevel::detect() };
    for (mode, boundary) in MODES.iter().enumerate() {
        let window = Window::whole(&values, height, width, *boundary);
        let mut layers = vec![vec![T::NAN; values.len()]; 8];
        let mut parts: Vec<&mut [T]> = layers.iter_mut().map(Vec::as_mut_slice).collect();
        stats.rows(&window, 0..height, &mut parts, &mut focal_stats::Scratch::default());
        for (layer, name) in layers.iter().zip(&names).enumerate().map(|(l, p)| ((l, p.0), p.1)) {
            let what = format!("{} {boundary:?} {name}", case["id"]);
            assert_same(&what, layer.1, &part(&expected, &[mode, layer.0]));
        }
    }
}

#[test]
fn focal_statistics_are_the_peers_bits() {
    let cases = cases("focal_stats");
    assert_eq!(cases.len(), 8);
    for case in &cases {
        match case["out_dtype"].as_str().unwrap() {
            "<f4" => stats_case::<f32>(case),
            _ => stats_case::<f64>(case),
        }
    }
}

#[test]
fn hot_spots_are_the_peers_within_its_own_rounding() {
    let cases = cases("hotspots");
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let (cells, height, width) = raster::<f32>(case);
        let (classes, scores) = (stored(case, "expected"), stored(case, "z"));
        let kernel = weights(case);
        let moments = cells.chunks(width).map(Moments::of_row).fold(Moments::default(), Moments::join);
        let stats = GlobalStats::new(&moments, "raster").unwrap();
        assert_eq!(stats.count, case["n"].as_u64().unwrap());
        for (mode, boundary) in MODES.iter().enumerate() {
            let what = format!("{} {boundary:?}", case["id"]);
            let sides = (kernel.rows, kernel.cols);
            let (z, class) =
                hotspots::scalar::plane(&cells, (height, width), *boundary, &kernel.values, sides).unwrap();
            let (expected_z, expected_class) = (part(&scores, &[mode]), part(&classes, &[mode]));
            for (at, (z, e)) in z.iter().zip(&expected_z).enumerate() {
                let apart = (f64::from(*z) - e).abs();
                assert!(
                    apart <= hotspots::TOLERANCE * (1.0 + e.abs()),
                    "{what}, cell {at}: z {z}, expected {e}"
                );
                let near = [1.65, 1.96, 2.58].iter().any(|limit| (e.abs() - limit).abs() <= 1e-4);
                let (got, expected) = (f64::from(class[at]), expected_class[at]);
                assert!(
                    near || got == expected,
                    "{what}, cell {at}: class {got}, expected {expected}, z {e}"
                );
            }
        }
    }
}

//! `convolve` on the device: references and the definition, both types, every way.

use crate::common::{self, Array, done, fixture, nissl};
use crate::driver::{Told, on_device as program};
use crate::focal_common::{Judge, Plane, expected};
use nissl::array::{Real, WorkType};
use nissl::backend::device::Devices;
use nissl::kernels::focal::gpu::{AnyLane, Piece, Shape, double_recipe};
use nissl::kernels::focal::{Algorithm, KernelType, NanRule, Request, Weights, choose};
use nissl::kernels::window::{Boundary, Window};
use serde_json::Value;

const MODES: [Boundary; 6] = [
    Boundary::Nan,
    Boundary::Nearest,
    Boundary::Reflect,
    Boundary::Wrap,
    Boundary::Reflect101,
    Boundary::Constant(-3.5),
];

fn forced(algorithm: Option<Algorithm>, nan: NanRule) -> Request {
    Request { algorithm, nan, ..Request::default() }
}

/// A plane in pieces of 48 rows; none where this kernel cannot be computed as asked.
fn on_device<T: Real>(
    devices: &Devices,
    plane: &Plane<T>,
    weights: &Weights,
    boundary: Boundary,
    request: &Request,
) -> Option<(Vec<T>, &'static str)> {
    let recipe = double_recipe(weights, request).ok()?;
    let (height, width) = plane.shape();
    let shape = Shape { height, width, rows: 48, boundary };
    let mut lane = AnyLane::open(&**devices.iter().next()?, weights, &recipe, (shape, T::WORK)).unwrap();
    let window = Window::whole(&plane.values, height, width, boundary);
    let mut out = vec![T::round_from(-12345.0); plane.values.len()];
    for (piece, out) in out.chunks_mut(48 * width).enumerate() {
        let rows = (piece * 48, height.min(piece * 48 + 48));
        assert_eq!(lane.rows(&window, rows, out).unwrap(), Piece::Done);
    }
    Some((out, recipe.name()))
}

/// The tolerance of any order of summation; the exact order has none.
fn compare<T: Real>(
    what: &str,
    (plane, weights, boundary): (&Plane<T>, &Weights, Boundary),
    got: &[T],
    want: &[T],
    exact: bool,
) {
    if exact {
        let same = |a: &T, b: &T| {
            a.widen().to_bits() == b.widen().to_bits() || (a.widen().is_nan() && b.widen().is_nan())
        };
        let differ = got.iter().zip(want).position(|(a, b)| !same(a, b));
        assert!(differ.is_none(), "{what}: bits differ at {differ:?}");
        return;
    }
    let direct = forced(Some(Algorithm::Direct), NanRule::Propagate);
    let tier = choose(weights, plane.shape(), T::WORK, &direct).unwrap();
    let found = Judge::new(plane, weights, boundary).compare(got, want, &tier);
    found.unwrap_or_else(|e| panic!("{what}: {e}"));
}

fn references<T: Real>(devices: &Devices, section: &Value) -> usize {
    let stored = |case: &Value, key: &str| -> Array {
        common::read(&fixture("convolve").join(case[key].as_str().unwrap()), "")
    };
    let narrow = |values: &[f64]| values.iter().map(|&v| T::round_from(v)).collect::<Vec<T>>();
    let mut runs = 0;
    for case in section.as_array().unwrap() {
        if (case["out_dtype"] == "<f8") != (T::WORK == WorkType::F64) {
            continue;
        }
        let (input, kernel) = (stored(case, "input"), stored(case, "kernel"));
        let kind = KernelType::of(kernel.dtype);
        let weights = Weights::new(kernel.values, kernel.shape[0], kernel.shape[1], kind).unwrap();
        let plane = Plane { values: narrow(&input.values), height: input.shape[0], width: input.shape[1] };
        let (answers, cells) = (stored(case, "expected"), plane.values.len());
        for (mode, &boundary) in MODES[..4].iter().enumerate() {
            let want = narrow(&answers.values[mode * cells..(mode + 1) * cells]);
            for algorithm in
                [None, Some(Algorithm::Direct), Some(Algorithm::Separable), Some(Algorithm::Runs)]
            {
                let request = forced(algorithm, NanRule::Propagate);
                let Some((got, name)) = on_device(devices, &plane, &weights, boundary, &request) else {
                    continue;
                };
                let what = format!("{} {boundary} {name}", case["id"]);
                compare(&what, (&plane, &weights, boundary), &got, &want, name == "exact");
                runs += 1;
            }
            let request = Request { exact: true, ..Request::default() };
            let (got, _) = on_device(devices, &plane, &weights, boundary, &request).unwrap();
            compare(&format!("{} exact", case["id"]), (&plane, &weights, boundary), &got, &want, true);
        }
    }
    runs
}

#[test]
fn all_references_within_their_tolerance_and_exact_in_every_bit() {
    let manifest = std::fs::read(fixture("convolve/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for devices in crate::devices(None) {
        let runs = (
            references::<f32>(&devices, &manifest["convolve"]),
            references::<f64>(&devices, &manifest["convolve"]),
        );
        eprintln!("{runs:?} runs of float32 and float64 references");
        assert!(runs.0 >= 150 && runs.1 >= 100, "{runs:?}");
    }
}

/// Rasters that break things: many decades, NaN, infinities, cells near the largest number.
fn plane<T: Real>(height: usize, width: usize, seed: u64, special: bool) -> Plane<T> {
    let chance: Vec<f64> = common::splitmix(seed, 2 * height * width).collect();
    let largest = if T::WORK == WorkType::F32 { 3e38 } else { 1e308 };
    let values = chance.chunks(2).map(|pair| match pair[0] {
        p if special && p < 0.004 => f64::NAN,
        p if special && p < 0.006 => f64::INFINITY,
        p if special && p < 0.008 => f64::NEG_INFINITY,
        p if special && p < 0.009 => largest,
        p if p < 0.05 => -0.0,
        p => (p - 0.5) * 10.0_f64.powf(12.0 * pair[1] - 6.0),
    });
    Plane { values: values.map(T::round_from).collect(), height, width }
}

fn kernels() -> Vec<Weights> {
    let make = |rows: usize, cols: usize, weight: &dyn Fn(f64, f64) -> f64| {
        let at = |i: usize| ((i / cols) as f64 - (rows / 2) as f64, (i % cols) as f64 - (cols / 2) as f64);
        let values = (0..rows * cols).map(|i| weight(at(i).0, at(i).1)).collect();
        Weights::new(values, rows, cols, KernelType::F64).unwrap()
    };
    let circle =
        |radius: f64| move |y: f64, x: f64| if y * y + x * x <= radius * radius { 0.25 } else { 0.0 };
    vec![
        make(1, 1, &|_, _| 2.0),
        make(3, 5, &|y, x| if y == x { 0.0 } else { y + 0.3 * x }),
        make(9, 7, &|y, x| (-(y * y + x * x) / 6.0).exp()),
        make(5, 71, &|_, x| if x < -30.0 { 0.0 } else { 0.5 }),
        make(13, 13, &circle(6.0)),
        make(19, 69, &|y, x| if y * y * 8.0 + x * x < 1100.0 { 1.5 } else { 0.0 }),
        make(19, 21, &|y, x| (1.3 * y + 0.7 * x).sin()),
    ]
}

fn definition<T: Real>(devices: &Devices) -> usize {
    let mut runs = 0;
    for (at, (height, width)) in [(1, 1), (1, 70), (37, 1), (33, 65), (70, 31)].into_iter().enumerate() {
        for (number, weights) in kernels().iter().enumerate() {
            // Windows that see the same cell many times: the definition's own chain of roundings is no
            // random walk then, which its tolerance supposes. The exact order is still compared.
            let repeats = height * width < weights.values.len();
            for (mode, boundary) in MODES.into_iter().enumerate() {
                let seed = (at * 100 + number * 10 + mode) as u64;
                let plane = plane::<T>(height, width, seed, (number + mode) % 2 == 0);
                for nan in [NanRule::Propagate, NanRule::Footprint, NanRule::Ignore] {
                    let sum: f64 = weights.values.iter().sum();
                    if nan == NanRule::Ignore && sum.abs() < 1e-3 {
                        continue;
                    }
                    let want = expected(&plane, weights, boundary, nan);
                    for algorithm in [None, Some(Algorithm::Direct)] {
                        let request = forced(algorithm, nan);
                        let Some((got, name)) = on_device(devices, &plane, weights, boundary, &request)
                        else {
                            continue;
                        };
                        let what = format!("{height}x{width}, kernel {number}, {boundary}, {nan:?}, {name}");
                        // The rule that rescales has a tolerance of its own: see the exact order below.
                        if nan != NanRule::Ignore && !repeats {
                            compare(&what, (&plane, weights, boundary), &got, &want, false);
                        }
                        runs += 1;
                    }
                    let request = Request { exact: true, nan, ..Request::default() };
                    let (got, _) = on_device(devices, &plane, weights, boundary, &request).unwrap();
                    compare("exact", (&plane, weights, boundary), &got, &want, true);
                }
            }
        }
    }
    runs
}

#[test]
fn every_boundary_and_nan_rule_agrees_with_the_definition() {
    for devices in crate::devices(None) {
        assert!(definition::<f32>(&devices) > 500);
        assert!(definition::<f64>(&devices) > 500);
    }
}

/// The program, with several devices, little memory and none.
#[test]
fn a_raster_through_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (height, width) = (300, 200);
    let values: Vec<f64> = common::splitmix(5, height * width).collect();
    let input = folder.path().join("in.npy");
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    common::write_npy(&input, "<f8", &[height, width], &bytes);
    let kernel = ["--kernel", "circle:4", "--boundary", "reflect"];
    let cpu = folder.path().join("cpu.npy");
    let mut command = nissl(&["convolve", "-q", "--progress", "none", "--backend", "cpu"]);
    done(command.arg(&input).arg("-o").arg(&cpu).args(kernel));
    let want = common::read(&cpu, "");
    for (name, settings, devices) in [
        ("one", vec![], 1),
        ("two", vec![("DEVICES", "2")], 2),
        ("little", vec![("MEMORY", "400000")], 1),
        ("nothing", vec![("MEMORY", "20000")], 0),
    ] {
        let (out, log) =
            (folder.path().join(format!("{name}.npy")), folder.path().join(format!("{name}.json")));
        let log_path = log.display().to_string();
        let settings: Vec<(&str, &str)> = settings.into_iter().chain([("LOG", log_path.as_str())]).collect();
        let mut command = program(&["convolve", "--progress", "none"], &settings, folder.path());
        let output = done(command.arg(&input).arg("-o").arg(&out).args(kernel));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.matches("the CPU computes").count(), usize::from(devices == 0), "{name}: {said}");
        let got = common::read(&out, "");
        common::assert_close(name, &got, &want, |at| 1e-13 * want.values[at].abs());
        let told = Told::read(&log);
        assert_eq!(told.launches("focal_runs_f64") > 0, devices > 0, "{name}");
        let busy = told.by_device().iter().filter(|&&launches| launches > 0).count();
        assert_eq!(busy, devices, "{name}");
        // Strips go up once, with the rows that neighbours share.
        let bytes = (8 * height * width) as u64;
        assert!(devices == 0 || told.count("uploaded") < 2 * bytes, "{name}: {}", told.count("uploaded"));
    }
}

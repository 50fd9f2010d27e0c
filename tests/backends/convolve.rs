//! `convolve` on devices: references, the definition, lanes, memory, the command line.

use crate::common::{self, Array};
use crate::focal_common::{Judge, Plane, expected};
use nissl::array::WorkType;
use nissl::backend::device::Devices;
use nissl::backend::{Backend, CpuLevel};
use nissl::commands::convolve::passes::FocalPass;
use nissl::commands::convolve::passes_device::DevicePass;
use nissl::kernels::focal::gpu::{self, Lane, Piece, Shape};
use nissl::kernels::focal::{Algorithm, Focal, KernelType, NanRule, Request, Weights, choose};
use nissl::kernels::window::{Boundary, Window};
use nissl::report::Recorder;

const MODES: [Boundary; 6] = [
    Boundary::Nan,
    Boundary::Nearest,
    Boundary::Reflect,
    Boundary::Wrap,
    Boundary::Reflect101,
    Boundary::Constant(-3.5),
];

fn asked(algorithm: Option<Algorithm>, nan: NanRule) -> Request {
    Request { algorithm, nan, ..Request::default() }
}

/// One whole plane as one piece on the first device.
fn on_device(
    devices: &Devices,
    plane: &Plane<f32>,
    weights: &Weights,
    boundary: Boundary,
    request: &Request,
) -> Option<Vec<f32>> {
    let recipe = gpu::recipe(weights, WorkType::F32, request).ok()?;
    let (height, width) = plane.shape();
    let shape = Shape { height, width, rows: height, boundary };
    let device = devices.iter().next()?;
    let mut lane = Lane::open(&**device, weights, &recipe, shape).unwrap();
    let window = Window::whole(&plane.values, height, width, boundary);
    let mut out = vec![-12345.0; plane.values.len()];
    match lane.rows(&window, (0, height), &mut out).unwrap() {
        Piece::Done => Some(out),
        Piece::OutOfRange => None,
    }
}

fn stored(case: &serde_json::Value, key: &str) -> Array {
    common::read(&common::fixture("convolve").join(case[key].as_str().unwrap()), "")
}

#[test]
fn all_float32_references_within_their_tolerance() {
    let manifest = std::fs::read(common::fixture("convolve/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    for devices in crate::devices(None) {
        let (mut runs, mut left_out, mut worst) = (0, Vec::new(), (0.0, String::new()));
        for case in manifest["convolve"].as_array().unwrap() {
            if case["out_dtype"] == "<f8" {
                continue;
            }
            let (input, kernel) = (stored(case, "input"), stored(case, "kernel"));
            let kind = KernelType::of(kernel.dtype);
            let weights = Weights::new(kernel.values, kernel.shape[0], kernel.shape[1], kind).unwrap();
            let values = input.values.iter().map(|&v| v as f32).collect();
            let plane = Plane { values, height: input.shape[0], width: input.shape[1] };
            let answers = stored(case, "expected");
            for (mode, &boundary) in MODES[..4].iter().enumerate() {
                let cells = plane.values.len();
                let want: Vec<f32> =
                    answers.values[mode * cells..(mode + 1) * cells].iter().map(|&v| v as f32).collect();
                let mut judge = Judge::new(&plane, &weights, boundary);
                for algorithm in [Some(Algorithm::Direct), Some(Algorithm::Separable)] {
                    let request = asked(algorithm, NanRule::Propagate);
                    if gpu::recipe(&weights, WorkType::F32, &request).is_err() {
                        continue;
                    }
                    let Some(got) = on_device(&devices, &plane, &weights, boundary, &request) else {
                        left_out.push(case["id"].to_string());
                        continue;
                    };
                    let tier = choose(
                        &weights,
                        plane.shape(),
                        WorkType::F32,
                        &asked(Some(Algorithm::Direct), NanRule::Propagate),
                    );
                    let share = judge.compare(&got, &want, &tier.unwrap());
                    let share = share.unwrap_or_else(|e| panic!("{} {algorithm:?}: {e}", case["id"]));
                    runs += 1;
                    if share > worst.0 {
                        worst = (share, case["id"].to_string());
                    }
                }
            }
        }
        left_out.dedup();
        eprintln!("{runs} runs, largest share of the tolerance {worst:?}; left to the CPU: {left_out:?}");
        assert!(runs >= 150 && left_out.len() <= 12, "{runs} runs, {left_out:?}");
    }
}

/// Rasters that break things: values of 12 decades, NaN, both infinities, a signed zero.
fn plane(height: usize, width: usize, seed: u64, special: bool) -> Plane<f32> {
    let chance: Vec<f64> = common::splitmix(seed, 2 * height * width).collect();
    let values = chance.chunks(2).map(|pair| match pair[0] {
        p if special && p < 0.004 => f32::NAN,
        p if special && p < 0.006 => f32::INFINITY,
        p if special && p < 0.008 => f32::NEG_INFINITY,
        p if p < 0.05 => -0.0,
        p => ((p - 0.5) * 10.0_f64.powf(12.0 * pair[1] - 6.0)) as f32,
    });
    Plane { values: values.collect(), height, width }
}

fn kernels() -> Vec<Weights> {
    let make = |rows: usize, cols: usize, weight: &dyn Fn(usize, usize) -> f64| {
        let values = (0..rows * cols).map(|i| weight(i / cols, i % cols)).collect();
        Weights::new(values, rows, cols, KernelType::F64).unwrap()
    };
    let wave = |a: usize, b: usize| ((a * 7 + b * 3) as f64).sin() + 0.01;
    vec![
        make(1, 1, &|_, _| -2.5),
        make(3, 3, &|a, b| [0.0, 1.0, -4.0][usize::from(a == 1) + usize::from(b == 1)]),
        make(5, 7, &wave),
        make(7, 7, &|a, b| f64::from((a as i32 - 3).pow(2) + (b as i32 - 3).pow(2) <= 9)),
        make(9, 5, &|a, b| (0.3 + a as f64) * (1.7 - b as f64 / 3.0)),
        // More than one block of the kernel, each way.
        make(35, 41, &|a, b| if (a + b) % 3 == 0 { 0.0 } else { wave(a, b) }),
        make(37, 1, &wave),
    ]
}

#[test]
fn every_boundary_and_nan_rule_agrees_with_the_definition() {
    for devices in crate::devices(None) {
        let mut runs = 0;
        for (at, (height, width)) in [(1, 1), (1, 40), (37, 1), (33, 65), (70, 31)].into_iter().enumerate() {
            for (number, weights) in kernels().iter().enumerate() {
                for (mode, boundary) in MODES.into_iter().enumerate() {
                    let special = (number + mode) % 2 == 0;
                    let plane = plane(height, width, (at * 100 + number * 10 + mode) as u64, special);
                    for nan in [NanRule::Propagate, NanRule::Footprint, NanRule::Ignore] {
                        let request = asked(None, nan);
                        let tier = choose(
                            weights,
                            (height, width),
                            WorkType::F32,
                            &asked(Some(Algorithm::Direct), nan),
                        );
                        let Ok(tier) = tier else { continue };
                        let Some(got) = on_device(&devices, &plane, weights, boundary, &request) else {
                            continue;
                        };
                        let want = expected(&plane, weights, boundary, nan);
                        let found = Judge::new(&plane, weights, boundary).compare(&got, &want, &tier);
                        found.unwrap_or_else(|e| panic!("{e} of {height}x{width}"));
                        runs += 1;
                    }
                }
            }
        }
        assert!(runs > 500, "{runs}");
    }
}

#[test]
fn float32_sums_within_a_row_stay_within_their_tolerance() {
    for devices in crate::devices(None) {
        for weights in kernels() {
            let plane = plane(40, 70, 5, false);
            let request = Request { fast: true, ..Request::default() };
            let got = on_device(&devices, &plane, &weights, Boundary::Reflect, &request).unwrap();
            let want = expected(&plane, &weights, Boundary::Reflect, NanRule::Propagate);
            let tier = choose(&weights, (40, 70), WorkType::F32, &request).unwrap();
            Judge::new(&plane, &weights, Boundary::Reflect).compare(&got, &want, &tier).unwrap();
        }
    }
}

/// A pass over `devices` in pieces of at most `rows` rows, and what was warned of.
fn pass(
    devices: &Devices,
    weights: &Weights,
    plane: &Plane<f32>,
    rows: usize,
) -> (Vec<f32>, Vec<String>, [u64; 2]) {
    let (recorder, (height, width)) = (Recorder::new(), plane.shape());
    let request = Request::default();
    let cpu =
        choose(weights, plane.shape(), WorkType::F32, &asked(Some(Algorithm::Direct), NanRule::Propagate))
            .unwrap();
    let cpu = FocalPass::new(Focal::new(weights, cpu, CpuLevel::detect()), width);
    let recipe = gpu::recipe(weights, WorkType::F32, &request).unwrap();
    let backend = Backend::on(devices.clone(), CpuLevel::detect(), "test");
    let shape = Shape { height, width, rows, boundary: Boundary::Wrap };
    let found = DevicePass::open(&backend, &recipe, &cpu, (shape, WorkType::F32), &recorder).unwrap();
    let mut out = vec![0.0; plane.values.len()];
    let window = Window::whole(&plane.values, height, width, Boundary::Wrap);
    let counts = match &found {
        Some(device) => {
            device.rows(&cpu, &window, (0, height), &mut out, &recorder);
            device.counts().map(|(_, count)| count)
        }
        None => {
            cpu.rows(&window, 0, height, &mut out, &recorder);
            [0, 0]
        }
    };
    (out, recorder.warnings(), counts)
}

#[test]
fn two_virtual_devices_give_the_same_bits_as_one() {
    let weights = &kernels()[2];
    let plane = plane(700, 90, 8, true);
    for devices in crate::devices(None) {
        let twice = Devices::new(devices.iter().chain(devices.iter()).cloned().collect());
        let (one, two) = (pass(&devices, weights, &plane, 64), pass(&twice, weights, &plane, 64));
        assert_eq!(
            one.0.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            two.0.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        );
        assert_eq!((one.2, two.2), ([11, 0], [11, 0]));
    }
}

#[test]
fn little_device_memory_means_smaller_pieces_and_then_the_cpu_with_one_warning() {
    let weights = &kernels()[2];
    let plane = plane(700, 90, 9, false);
    for devices in crate::devices(None) {
        let whole = pass(&devices, weights, &plane, 512);
        assert_eq!((whole.1.len(), whole.2), (0, [2, 0]));
        for (limit, on_device) in [(400 << 10, true), (1 << 10, false)] {
            for few in crate::devices(Some(limit)) {
                let (values, warnings, pieces) = pass(&few, weights, &plane, 512);
                assert_eq!(warnings.len(), usize::from(!on_device), "{warnings:?}");
                assert_eq!(pieces[0] > 2, on_device, "{pieces:?}");
                let near =
                    values.iter().zip(&whole.0).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs().max(1e-3));
                assert!(near);
            }
        }
    }
}

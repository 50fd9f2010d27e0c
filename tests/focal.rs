//! Every way to convolve against the definition: odd shapes, all boundaries, special values.

mod focal_common;

use focal_common::{Plane, check_all, run};
use nissl::array::{Real, WorkType};
use nissl::backend::CpuLevel;
use nissl::commands::convolve::passes::FocalPass;
use nissl::kernels::focal::{Algorithm, Focal, KernelType, Method, NanRule, Request, Weights, choose};
use nissl::kernels::window::{Boundary, Window};
use nissl::report::Recorder;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A small generator with a long period: reproducible without any crate.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const BOUNDARIES: [Boundary; 7] = [
    Boundary::Nan,
    Boundary::Nearest,
    Boundary::Reflect,
    Boundary::Wrap,
    Boundary::Reflect101,
    Boundary::Constant(2.5),
    Boundary::Constant(f64::INFINITY),
];

const DATA: [&str; 10] =
    ["noise", "terrain", "integers", "decades", "denormal", "huge", "nan", "infinite", "spotted", "sparse"];

fn value(kind: &str, chance: &mut Chance) -> f64 {
    let u = chance.unit();
    match kind {
        "terrain" => 900.0 + 50.0 * u,
        "integers" => (u * 200.0).floor() - 100.0,
        "decades" => (u - 0.5) * 10.0_f64.powi(chance.below(18) as i32 - 9),
        "denormal" => (u - 0.5) * 1e-310,
        "huge" => (u - 0.5) * if chance.below(9) == 0 { 1.7e308 } else { 1e300 },
        "nan" if chance.below(25) == 0 => f64::NAN,
        "infinite" if chance.below(40) == 0 => f64::INFINITY,
        "spotted" => match chance.below(60) {
            0 | 1 => f64::NAN,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            4 => -0.0,
            _ => u - 0.5,
        },
        "sparse" => {
            if chance.below(60) == 0 {
                u * 30.0
            } else {
                0.0
            }
        }
        _ => u - 0.5,
    }
}

fn plane<T: Real>(kind: &str, height: usize, width: usize, chance: &mut Chance) -> Plane<T> {
    let narrow = T::WORK == WorkType::F32;
    let values = (0..height * width)
        .map(|_| {
            let v = value(kind, chance);
            T::round_from(match kind {
                "denormal" if narrow => v * 1e270,
                "huge" if narrow => v * 1e-270,
                _ => v,
            })
        })
        .collect();
    Plane { values, height, width }
}

const KERNELS: [&str; 8] = ["dense", "rank1", "gauss", "flat", "box", "holes", "zeros", "whole"];

fn weights(kind: &str, rows: usize, cols: usize, chance: &mut Chance) -> Weights {
    let (column, row): (Vec<f64>, Vec<f64>) = (
        (0..rows).map(|_| chance.unit() - 0.25).collect(),
        (0..cols).map(|_| chance.unit() - 0.25).collect(),
    );
    let from_middle = |at: usize, n: usize| at as f64 - (n / 2) as f64;
    let values = (0..rows * cols)
        .map(|at| {
            let (a, b) = (at / cols, at % cols);
            match kind {
                "rank1" => column[a] * row[b],
                "gauss" => {
                    (-from_middle(a, rows).powi(2) / 8.0).exp() * (-from_middle(b, cols).powi(2) / 8.0).exp()
                }
                "flat" => f64::from(u8::from(chance.below(3) > 0)) * 0.3,
                "box" => 2.0,
                "holes" => {
                    if chance.below(2) == 0 {
                        0.0
                    } else {
                        chance.unit()
                    }
                }
                "zeros" => 0.0,
                "whole" => chance.below(9) as f64 - 3.0,
                _ => chance.unit() - 0.25,
            }
        })
        .collect::<Vec<f64>>();
    let kinds = [KernelType::F64, KernelType::F32, KernelType::SmallInt, KernelType::WideInt];
    let type_of = if kind == "whole" { kinds[chance.below(4)] } else { kinds[chance.below(2)] };
    let values = if type_of == KernelType::F32 {
        values.iter().map(|&k| f64::from(k as f32)).collect()
    } else {
        values
    };
    Weights::new(values, rows, cols, type_of).unwrap()
}

/// 0, 1, a lane less and more than a register, primes, and what spans panels.
const SIDES: [usize; 18] = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 48, 53, 67, 131, 233];
const KERNEL_SIDES: [usize; 9] = [1, 3, 5, 7, 9, 11, 15, 17, 35];

fn random_case<T: Real>(seed: u64, nan: NanRule) -> Result<(), String> {
    let mut chance = Chance(seed);
    let (height, width) = (SIDES[chance.below(18)], SIDES[chance.below(18)]);
    let (rows, cols) = (KERNEL_SIDES[chance.below(9)], KERNEL_SIDES[chance.below(9)]);
    let (data, kernel) = (DATA[chance.below(10)], KERNELS[chance.below(8)]);
    let boundary = BOUNDARIES[chance.below(7)];
    let weights = weights(kernel, rows, cols, &mut chance);
    let plane = plane::<T>(data, height, width, &mut chance);
    check_all(&plane, &weights, boundary, nan).map_err(|e| format!("{data} {kernel} seed {seed}: {e}"))
}

/// The same cases on every run, so that a change that breaks one is the change to blame.
/// `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
fn cases() -> ProptestConfig {
    let set = |name| std::env::var_os(name).is_some();
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if !set("PROPTEST_CASES") {
        config.cases = 100;
    }
    if !set("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(2026);
    }
    config
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_way_agrees_with_the_definition_in_f64(seed in any::<u64>()) {
        random_case::<f64>(seed, NanRule::Propagate).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn every_way_agrees_with_the_definition_in_f32(seed in any::<u64>()) {
        random_case::<f32>(seed, NanRule::Propagate).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn zero_weights_stop_nan_by_the_footprint_rule(seed in any::<u64>()) {
        random_case::<f64>(seed, NanRule::Footprint).map_err(TestCaseError::fail)?;
        random_case::<f32>(seed, NanRule::Footprint).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn nan_cells_are_left_out_by_the_ignore_rule() {
    // Positive weights: with others the sum of the weights present may cancel, and the quotient
    // of two different orders of summation with it.
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let (rows, cols) = (KERNEL_SIDES[chance.below(8)], KERNEL_SIDES[chance.below(8)]);
        let weights = weights(["gauss", "box", "flat"][chance.below(3)], rows, cols, &mut chance);
        let kind = ["noise", "nan", "spotted", "infinite", "integers"][chance.below(5)];
        let plane = plane::<f64>(kind, SIDES[chance.below(18)], SIDES[chance.below(18)], &mut chance);
        check_all(&plane, &weights, BOUNDARIES[chance.below(6)], NanRule::Ignore)
            .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

/// Strips of whole blocks, each behind a window of just the rows it needs, on several threads.
fn by_strips<T: Real>(
    plane: &Plane<T>,
    focal: Focal,
    boundary: Boundary,
    blocks: usize,
    threads: usize,
) -> Vec<T> {
    let (reach, step) = (focal.recipe().reach_rows, focal.recipe().block_rows * blocks);
    let pass = FocalPass::new(focal, plane.width);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut out = vec![T::round_from(7.0); plane.values.len()];
    let raster = plane.raster(boundary);
    for r0 in (0..plane.height).step_by(step) {
        let r1 = plane.height.min(r0 + step);
        let first = r0 as i64 - reach as i64;
        let mut rows = Vec::new();
        for m in first..r1 as i64 + reach as i64 {
            let stored = boundary.map(m, plane.height);
            rows.extend(
                (0..plane.width)
                    .map(|j| stored.map_or(T::round_from(3.0), |_| raster.at(m, j as i64).unwrap())),
            );
        }
        let window = Window { rows: &rows, first, width: plane.width, height: plane.height, boundary };
        let target = &mut out[r0 * plane.width..r1 * plane.width];
        pool.install(|| pass.rows(&window, r0, r1, target, &Recorder::new()));
    }
    out
}

#[test]
fn strips_and_threads_do_not_show_in_the_bits() {
    let mut chance = Chance(5);
    let plane = plane::<f64>("spotted", 211, 530, &mut chance);
    let smooth = self::plane::<f64>("terrain", 211, 530, &mut chance);
    for (kernel, side) in [("dense", 9), ("rank1", 7), ("box", 11), ("flat", 5), ("dense", 3)] {
        let weights = weights(kernel, side, side, &mut chance);
        for plane in [&plane, &smooth] {
            for algorithm in [
                None,
                Some(Algorithm::Direct),
                Some(Algorithm::Separable),
                Some(Algorithm::Runs),
                Some(Algorithm::Fft),
            ] {
                let request = Request { algorithm, ..Request::default() };
                let Ok(recipe) = choose(&weights, plane.shape(), WorkType::F64, &request) else { continue };
                for boundary in [Boundary::Nan, Boundary::Wrap, Boundary::Constant(1.0)] {
                    let level = CpuLevel::detect();
                    let (whole, _) = run(plane, &weights, recipe.clone(), level, boundary);
                    for (blocks, threads) in [(1, 1), (2, 3), (3, 2)] {
                        let focal = Focal::new(&weights, recipe.clone(), level);
                        let strips = by_strips(plane, focal, boundary, blocks, threads);
                        let same = whole
                            .iter()
                            .zip(&strips)
                            .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()));
                        assert!(same, "{kernel} {algorithm:?} {boundary:?} {blocks} {threads}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_gate_refuses_what_an_fft_cannot_resolve() {
    let mut chance = Chance(9);
    let weights = weights("dense", 15, 15, &mut chance);
    let request = Request { algorithm: Some(Algorithm::Fft), ..Request::default() };
    for (kind, refused) in [
        ("noise", false),
        ("terrain", false),
        ("integers", false),
        ("decades", false),
        ("cliff", true),
        ("spike", true),
    ] {
        let mut plane = plane::<f64>(kind, 200, 240, &mut chance);
        for (at, v) in plane.values.iter_mut().enumerate() {
            match kind {
                "cliff" => *v *= 10.0_f64.powf(18.0 * (at % 240) as f64 / 240.0),
                "spike" if at == 100 * 240 + 120 => *v = 1e15,
                _ => {}
            }
        }
        let recipe = choose(&weights, plane.shape(), WorkType::F64, &request).unwrap();
        assert!(matches!(recipe.method, Method::Fft { .. }));
        let (_, counts) = run(&plane, &weights, recipe, CpuLevel::detect(), Boundary::Reflect);
        assert!(counts.fft_tiles > 0);
        assert_eq!(counts.fft_refused > 0, refused, "{kind}: {counts:?}");
        check_all(&plane, &weights, Boundary::Reflect, NanRule::Propagate).unwrap();
    }
}

#[test]
fn whole_numbers_come_out_whole() {
    // Every order of summation is exact here, and the FFT rounds what it knows to be whole.
    let mut chance = Chance(3);
    for (kernel, (rows, cols)) in [("whole", (7, 5)), ("box", (7, 5)), ("whole", (23, 23))] {
        let weights = weights(kernel, rows, cols, &mut chance);
        let mut plane = plane::<f64>("integers", 261, 170, &mut chance);
        if rows == 23 {
            plane.values[9000] = f64::NAN;
        }
        let want = focal_common::expected(&plane, &weights, Boundary::Reflect, NanRule::Propagate);
        for (name, request) in focal_common::requests(NanRule::Propagate, WorkType::F64) {
            let Ok(recipe) = choose(&weights, plane.shape(), WorkType::F64, &request) else { continue };
            let (got, _) = run(&plane, &weights, recipe, CpuLevel::detect(), Boundary::Reflect);
            let same =
                got.iter().zip(&want).all(|(g, w)| g.to_bits() == w.to_bits() || (g.is_nan() && w.is_nan()));
            assert!(same, "{name} {rows}x{cols}");
        }
    }
}

#[test]
fn narrow_sums_stay_within_three_roundings_on_ordinary_data() {
    let mut chance = Chance(8);
    for (rows, cols) in [(3, 3), (9, 9), (15, 15), (31, 31)] {
        let weights = weights("dense", rows, cols, &mut chance);
        let plane = plane::<f32>("noise", 120, 130, &mut chance);
        let want = focal_common::expected(&plane, &weights, Boundary::Reflect, NanRule::Propagate);
        let request = Request { fast: true, ..Request::default() };
        let recipe = choose(&weights, plane.shape(), WorkType::F32, &request).unwrap();
        let (got, _) = run(&plane, &weights, recipe, CpuLevel::detect(), Boundary::Reflect);
        let magnitudes = focal_common::magnitudes(&plane, &weights, Boundary::Reflect);
        for ((g, w), m) in got.iter().zip(&want).zip(&magnitudes) {
            let last = w.abs() * f32::EPSILON;
            let allowed = f64::from(last) + 3.0 * m * f64::from(f32::EPSILON) / 2.0;
            assert!(f64::from((g - w).abs()) <= allowed, "{rows}x{cols}: {g} {w} {allowed}");
        }
    }
}

#[test]
fn all_workers_take_part() {
    let mut chance = Chance(1);
    let weights = weights("dense", 9, 9, &mut chance);
    let plane = plane::<f32>("noise", 3000, 700, &mut chance);
    let recipe = choose(&weights, plane.shape(), WorkType::F32, &Request::default()).unwrap();
    let pass = FocalPass::new(Focal::new(&weights, recipe, CpuLevel::detect()), plane.width);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let recorder = Recorder::new();
    let mut out = vec![0.0; plane.values.len()];
    let window = Window::whole(&plane.values, 3000, 700, Boundary::Nearest);
    // A worker may be late once; that it never comes would be the bug.
    let took_part = (0..50).any(|_| {
        pool.install(|| pass.rows(&window, 0, 3000, &mut out, &recorder));
        recorder.workers() == 2
    });
    assert!(took_part);
}

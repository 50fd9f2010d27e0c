use super::*;
use crate::kernels::focal::KernelType;

fn dense(n: usize) -> Weights {
    let values = (0..n * n).map(|i| ((i * 7919) % 1009) as f64 / 1009.0 - 0.25).collect();
    Weights::new(values, n, n, KernelType::F64).unwrap()
}

fn gauss(n: usize) -> Weights {
    let bell = |at: usize| (-0.5 * ((at as f64 - (n / 2) as f64) / (n as f64 / 6.0)).powi(2)).exp();
    let values = (0..n * n).map(|i| bell(i / n) * bell(i % n)).collect();
    Weights::new(values, n, n, KernelType::F64).unwrap()
}

fn disc(radius: i64) -> Weights {
    let side = -radius..=radius;
    let values = side
        .clone()
        .flat_map(|y| side.clone().map(move |x| f64::from(u8::from(y * y + x * x <= radius * radius))));
    let n = (2 * radius + 1) as usize;
    Weights::new(values.collect(), n, n, KernelType::F64).unwrap()
}

fn chosen(weights: &Weights, request: Request) -> Result<&'static str> {
    choose(weights, (2000, 2000), WorkType::F64, &request).map(|recipe| recipe.method.name())
}

#[test]
fn kernels_get_the_way_that_was_measured_to_be_cheapest() {
    let auto = |weights: &Weights| chosen(weights, Request::default()).unwrap();
    for n in [1, 3, 5, 7, 9] {
        assert_eq!(auto(&dense(n)), "direct", "dense {n}");
    }
    for n in [31, 61, 101] {
        assert_eq!(auto(&dense(n)), "fft", "dense {n}");
    }
    for n in [9, 15, 31, 61] {
        assert_eq!(auto(&gauss(n)), "separable", "gauss {n}");
    }
    assert_eq!(auto(&disc(2)), "direct");
    assert_eq!(auto(&disc(20)), "fft");
    let line = Weights::new(vec![0.5; 9], 1, 9, KernelType::F64).unwrap();
    assert_ne!(auto(&line), "fft");
}

#[test]
fn the_choice_follows_from_the_kernel_alone_where_there_is_no_tile_to_fit() {
    for weights in [dense(5), gauss(15)] {
        let of = |shape| choose(&weights, shape, WorkType::F64, &Request::default()).unwrap().method;
        assert_eq!(of((2000, 2000)), of((7, 100_000)));
    }
}

#[test]
fn a_kernel_with_nan_or_infinity_takes_the_exact_order() {
    let mut weights = dense(15);
    weights.values[3] = f64::NAN;
    assert_eq!(chosen(&weights, Request::default()).unwrap(), "exact");
    let forced = Request { algorithm: Some(Algorithm::Fft), ..Request::default() };
    assert!(chosen(&weights, forced).is_err());
}

#[test]
fn forced_ways_are_taken_or_refused_never_replaced() {
    let forced = |weights: &Weights, algorithm| {
        chosen(weights, Request { algorithm: Some(algorithm), ..Request::default() })
            .map_err(|e| e.to_string())
    };
    assert_eq!(forced(&dense(31), Algorithm::Direct).unwrap(), "direct");
    assert_eq!(forced(&dense(3), Algorithm::Fft).unwrap(), "fft");
    assert_eq!(forced(&disc(3), Algorithm::Runs).unwrap(), "runs");
    assert_eq!(forced(&gauss(5), Algorithm::Separable).unwrap(), "separable");
    assert!(forced(&dense(5), Algorithm::Separable).unwrap_err().contains("separable"));
    assert!(forced(&gauss(5), Algorithm::Runs).unwrap_err().contains("runs"));
}

#[test]
fn a_kernel_that_is_separable_only_nearly_is_not_taken_for_rank_one() {
    let mut weights = gauss(15);
    weights.values[17] *= 1.0 + 1e-9;
    assert_ne!(chosen(&weights, Request::default()).unwrap(), "separable");
}

#[test]
fn wishes_that_exclude_each_other_are_usage_errors() {
    let exact_fft = Request { exact: true, algorithm: Some(Algorithm::Fft), ..Request::default() };
    let exact_fast = Request { exact: true, fast: true, ..Request::default() };
    let fast = Request { fast: true, ..Request::default() };
    for request in [exact_fft, exact_fast, fast] {
        assert!(matches!(chosen(&dense(5), request), Err(Error::Usage(_))), "{request:?}");
    }
    assert_eq!(choose(&dense(5), (9, 9), WorkType::F32, &fast).unwrap().method.name(), "fast");
}

fn shaped(kind: &str, rows: usize, cols: usize) -> Weights {
    let from_middle = |at: usize, n: usize| at as f64 - (n / 2) as f64;
    let values = (0..rows * cols).map(|at| {
        let (y, x) = (from_middle(at / cols, rows), from_middle(at % cols, cols));
        match kind {
            "gauss" => (-y * y / 50.0).exp() * (-x * x / 50.0).exp(),
            "box" => 0.5,
            "circle" => f64::from(u8::from(x * x + y * y <= from_middle(0, rows).powi(2))),
            _ => ((at * 7919 + 13) % 101) as f64 * 0.37 - 9.0,
        }
    });
    Weights::new(values.collect(), rows, cols, KernelType::F64).unwrap()
}

fn auto_of(kind: &str, side: usize) -> &'static str {
    let recipe = choose(&shaped(kind, side, side), (2000, 2000), WorkType::F64, &Request::default()).unwrap();
    recipe.method.name()
}

#[test]
fn the_choices_for_a_table_of_shapes() {
    let table = [
        (
            "dense",
            [
                (1, "direct"),
                (3, "direct"),
                (7, "direct"),
                (9, "direct"),
                (13, "fft"),
                (31, "fft"),
                (101, "fft"),
            ],
        ),
        (
            "gauss",
            [
                (1, "direct"),
                (3, "direct"),
                (7, "separable"),
                (9, "separable"),
                (15, "separable"),
                (31, "separable"),
                (41, "separable"),
            ],
        ),
        (
            "box",
            [
                (1, "direct"),
                (3, "direct"),
                (9, "runs"),
                (15, "runs"),
                (31, "runs"),
                (61, "runs"),
                (101, "runs"),
            ],
        ),
        (
            "circle",
            [
                (1, "direct"),
                (3, "direct"),
                (5, "direct"),
                (7, "direct"),
                (15, "fft"),
                (41, "fft"),
                (101, "fft"),
            ],
        ),
    ];
    for (kind, rows) in table {
        for (side, method) in rows {
            assert_eq!(auto_of(kind, side), method, "{kind} {side}");
        }
    }
    let name = |rows, cols| {
        let shape = (20_000, 20_000);
        choose(&shaped("dense", rows, cols), shape, WorkType::F32, &Request::default()).unwrap().method.name()
    };
    assert_eq!((name(1, 9), name(9, 1), name(1, 61)), ("direct", "direct", "direct"));
}

#[test]
fn the_choice_is_never_far_from_the_cheapest() {
    // A forced direct sum must not be predicted faster than the choice.
    for kind in ["dense", "gauss", "box", "circle"] {
        for side in (1..=101).step_by(2) {
            let weights = shaped(kind, side, side);
            let direct = cost::direct_time(&weights);
            let time =
                match choose(&weights, (2000, 2000), WorkType::F64, &Request::default()).unwrap().method {
                    Method::Separable(_) => cost::separable_time(side, side),
                    Method::Runs(plan) => cost::runs_time(&plan),
                    Method::Fft { rows, cols } => cost::fft_time((side, side), (rows, cols)),
                    _ => direct,
                };
            assert!(time <= direct, "{kind} {side}");
        }
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    let refused = |weights: &Weights, work, request: Request| {
        let error = choose(weights, (50, 60), work, &request).unwrap_err();
        assert_eq!(error.exit_code(), crate::error::ExitCode::Usage);
        error.to_string()
    };
    let (dense, gauss) = (shaped("dense", 5, 5), shaped("gauss", 5, 5));
    let forced = |a| Request { algorithm: Some(a), ..Request::default() };
    assert!(refused(&dense, WorkType::F64, forced(Algorithm::Separable)).contains("column times a row"));
    assert!(refused(&gauss, WorkType::F64, forced(Algorithm::Runs)).contains("not all equal"));
    let exact = Request { exact: true, ..forced(Algorithm::Fft) };
    assert!(refused(&dense, WorkType::F64, exact).contains("--exact"));
    let fast = Request { fast: true, ..Request::default() };
    assert!(refused(&dense, WorkType::F64, fast).contains("float32"));
    let nan = Weights::new(vec![f64::NAN], 1, 1, KernelType::F64).unwrap();
    assert!(refused(&nan, WorkType::F64, forced(Algorithm::Fft)).contains("NaN"));
    let laplace = Weights::new(vec![0., 1., 0., 1., -4., 1., 0., 1., 0.], 3, 3, KernelType::F64).unwrap();
    let ignore = Request { nan: NanRule::Ignore, ..Request::default() };
    assert!(refused(&laplace, WorkType::F64, ignore).contains("sum"));
    assert!(
        choose(&dense, (50, 60), WorkType::F64, &Request { exact: true, ..forced(Algorithm::Direct) })
            .is_ok()
    );
}

#[test]
fn tiles_hold_their_kernel_and_blocks_have_rows() {
    for side in [1, 3, 15, 101, 333, 2047, 2051] {
        for shape in [(0, 0), (1, 1), (3, 100_000), (2000, 2000), (100_000, 5)] {
            let (rows, cols) = cost::fft_tile((side, 1), shape);
            assert!(rows > side && cols >= 16 && rows % 16 == 0 && cols % 16 == 0, "{side} {shape:?}");
        }
        let recipe = choose(&shaped("box", side, 1), (300, 300), WorkType::F64, &Request::default()).unwrap();
        assert!(recipe.block_rows > 0 && recipe.panel_rows > 0 && recipe.scratch_bytes > 0);
    }
}

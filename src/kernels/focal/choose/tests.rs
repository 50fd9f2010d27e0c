use super::*;
use crate::kernels::focal::KernelType;

fn weights(kind: &str, rows: usize, cols: usize) -> Weights {
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

fn chosen(kind: &str, side: usize) -> &'static str {
    let recipe =
        choose(&weights(kind, side, side), (2000, 2000), WorkType::F64, &Request::default()).unwrap();
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
            assert_eq!(chosen(kind, side), method, "{kind} {side}");
        }
    }
    let name = |rows, cols| {
        let shape = (20_000, 20_000);
        choose(&weights("dense", rows, cols), shape, WorkType::F32, &Request::default())
            .unwrap()
            .method
            .name()
    };
    assert_eq!((name(1, 9), name(9, 1), name(1, 61)), ("direct", "direct", "direct"));
}

#[test]
fn the_choice_is_never_far_from_the_cheapest() {
    // A forced direct sum must not be predicted faster than the choice.
    for kind in ["dense", "gauss", "box", "circle"] {
        for side in (1..=101).step_by(2) {
            let weights = weights(kind, side, side);
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
fn wishes_that_cannot_be_met_are_usage_errors() {
    let refused = |weights: &Weights, work, request: Request| {
        let error = choose(weights, (50, 60), work, &request).unwrap_err();
        assert_eq!(error.exit_code(), crate::error::ExitCode::Usage);
        error.to_string()
    };
    let (dense, gauss) = (weights("dense", 5, 5), weights("gauss", 5, 5));
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
        let recipe =
            choose(&weights("box", side, 1), (300, 300), WorkType::F64, &Request::default()).unwrap();
        assert!(recipe.block_rows > 0 && recipe.panel_rows > 0 && recipe.scratch_bytes > 0);
    }
}

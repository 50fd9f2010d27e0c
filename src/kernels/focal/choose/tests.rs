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

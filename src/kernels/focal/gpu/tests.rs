use super::*;
use crate::kernels::focal::KernelType;

fn gauss(side: usize) -> Weights {
    let at = |i: usize| (-((i as f64 - side as f64 / 2.0).powi(2)) / 8.0).exp();
    let values = (0..side * side).map(|i| at(i / side) * at(i % side)).collect();
    Weights::new(values, side, side, KernelType::F64).unwrap()
}

#[test]
fn the_device_takes_what_its_sums_can_hold_and_says_why_not() {
    let request = Request::default();
    let refused = |weights: &Weights, work, request: &Request| recipe(weights, work, request).unwrap_err();
    assert_eq!(recipe(&gauss(15), WorkType::F32, &request).unwrap().name(), "separable");
    assert_eq!(recipe(&gauss(1), WorkType::F32, &request).unwrap().name(), "direct");
    let forced = Request { algorithm: Some(Algorithm::Direct), ..request };
    assert_eq!(recipe(&gauss(15), WorkType::F32, &forced).unwrap().name(), "direct");
    assert!(refused(&gauss(3), WorkType::F64, &request).contains("float64"));
    assert!(refused(&gauss(3), WorkType::F32, &Request { exact: true, ..request }).contains("--exact"));
    let fft = Request { algorithm: Some(Algorithm::Fft), ..request };
    assert!(refused(&gauss(3), WorkType::F32, &fft).contains("fft"));
}

#[test]
fn a_piece_takes_the_rows_its_windows_reach() {
    let values: Vec<f32> = (0..10).map(|v| v as f32).collect();
    let rows = |boundary, r0, r1| needed(&Window::whole(&values, 10, 1, boundary), r0, r1, 2).unwrap();
    assert_eq!(rows(Boundary::Nan, 0, 3), (0, 5));
    assert_eq!(rows(Boundary::Reflect, 4, 6), (2, 8));
    assert_eq!(rows(Boundary::Wrap, 0, 3), (0, 10));
    assert_eq!(rows(Boundary::Nearest, 9, 10), (7, 10));
}

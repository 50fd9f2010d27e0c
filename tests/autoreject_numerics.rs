//! The scalar numerics of `autoreject` against the peer's stored numbers: the acceptance ladder of
//! the specification, over the sets of `fixtures/autoreject` (whose REFERENCE.md tells what each
//! array is and where its tolerance comes from). The kernels over whole recordings have their own.

mod common;

use common::{Array, fixture, read};
use nissl::kernels::spline::{Spline, centred, fit_sphere, green};
use nissl::kernels::splits::{folds, stratified};

/// A reference set and the seeds that its arrays were made with.
struct Set {
    name: &'static str,
    seeds: &'static [u32],
    folds: usize,
}

const SETS: [Set; 3] = [
    Set { name: "tiny", seeds: &[42], folds: 5 },
    Set { name: "synth32", seeds: &[0, 42, 97], folds: 10 },
    Set { name: "real14", seeds: &[0, 42], folds: 8 },
];

impl Set {
    /// An array of one of the set's archives.
    fn array(&self, archive: &str, name: &str) -> Array {
        read(&fixture(&format!("autoreject/{}/{archive}.npz", self.name)), name)
    }

    /// An array that is a file of its own.
    fn file(&self, name: &str) -> Array {
        read(&fixture(&format!("autoreject/{}/{name}.npy", self.name)), "")
    }

    fn positions(&self) -> Vec<[f64; 3]> {
        places(&self.file("ch_pos"))
    }

    /// Epochs, channels, samples.
    fn shape(&self) -> [usize; 3] {
        self.file("epochs").shape.try_into().unwrap()
    }
}

fn places(array: &Array) -> Vec<[f64; 3]> {
    array.values.chunks_exact(3).map(|p| p.try_into().unwrap()).collect()
}

fn indices(array: &Array) -> Vec<usize> {
    array.values.iter().map(|&v| v as usize).collect()
}

/// The largest difference; shapes must agree.
fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let apart = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() };
    got.iter().zip(expected).map(apart).fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

#[test]
fn rung_1_splits_and_folds_are_identical() {
    for set in &SETS {
        let [epochs, ..] = set.shape();
        for &seed in set.seeds {
            for (kind, counts) in [("aug", vec![epochs; 2]), ("plain", vec![epochs])] {
                let splits = stratified(&counts, 10, seed).unwrap();
                for (side, rows) in [("train", 0), ("test", 1)] {
                    let expected = indices(&set.array("splits", &format!("{kind}_{side}_seed{seed}")));
                    let got: Vec<usize> = splits
                        .iter()
                        .flat_map(|s| if rows == 0 { &s.train } else { &s.test })
                        .copied()
                        .collect();
                    assert_eq!(got, expected, "{} {kind} {side} {seed}", set.name);
                }
            }
        }
        for k in [5, set.folds] {
            let expected = indices(&set.array("splits", &format!("kfold{k}_test_first_last")));
            let got: Vec<usize> = folds(epochs, k)
                .unwrap()
                .into_iter()
                .flat_map(|block| [block.start, block.end - 1])
                .collect();
            assert_eq!(got, expected, "{} {k}", set.name);
        }
    }
}

#[test]
fn rung_2_spline_weights_are_the_peers() {
    for set in &SETS {
        let (positions, [_, channels, _]) = (set.positions(), set.shape());
        let spline = Spline::new(&positions).unwrap();
        let expected = set.array("interp", "g_matrix");
        let kernel: Vec<f64> =
            (0..channels * channels).map(|at| spline.kernel().at(at / channels, at % channels)).collect();
        assert!(difference(&kernel, &expected.values) <= 1e-14, "{}", set.name);
        let by_cosine: Vec<f64> = set.array("interp", "cosine").values.iter().map(|&x| green(x)).collect();
        assert!(difference(&by_cosine, &expected.values) <= 1e-14, "{}", set.name);
        let expected = set.array("interp", "loo_weights");
        let apart = difference(&spline.leave_one_out(), &expected.values);
        assert!(apart <= 1e-9, "{}: leave one out {apart:e}", set.name);
        for number in 0..5 {
            repair_set(set, number, &spline);
        }
    }
}

/// One of the five bad sets of `interp.npz`: weights three ways, repaired rows, fitted sphere.
fn repair_set(set: &Set, number: usize, spline: &Spline) {
    let array = |name: &str| set.array("interp", &format!("set{number}_{name}"));
    let (bad, good, expected) = (indices(&array("bad")), indices(&array("good")), array("weights").values);
    let repair = spline.repair_weights(&bad);
    assert_eq!(repair.good, good, "{} set {number}", set.name);
    let by_definition = spline.kernel().mapping_by_pseudo_inverse(&good, &bad);
    for weights in [&repair.values, &spline.mapping(&good, &bad), &by_definition] {
        let apart = difference(weights, &expected);
        assert!(apart <= 1e-9, "{} set {number}: {apart:e}", set.name);
    }
    assert_rows(set, &bad, &good, &repair.values, &array("data"));
    if good.len() >= 4 {
        let sources: Vec<[f64; 3]> = good.iter().map(|&g| set.positions()[g]).collect();
        let sphere = fit_sphere(&sources);
        let got = [sphere.radius, sphere.origin[0], sphere.origin[1], sphere.origin[2]];
        let apart = difference(&got, &array("sphere_good").values);
        assert!(apart <= 1e-12, "{} set {number}: sphere {apart:e}", set.name);
    }
}

/// Repairs the first epochs with `weights` and compares with `expected` `[epoch, bad, sample]`.
fn assert_rows(set: &Set, bad: &[usize], good: &[usize], weights: &[f64], expected: &Array) {
    let (data, [_, channels, samples]) = (set.file("epochs"), set.shape());
    let mut rows = Vec::new();
    for epoch in 0..expected.shape[0] {
        for b in 0..bad.len() {
            for t in 0..samples {
                let source = |&g: &usize| data.values[(epoch * channels + g) * samples + t];
                let products =
                    good.iter().zip(&weights[b * good.len()..]).map(|(g, weight)| weight * source(g));
                rows.push(products.sum::<f64>());
            }
        }
    }
    let largest = expected.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let apart = difference(&rows, &expected.values);
    assert!(apart <= 1e-9 * largest, "{}: rows {apart:e} of {largest:e}", set.name);
}

#[test]
fn rung_2_the_centred_variant_is_mnes() {
    for set in &SETS {
        let bad = indices(&set.array("interp", "set2_bad"));
        let repair = centred(&set.positions(), &bad).unwrap();
        let origin = set.array("interp", "centred_origin").values;
        assert!(difference(&repair.sphere.origin, &origin) <= 1e-12, "{}", set.name);
        let expected = set.array("interp", "centred_weights").values;
        let apart = difference(&repair.weights.values, &expected);
        assert!(apart <= 1e-9, "{}: {apart:e}", set.name);
        let plain = Spline::new(&set.positions()).unwrap().repair_weights(&bad);
        assert!(difference(&plain.values, &expected) > 1e-3, "{}: the variants differ visibly", set.name);
        let rows = set.array("interp", "centred_data");
        assert_rows(set, &bad, &repair.weights.good, &repair.weights.values, &rows);
    }
}

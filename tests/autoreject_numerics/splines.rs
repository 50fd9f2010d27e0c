//! Rungs 1, 2 and the weights of 9: splits, folds, splines and RANSAC's subsets.

use crate::sets::{SETS, Set, assert_rows, difference, indices};
use nissl::commands::autoreject::ransac::{Limits, Resampling, ransac_subsets, verdict};
use nissl::kernels::spline::{Spline, centred, fit_sphere, green};
use nissl::kernels::splits::{folds, stratified};

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

#[test]
fn rung_9_ransac_subsets_mappings_and_verdict_are_the_peers() {
    for set in &SETS {
        let [_, channels, _] = set.shape();
        let (all, spline) = ((0..channels).collect::<Vec<_>>(), Spline::new(&set.positions()).unwrap());
        for seed in [435_656, set.seeds[0]] {
            let array = |name: &str| set.array("ransac", &format!("{name}_seed{seed}"));
            let subsets =
                ransac_subsets(&all, channels, &Resampling { seed, ..Resampling::default() }).unwrap();
            assert_eq!(subsets.concat(), indices(&array("subsets")), "{} {seed}", set.name);
            let judged = verdict(&array("corr").values, channels, &Limits::default());
            assert_eq!(judged.bad, indices(&array("bad_chs")), "{} {seed}", set.name);
            if seed == 435_656 {
                let expected = set.array("ransac", "mapping_first2");
                let mut full = vec![0.0; expected.values.len()];
                for (r, subset) in subsets.iter().take(2).enumerate() {
                    for (at, weight) in spline.mapping(subset, &all).into_iter().enumerate() {
                        let (to, from) = (at / subset.len(), subset[at % subset.len()]);
                        full[(r * channels + to) * channels + from] = weight;
                    }
                }
                let apart = difference(&full, &expected.values);
                assert!(apart <= 1e-9, "{}: {apart:e}", set.name);
            }
        }
        repaired_by_ransac(set);
    }
}

/// The bad channels of the default seed, repaired as `Ransac.transform` does.
fn repaired_by_ransac(set: &Set) {
    let bad = indices(&set.array("ransac", "bad_chs_seed435656"));
    let repair = centred(&set.positions(), &bad).unwrap();
    let rows = set.array("ransac", "transformed_bad_first3");
    assert_rows(set, &bad, &repair.weights.good, &repair.weights.values, &rows);
}

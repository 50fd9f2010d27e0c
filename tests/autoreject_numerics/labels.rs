//! Rung 6: votes, labels and the choice, given the stored thresholds and losses.

use crate::sets::{SETS, indices, ptp, truths};
use nissl::commands::autoreject::votes::{
    bad_counts, bad_epochs, carried, choice, default_consensus, default_n_interpolate, fold_mean, fresh,
    step, votes,
};

#[test]
fn rung_6_votes_labels_and_choice_are_identical() {
    for (set, fit) in SETS.iter().map(|set| (set, "fit_grid")).chain([(&SETS[1], "fit_default")]) {
        let array = |name: &str| set.array(fit, name);
        let [_, channels, samples] = set.shape();
        let values: Vec<f64> = set.file("epochs").values.chunks_exact(samples).map(ptp).collect();
        let bytes = |name: &str| -> Vec<u8> { array(name).values.iter().map(|&v| v as u8).collect() };
        let cast = votes(&values, &array("thresholds").values);
        assert_eq!(cast, bytes("vote_labels"), "{} {fit}", set.name);
        let counts = bad_counts(&cast, channels);
        assert_eq!(counts, indices(&array("bad_sensor_counts")), "{} {fit}", set.name);
        let rhos: Vec<i64> = array("n_interpolate_grid").values.iter().map(|&v| v as i64).collect();
        for (j, labels) in carried(&cast, &values, channels, &rhos).iter().enumerate() {
            assert_eq!(labels, &bytes(&format!("labels_cv_{j}")), "{} {fit} carried {j}", set.name);
        }
        for (j, labels) in fresh(&cast, &values, channels, &rhos).iter().enumerate() {
            assert_eq!(labels, &bytes(&format!("labels_fresh_{j}")), "{} {fit} fresh {j}", set.name);
        }
        let consensus = array("consensus_grid").values;
        assert_eq!(consensus, default_consensus(), "{} {fit}", set.name);
        if fit == "fit_default" {
            assert_eq!(rhos, default_n_interpolate(channels).unwrap());
        }
        let loss = array("loss");
        let shape = (loss.shape[0], loss.shape[1], loss.shape[2]);
        for (folds, &mean) in loss.values.chunks_exact(shape.2).zip(&array("mean_loss").values) {
            assert_eq!(fold_mean(folds), mean, "{} {fit}", set.name);
        }
        let (kappa, rho) = choice(&loss.values, shape);
        assert_eq!(consensus[kappa], array("consensus").values[0], "{} {fit}", set.name);
        assert_eq!(rhos[rho], array("n_interpolate").values[0] as i64, "{} {fit}", set.name);
        let bad: Vec<u8> =
            bad_epochs(&counts, consensus[kappa], channels).into_iter().map(u8::from).collect();
        assert_eq!(bad, truths(&set.path(fit), "bad_epochs"), "{} {fit}", set.name);
        let mut labels = cast;
        step(&mut labels, &values, channels, rhos[rho]);
        assert_eq!(labels, bytes("labels"), "{} {fit}", set.name);
    }
}

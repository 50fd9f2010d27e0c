//! What the retro-compatibility checks of the peer's GPU branch ask of the scalar numerics.

use crate::common::fixture;
use crate::sets::{Set, difference, indices, ptp, relative};
use crate::tables::{rows_by_channel, tables};
use nissl::commands::autoreject::ransac::{Limits, verdict};
use nissl::commands::autoreject::search::{LOCAL_GRID, bayesian, random};
use nissl::commands::autoreject::votes::{bad_counts, fresh, votes};
use nissl::io;
use nissl::kernels::spline::Spline;

/// The retro-compatibility data of the peer's GPU branch, as a set.
const RETRO: Set = Set { name: "retrocompat", seeds: &[42], folds: 3 };

/// Text of the archive's `name` in order, as channel indices.
fn channels_named(archive: &str, name: &str) -> Vec<usize> {
    let names = std::fs::read_to_string(fixture("autoreject/retrocompat/ch_names.txt")).unwrap();
    let names: Vec<&str> = names.split_whitespace().collect();
    let file = io::open(&RETRO.path(archive)).unwrap();
    let texts = file.dataset(name).unwrap().read_text().unwrap();
    let index = |text: &Vec<u8>| names.iter().position(|n| n.as_bytes() == text.as_slice()).unwrap();
    texts.iter().map(index).collect()
}

#[test]
fn retrocompat_thresholds_votes_and_labels() {
    let (rows, [_, channels, samples]) = (rows_by_channel(&RETRO, false), RETRO.shape());
    let tables = tables(&RETRO, &rows, 42, false);
    let stored = |kind: &str| {
        let named = channels_named("compute_thresholds_v1", &format!("{kind}_keys"));
        named.into_iter().zip(RETRO.array("compute_thresholds_v1", &format!("{kind}_values")).values)
    };
    let mut thresholds = vec![0.0; channels];
    for (c, expected) in stored("bayes") {
        thresholds[c] = bayesian(&tables[c].view(), LOCAL_GRID).unwrap().threshold;
        assert!(relative(thresholds[c], expected) <= 1e-9, "{c}: {} {expected}", thresholds[c]);
    }
    for (c, expected) in stored("random") {
        let found = random(&tables[c].view(), 42).unwrap();
        assert!(relative(found.threshold, expected) <= 1e-9, "{c}: {} {expected}", found.threshold);
    }
    let values: Vec<f64> = RETRO.file("epochs").values.chunks_exact(samples).map(ptp).collect();
    let cast = votes(&values, &thresholds);
    let expected = RETRO.array("vote_bad_epochs_v1", "labels").values;
    assert_eq!(cast.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), expected);
    let counts = indices(&RETRO.array("vote_bad_epochs_v1", "bad_sensor_counts"));
    assert_eq!(bad_counts(&cast, channels), counts);
    let labels = &fresh(&cast, &values, channels, &[4])[0];
    let expected = RETRO.array("interpolate_epochs_v1", "labels_interp").values;
    assert_eq!(labels.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), expected);
    let repaired: Vec<usize> =
        labels.chunks_exact(channels).map(|row| row.iter().filter(|&&l| l == 2).count()).collect();
    assert_eq!(repaired, indices(&RETRO.array("interpolate_epochs_v1", "interp_channels_lengths")));
    repaired_sample(labels);
}

/// The first 5 epochs and 10 channels after repair.
fn repaired_sample(labels: &[u8]) {
    let [_, channels, samples] = RETRO.shape();
    let (mut data, spline) = (RETRO.file("epochs").values, Spline::new(&RETRO.positions()).unwrap());
    let expected = RETRO.array("interpolate_epochs_v1", "data_sample");
    for (epoch, row) in data.chunks_exact_mut(channels * samples).zip(labels.chunks_exact(channels)).take(5) {
        let bad: Vec<usize> = (0..channels).filter(|&c| row[c] == 2).collect();
        let repair = spline.repair_weights(&bad);
        let raw = epoch.to_vec();
        for (b, weights) in bad.iter().zip(repair.values.chunks_exact(repair.good.len())) {
            for t in 0..samples {
                let products = repair.good.iter().zip(weights).map(|(g, w)| w * raw[g * samples + t]);
                epoch[b * samples + t] = products.sum();
            }
        }
    }
    let sample: Vec<f64> = data
        .chunks_exact(channels * samples)
        .take(5)
        .flat_map(|epoch| &epoch[..10 * samples])
        .copied()
        .collect();
    let largest = expected.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    assert!(difference(&sample, &expected.values) <= 1e-9 * largest);
}

#[test]
fn retrocompat_thresholds_with_augmentation_and_ransac_verdict() {
    let tables = tables(&RETRO, &rows_by_channel(&RETRO, true), 42, true);
    let named = channels_named("local_reject_cv_v1", "threshes_keys");
    for (c, expected) in named.into_iter().zip(RETRO.array("local_reject_cv_v1", "threshes_values").values) {
        let found = bayesian(&tables[c].view(), LOCAL_GRID).unwrap();
        assert!(relative(found.threshold, expected) <= 1e-9, "{c}: {} {expected}", found.threshold);
    }
    let judged = verdict(&RETRO.array("ransac_v1", "corr_").values, 32, &Limits::default());
    let log: Vec<u8> = RETRO.array("ransac_v1", "bad_log").values.iter().map(|&v| v as u8).collect();
    assert_eq!(judged.bad_log, log);
    assert_eq!(judged.bad, channels_named("ransac_v1", "bad_chs_"));
}

//! Whole fits of `autoreject` against the peer's: thresholds by each search, votes, choices and
//! reject log; and the 13 checks of the peer's GPU branch (fixtures/autoreject/REFERENCE.md and
//! retrocompat/README.md).

mod autoreject_common;
mod common;

use autoreject_common::{Held, SETS, Set, relative};
use common::{Array, fixture, read};
use nissl::backend::CpuLevel;
use nissl::commands::autoreject::channels::ChannelKind;
use nissl::commands::autoreject::epochs::Epochs;
use nissl::commands::autoreject::fit::{Fit, Group, Known, Wishes, fit};
use nissl::commands::autoreject::global::{Decimated, global};
use nissl::commands::autoreject::options::ThresholdSearch;
use nissl::commands::autoreject::passes_ransac::{Subset, correlations};
use nissl::commands::autoreject::ransac::{Limits, Resampling, ransac_subsets, verdict};
use nissl::commands::autoreject::repairs::{Means, Repairs, Scratch};
use nissl::commands::autoreject::votes;
use nissl::kernels::epochs::Predictor;
use nissl::kernels::spline::Spline;
use nissl::report::Recorder;

/// What differs between the fits of a test.
struct Asked<'a> {
    consensus: Vec<f64>,
    n_interpolate: Vec<i64>,
    cv: usize,
    search: ThresholdSearch,
    augment: bool,
    seed: u32,
    thresholds: Option<&'a [f64]>,
}

fn fitted(held: &Held, positions: &[[f64; 3]], asked: &Asked) -> Fit {
    fitted_from(held, positions, asked, None)
}

fn fitted_from(held: &Held, positions: &[[f64; 3]], asked: &Asked, known: Option<Known>) -> Fit {
    let channels = held.shape[1];
    let names: Vec<String> = (0..channels).map(|c| format!("E{c}")).collect();
    let picks: Vec<usize> = (0..channels).collect();
    let means = Means::Spline(Spline::new(positions).unwrap());
    let group = Group {
        kind: ChannelKind::Eeg,
        picks: &picks,
        names: &names,
        means: &means,
        thresholds: asked.thresholds,
        known,
    };
    let wishes = Wishes {
        consensus: &asked.consensus,
        n_interpolate: &asked.n_interpolate,
        cv: asked.cv,
        search: asked.search,
        augment: asked.augment,
        fresh_labels: false,
        seed: asked.seed,
    };
    let epochs = Epochs::new(held, usize::MAX).unwrap();
    fit((CpuLevel::detect(), &Recorder::new()), &epochs, &group, &wishes, &mut |_, _| Ok(())).unwrap()
}

fn asked<'a>(cv: usize, seed: u32) -> Asked<'a> {
    Asked {
        consensus: vec![0.5],
        n_interpolate: vec![1],
        cv,
        search: ThresholdSearch::Bayesian,
        augment: true,
        seed,
        thresholds: None,
    }
}

fn whole(array: &Array) -> Vec<i64> {
    array.values.iter().map(|&v| v as i64).collect()
}

/// Seeds of each set in REFERENCE.md.
fn seeds(name: &str) -> &'static [u32] {
    match name {
        "synth32" => &[0, 42, 97],
        "real14" => &[0, 42],
        _ => &[42],
    }
}

#[test]
fn rung_5_bayesian_thresholds_over_all_sets_and_seeds() {
    for (augment, key) in [(true, "bo_thresh"), (false, "bo_noaugment_thresh")] {
        let (mut equal, mut all) = (0, 0);
        for (name, _, cv) in SETS {
            let set = Set::new(name);
            for &seed in seeds(name) {
                let fit = fitted(&set.epochs, &set.positions, &Asked { augment, ..asked(cv, seed) });
                let want = set.array("thresholds", &format!("{key}_seed{seed}")).values;
                let stored = augment.then(|| set.array("thresholds", &format!("bo_loss_seed{seed}")).values);
                for (channel, (found, want)) in fit.found.iter().zip(&want).enumerate() {
                    equal += usize::from((found.threshold - want).abs() <= 1e-9 * want);
                    all += 1;
                    assert!(found.loss <= found.initial_best * (1.0 + 1e-9));
                    assert!(found.optimum <= found.loss);
                    if let Some(stored) = &stored {
                        let (loss, stored) = (found.loss, stored[channel]);
                        assert!(
                            (loss / stored - 1.0).abs() < 0.02,
                            "{name} {seed} {channel}: {loss} {stored}"
                        );
                    }
                }
            }
        }
        assert!(equal * 100 >= all * 95, "{key}: {equal} of {all}");
    }
}

#[test]
fn rung_5_random_thresholds() {
    for (name, ..) in SETS {
        let set = Set::new(name);
        for &seed in seeds(name) {
            let search = ThresholdSearch::Random;
            let fit = fitted(&set.epochs, &set.positions, &Asked { search, ..asked(5, seed) });
            let want = set.array("thresholds", &format!("rs_thresh_seed{seed}")).values;
            for (found, want) in fit.fitted.thresholds.iter().zip(&want) {
                assert!((found - want).abs() <= 1e-9 * want, "{name} {seed}: {found} instead of {want}");
            }
        }
    }
}

#[test]
fn exact_thresholds_are_never_worse_than_the_peers() {
    for (name, seed, cv) in SETS {
        let set = Set::new(name);
        let search = ThresholdSearch::Exact;
        let fit = fitted(&set.epochs, &set.positions, &Asked { search, ..asked(cv, seed) });
        let peers = set.array("thresholds", &format!("bo_loss_seed{seed}")).values;
        let optimum = set.array("thresholds", &format!("exhaustive_loss_seed{seed}")).values;
        let at = set.array("thresholds", &format!("exhaustive_thresh_seed{seed}")).values;
        for (channel, found) in fit.found.iter().enumerate() {
            assert!(found.loss <= peers[channel] * (1.0 + 1e-9), "{name} {channel}");
            assert!((found.loss - optimum[channel]).abs() <= 1e-9 * optimum[channel], "{name} {channel}");
            assert!((found.threshold - at[channel]).abs() <= 1e-9 * at[channel], "{name} {channel}");
        }
    }
}

#[test]
fn rungs_6_and_7_choices_and_reject_log_given_the_thresholds() {
    for (name, seed, cv) in SETS {
        let archives: &[&str] = if name == "synth32" { &["fit_grid", "fit_default"] } else { &["fit_grid"] };
        for archive in archives {
            let set = Set::new(name);
            let thresholds = set.array(archive, "thresholds").values;
            let asked = Asked {
                consensus: set.array(archive, "consensus_grid").values,
                n_interpolate: whole(&set.array(archive, "n_interpolate_grid")),
                thresholds: Some(&thresholds),
                ..asked(cv, seed)
            };
            let fit = fitted(&set.epochs, &set.positions, &asked);
            let channels = set.epochs.shape[1];
            let what = format!("{name} {archive}");
            assert_eq!(fit.fitted.consensus, set.array(archive, "consensus").values[0], "{what}");
            let rho = set.array(archive, "n_interpolate").values[0] as i64;
            assert_eq!(fit.fitted.n_interpolate, rho, "{what}");
            let want = set.array(archive, "loss").values;
            for (g, w) in fit.fitted.loss.iter().zip(&want) {
                assert!(g == w || (g - w).abs() <= 1e-9 * w, "{what}: {g} instead of {w}");
            }
            let mut labels = votes::votes(&fit.ptp, &thresholds);
            let counts = votes::bad_counts(&labels, channels);
            votes::step(&mut labels, &fit.ptp, channels, rho);
            let got: Vec<i64> = labels.iter().map(|&l| i64::from(l)).collect();
            assert_eq!(got, whole(&set.array(archive, "labels")), "{what}");
            let stored = fixture(&format!("autoreject/{name}/{archive}.npz"));
            let bad = votes::bad_epochs(&counts, fit.fitted.consensus, channels);
            assert_eq!(bad, truths(&stored, "bad_epochs"), "{what}");
        }
    }
}

/// A dataset of truth values.
fn truths(path: &std::path::Path, name: &str) -> Vec<bool> {
    let file = nissl::io::open(path).unwrap();
    let dataset = file.dataset(name).unwrap();
    let count = dataset.info().shape.clone();
    let mut bytes = vec![0; count.iter().product::<u64>() as usize];
    let block = nissl::io::Block { start: vec![0; count.len()], count };
    dataset.read_block(&block, &mut bytes).unwrap();
    bytes.into_iter().map(|b| b != 0).collect()
}

#[test]
fn global_thresholds_with_and_without_decimation() {
    for (name, ..) in SETS {
        let set = Set::new(name);
        let tools = (CpuLevel::detect(), &Recorder::new());
        let wanted = (5, ThresholdSearch::Bayesian);
        let epochs = Epochs::new(&set.epochs, usize::MAX).unwrap();
        let found = global(tools, &epochs, wanted).unwrap();
        assert_eq!(found.found.threshold, set.array("global", "reject_eeg").values[0], "{name}");
        let thin = Decimated::new(&set.epochs, 2, 0.0, 250.0);
        let epochs = Epochs::new(&thin, usize::MAX).unwrap();
        let decimated = global(tools, &epochs, wanted).unwrap();
        assert_eq!(decimated.found.threshold, set.array("global", "reject_eeg_decim2").values[0], "{name}");
        let exact =
            global(tools, &Epochs::new(&set.epochs, usize::MAX).unwrap(), (5, ThresholdSearch::Exact));
        let stored = set.array("global", "exhaustive").values;
        let exact = exact.unwrap().found;
        assert_eq!(exact.threshold, stored[0], "{name}");
        assert!((exact.loss - stored[1]).abs() <= 1e-12 * stored[1], "{name}");
        // The curve's losses are the table's at the candidate at or below each threshold.
        let mean = |folds: &[f64]| folds.iter().sum::<f64>() / folds.len() as f64;
        for (threshold, folds) in found.curve.thresholds.iter().zip(&found.curve.test) {
            let at = found.candidates.partition_point(|c| c <= threshold);
            let want = if at == 0 { f64::INFINITY } else { found.loss[at - 1] };
            let got = mean(folds);
            assert!(got == want || (got - want).abs() <= 1e-12 * want, "{name}: {got} {want}");
        }
        assert_eq!(found.curve.thresholds.len(), 15);
        assert!(found.curve.train.iter().all(|folds| folds.len() == 5));
    }
}

/// The set of the peer's GPU branch.
fn branch() -> (Held, Vec<[f64; 3]>) {
    let epochs = read(&fixture("autoreject/retrocompat/epochs.npy"), "");
    let positions = read(&fixture("autoreject/retrocompat/ch_pos.npy"), "");
    let positions = positions.values.chunks_exact(3).map(|p| p.try_into().unwrap()).collect();
    (Held { values: epochs.values, shape: epochs.shape.try_into().unwrap() }, positions)
}

fn stored(archive: &str, name: &str) -> Array {
    read(&fixture(&format!("autoreject/retrocompat/{archive}.npz")), name)
}

#[test]
fn the_branchs_thresholds_votes_and_repairs() {
    let (held, positions) = branch();
    let [_, channels, samples] = held.shape;
    let plain = |search| Asked { augment: false, search, ..asked(3, 42) };
    let bayesian = fitted(&held, &positions, &plain(ThresholdSearch::Bayesian));
    let random = fitted(&held, &positions, &plain(ThresholdSearch::Random));
    for (fit, key) in [(&bayesian, "bayes_values"), (&random, "random_values")] {
        let want = stored("compute_thresholds_v1", key).values;
        assert_eq!(want.len(), channels);
        for (got, want) in fit.fitted.thresholds.iter().zip(&want) {
            assert!((got - want).abs() <= 1e-9 * want, "{key}: {got} instead of {want}");
        }
    }
    let labels = votes::votes(&bayesian.ptp, &bayesian.fitted.thresholds);
    let got: Vec<i64> = labels.iter().map(|&l| i64::from(l)).collect();
    assert_eq!(got, whole(&stored("vote_bad_epochs_v1", "labels")));
    let counts: Vec<i64> = votes::bad_counts(&labels, channels).iter().map(|&n| n as i64).collect();
    assert_eq!(counts, whole(&stored("vote_bad_epochs_v1", "bad_sensor_counts")));
    let mut repaired = labels.clone();
    votes::step(&mut repaired, &bayesian.ptp, channels, 4);
    let got: Vec<i64> = repaired.iter().map(|&l| i64::from(l)).collect();
    assert_eq!(got, whole(&stored("interpolate_epochs_v1", "labels_interp")));
    let means = Means::Spline(Spline::new(&positions).unwrap());
    let repairs = Repairs::new(&means, &repaired, channels);
    let want = stored("interpolate_epochs_v1", "data_sample");
    assert_eq!(want.shape, [5, 10, samples]);
    let mut got = Vec::new();
    for epoch in 0..5 {
        let row = |channel: usize| &held.values[(epoch * channels + channel) * samples..][..samples];
        let values = &held.values[epoch * channels * samples..][..channels * samples];
        let predicted = repairs.of(epoch).map(|repair| {
            let mut scratch = Scratch::default();
            (repair, repair.predict(CpuLevel::detect(), (values, samples), 0..samples, &mut scratch))
        });
        for channel in 0..10 {
            let bad = predicted.as_ref().and_then(|(r, p)| {
                r.bad.iter().position(|&b| b == channel).map(|at| &p[at * samples..][..samples])
            });
            got.extend_from_slice(bad.unwrap_or(row(channel)));
        }
    }
    assert!(relative(&got, &want.values) < 1e-9);
}

#[test]
fn the_branchs_ransac() {
    let (held, positions) = branch();
    let [n, channels, _] = held.shape;
    let spline = Spline::new(&positions).unwrap();
    let all: Vec<usize> = (0..channels).collect();
    let resampling = Resampling { resamples: 25, share: 0.25, seed: 42 };
    let subsets: Vec<Subset> = ransac_subsets(&all, channels, &resampling)
        .unwrap()
        .into_iter()
        .map(|drawn| {
            let weights = spline.mapping(&drawn, &all);
            Subset { predictor: Predictor::new(&weights, channels, drawn.len()), channels: drawn }
        })
        .collect();
    let mut corr = vec![0.0; n * channels];
    let epochs = Epochs::new(&held, usize::MAX).unwrap();
    epochs
        .by_epochs(|slab| {
            correlations(CpuLevel::detect(), &subsets, slab, &Recorder::new(), &mut corr);
            Ok(())
        })
        .unwrap();
    assert!(relative(&corr, &stored("ransac_v1", "corr_").values) < 1e-9);
    let verdict = verdict(&corr, channels, &Limits { min_corr: 0.75, unbroken_time: 0.4 });
    let log: Vec<i64> = verdict.bad_log.iter().map(|&l| i64::from(l)).collect();
    assert_eq!(log, whole(&stored("ransac_v1", "bad_log")));
    let archive = nissl::io::open(&fixture("autoreject/retrocompat/ransac_v1.npz")).unwrap();
    let want = archive.dataset("bad_chs_").unwrap().read_text().unwrap();
    let got: Vec<Vec<u8>> = verdict.bad.iter().map(|c| format!("EEG{:03}", c + 1).into_bytes()).collect();
    assert_eq!(got, want);
}

#[test]
fn the_branchs_loss_grid() {
    let (held, positions) = branch();
    // That branch searched these thresholds with augmentation.
    let given = stored("local_reject_cv_v1", "threshes_values").values;
    let with = fitted(&held, &positions, &asked(3, 42));
    for (got, want) in with.fitted.thresholds.iter().zip(&given) {
        assert!((got - want).abs() <= 1e-9 * want, "{got} instead of {want}");
    }
    let asked = Asked {
        consensus: vec![0.2, 0.5, 0.8],
        n_interpolate: vec![1, 4],
        thresholds: Some(&with.fitted.thresholds),
        ..asked(3, 42)
    };
    let fit = fitted(&held, &positions, &asked);
    let want = stored("local_reject_cv_v1", "loss").values;
    assert_eq!(want.len(), fit.fitted.loss.len());
    for (g, w) in fit.fitted.loss.iter().zip(&want) {
        assert!(g == w || (g - w).abs() <= 1e-9 * w, "{g} instead of {w}");
    }
}

#[test]
fn what_a_checkpoint_knows_is_not_searched_again_and_gives_the_same_fit() {
    let set = Set::new("tiny");
    let asked = asked(5, 42);
    let fresh = fitted(&set.epochs, &set.positions, &asked);
    let known = Known { found: fresh.found.clone(), loss: Some(fresh.fitted.loss.clone()) };
    for known in [Known { loss: None, ..known.clone() }, known] {
        let again = fitted_from(&set.epochs, &set.positions, &asked, Some(known));
        assert_eq!(again.fitted, fresh.fitted);
        assert_eq!(again.ptp, fresh.ptp);
    }
}

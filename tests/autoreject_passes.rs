//! The passes of `autoreject` over whole recordings against the peer's stored numbers: augmented
//! peak-to-peak, the loss of every candidate, loss grid given the thresholds, repaired rows,
//! global threshold curve, RANSAC correlations (fixtures/autoreject/REFERENCE.md).

mod autoreject_common;
mod common;

use autoreject_common::{SETS, Set, relative};
use common::Array;
use nissl::backend::CpuLevel;
use nissl::commands::autoreject::epochs::Epochs;
use nissl::commands::autoreject::passes_grid::Grid;
use nissl::commands::autoreject::passes_measure::measured_and_predicted;
use nissl::commands::autoreject::passes_ransac::{Subset, correlations};
use nissl::commands::autoreject::passes_sweep::{FoldRows, Sweep};
use nissl::commands::autoreject::repairs::{Means, Repairs, Scratch};
use nissl::commands::autoreject::test_medians::TestMedians;
use nissl::kernels::epochs::Predictor;
use nissl::kernels::spline::Spline;
use nissl::kernels::splits;
use nissl::report::Recorder;

fn folds_of(set: &Set, seed: u32, augment: bool) -> Vec<FoldRows> {
    let n = set.epochs.shape[0];
    let counts = if augment { vec![n; 2] } else { vec![n] };
    let rows = |rows: &[usize]| rows.iter().map(|&r| r as u32).collect();
    let splits = splits::stratified(&counts, 10, seed).unwrap();
    splits.iter().map(|s| FoldRows { train: rows(&s.train), test: rows(&s.test) }).collect()
}

/// Peak-to-peak of measured and predicted epochs.
fn amplitudes(set: &Set, level: CpuLevel, room: usize) -> (Predictor, Vec<f64>) {
    let [n, c, _] = set.epochs.shape;
    let weights = Spline::new(&set.positions).unwrap().leave_one_out();
    let predictor = Predictor::new(&weights, c, c);
    let recorder = Recorder::new();
    let mut ptp = vec![0.0; 2 * n * c];
    let (own, others) = ptp.split_at_mut(n * c);
    let epochs = Epochs::new(&set.epochs, room).unwrap();
    epochs
        .by_epochs(|slab| {
            let range = slab.first_epoch * c..(slab.first_epoch + slab.epochs) * c;
            let out = (&mut own[range.clone()], &mut others[range]);
            measured_and_predicted(level, &predictor, slab, &recorder, out);
            Ok(())
        })
        .unwrap();
    (predictor, ptp)
}

/// Loss of every candidate of every channel, `[candidate][channel]`.
fn losses(set: &Set, seed: u32, level: CpuLevel, room: usize) -> Vec<f64> {
    let [n, c, _] = set.epochs.shape;
    let (predictor, ptp) = amplitudes(set, level, room);
    let recorder = Recorder::new();
    let folds = folds_of(set, seed, true);
    let mut sweep = Sweep::new((level, &recorder), Some(&predictor), set.epochs.shape, &ptp, &folds).unwrap();
    Epochs::new(&set.epochs, room).unwrap().by_times(|slab| sweep.add(slab)).unwrap();
    let sums = sweep.into_losses();
    let mut all = vec![0.0; 2 * n * c];
    for channel in 0..c {
        let column: Vec<f64> = ptp.iter().skip(channel).step_by(c).copied().collect();
        let (_, loss) = sums.candidates(channel, &column, true);
        loss.iter().enumerate().for_each(|(i, l)| all[i * c + channel] = *l);
    }
    all
}

#[test]
fn rung_3_augmented_amplitudes() {
    for (name, ..) in SETS {
        let set = Set::new(name);
        let want = set.array("thresholds", "ptp").values;
        for level in CpuLevel::available() {
            let (_, ptp) = amplitudes(&set, level, usize::MAX);
            let n = want.len() / 2;
            assert_eq!(ptp[..n], want[..n], "{name} {level:?}: measured amplitudes are equal bits");
            assert!(relative(&ptp, &want) < 1e-10, "{name} {level:?}");
        }
    }
}

#[test]
fn rung_4_the_loss_of_every_candidate_and_its_minimum() {
    for (name, seed, _) in SETS {
        let set = Set::new(name);
        let c = set.epochs.shape[1];
        let want = set.array("thresholds", &format!("loss_seed{seed}"));
        let index = set.array("thresholds", &format!("exhaustive_index_seed{seed}"));
        for level in CpuLevel::available() {
            let got = losses(&set, seed, level, usize::MAX);
            for (g, w) in got.iter().zip(&want.values) {
                assert!((g - w).abs() <= 1e-9 * w, "{name} {level:?}: {g} instead of {w}");
            }
            for channel in 0..c {
                let column = got.iter().skip(channel).step_by(c);
                let first = column
                    .enumerate()
                    .fold((0, f64::INFINITY), |best, (i, &l)| if l < best.1 { (i, l) } else { best });
                assert_eq!(first.0 as f64, index.values[channel], "{name} {level:?} channel {channel}");
            }
        }
    }
}

#[test]
fn memory_and_threads_leave_every_bit_of_the_losses() {
    let set = Set::new("synth32");
    let whole = losses(&set, 42, CpuLevel::detect(), usize::MAX);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let pieces = pool.install(|| losses(&set, 42, CpuLevel::detect(), 1));
        assert!(whole == pieces, "{threads} threads");
    }
}

fn labels(array: &Array) -> Vec<u8> {
    array.values.iter().map(|&label| label as u8).collect()
}

/// Medians of the test epochs of `cv` folds, as the search of thresholds takes them by the way.
fn tests_by_the_way(set: &Set, cv: usize, level: CpuLevel, room: usize) -> TestMedians {
    let n = set.epochs.shape[0];
    let (predictor, ptp) = amplitudes(set, level, room);
    let (recorder, folds) = (Recorder::new(), folds_of(set, 42, true));
    let sweep = Sweep::new((level, &recorder), Some(&predictor), set.epochs.shape, &ptp, &folds).unwrap();
    let mut sweep = sweep.with_tests(&splits::folds(n, cv).unwrap());
    Epochs::new(&set.epochs, room).unwrap().by_times(|slab| sweep.add(slab)).unwrap();
    sweep.take_tests().unwrap()
}

/// The loss grid from stored votes and labels.
fn grid(
    set: &Set,
    (archive, cv): (&str, usize),
    level: CpuLevel,
    room: usize,
    tests: Option<&TestMedians>,
) -> Vec<f64> {
    let [n, c, samples] = set.epochs.shape;
    let consensus = set.array(archive, "consensus_grid").values;
    let n_interpolate: Vec<i64> =
        set.array(archive, "n_interpolate_grid").values.iter().map(|&v| v as i64).collect();
    let bad_counts: Vec<usize> =
        set.array(archive, "bad_sensor_counts").values.iter().map(|&v| v as usize).collect();
    let means = Means::Spline(Spline::new(&set.positions).unwrap());
    let repairs: Vec<Repairs> = (0..n_interpolate.len())
        .map(|j| Repairs::new(&means, &labels(&set.array(archive, &format!("labels_cv_{j}"))), c))
        .collect();
    let folds = splits::folds(n, cv).unwrap();
    let recorder = Recorder::new();
    let grid = Grid {
        level,
        recorder: &recorder,
        folds: &folds,
        consensus: &consensus,
        n_interpolate: &n_interpolate,
        bad_counts: &bad_counts,
        repairs: &repairs,
        channels: c,
        samples,
        tests,
    };
    let mut squares = vec![0.0; grid.entries()];
    let epochs = Epochs::new(&set.epochs, room).unwrap();
    epochs
        .by_times(|slab| {
            grid.add(slab, &mut squares);
            Ok(())
        })
        .unwrap();
    grid.losses(&squares)
}

#[test]
fn rung_7_the_loss_grid_given_the_labels() {
    for (name, _, cv) in SETS {
        let set = Set::new(name);
        let archives: &[&str] = if name == "synth32" { &["fit_grid", "fit_default"] } else { &["fit_grid"] };
        for archive in archives {
            let want = set.array(archive, "loss").values;
            let mut bits = None;
            for level in CpuLevel::available() {
                for room in [usize::MAX, 1] {
                    let got = grid(&set, (archive, cv), level, room, None);
                    for (g, w) in got.iter().zip(&want) {
                        assert!(g == w || (g - w).abs() <= 1e-9 * w, "{name} {level:?}: {g} instead of {w}");
                    }
                    if level == CpuLevel::detect() {
                        assert!(*bits.get_or_insert(got.clone()) == got, "{name}: memory shows in the bits");
                        let tests = tests_by_the_way(&set, cv, level, room);
                        let by_the_way = grid(&set, (archive, cv), level, room, Some(&tests));
                        assert!(by_the_way == got, "{name}: medians of the sweep are those of the grid");
                    }
                }
            }
        }
    }
}

#[test]
fn rung_8_repaired_rows() {
    for (name, ..) in SETS {
        let set = Set::new(name);
        let [_, c, t] = set.epochs.shape;
        let stored = set.array("fit_grid", "labels");
        let means = Means::Spline(Spline::new(&set.positions).unwrap());
        let repairs = Repairs::new(&means, &labels(&stored), c);
        let at = set.array("fit_grid", "repaired_at").values;
        let want = set.array("fit_grid", "repaired_rows").values;
        let sums = set.array("fit_grid", "repaired_row_sumsq").values;
        let mut scratch = Scratch::default();
        let mut rows = Vec::new();
        for place in at.chunks_exact(2) {
            let (epoch, channel) = (place[0] as usize, place[1] as usize);
            let repair = repairs.of(epoch).expect("the epoch has repairs");
            let values = &set.epochs.values[epoch * c * t..][..c * t];
            let predicted = repair.predict(CpuLevel::detect(), (values, t), 0..t, &mut scratch);
            let bad = repair.bad.iter().position(|&b| b == channel).expect("the channel is repaired");
            rows.extend_from_slice(&predicted[bad * t..][..t]);
        }
        assert!(relative(&rows[..want.len()], &want) < 1e-9, "{name}");
        for (row, want) in rows.chunks_exact(t).zip(&sums) {
            let sum: f64 = row.iter().map(|v| v * v).sum();
            assert!((sum - want).abs() <= 1e-8 * want, "{name}: {sum} instead of {want}");
        }
    }
}

#[test]
fn the_global_loss_curve() {
    for (name, ..) in SETS {
        let set = Set::new(name);
        let [n, c, _] = set.epochs.shape;
        let recorder = Recorder::new();
        let folds: Vec<FoldRows> = splits::folds(n, 5)
            .unwrap()
            .into_iter()
            .map(|test| FoldRows {
                train: (0..n as u32).filter(|e| !test.contains(&(*e as usize))).collect(),
                test: test.map(|e| e as u32).collect(),
            })
            .collect();
        let want = set.array("global", "loss").values;
        for level in CpuLevel::available() {
            let (_, ptp) = amplitudes(&set, level, usize::MAX);
            let maxima: Vec<f64> = ptp[..n * c]
                .chunks_exact(c)
                .map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max))
                .collect();
            let mut sweep = Sweep::new((level, &recorder), None, set.epochs.shape, &maxima, &folds).unwrap();
            Epochs::new(&set.epochs, usize::MAX).unwrap().by_times(|slab| sweep.add(slab)).unwrap();
            let (candidates, got) = sweep.into_losses().candidates_of_all(&maxima);
            assert_eq!(candidates, set.array("global", "candidates").values, "{name}");
            for (g, w) in got.iter().zip(&want) {
                assert!(g == w || (g - w).abs() <= 1e-12 * w, "{name} {level:?}: {g} instead of {w}");
            }
        }
    }
}

#[test]
fn rung_9_ransac_correlations() {
    for (name, seed, _) in SETS {
        let set = Set::new(name);
        let [n, c, _] = set.epochs.shape;
        let spline = Spline::new(&set.positions).unwrap();
        let all: Vec<usize> = (0..c).collect();
        for seed in [435_656, seed] {
            let drawn = set.array("ransac", &format!("subsets_seed{seed}"));
            let subsets: Vec<Subset> = drawn
                .values
                .chunks_exact(drawn.shape[1])
                .map(|channels| {
                    let channels: Vec<usize> = channels.iter().map(|&v| v as usize).collect();
                    let weights = spline.mapping(&channels, &all);
                    Subset { predictor: Predictor::new(&weights, c, channels.len()), channels }
                })
                .collect();
            let want = set.array("ransac", &format!("corr_seed{seed}")).values;
            for level in CpuLevel::available() {
                let mut got = vec![0.0; n * c];
                let epochs = Epochs::new(&set.epochs, usize::MAX).unwrap();
                epochs
                    .by_epochs(|slab| {
                        correlations(level, &subsets, slab, &Recorder::new(), &mut got);
                        Ok(())
                    })
                    .unwrap();
                assert!(relative(&got, &want) < 1e-9, "{name} {level:?} {seed}");
            }
        }
    }
}

//! The tick-by-tick estimator against the peer's arrays (spec decode 8.2, 8.3), all of them, at
//! every instruction set: `fixtures/decode/{realtime,realtime_classifier}`.

mod common;

use common::{fixture, read};
use nissl::backend::CpuLevel;
use nissl::kernels::realtime::{
    Dedup, Estimator, Evidence, Mark, MarkKernel, Movement, Parameters, SpikeOutcome, Summary, Track,
    WalkScale,
};

/// One folder of the peer's arrays.
struct Set(&'static str);

impl Set {
    fn array(&self, name: &str) -> Vec<f64> {
        read(&fixture(&format!("decode/{}/{name}.npy", self.0)), "").values
    }

    fn integers(&self, name: &str) -> Vec<i64> {
        self.array(name).into_iter().map(|value| value as i64).collect()
    }

    /// Both folders' config.json says this, besides the algorithm and the number of electrodes.
    fn parameters(&self) -> Parameters {
        use Movement::{Identity, Uniform, Walk};
        let classifier = self.0 == "realtime_classifier";
        let movements = match classifier {
            true => vec![vec![Identity, Walk, Uniform], vec![Identity, Walk, Uniform], vec![Uniform; 3]],
            false => vec![vec![Uniform]],
        };
        Parameters {
            track: Track::new((0.0, 41.0, 41), &[[0, 8], [13, 24], [29, 40]]),
            electrodes: if classifier { 3 } else { 4 },
            width: 4,
            capacity: 500,
            kernel: MarkKernel { std: 20.0, reach: 20.0, demanded: 10 },
            amplitude: 100.0,
            channel_distance: Some(2),
            dead_channels: Vec::new(),
            velocity_threshold: 10.0,
            frozen: false,
            spike_buffer: 2000,
            bin_samples: 180,
            bin_seconds: 180.0 / 30_000.0,
            delay_samples: 180,
            credible_level: 0.5,
            credible_max: 5,
            dedup: Dedup::Peer,
            diagonal: 0.98,
            movements,
            walk: WalkScale { per_bin: 5.0, std: 6.0 },
        }
    }
}

/// What a run left, in the peer's shapes.
#[derive(Default, PartialEq, Debug)]
struct Run {
    nearby: Vec<i64>,
    estimates: Vec<Vec<f64>>,
    spike_credible: Vec<i64>,
    summaries: Vec<Summary>,
    likelihoods: Vec<Vec<f64>>,
    posteriors: Vec<Vec<f64>>,
    places: Vec<Vec<f64>>,
    duplicates: u64,
    occupancy: Vec<f64>,
}

/// Replays a set; at equal times position, spike, tick.
fn replay<E: Mark>(set: &Set, level: CpuLevel) -> Run {
    let mut estimator = Estimator::<E>::new(level, set.parameters());
    let (positions, spikes, ticks) = (
        set.integers("in_pos_timestamp"),
        set.integers("in_spike_timestamp"),
        set.integers("in_tick_timestamp"),
    );
    let (bins, speeds) = (set.array("in_pos_bin"), set.array("in_velocity"));
    let (marks, electrodes) = (set.array("in_spike_mark"), set.integers("in_spike_trode"));
    let marks: Vec<E> = marks.into_iter().map(E::of).collect();
    let mut events: Vec<(i64, u8, usize)> = positions.iter().enumerate().map(|(i, &at)| (at, 0, i)).collect();
    events.extend(spikes.iter().enumerate().map(|(i, &at)| (at, 1, i)));
    events.extend(ticks.iter().enumerate().map(|(i, &at)| (at, 2, i)));
    events.sort();
    let mut run = Run::default();
    for (at, kind, index) in events {
        match kind {
            0 => assert!(estimator.position(bins[index], speeds[index])),
            1 => spike(
                &mut estimator,
                (at, electrodes[index] as usize - 1),
                &marks[index * 4..index * 4 + 4],
                &mut run,
            ),
            _ => {
                let summary = estimator.tick(at);
                assert_eq!(summary.evidence, Evidence::Told);
                run.duplicates += summary.duplicates;
                run.summaries.push(summary);
                run.likelihoods.push(estimator.decoder().likelihood().to_vec());
                run.posteriors.push(estimator.decoder().posterior().to_vec());
                run.places.push(estimator.decoder().places().to_vec());
            }
        }
    }
    run.occupancy = estimator.occupancy().counts().to_vec();
    assert_eq!(estimator.dropped(), 0);
    run
}

fn spike<E: Mark>(estimator: &mut Estimator<E>, (at, electrode): (i64, usize), mark: &[E], run: &mut Run) {
    // All of them, where the estimate itself stops counting when there are enough.
    let nearby = estimator.encoder(electrode).unwrap().nearby(mark, 0, usize::MAX) as i64;
    let outcome = estimator.spike(at, electrode, mark);
    if outcome == SpikeOutcome::Estimated {
        run.nearby.push(nearby);
        run.estimates.push(estimator.estimate().to_vec());
        run.spike_credible.push(i64::from(estimator.credible()));
    } else {
        assert!(matches!(outcome, SpikeOutcome::WithoutMarks | SpikeOutcome::BelowAmplitude), "{outcome:?}");
        run.nearby.push(-1);
        run.estimates.push(vec![f64::NAN; 41]);
        run.spike_credible.push(-1);
    }
}

fn assert_near(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64], allowed: f64) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let mut worst = 0.0f64;
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.is_nan(), expected.is_nan(), "{what} {at}: {found} {expected}");
        if !found.is_nan() {
            worst = worst.max((found - expected).abs());
        }
    }
    println!("{what}: {worst:e} of {allowed:e}");
    assert!(worst <= allowed, "{what}: {worst:e} above {allowed:e}");
}

/// Ticks where the credible count differs: by one, and only where a tie stands at the level.
fn assert_credible(what: &str, found: &[i64], expected: &[i64], rows: &[Vec<f64>]) {
    assert_eq!(found.len(), expected.len());
    for (at, ((found, expected), row)) in found.iter().zip(expected).zip(rows).enumerate() {
        if found == expected {
            continue;
        }
        let mut sorted = row.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let fewer = *found.min(expected) as usize;
        let sum: f64 = sorted[..fewer].iter().sum();
        assert_eq!((found - expected).abs(), 1, "{what} {at}: {found} {expected}");
        assert!((sum - 0.5).abs() < 1e-12, "{what} {at}: {found} {expected}, no tie: {sum}");
    }
}

/// First bin of the maximum, where the two greatest are apart.
fn greatest_apart(row: &[f64]) -> Option<usize> {
    let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]))?;
    let second = row.iter().enumerate().filter(|(bin, _)| *bin != best).map(|(_, v)| *v).fold(0.0, f64::max);
    (row[best] - second > 1e-9 * row[best]).then_some(best)
}

fn check_spikes(set: &Set, run: &Run) {
    assert_eq!(run.nearby, set.integers("spike_nearby"));
    assert_eq!(run.spike_credible, set.integers("spike_cred_int"));
    let stored = set.array("spike_hist");
    let rows = stored.len() / 41;
    assert_near("spike_hist", run.estimates[..rows].concat(), &stored, 1e-6);
}

fn check_ticks(set: &Set, run: &Run) {
    let of = |pick: fn(&Summary) -> i64| run.summaries.iter().map(pick).collect::<Vec<_>>();
    assert_eq!(of(|s| s.spikes as i64), set.integers("tick_spike_count"));
    assert_eq!(of(|s| s.lower), set.integers("tick_bin_timestamp_l"));
    assert!(run.summaries.iter().all(|s| s.upper == s.lower + 180));
    let (found, expected) = (of(|s| i64::from(s.credible_likelihood)), set.integers("tick_cred_int_lk"));
    assert_credible("tick_cred_int_lk", &found, &expected, &run.likelihoods);
    let (found, expected) = (of(|s| i64::from(s.credible_posterior)), set.integers("tick_cred_int_post"));
    assert_credible("tick_cred_int_post", &found, &expected, &run.places);
    let mut apart = 0;
    for (row, expected) in run.places.iter().zip(set.integers("tick_argmax")) {
        if let Some(bin) = greatest_apart(row) {
            assert_eq!(bin as i64, expected);
            apart += 1;
        }
    }
    assert!(apart * 10 > run.places.len() * 8, "{apart} of {} ticks can be compared", run.places.len());
    let full = |rows: &[Vec<f64>]| -> Vec<f64> {
        set.integers("tick_full_index").iter().flat_map(|&tick| rows[tick as usize].clone()).collect()
    };
    assert_near("tick_likelihood", full(&run.likelihoods), &set.array("tick_likelihood"), 1e-12);
    assert_near("tick_posterior", full(&run.posteriors), &set.array("tick_posterior"), 1e-12);
    let sums = run.posteriors.iter().flatten().copied().collect::<Vec<_>>();
    let sums = sums.chunks_exact(41).map(|state| state.iter().sum());
    assert_near("tick_state_probability", sums, &set.array("tick_state_probability"), 1e-12);
    assert_eq!(run.duplicates as i64, set.integers("final_duplicates")[0]);
    assert_near("final_occupancy", run.occupancy.clone(), &set.array("final_occupancy"), 0.0);
}

fn check(set: &Set) {
    for level in CpuLevel::available() {
        println!("{} {level:?}", set.0);
        let run = replay::<f64>(set, level);
        check_spikes(set, &run);
        check_ticks(set, &run);
    }
}

#[test]
fn the_decoder_is_the_peers() {
    check(&Set("realtime"));
}

#[test]
fn the_classifier_is_the_peers() {
    check(&Set("realtime_classifier"));
}

#[test]
fn transitions_are_the_peers() {
    for (set, movement) in
        [(Set("realtime"), Movement::Uniform), (Set("realtime_classifier"), Movement::Walk)]
    {
        let estimator = Estimator::<f32>::new(CpuLevel::detect(), set.parameters());
        let matrix = estimator.decoder().movements().matrix(movement);
        assert_near("transition", matrix, &set.array("transition"), 1e-12);
    }
}

/// Events bring marks as f32: kept as f32 they give the bits that the same numbers give as f64, so
/// that what holds above for f64 holds for what a stream runs.
#[test]
fn marks_kept_in_single_precision_lose_nothing() {
    struct Rounded(f64);
    let set = Set("realtime_classifier");
    let marks = set.array("in_spike_mark").into_iter().map(|m| Rounded(f64::from(m as f32)));
    let electrodes = set.integers("in_spike_trode");
    let wide: Vec<f64> = marks.map(|m| m.0).collect();
    for level in CpuLevel::available() {
        let mut single = Estimator::<f32>::new(level, set.parameters());
        let mut double = Estimator::<f64>::new(level, set.parameters());
        assert!(single.position(3.0, 20.0) && double.position(3.0, 20.0));
        let mut estimated = 0;
        for (index, (mark, electrode)) in wide.chunks_exact(4).zip(&electrodes).enumerate() {
            let narrow: Vec<f32> = mark.iter().map(|&m| m as f32).collect();
            let (at, electrode) = (index as i64, *electrode as usize - 1);
            let bin = (index / 40 % 8) as f64;
            assert!(single.position(bin, 20.0) && double.position(bin, 20.0));
            let near = single.encoder(electrode).unwrap().nearby(&narrow, 0, usize::MAX);
            assert_eq!(near, double.encoder(electrode).unwrap().nearby(mark, 5, usize::MAX));
            let outcome = single.spike(at, electrode, &narrow);
            assert_eq!(outcome, double.spike(at, electrode, mark));
            if outcome == SpikeOutcome::Estimated {
                estimated += 1;
                assert_eq!(single.estimate(), double.estimate(), "{level:?} {index}");
            }
        }
        assert!(estimated > 500, "{estimated}");
    }
}

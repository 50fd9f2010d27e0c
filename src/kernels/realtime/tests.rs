//! The estimator against the definition, over levels, and on what should not come.

use super::definition::{estimate, nearby};
use super::*;
use crate::backend::CpuLevel;

struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn mark(&mut self, width: usize) -> Vec<f32> {
        (0..width).map(|_| (60.0 + 120.0 * self.uniform()) as f32).collect()
    }
}

fn parameters() -> Parameters {
    Parameters {
        track: Track::new((0.0, 6.0, 6), &[[0, 2], [4, 5]]),
        electrodes: 2,
        width: 3,
        capacity: 40,
        kernel: MarkKernel { std: 20.0, reach: 20.0, demanded: 1 },
        amplitude: 100.0,
        channel_distance: None,
        dead_channels: Vec::new(),
        velocity_threshold: 10.0,
        frozen: false,
        spike_buffer: 8,
        bin_samples: 180,
        bin_seconds: 0.006,
        delay_samples: 0,
        credible_level: 0.5,
        credible_max: 5,
        dedup: Dedup::Electrode,
        diagonal: 0.98,
        movements: vec![vec![Movement::Uniform]],
        walk: WalkScale { per_bin: 5.0, std: 6.0 },
    }
}

fn kept(store: &Store<f32>) -> Vec<(Vec<f64>, usize)> {
    let wide = |mark: Vec<f32>| mark.into_iter().map(f64::from).collect();
    store.slots().into_iter().map(|(mark, bin)| (wide(mark), bin)).collect()
}

#[test]
fn encoders_agree_with_the_definition_at_every_level() {
    for level in CpuLevel::available() {
        for (width, capacity, bins) in [(1, 7, 1), (3, 200, 5), (4, 1000, 41), (12, 130, 7)] {
            let mut chance = Chance(width as u64);
            let demanded = if width > 4 { 0 } else { 2 };
            let kernel = MarkKernel { std: 20.0, reach: 31.0, demanded };
            let mut encoder = Encoder::<f32>::new(level, (capacity, width, bins), kernel);
            let mut shares: Vec<f64> = (0..bins).map(|bin| (bin % 4) as f64 / 10.0).collect();
            shares[bins / 2] = f64::NAN;
            if bins == 1 {
                shares[0] = 1.0;
            }
            let mut out = vec![0.0; bins];
            let mut told = 0;
            for event in 0..2 * capacity {
                let mark = chance.mark(width);
                let wide: Vec<f64> = mark.iter().map(|&m| f64::from(m)).collect();
                let all = kept(encoder.store());
                let near = nearby(&all, &wide, 31.0);
                assert_eq!(encoder.nearby(&mark, event % bins, usize::MAX), near);
                let expected = estimate(&all, &wide, 20.0, (&shares, 0.5))
                    .filter(|_| near >= demanded && !all.is_empty());
                let found = encoder.estimate(&mark, event % bins, (&shares, 0.5), &mut out);
                assert_eq!(found, expected.is_some(), "{level:?} {width} {event}");
                for (found, expected) in out.iter().zip(expected.iter().flatten()) {
                    assert!((found - expected).abs() <= 1e-13 * expected, "{found} {expected}");
                    told += 1;
                }
                encoder.learn(&mark, (chance.uniform() * bins as f64) as usize);
            }
            assert!(told > capacity / 2, "{told} values compared");
        }
    }
}

/// The cube is open: a mark exactly at its face is outside, the next number inside.
#[test]
fn the_cube_is_open_to_the_last_bit() {
    for level in CpuLevel::available() {
        let kernel = MarkKernel { std: 20.0, reach: 0.1, demanded: 1 };
        let mut encoder = Encoder::<f32>::new(level, (9, 1, 1), kernel);
        // 100 and 0.1 make bounds that no single number hits: both neighbours are tried.
        for value in [100.1f64 as f32, 99.9f64 as f32] {
            encoder.learn(&[value.next_down()], 0);
            encoder.learn(&[value], 0);
            encoder.learn(&[value.next_up()], 0);
        }
        let wide = kept(encoder.store());
        let expected = nearby(&wide, &[100.0], 0.1);
        assert_eq!(encoder.nearby(&[100.0], 0, usize::MAX), expected);
        assert!((1..6).contains(&expected));
        let mut whole = Encoder::<f64>::new(level, (9, 1, 1), MarkKernel { reach: 20.0, ..kernel });
        for value in [80.0, 80.0f64.next_up(), 120.0, 120.0f64.next_down()] {
            whole.learn(&[value], 0);
        }
        assert_eq!(whole.nearby(&[100.0], 0, usize::MAX), 2);
    }
}

/// Counting may stop early; whether there are enough must not depend on it.
#[test]
fn the_gate_is_the_same_wherever_counting_begins() {
    let kernel = MarkKernel { std: 20.0, reach: 20.0, demanded: 10 };
    let mut encoder = Encoder::<f32>::new(CpuLevel::detect(), (5000, 2, 9), kernel);
    let mut chance = Chance(5);
    for _ in 0..5000 {
        let bin = (chance.uniform() * 9.0) as usize;
        encoder.learn(&chance.mark(2), bin);
    }
    for _ in 0..200 {
        let mark: Vec<f32> = chance.mark(2).iter().map(|m| m * 2.0 - 110.0).collect();
        let all = encoder.nearby(&mark, 0, usize::MAX);
        for first in 0..9 {
            let some = encoder.nearby(&mark, first, 10);
            assert!(some <= all && (some >= 10) == (all >= 10), "{some} of {all}");
        }
    }
}

#[test]
fn hostile_spikes_and_positions_are_told_apart_and_change_nothing() {
    let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters());
    let good = [50.0, 120.0, 60.0];
    assert_eq!(estimator.spike(0, 0, &good), SpikeOutcome::BeforePosition);
    for (position, velocity) in
        [(f64::NAN, 20.0), (-3.0, 20.0), (6.5, 20.0), (1.0, f64::NAN), (1.0, f64::INFINITY), (1e300, 20.0)]
    {
        assert!(!estimator.position(position, velocity));
    }
    assert!(estimator.position(1.0, 20.0));
    let hostile: [(usize, &[f32], SpikeOutcome); 8] = [
        (2, &good, SpikeOutcome::UnknownElectrode),
        (usize::MAX, &good, SpikeOutcome::UnknownElectrode),
        (0, &[], SpikeOutcome::WrongWidth),
        (0, &[120.0; 4], SpikeOutcome::WrongWidth),
        (0, &[f32::NAN, 120.0, 50.0], SpikeOutcome::NonFinite),
        (0, &[f32::NEG_INFINITY, 120.0, 50.0], SpikeOutcome::NonFinite),
        (0, &[100.0, 100.0, 99.0], SpikeOutcome::BelowAmplitude),
        (0, &[-500.0, 0.0, 0.0], SpikeOutcome::BelowAmplitude),
    ];
    for (electrode, mark, outcome) in hostile {
        assert_eq!(estimator.spike(0, electrode, mark), outcome, "{mark:?}");
    }
    assert_eq!(estimator.stored(), 0);
    assert_eq!(estimator.spike(0, 0, &good), SpikeOutcome::WithoutMarks, "learned all the same");
    assert_eq!(estimator.stored(), 1);
    assert_eq!(estimator.spike(0, 0, &good), SpikeOutcome::Estimated);
    assert_eq!(estimator.spike(0, 1, &good), SpikeOutcome::WithoutMarks, "electrodes learn apart");
    let huge = [f32::MAX, f32::MIN, f32::MIN_POSITIVE];
    assert_eq!(estimator.spike(0, 1, &huge), SpikeOutcome::WithoutMarks);
    assert_eq!(estimator.spike(0, 1, &huge), SpikeOutcome::WithoutMarks, "its cube holds nothing but itself");
    for at in [0, 1, i64::MIN, i64::MAX, -180, 180] {
        let summary = estimator.tick(at);
        let sum: f64 = estimator.decoder().posterior().iter().sum();
        assert!((sum - 1.0).abs() < 1e-12 && summary.lower <= summary.upper, "{at}: {sum}");
    }
}

#[test]
fn times_at_and_below_zero_are_times_like_others() {
    let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters());
    assert!(estimator.position(1.0, 20.0));
    let good = [50.0, 120.0, 60.0];
    estimator.spike(-400, 0, &good);
    for at in [-200, -100, 0] {
        assert_eq!(estimator.spike(at, 0, &good), SpikeOutcome::Estimated);
    }
    let summary = estimator.tick(-20);
    assert_eq!((summary.lower, summary.upper, summary.spikes, summary.duplicates), (-200, -20, 2, 0));
    let summary = estimator.tick(160);
    assert_eq!((summary.lower, summary.upper, summary.spikes, summary.duplicates), (-20, 160, 1, 0));
}

#[test]
fn slow_or_frozen_animals_teach_nothing() {
    for (frozen, speed, stored) in [(false, 10.0, 1), (false, -10.0, 1), (false, 9.99, 0), (true, 20.0, 0)] {
        let parameters = Parameters { frozen, ..parameters() };
        let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters);
        assert!(estimator.position(4.0, speed));
        estimator.spike(5, 1, &[120.0, 10.0, 20.0]);
        assert_eq!(estimator.stored(), stored, "{speed}");
        assert_eq!(estimator.occupancy().counts()[4], stored as f64);
    }
}

#[test]
fn dead_and_distant_channels_count_as_nothing() {
    let parameters = Parameters {
        channel_distance: Some(0),
        dead_channels: vec![vec![1, 99], vec![]],
        kernel: MarkKernel { std: 20.0, reach: 20.0, demanded: 0 },
        ..parameters()
    };
    let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters);
    assert!(estimator.position(1.0, 20.0));
    assert_eq!(estimator.spike(0, 0, &[10.0, 500.0, 20.0]), SpikeOutcome::BelowAmplitude);
    estimator.spike(0, 0, &[10.0, 500.0, 120.0]);
    estimator.spike(0, 1, &[-130.0, 120.0, 20.0]);
    estimator.spike(0, 1, &[110.0, -90.0, 105.0]);
    let marks = |estimator: &mut Estimator<f32>, electrode| -> Vec<Vec<f32>> {
        estimator.encoder(electrode).unwrap().store().slots().into_iter().map(|(mark, _)| mark).collect()
    };
    assert_eq!(marks(&mut estimator, 0), [[0.0, 0.0, 120.0]]);
    assert_eq!(
        marks(&mut estimator, 1),
        [[110.0, 0.0, 0.0]],
        "the greatest magnitude stays: below the limit"
    );
}

fn decoder(movement: Movement) -> Decoder {
    let track = Track::new((0.0, 4.0, 4), &[[0, 1], [3, 3]]);
    let scale = WalkScale { per_bin: 1.0, std: 1.0 };
    Decoder::new(Movements::new(&track, 1.0, &[vec![movement]], scale), 1, 0.006)
}

/// The peer divides 0 by 0 here and gives NaN for ever after.
#[test]
fn supports_without_a_common_bin_fall_back_to_the_prior() {
    let shares = [1.0 / 3.0, 1.0 / 3.0, f64::NAN, 1.0 / 3.0];
    let (left, right) = ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]);
    let mut decoder = decoder(Movement::Uniform);
    assert_eq!(decoder.tick([&left[..], &right[..]].into_iter(), &shares), Evidence::Contradicted);
    let third = 1.0 / 3.0;
    let near = |found: &[f64], expected: [f64; 4]| {
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-15), "{found:?} {expected:?}");
    };
    near(decoder.posterior(), [third, third, 0.0, third]);
    near(decoder.likelihood(), [third, third, 0.0, third]);
    assert_eq!(decoder.tick([&right[..]].into_iter(), &shares), Evidence::Told);
    near(decoder.posterior(), right);

    // Spikes agree, but not with where the animal can be: it cannot leave its bin.
    let mut decoder = self::decoder(Movement::Identity);
    assert_eq!(decoder.tick([&left[..]].into_iter(), &shares), Evidence::Told);
    assert_eq!(decoder.tick([&right[..]].into_iter(), &shares), Evidence::Contradicted);
    near(decoder.posterior(), left);
    near(decoder.likelihood(), right);
    let nothing = [f64::NAN; 4];
    assert_eq!(decoder.tick([&nothing[..]].into_iter(), &shares), Evidence::Contradicted);
    near(decoder.posterior(), left);
}

/// Occupancy of one bin among a million samples elsewhere: its exponent is beyond float64.
#[test]
fn long_recordings_do_not_underflow() {
    let mut decoder = decoder(Movement::Uniform);
    for _ in 0..1000 {
        decoder.fired(0, 1);
    }
    let rare = 1e-9;
    decoder.tick(std::iter::empty(), &[rare, 1.0 - rare, f64::NAN, rare]);
    assert!(decoder.likelihood().iter().all(|value| value.is_finite()));
    assert_eq!((decoder.likelihood()[1], decoder.places()[1]), (1.0, 1.0));
}

/// A ring of 8 takes 20 spikes of one tick: the last 8 are used, 12 are counted as dropped.
#[test]
fn a_small_ring_overwrites_the_oldest_and_counts() {
    let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters());
    assert!(estimator.position(1.0, 20.0));
    estimator.spike(-1, 0, &[120.0, 60.0, 60.0]);
    for at in 0..20 {
        assert_eq!(estimator.spike(at, 0, &[121.0, 60.0, 60.0]), SpikeOutcome::Estimated);
    }
    assert_eq!((estimator.tick(180).spikes, estimator.dropped()), (8, 12));
}

#[test]
fn sharp_spikes_are_named_by_their_order() {
    let parameters = Parameters { spike_buffer: 100, dedup: Dedup::Electrode, ..parameters() };
    let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters);
    assert!(estimator.position(4.0, 20.0));
    for electrode in [0, 1] {
        estimator.spike(-1000, electrode, &[120.0, 60.0, 60.0]);
    }
    for at in 0..13 {
        estimator.spike(at, usize::from(at % 2 == 1), &[120.0, 60.0, 60.0]);
    }
    let summary = estimator.tick(180);
    assert_eq!((summary.spikes, summary.sharp_bins), (13, [4; SLOTS]));
    // Spikes 10, 11 and 12 took the first three slots again.
    assert_eq!(summary.sharp_electrodes, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let summary = estimator.tick(360);
    assert_eq!((summary.spikes, summary.sharp_electrodes), (0, [-1; SLOTS]));
}

#[test]
fn walks_keep_to_their_arm_and_the_stem() {
    let track = Track::new((0.0, 9.0, 9), &[[0, 2], [4, 5], [7, 8]]);
    let scale = WalkScale { per_bin: 5.0, std: 6.0 };
    let movements = Movements::new(&track, 1.0, &[vec![Movement::Walk]], scale);
    let rows = movements.matrix(Movement::Walk);
    let at = |from: usize, to: usize| rows[from * 9 + to];
    for from in [0, 1, 2, 4, 5, 7, 8] {
        assert!(((0..9).map(|to| at(from, to)).sum::<f64>() - 1.0).abs() < 1e-15);
    }
    assert!((0..9).all(|k| at(3, k) == 0.0 && at(k, 6) == 0.0));
    assert_eq!((at(4, 7), at(8, 5), at(2, 4)), (0.0, 0.0, at(2, 7)), "arms meet in the stem alone");
    assert!((at(4, 2) / at(4, 4) - (-25.0f64 / 72.0).exp()).abs() < 1e-15, "one bin beyond the stem");
}

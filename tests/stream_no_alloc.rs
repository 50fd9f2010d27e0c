//! No event of a stream allocates: engines and the ripple detector under an allocator that counts.

mod counting_allocator;

use counting_allocator::calls;
use nissl::backend::CpuLevel;
use nissl::commands::decode::encoding::{
    EncodingData, EncodingModel, EncodingTrain, Likelihood, RateUnits, Settings,
};
use nissl::commands::decode::grid::{GridOptions, PlaceGrid};
use nissl::commands::decode::options::{Model, Options, Precision};
use nissl::commands::decode::stream::config::{Algorithm, RealtimeConfig};
use nissl::commands::decode::stream::kde::{self, KdeSettings};
use nissl::commands::decode::stream::realtime::Realtime;
use nissl::commands::decode::stream::{Engine, TickRecord};
use nissl::kernels::realtime::Dedup;
use nissl::kernels::ripple::{Detector, Settings as Ripples};

/// Calls of the allocator while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = calls();
    work();
    calls() - before
}

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Position at 30 Hz, ticks of 6 ms, spikes, and among them all that should not come.
fn drive(engine: &mut dyn Engine, ticks: i64, first: i64) {
    let mut chance = Chance(7);
    let mut record = TickRecord::new(&engine.shape());
    let calls = allocations(|| {
        for tick in first..first + ticks {
            let start = tick * 180;
            if tick % 5 == 0 {
                engine.position(start, &[(20.0 + 20.0 * (tick as f32 / 40.0).sin()).trunc()], Some(25.0));
            }
            if tick % 11 == 0 {
                engine.position(start, &[(20.0 + 20.0 * (tick as f32 / 40.0).sin()).trunc()], None);
            }
            for spike in 0..4 {
                let electrode = (chance.next() * 4.0) as u16;
                let mark: [f32; 4] = std::array::from_fn(|_| (80.0 + 90.0 * chance.next()) as f32);
                engine.spike(start + 40 * spike, electrode, &mark);
                if spike == 2 {
                    engine.spike(start + 40 * spike, electrode, &mark);
                }
            }
            hostile(engine, start);
            engine.tick(start + 180, &mut record);
        }
        // More spikes than any buffer holds, then time that goes back and jumps.
        for spike in 0..900 {
            engine.spike((first + ticks) * 180 + spike % 90, (spike % 4) as u16, &[120.0, 110.0, 90.0, 80.0]);
        }
        for at in [(first + ticks + 1) * 180, 0, -5, i64::MIN, i64::MAX] {
            engine.tick(at, &mut record);
        }
        std::hint::black_box(engine.counts());
    });
    assert_eq!(calls, 0, "calls of the allocator in {ticks} ticks");
}

fn hostile(engine: &mut dyn Engine, at: i64) {
    engine.position(at, &[f32::NAN], None);
    engine.position(at, &[], Some(f32::INFINITY));
    engine.position(i64::MIN, &[1e30, 3.0, 4.0], Some(3.0));
    engine.spike(at, 900, &[120.0; 4]);
    engine.spike(at, 1, &[120.0; 64]);
    engine.spike(at, 1, &[]);
    engine.spike(at, 1, &[f32::NAN, 120.0, 120.0, 120.0]);
    engine.spike(i64::MAX, 2, &[f32::MAX; 4]);
    engine.spike(at - 100_000, 2, &[120.0; 4]);
}

#[test]
fn the_realtime_engine_allocates_nothing() {
    for (algorithm, dedup) in [(Algorithm::Decoder, Dedup::Electrode), (Algorithm::Classifier, Dedup::Peer)] {
        let config = RealtimeConfig {
            algorithm,
            electrodes: vec![0, 1, 2, 3],
            marks: 300,
            spike_buffer: 500,
            ..RealtimeConfig::default()
        };
        for level in CpuLevel::available() {
            // From the very first event on: nothing needs warming up.
            let mut engine = Realtime::new(level, &config, dedup);
            drive(&mut engine, 600, 10);
            let counts = engine.counts();
            assert!(counts.used > 300 && counts.duplicates > 100 && counts.dropped > 100, "{counts:?}");
            assert!(counts.stored > 1200 && counts.non_finite == 600, "{counts:?}");
        }
    }
}

/// A model of four electrodes on a line of 41 bins.
fn model(level: CpuLevel) -> EncodingModel {
    let mut chance = Chance(3);
    let samples: Vec<f64> = (0..4000).map(|i| 20.5 + 20.5 * (f64::from(i) / 100.0).sin()).collect();
    let trains = (0..4).map(|name| EncodingTrain {
        name: name.to_string(),
        width: 4,
        marks: (0..4 * 900).map(|_| 80.0 + 90.0 * chance.next()).collect(),
        positions: (0..900).map(|_| 41.0 * chance.next()).collect(),
        ..EncodingTrain::default()
    });
    let grid_options = GridOptions { bin_size: vec![1.0], ..GridOptions::default() };
    let grid = PlaceGrid::from_positions(&samples, 1, &grid_options).unwrap();
    let settings = Settings {
        kind: Likelihood::Clusterless,
        bin_size: vec![1.0],
        position_std: vec![3.0],
        waveform_std: vec![20.0],
        rate_units: RateUnits::Samples,
    };
    let trains = trains.collect();
    let data = EncodingData { samples: samples.clone(), axes: 1, trains, ..EncodingData::default() };
    EncodingModel::fit(level, data, (grid, None), &settings).unwrap()
}

#[test]
fn the_kde_engine_allocates_nothing() {
    for level in CpuLevel::available() {
        let model = model(level);
        for (precision, states) in
            [(Precision::F32, Model::Contfrag), (Precision::F64, Model::NospikeContfrag)]
        {
            let options = Options { precision, model: states, movement_var: 0.01, ..Options::default() };
            let settings = KdeSettings {
                clock: 30_000.0,
                step: 0.006,
                spike_buffer: 500,
                credible_level: 0.5,
                credible_max: 5,
                memory: u64::MAX,
            };
            let (mut engine, _) = kde::engine(&options, &model, &settings, level).unwrap();
            drive(engine.as_mut(), 100, 10);
            let counts = engine.counts();
            assert!(counts.used > 300 && counts.dropped > 100 && counts.non_finite == 100, "{counts:?}");
        }
    }
}

/// Where evidence contradicts all that was predicted, the filter begins anew in the memory it has.
#[test]
fn a_filter_that_restarts_allocates_nothing() {
    let level = CpuLevel::detect();
    let mut model = model(level);
    // Spikes of a single place each, and an animal that hardly moves.
    for (train, place) in model.trains.iter_mut().zip([1.0, 40.0, 1.0, 40.0]) {
        train.positions.fill(place);
        train.marks.fill(100.0);
    }
    model.position_std = vec![0.2];
    model.waveform_std = vec![1.0];
    let options = Options {
        model: Model::Decoder,
        movement_var: 1e-6,
        log_floor: nissl::commands::decode::options::LogFloor::Relative(2000.0),
        ..Options::default()
    };
    let settings = KdeSettings {
        clock: 30_000.0,
        step: 0.006,
        spike_buffer: 500,
        credible_level: 0.5,
        credible_max: 5,
        memory: u64::MAX,
    };
    let (mut engine, _) = kde::engine(&options, &model, &settings, level).unwrap();
    let mut record = TickRecord::new(&engine.shape());
    let calls = allocations(|| {
        for tick in 0..40 {
            for spike in 0..30 {
                engine.spike(tick * 180 + spike, (tick / 20 % 2) as u16, &[100.0; 4]);
            }
            engine.tick((tick + 1) * 180, &mut record);
        }
    });
    assert_eq!(calls, 0);
    assert!(engine.counts().fallbacks > 0, "{:?}", engine.counts());
    assert!((record.posterior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn the_ripple_detector_allocates_nothing() {
    let mut detector = Detector::new(&Ripples::default(), 3).unwrap();
    let mut chance = Chance(9);
    let calls = allocations(|| {
        for sample in 0..20_000 {
            let burst = if sample % 3000 < 90 { 6.0 } else { 0.1 };
            let wave = burst * (std::f64::consts::TAU * 200.0 * f64::from(sample) / 1500.0).sin();
            let value = (wave + chance.next()) as f32;
            detector.frame(&[value, if sample % 50 == 0 { f32::NAN } else { value }, -value]);
        }
    });
    assert_eq!(calls, 0);
    assert!(detector.begun() > 2);
}

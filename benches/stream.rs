//! The tick-by-tick decoder: what a spike costs and what a tick costs.
//!
//! `cargo bench --bench stream`. `encode` is one spike against 50,000 marks of four channels over 41
//! bins, throughput in marks: `hot` one electrode again and again, `cold` 32 in turn, as a recording
//! has them; `exp` is the exponentials alone over as many values in the first cache, the ceiling of
//! any encoder that takes one per mark; `gate` counts the marks nearby to the end, which a spike only
//! costs where too few are near. `tick` is the classifier's with 41 bins and 32 electrodes.

mod chance;

use chance::Chance;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nissl::backend::CpuLevel;
use nissl::kernels::hmm::LogLikelihood;
use nissl::kernels::realtime::{
    Dedup, Encoder, Estimator, MarkKernel, Movement, Parameters, Track, WalkScale,
};
use nissl::kernels::ripple::{Detector, Settings};
use std::hint::black_box;

const MARKS: usize = 50_000;
const ELECTRODES: usize = 32;
const BINS: usize = 41;
const KERNEL: MarkKernel = MarkKernel { std: 20.0, reach: 20.0, demanded: 10 };

/// Of one of 14 units, or background.
fn mark(chance: &mut Chance) -> [f32; 4] {
    let (background, unit) = (chance.uniform() < 0.25, (chance.uniform() * 14.0).floor());
    std::array::from_fn(|k| {
        let middle = 150.0 + 60.0 * (unit * 1.7 + k as f64 * 2.3).sin();
        (if background { 80.0 + 40.0 * chance.normal() } else { middle + 15.0 * chance.normal() }) as f32
    })
}

fn encode(criterion: &mut Criterion) {
    let level = CpuLevel::detect();
    let mut chance = Chance(3);
    let mut encoders: Vec<Encoder<f32>> =
        (0..ELECTRODES).map(|_| Encoder::new(level, (MARKS, 4, BINS), KERNEL)).collect();
    for encoder in &mut encoders {
        for learned in 0..MARKS {
            encoder.learn(&mark(&mut chance), learned / 30 % BINS);
        }
    }
    let marks: Vec<[f32; 4]> = (0..509).map(|_| mark(&mut chance)).collect();
    let (shares, mut out) = (vec![1.0 / BINS as f64; BINS], vec![0.0; BINS]);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(MARKS as u64));
    for (name, electrodes) in [("hot", 1), ("cold", ELECTRODES)] {
        let mut spike = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                spike += 1;
                let encoder = &mut encoders[spike % electrodes];
                black_box(encoder.estimate(&marks[spike % 509], spike % BINS, (&shares, 1.0), &mut out));
            });
        });
    }
    let mut spike = 0;
    group.bench_function("gate", |bencher| {
        bencher.iter(|| {
            spike += 1;
            black_box(encoders[0].nearby(&marks[spike % 509], 0, usize::MAX));
        });
    });
    let row: Vec<f64> = (0..2000).map(|at| -f64::from(at) / 7.0).collect();
    let mut values = vec![0.0; row.len()];
    group.bench_function("exp", |bencher| {
        bencher.iter(|| {
            for _ in 0..MARKS / row.len() {
                black_box(<f64 as LogLikelihood>::relative(level, black_box(&row), &mut values));
            }
        });
    });
}

fn parameters() -> Parameters {
    use Movement::{Identity, Uniform, Walk};
    Parameters {
        track: Track::new((0.0, 41.0, BINS), &[[0, 8], [13, 24], [29, 40]]),
        electrodes: ELECTRODES,
        width: 4,
        capacity: 1000,
        kernel: KERNEL,
        amplitude: 100.0,
        channel_distance: None,
        dead_channels: Vec::new(),
        velocity_threshold: 10.0,
        frozen: false,
        spike_buffer: 2000,
        bin_samples: 180,
        bin_seconds: 0.006,
        delay_samples: 0,
        credible_level: 0.5,
        credible_max: 5,
        dedup: Dedup::Electrode,
        diagonal: 0.98,
        movements: vec![vec![Identity, Walk, Uniform], vec![Identity, Walk, Uniform], vec![Uniform; 3]],
        walk: WalkScale { per_bin: 5.0, std: 6.0 },
    }
}

/// Ticks after `spikes` spikes each; encoding them is not timed.
fn tick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick");
    for spikes in [0, 6, 30] {
        let mut estimator = Estimator::<f32>::new(CpuLevel::detect(), parameters());
        let mut chance = Chance(5);
        for sample in 0..30_000 {
            estimator.position(f64::from([4, 20, 35][sample % 3]), 20.0);
            estimator.spike(i64::MIN, sample % ELECTRODES, &mark(&mut chance));
        }
        let mut at = 0;
        group.bench_function(format!("classifier {spikes} spikes"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    let mut waiting = 0;
                    while waiting < spikes {
                        let outcome =
                            estimator.spike(at + waiting, waiting as usize % ELECTRODES, &mark(&mut chance));
                        waiting += i64::from(outcome == nissl::kernels::realtime::SpikeOutcome::Estimated);
                    }
                    at += 180;
                    let start = std::time::Instant::now();
                    black_box(estimator.tick(at));
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
}

fn ripple(criterion: &mut Criterion) {
    let mut detector = Detector::new(&Settings::default(), 1).expect("the defaults are sound");
    let mut chance = Chance(7);
    let field: Vec<f32> = (0..4096).map(|_| chance.normal() as f32).collect();
    let mut sample = 0;
    criterion.bench_function("ripple sample", |bencher| {
        bencher.iter(|| {
            sample += 1;
            black_box(detector.frame(&field[sample % 4096..sample % 4096 + 1]))
        });
    });
}

criterion_group!(benches, encode, tick, ripple);
criterion_main!(benches);

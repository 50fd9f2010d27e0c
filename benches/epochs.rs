//! Kernels of `autoreject`, one core, in cache: rows x samples of one channel's tile.
//!
//! `cargo bench --bench epochs -- median` runs a part. Throughput: values read (medians), values
//! added (sweep), multiply-adds (product); `peak` is what multiply-adds in registers reach.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissl::backend::CpuLevel;
use nissl::kernels::epochs::{
    COLUMNS, Keys, Predictor, Tile, copy_rows, gather, medians, padded, peak_to_peak, reciprocals, sweep,
};
use nissl::kernels::simd::peak::multiply_add_burst;
use std::hint::black_box;

/// Bell-shaped values with a few large ones, as epochs with artefacts have them.
fn amplitudes(n: usize) -> Vec<f64> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut unit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..n)
        .map(|at| {
            let bell: f64 = (0..6).map(|_| unit()).sum();
            bell * if at % 61 == 0 { 2e-4 } else { 2e-5 }
        })
        .collect()
}

fn bench_medians(criterion: &mut Criterion) {
    for (rows, samples) in [(30, 32), (50, 32), (120, 32), (480, 8), (2400, 8)] {
        let values = amplitudes(rows * samples);
        let tile = Tile { values: &values, stride: samples, rows, samples };
        let mut group = criterion.benchmark_group(format!("median/{rows}"));
        group.throughput(Throughput::Elements((rows * samples) as u64)).sample_size(20);
        for level in CpuLevel::available() {
            let mut out = vec![0.0; samples];
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| medians(level, black_box(tile), &mut out));
            });
        }
        group.finish();
    }
}

/// Ten fifths of the rows of a tile, keys included.
fn bench_keys(criterion: &mut Criterion) {
    for (rows, samples) in [(600, 32), (12_000, 8)] {
        let values = amplitudes(rows * samples);
        let tile = Tile { values: &values, stride: samples, rows, samples };
        let part = |fold: usize| (0..rows as u32).filter(move |row| (row + row / 5) as usize % 5 == fold % 5);
        let orders: Vec<Vec<u32>> = (0..10).map(|fold| part(fold).collect()).collect();
        let mut group = criterion.benchmark_group(format!("keys/{rows}"));
        group.throughput(Throughput::Elements((2 * rows * samples) as u64)).sample_size(20);
        for level in CpuLevel::available() {
            let (mut keys, mut out) = (Keys::default(), vec![0.0; samples]);
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| {
                    keys.read(level, black_box(tile));
                    orders.iter().for_each(|order| keys.medians(level, tile, order, &mut out));
                });
            });
        }
        group.finish();
    }
}

/// Moving rows and looking through them: bytes per second.
fn bench_rows(criterion: &mut Criterion) {
    let (rows, samples, apart) = (600, 32, 1064);
    let values = amplitudes(rows * apart);
    let starts: Vec<usize> = (0..rows).map(|row| row * 7 % rows * apart).collect();
    let mut out = vec![0.0; rows * samples];
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Bytes((rows * samples * 8) as u64)).sample_size(20);
    for level in CpuLevel::available() {
        let name = level.name();
        group.bench_function(BenchmarkId::new("copy", name), |b| {
            b.iter(|| copy_rows(level, (black_box(&values), apart), (&mut out, samples), rows, samples));
        });
        group.bench_function(BenchmarkId::new("gather", name), |b| {
            b.iter(|| gather(level, black_box(&values), &starts, samples, &mut out));
        });
    }
    group.finish();
    let values = amplitudes(1000);
    let mut group = criterion.benchmark_group("peak_to_peak/1000");
    group.throughput(Throughput::Bytes(8000)).sample_size(20);
    for level in CpuLevel::available() {
        group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
            b.iter(|| peak_to_peak(level, black_box(&values)));
        });
    }
    group.finish();
}

fn bench_sweep(criterion: &mut Criterion) {
    for (rows, samples) in [(600, 32), (1200, 32), (12_000, 8)] {
        let values = amplitudes(rows * samples);
        let tile = Tile { values: &values, stride: samples, rows, samples };
        let order: Vec<u32> = (0..rows as u32).filter(|r| r % 5 != 0).collect();
        let (share, target) = (reciprocals(rows), vec![1e-6; samples]);
        let mut losses = vec![0.0; padded(rows)];
        let mut group = criterion.benchmark_group(format!("sweep/{rows}"));
        group.throughput(Throughput::Elements((order.len() * samples) as u64)).sample_size(20);
        for level in CpuLevel::available() {
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| sweep(level, black_box(tile), &order, (&share, &target), &mut losses));
            });
        }
        group.finish();
    }
}

fn bench_product(criterion: &mut Criterion) {
    for channels in [32, 64, 128] {
        let predictor = Predictor::new(&amplitudes(channels * channels), channels, channels);
        let from = amplitudes(channels * COLUMNS);
        let mut to = vec![0.0; channels * COLUMNS];
        let mut group = criterion.benchmark_group(format!("product/{channels}"));
        group.throughput(Throughput::Elements((channels * channels * COLUMNS) as u64)).sample_size(20);
        for level in CpuLevel::available() {
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| predictor.product(level, (black_box(&from), COLUMNS), (&mut to, COLUMNS), COLUMNS));
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("peak");
    for level in CpuLevel::available() {
        let (flop, _) = multiply_add_burst(level, 1000, 1.0);
        group.throughput(Throughput::Elements(flop / 2));
        group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
            b.iter(|| multiply_add_burst(level, black_box(1000), 1.0));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_medians, bench_keys, bench_sweep, bench_product, bench_rows);
criterion_main!(benches);

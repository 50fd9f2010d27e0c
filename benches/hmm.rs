//! Kernels of `decode`'s hidden Markov chain, one core: one row of one model at a time.
//!
//! `cargo bench --bench hmm -- walk` runs a part. Throughput: multiply-adds (walk), columns (the
//! rest); `peak` is what multiply-adds in registers reach.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissl::backend::CpuLevel;
use nissl::commands::decode::options::Model;
use nissl::kernels::hmm::{Chain, Filter, Outcome, Smoother, Steps, Viterbi, estimates};
use nissl::kernels::simd::peak::multiply_add_burst;
use nissl::kernels::transition::Walk;
use std::hint::black_box;

/// Variance of the walk, cm^2 per bin, and the side of a bin, cm.
const VARIANCE: f64 = 6.0;
const SIDE: f64 = 2.0;

/// Rows and columns of the place grids; one row is a track.
const GRIDS: [(usize, usize); 4] = [(1, 150), (1, 500), (50, 40), (100, 50)];

/// Rows of a recording that is decoded again and again, after as many that are only led through.
const ROWS: usize = 40;

fn line(bins: usize) -> Vec<f64> {
    (0..bins).map(|i| SIDE * (i as f64 + 0.5)).collect()
}

fn walk(level: CpuLevel, (rows, columns): (usize, usize)) -> Walk {
    let (x, y) = (line(rows), line(columns));
    let all: Vec<usize> = (0..rows * columns).collect();
    if rows == 1 {
        Walk::on_grid(level, &[&y], &all, VARIANCE)
    } else {
        Walk::on_grid(level, &[&x, &y], &all, VARIANCE)
    }
}

/// Log likelihoods of an animal that wanders, with up to two spikes a row.
fn recording(chain: &Chain, (rows, columns): (usize, usize)) -> Vec<Vec<f32>> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut unit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let sides = [SIDE * rows as f64, SIDE * columns as f64];
    let mut at = sides.map(|side| side / 2.0);
    let mut row = || {
        for (at, side) in at.iter_mut().zip(sides) {
            *at = (*at + 4.0 * (unit() - 0.5)).clamp(0.0, side);
        }
        let mut values = vec![-0.5_f32; chain.row_width()];
        for _ in 0..(3.0 * unit()) as usize {
            let field = at.map(|at| at + 16.0 * (unit() - 0.5));
            for (bin, value) in values.iter_mut().enumerate().take(rows * columns) {
                let apart = [bin / columns, bin % columns].map(|i| SIDE * (i as f64 + 0.5));
                let squares = (apart[0] - field[0]).powi(2) + (apart[1] - field[1]).powi(2);
                *value += ((-squares / 200.0).exp() + 1e-7).ln() as f32 - 6.0;
            }
        }
        values
    };
    (0..2 * ROWS).map(|_| row()).collect()
}

fn bench_walk(criterion: &mut Criterion) {
    for shape in GRIDS {
        let mut group = criterion.benchmark_group(format!("walk/{}x{}", shape.0, shape.1));
        for level in CpuLevel::available() {
            let chain = Model::Decoder.states().chain(walk(level, shape));
            let transition = chain.transition();
            // One certain place: the walk with all of its weights.
            let mut f = vec![0.0; shape.0 * shape.1];
            f[shape.0 * shape.1 / 2] = 1.0;
            let (mut out, mut scratch) = (f.clone(), transition.scratch());
            group.throughput(Throughput::Elements(transition.multiply_adds())).sample_size(20);
            group.bench_function(BenchmarkId::from_parameter(level.name()), |b| {
                b.iter(|| transition.predict(black_box(&f), &mut out, &mut scratch));
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

fn bench_rows(criterion: &mut Criterion) {
    let level = CpuLevel::detect();
    for shape in GRIDS {
        for model in [Model::Decoder, Model::Contfrag, Model::Nonlocal] {
            let chain = model.states().chain(walk(level, shape));
            let (rows, columns) = (recording(&chain, shape), chain.states().columns());
            let mut filter = Filter::new(&chain);
            let mut filtered = vec![vec![0.0; columns]; ROWS];
            for row in &rows[..ROWS] {
                filter.step(row, 0.0, &mut filtered[0]);
            }
            let start = filter.state().clone();
            let mut group = criterion.benchmark_group(format!("{}/{}x{}", model.name(), shape.0, shape.1));
            group.throughput(Throughput::Elements((ROWS * columns) as u64)).sample_size(20);
            group.bench_function("filter", |b| {
                b.iter(|| {
                    let mut filter = Filter::resume(&chain, start.clone());
                    for (row, filtered) in rows[ROWS..].iter().zip(&mut filtered) {
                        filter.step(black_box(row), 0.0, filtered);
                    }
                });
            });
            let mut filter = Filter::resume(&chain, start.clone());
            let mut room = vec![0.0; columns];
            let mut ahead = |row: &Vec<f32>| {
                filter.step(row, 0.0, &mut room);
                filter.predicted().to_vec()
            };
            let predicted: Vec<Vec<f64>> = rows[ROWS..].iter().map(&mut ahead).collect();
            for kept in [false, true] {
                let name = if kept { "smoother, predictions kept" } else { "smoother" };
                group.bench_function(name, |b| {
                    b.iter(|| {
                        let mut smoother = Smoother::new(&chain, &filtered[ROWS - 1]);
                        for t in (0..ROWS - 1).rev() {
                            let predicted = kept.then(|| &predicted[t][..]);
                            smoother.step(black_box(&filtered[t]), predicted, Outcome::Went);
                        }
                    });
                });
            }
            group.finish();
        }
    }
}

fn bench_estimates(criterion: &mut Criterion) {
    let level = CpuLevel::detect();
    for shape in GRIDS {
        let chain = Model::Decoder.states().chain(walk(level, shape));
        let (rows, columns) = (recording(&chain, shape), chain.states().columns());
        let (x, y) = (line(shape.0), line(shape.1));
        let all: Vec<usize> = (0..columns).collect();
        let axes: &[&[f64]] = if shape.0 == 1 { &[&y] } else { &[&x, &y] };
        let steps = Steps::on_grid(level, axes, &all, VARIANCE);
        let mut viterbi = Viterbi::new(&chain, &steps);
        let mut pointers = vec![0; columns];
        let mut group = criterion.benchmark_group(format!("estimates/{}x{}", shape.0, shape.1));
        group.throughput(Throughput::Elements(columns as u64)).sample_size(20);
        group.bench_function("viterbi", |b| {
            let mut row = rows.iter().cycle();
            b.iter(|| row.next().map(|row| viterbi.step(black_box(row), &mut pointers)));
        });
        let mut filtered = vec![0.0; columns];
        let mut filter = Filter::new(&chain);
        for row in &rows {
            filter.step(row, 0.0, &mut filtered);
        }
        let (mut thresholds, mut room) = ([0.0; 2], Vec::new());
        group.bench_function("highest density", |b| {
            b.iter(|| {
                estimates::highest_density(black_box(&filtered), &[0.5, 0.95], &mut thresholds, &mut room)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench_walk, bench_rows, bench_estimates);
criterion_main!(benches);

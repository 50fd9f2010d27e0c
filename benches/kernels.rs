//! Convolution kernels: kernel x algorithm x size, in memory, one block of rows per call.
//!
//! `cargo bench --bench kernels -- dense/15` runs a part. Throughput is in cells.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissl::backend::CpuLevel;
use nissl::kernels::focal::{Algorithm, Focal, KernelType, Request, Weights, choose};
use nissl::kernels::window::{Boundary, Window};
use std::hint::black_box;

const SIDE: usize = 1000;

fn weights(kind: &str, n: usize) -> Weights {
    let middle = |at: usize| (at as f64 - (n / 2) as f64) / (n as f64 / 6.0);
    let values = (0..n * n).map(|at| match kind {
        "gauss" => (-0.5 * middle(at / n).powi(2)).exp() * (-0.5 * middle(at % n).powi(2)).exp(),
        "box" => 1.0,
        _ => ((at * 7919) % 1009) as f64 / 1009.0 - 0.25,
    });
    Weights::new(values.collect(), n, n, KernelType::F64).expect("odd sides")
}

fn convolutions(criterion: &mut Criterion) {
    let raster: Vec<f64> = (0..SIDE * SIDE).map(|i| ((i * 7919) % 10_007) as f64).collect();
    let window = Window::whole(&raster, SIDE, SIDE, Boundary::Reflect);
    let mut out = vec![0.0; SIDE * SIDE];
    let algorithms = [
        (None, "auto"),
        (Some(Algorithm::Direct), "direct"),
        (Some(Algorithm::Separable), "separable"),
        (Some(Algorithm::Runs), "runs"),
        (Some(Algorithm::Fft), "fft"),
    ];
    for (kind, sizes) in
        [("dense", [3, 7, 11, 15, 31]), ("gauss", [3, 7, 15, 31, 61]), ("box", [3, 7, 15, 31, 61])]
    {
        for n in sizes {
            let weights = weights(kind, n);
            let mut group = criterion.benchmark_group(format!("{kind}/{n}"));
            group.throughput(Throughput::Elements((SIDE * SIDE) as u64)).sample_size(10);
            for (algorithm, name) in algorithms {
                let request = Request { algorithm, ..Request::default() };
                // A kernel that an algorithm cannot use has no row.
                let Ok(recipe) = choose(&weights, (SIDE, SIDE), nissl::array::WorkType::F64, &request) else {
                    continue;
                };
                for level in CpuLevel::available() {
                    let focal = Focal::new(&weights, recipe.clone(), level);
                    let mut scratch = focal.scratch(SIDE);
                    group.bench_function(BenchmarkId::new(name, level.name()), |bencher| {
                        bencher.iter(|| black_box(focal.rows(&window, 0, SIDE, &mut out, &mut scratch)));
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);

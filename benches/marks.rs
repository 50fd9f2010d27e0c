//! Mark intensities: method x shape, one electrode, one thread, a block of decoding spikes.
//!
//! `cargo bench --bench marks -- arena` runs a part. Throughput is in pairs of a decoding and an
//! encoding spike; times divided by [`DECODING`] are what one decoding spike costs.

mod chance;

use chance::Chance;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nissl::backend::CpuLevel;
use nissl::kernels::marks::{
    Accuracy, Bandwidths, EncodingSpikes, Intensity, PlaceBins, Precision, Scratch, choose,
};
use std::hint::black_box;

/// Spikes of a block.
const DECODING: usize = 256;

/// Marks and positions of units with a place each, and a quarter of background.
fn spikes(count: usize, width: usize, sides: &[f64], chance: &mut Chance) -> (Vec<f64>, Vec<f64>) {
    let (mut marks, mut positions) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (background, unit) = (chance.uniform() < 0.25, (chance.uniform() * 14.0).floor());
        for k in 0..width {
            let middle = 100.0 + 60.0 * (unit * 1.7 + k as f64 * 2.3).sin();
            let mark =
                if background { 60.0 + 40.0 * chance.normal() } else { middle + 15.0 * chance.normal() };
            marks.push(mark);
        }
        for (axis, side) in sides.iter().enumerate() {
            let middle = side * (0.5 + 0.45 * (unit * 2.1 + axis as f64).cos());
            let place = if background { side * chance.uniform() } else { middle + 10.0 * chance.normal() };
            positions.push(place.clamp(0.0, *side));
        }
    }
    (marks, positions)
}

fn electrode(criterion: &mut Criterion, name: &str, (count, width): (usize, usize), sides: &[f64]) {
    let mut chance = Chance(7);
    let (marks, positions) = spikes(count, width, sides, &mut chance);
    let (decoding, _) = spikes(DECODING, width, sides, &mut chance);
    let along = |side: &f64| (0..(side / 2.0) as usize).map(|k| 1.0 + 2.0 * k as f64).collect();
    let centers: Vec<Vec<f64>> = sides.iter().map(along).collect();
    let interior: Vec<usize> = (0..centers.iter().map(Vec::len).product()).collect();
    let area: f64 = sides.iter().product();
    let scale = vec![(0.1 * area / count as f64).ln(); interior.len()];
    let (mark, position) = (vec![24.0; width], vec![6.0; sides.len()]);
    let model = EncodingSpikes { marks: &marks, width, positions: &positions, axes: sides.len() };
    let bins = PlaceBins { axes: centers.iter().map(Vec::as_slice).collect(), interior: &interior };
    let bandwidths = Bandwidths { mark: &mark, position: &position };
    // A floor that lies where it does with four features, so that wide marks have work to do.
    let highest = choose(&model, &bins, &bandwidths, (&scale, 0.0), (Accuracy::Direct, Precision::F32));
    let floor = highest.ceiling_ln - 20.0;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((DECODING * count) as u64)).sample_size(10);
    let sampled = Accuracy::Observed { tolerance: 1e-3, seed: 42 };
    for (accuracy, label) in [(Accuracy::Direct, "direct"), (Accuracy::EXACT, "exact"), (sampled, "sampled")]
    {
        let choice = choose(&model, &bins, &bandwidths, (&scale, floor), (accuracy, Precision::F32));
        let intensity = Intensity::new(&model, &bins, &bandwidths, choice, (&scale, floor));
        let (mut scratch, mut out) = (Scratch::default(), vec![0.0_f32; DECODING * interior.len()]);
        for level in CpuLevel::available() {
            group.bench_function(BenchmarkId::new(label, level.name()), |bencher| {
                bencher.iter(|| {
                    black_box(intensity.log_intensity(level, &decoding, &mut out, &mut scratch));
                });
            });
        }
    }
    group.finish();
}

fn intensities(criterion: &mut Criterion) {
    for width in [2, 4, 8, 10] {
        electrode(criterion, &format!("arena/features{width}"), (50_000, width), &[100.0, 80.0]);
    }
    for bins in [100, 150, 500, 5000] {
        electrode(criterion, &format!("track/bins{bins}"), (50_000, 4), &[2.0 * bins as f64]);
    }
    electrode(criterion, "arena/small", (2000, 4), &[40.0, 40.0]);
    electrode(criterion, "arena/bins5000", (50_000, 4), &[160.0, 125.0]);
}

criterion_group!(benches, intensities);
criterion_main!(benches);

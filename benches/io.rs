//! Reading rates of the file layer.
//!
//! A matrix of 8000 x 2000 f32 (64 MB) that looks like terrain, read whole and by strips of one
//! chunk row, plain and with gzip and shuffle, on one and two threads. `NISSL_BENCH_HDF5` names a
//! file with the datasets `packed`, `lzf` and `plain` to read instead of one of our own making:
//! `benches/compare_io.py` uses it to time h5py on the same file in the same run.

#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nissl::io::{Block, Container, Dataset, block_bytes, hdf5};
use std::hint::black_box;
use std::path::{Path, PathBuf};

const SHAPE: [usize; 2] = [8000, 2000];
const CHUNK: [usize; 2] = [256, 200];

/// Smooth hills with noise in the last digits, so that it packs about as well as elevations.
fn terrain() -> Vec<f32> {
    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / 16_777_216.0
    };
    let height = |y: usize, x: usize| ((y as f32) / 300.0).sin() * 400.0 + ((x as f32) / 170.0).cos() * 250.0;
    (0..SHAPE[0] * SHAPE[1]).map(|i| height(i / SHAPE[1], i % SHAPE[1]) + noise()).collect()
}

fn write(path: &Path) {
    let file = rust_hdf5::H5File::create(path).expect("creates");
    let values = terrain();
    let packed = file.new_dataset::<f32>().shape(SHAPE).chunk(&CHUNK).shuffle_deflate(4);
    packed.create("packed").and_then(|d| d.write_raw(&values)).expect("writes");
    file.new_dataset::<f32>()
        .shape(SHAPE)
        .create("plain")
        .and_then(|d| d.write_raw(&values))
        .expect("writes");
    file.close().expect("closes");
}

fn read_strips(dataset: &dyn Dataset, rows: u64, out: &mut [u8]) {
    let shape = &dataset.info().shape;
    for first in (0..shape[0]).step_by(rows as usize) {
        let block = Block { start: vec![first, 0], count: vec![rows.min(shape[0] - first), shape[1]] };
        let len = block_bytes(dataset.info(), &block);
        dataset.read_block(&block, &mut out[..len]).expect("reads");
        black_box(&out);
    }
}

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var_os("NISSL_BENCH_HDF5").map(PathBuf::from).unwrap_or_else(|| {
        let path = folder.path().join("bench.h5");
        write(&path);
        path
    });
    let file = hdf5::open(&path).expect("opens");
    for name in ["packed", "lzf", "plain"] {
        let Ok(dataset) = file.dataset(name) else { continue };
        let shape = dataset.info().shape.clone();
        let bytes = block_bytes(dataset.info(), &Block { start: vec![0, 0], count: shape.clone() });
        let mut group = criterion.benchmark_group(format!("hdf5/{name}"));
        group.throughput(Throughput::Bytes(bytes as u64)).sample_size(15);
        let mut out = vec![0; bytes];
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            for (how, rows) in [("whole", shape[0]), ("strips", CHUNK[0] as u64)] {
                group.bench_function(format!("{how}/{threads}"), |bench| {
                    bench.iter(|| pool.install(|| read_strips(dataset.as_ref(), rows, &mut out)));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, reading);
criterion_main!(benches);

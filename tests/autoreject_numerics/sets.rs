//! The reference sets, their arrays, and how far numbers are apart.

use crate::common::{Array, fixture, read};
use nissl::io;
use std::path::{Path, PathBuf};

/// A reference set and the seeds that its arrays were made with.
pub struct Set {
    pub name: &'static str,
    pub seeds: &'static [u32],
    pub folds: usize,
}

pub const SETS: [Set; 3] = [
    Set { name: "tiny", seeds: &[42], folds: 5 },
    Set { name: "synth32", seeds: &[0, 42, 97], folds: 10 },
    Set { name: "real14", seeds: &[0, 42], folds: 8 },
];

impl Set {
    /// An array of one of the set's archives.
    pub fn array(&self, archive: &str, name: &str) -> Array {
        read(&self.path(archive), name)
    }

    pub fn path(&self, archive: &str) -> PathBuf {
        fixture(&format!("autoreject/{}/{archive}.npz", self.name))
    }

    /// An array that is a file of its own.
    pub fn file(&self, name: &str) -> Array {
        read(&fixture(&format!("autoreject/{}/{name}.npy", self.name)), "")
    }

    pub fn positions(&self) -> Vec<[f64; 3]> {
        places(&self.file("ch_pos"))
    }

    /// Epochs, channels, samples.
    pub fn shape(&self) -> [usize; 3] {
        self.file("epochs").shape.try_into().unwrap()
    }
}

pub fn places(array: &Array) -> Vec<[f64; 3]> {
    array.values.chunks_exact(3).map(|p| p.try_into().unwrap()).collect()
}

pub fn indices(array: &Array) -> Vec<usize> {
    array.values.iter().map(|&v| v as usize).collect()
}

/// A dataset of truth values, one byte each.
pub fn truths(path: &Path, name: &str) -> Vec<u8> {
    let dataset = io::open(path).unwrap().dataset(name).unwrap();
    let block = io::Block { start: vec![0], count: dataset.info().shape.clone() };
    let mut bytes = vec![0; io::block_bytes(dataset.info(), &block)];
    dataset.read_block(&block, &mut bytes).unwrap();
    bytes
}

/// The largest difference; shapes must agree.
pub fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let apart = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() };
    got.iter().zip(expected).map(apart).fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

/// Peak to peak of a row of samples.
pub fn ptp(row: &[f64]) -> f64 {
    let most = row.iter().copied().fold(f64::MIN, f64::max);
    most - row.iter().copied().fold(f64::MAX, f64::min)
}

/// Difference as a share of what is expected.
pub fn relative(got: f64, expected: f64) -> f64 {
    (got - expected).abs() / expected.abs()
}

/// Repairs the first epochs with `weights` and compares with `expected` `[epoch, bad, sample]`.
pub fn assert_rows(set: &Set, bad: &[usize], good: &[usize], weights: &[f64], expected: &Array) {
    let (data, [_, channels, samples]) = (set.file("epochs"), set.shape());
    let mut rows = Vec::new();
    for epoch in 0..expected.shape[0] {
        for b in 0..bad.len() {
            for t in 0..samples {
                let source = |&g: &usize| data.values[(epoch * channels + g) * samples + t];
                let products =
                    good.iter().zip(&weights[b * good.len()..]).map(|(g, weight)| weight * source(g));
                rows.push(products.sum::<f64>());
            }
        }
    }
    let largest = expected.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let apart = difference(&rows, &expected.values);
    assert!(apart <= 1e-9 * largest, "{}: rows {apart:e} of {largest:e}", set.name);
}

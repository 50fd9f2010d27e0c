//! The reference sets of `autoreject` as sources in memory.
#![allow(dead_code)] // Each test file uses its part.

use crate::common::{Array, fixture, read};
use nissl::commands::autoreject::epochs::Source;
use std::ops::Range;

/// Name, first seed and folds of each set.
pub const SETS: [(&str, u32, usize); 3] = [("tiny", 42, 5), ("synth32", 0, 10), ("real14", 0, 8)];

/// Epochs in memory as a source.
pub struct Held {
    pub values: Vec<f64>,
    pub shape: [usize; 3],
}

impl Source for Held {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn read(&self, epochs: Range<usize>, samples: Range<usize>, out: &mut [f64]) -> nissl::Result<()> {
        let [_, c, t] = self.shape;
        for (row, out) in (epochs.start * c..epochs.end * c).zip(out.chunks_exact_mut(samples.len())) {
            out.copy_from_slice(&self.values[row * t..][samples.clone()]);
        }
        Ok(())
    }
}

/// One reference set.
pub struct Set {
    pub name: &'static str,
    pub epochs: Held,
    pub positions: Vec<[f64; 3]>,
}

impl Set {
    pub fn new(name: &'static str) -> Self {
        let epochs = read(&fixture(&format!("autoreject/{name}/epochs.npy")), "");
        let positions = read(&fixture(&format!("autoreject/{name}/ch_pos.npy")), "");
        let positions = positions.values.chunks_exact(3).map(|p| p.try_into().unwrap()).collect();
        let shape = epochs.shape.try_into().unwrap();
        Set { name, epochs: Held { values: epochs.values, shape }, positions }
    }

    pub fn array(&self, archive: &str, name: &str) -> Array {
        read(&fixture(&format!("autoreject/{}/{archive}.npz", self.name)), name)
    }
}

/// Largest difference relative to the largest expected magnitude.
pub fn relative(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut worst = 0.0_f64;
    for (g, e) in got.iter().zip(expected) {
        if g == e {
            continue;
        }
        assert!(g.is_finite() && e.is_finite(), "{g} instead of {e}");
        worst = worst.max((g - e).abs() / scale);
    }
    worst
}

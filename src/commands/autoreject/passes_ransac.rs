//! How well random subsets of channels predict each channel (spec autoreject 10).

use super::epochs::Slab;
use crate::backend::CpuLevel;
use crate::kernels::epochs::{COLUMNS, Predictor, Tile, copy_rows, medians};
use crate::report::Recorder;
use rayon::prelude::*;

/// One subset of channels, in the order drawn, and the weights from it to all channels.
#[derive(Debug)]
pub struct Subset {
    /// Channels, positions within the group.
    pub channels: Vec<usize>,
    /// Weights `[channel][subset]`.
    pub predictor: Predictor,
}

/// Sums that a correlation without removal of means is made of.
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    both: f64,
    measured: f64,
    predicted: f64,
}

impl Products {
    fn add(&mut self, measured: &[f64], predicted: &[f64]) {
        for (x, y) in measured.iter().zip(predicted) {
            self.both += x * y;
            self.measured += x * x;
            self.predicted += y * y;
        }
    }

    /// NaN for a flat channel.
    fn correlation(self) -> f64 {
        self.both / (self.measured.sqrt() * self.predicted.sqrt())
    }
}

/// Correlation of each channel with the median of its predictions, `[epoch][channel]`.
pub fn correlations(level: CpuLevel, subsets: &[Subset], slab: Slab, recorder: &Recorder, out: &mut [f64]) {
    let channels = slab.channels;
    let largest = subsets.iter().map(|s| s.channels.len()).max().unwrap_or(0);
    let room = || {
        let tile = channels * COLUMNS;
        (vec![0.0; tile], vec![0.0; largest * COLUMNS], vec![0.0; tile], vec![0.0; subsets.len() * tile])
    };
    out.par_chunks_mut(channels.max(1)).enumerate().for_each_init(
        room,
        |(measured, from, to, all), (epoch, row)| {
            recorder.share("correlations", || {
                let mut products = vec![Products::default(); channels];
                let mut median = [0.0; COLUMNS];
                for first in (0..slab.samples).step_by(COLUMNS) {
                    let count = COLUMNS.min(slab.samples - first);
                    if count < COLUMNS {
                        measured.fill(0.0);
                    }
                    let rows = (&slab.epoch(epoch)[first..], slab.samples);
                    copy_rows(level, rows, (measured, COLUMNS), channels, count);
                    predict(level, subsets, (measured, from, to), all);
                    for (channel, products) in products.iter_mut().enumerate() {
                        let values = &all[channel * subsets.len() * COLUMNS..];
                        let tile = Tile { values, stride: COLUMNS, rows: subsets.len(), samples: count };
                        medians(level, tile, &mut median);
                        products.add(&measured[channel * COLUMNS..][..count], &median);
                    }
                }
                row.iter_mut().zip(products).for_each(|(out, p)| *out = p.correlation());
            });
        },
    );
}

/// Predictions by every subset, `[channel][subset][sample]`.
fn predict(
    level: CpuLevel,
    subsets: &[Subset],
    (measured, from, to): (&[f64], &mut [f64], &mut [f64]),
    all: &mut [f64],
) {
    for (at, subset) in subsets.iter().enumerate() {
        for (&channel, from) in subset.channels.iter().zip(from.chunks_exact_mut(COLUMNS)) {
            from.copy_from_slice(&measured[channel * COLUMNS..][..COLUMNS]);
        }
        subset.predictor.product(level, (from, COLUMNS), (to, COLUMNS), COLUMNS);
        for (channel, to) in to.chunks_exact(COLUMNS).enumerate() {
            all[(channel * subsets.len() + at) * COLUMNS..][..COLUMNS].copy_from_slice(to);
        }
    }
}

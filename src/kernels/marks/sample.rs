//! A few of an electrode's own marks at a few bins: what choices are tried on.

use super::{Bandwidths, Choice, EncodingSpikes, Intensity, PlaceBins, Scratch};
use crate::backend::CpuLevel;

/// Encoding spikes that take part: fewer average less, so errors rather seem too large.
const SPIKES: usize = 4096;

/// Whole numbers below a limit, from a seed.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}

/// Marks to decode, and a thinned electrode over some of its bins.
pub(super) struct Sample {
    marks: Vec<f64>,
    width: usize,
    positions: Vec<f64>,
    /// Bin centres of the lines that hold a bin asked for.
    axes: Vec<Vec<f64>>,
    interior: Vec<usize>,
    log_scale: Vec<f64>,
    decoding: Vec<f64>,
}

impl Sample {
    /// `count` marks drawn from the encoding ones, at the interior bins `at`.
    pub(super) fn new(
        spikes: &EncodingSpikes<'_>,
        bins: &PlaceBins<'_>,
        log_scale: &[f64],
        (at, count): (&[usize], usize),
        draw: &mut Draw,
    ) -> Sample {
        let every = spikes.len().div_ceil(SPIKES).max(1);
        let kept: Vec<usize> = (0..spikes.len()).step_by(every).collect();
        let take = |values: &[f64], columns: usize| -> Vec<f64> {
            kept.iter().flat_map(|i| &values[i * columns..(i + 1) * columns]).copied().collect()
        };
        let asked: Vec<usize> = at.iter().map(|k| bins.interior[*k]).collect();
        let (axes, interior) = around(bins, &asked);
        let thinned = (spikes.len() as f64 / kept.len().max(1) as f64).ln();
        let decoding = (0..count).map(|_| draw.below(spikes.len()));
        Sample {
            marks: take(spikes.marks, spikes.width),
            width: spikes.width,
            positions: take(spikes.positions, spikes.axes),
            axes,
            interior,
            log_scale: at.iter().map(|k| log_scale[*k] + thinned).collect(),
            decoding: decoding
                .flat_map(|i| &spikes.marks[i * spikes.width..(i + 1) * spikes.width])
                .copied()
                .collect(),
        }
    }

    /// Bins of a row.
    pub(super) fn bins(&self) -> usize {
        self.interior.len()
    }

    /// Log intensities `[mark, bin]` by `choice`.
    pub(super) fn rows(&self, bandwidths: &Bandwidths<'_>, choice: Choice, floor_ln: f64) -> Vec<f64> {
        let axes = self.axes.len();
        let (marks, positions) = (self.marks.as_slice(), self.positions.as_slice());
        let spikes = EncodingSpikes { marks, width: self.width, positions, axes };
        let bins =
            PlaceBins { axes: self.axes.iter().map(Vec::as_slice).collect(), interior: &self.interior };
        let intensity = Intensity::new(&spikes, &bins, bandwidths, choice, (&self.log_scale, floor_ln));
        let mut rows = vec![0.0; self.decoding.len() / self.width.max(1) * self.bins()];
        intensity.log_intensity(CpuLevel::detect(), &self.decoding, &mut rows, &mut Scratch::default());
        rows
    }
}

/// The smallest grid that holds the bins `asked`, and where they lie in it: factors of the other
/// lines of bins would take longer than the samples.
fn around(bins: &PlaceBins<'_>, asked: &[usize]) -> (Vec<Vec<f64>>, Vec<usize>) {
    let along: Vec<[usize; 2]> = asked.iter().map(|bin| bins.along_axes(*bin)).collect();
    let lines: Vec<Vec<usize>> = (0..bins.axes.len())
        .map(|axis| {
            let mut lines: Vec<usize> = along.iter().map(|at| at[axis]).collect();
            lines.sort_unstable();
            lines.dedup();
            lines
        })
        .collect();
    let axes = lines.iter().zip(&bins.axes).map(|(lines, axis)| lines.iter().map(|k| axis[*k]).collect());
    let place = |at: &[usize; 2]| {
        let steps =
            lines.iter().zip(at).map(|(lines, k)| (lines.len(), lines.partition_point(|line| line < k)));
        steps.fold(0, |flat, (count, at)| flat * count + at)
    };
    (axes.collect(), along.iter().map(place).collect())
}

//! The error that is seen, beside the one that is guaranteed: a thousand samples, seeded.

use super::{Accuracy, Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins, Precision, Scratch};
use crate::backend::CpuLevel;

/// Encoding marks that are decoded.
const MARKS: usize = 50;
/// Bins that each of them is looked at.
const BINS: usize = 20;
/// Encoding spikes that take part: fewer average less, so the error seen is rather too large.
const SPIKES: usize = 4096;

/// Whole numbers below a limit, from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}

/// Largest error of `ln lambda` after the floor on 1000 seeded (encoding mark, bin) samples, in
/// double precision against the direct sum. Not a guarantee.
pub fn observed_error(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (log_scale, floor_ln): (&[f64], f64),
    (choice, seed): (&Choice, u64),
) -> f64 {
    if spikes.is_empty() || bins.interior.is_empty() || choice.method == Method::Direct {
        return 0.0;
    }
    let mut draw = Draw(seed);
    let every = spikes.len().div_ceil(SPIKES);
    let kept: Vec<usize> = (0..spikes.len()).step_by(every).collect();
    let take = |values: &[f64], columns: usize| -> Vec<f64> {
        kept.iter().flat_map(|i| &values[i * columns..(i + 1) * columns]).copied().collect()
    };
    let (marks, positions) = (take(spikes.marks, spikes.width), take(spikes.positions, spikes.axes));
    let fewer = EncodingSpikes { marks: &marks, positions: &positions, ..*spikes };
    let at: Vec<usize> = (0..BINS).map(|_| draw.below(bins.interior.len())).collect();
    let asked: Vec<usize> = at.iter().map(|k| bins.interior[*k]).collect();
    let (axes, interior) = around(bins, &asked);
    let thinned = (spikes.len() as f64 / kept.len() as f64).ln();
    let scale: Vec<f64> = at.iter().map(|k| log_scale[*k] + thinned).collect();
    let decoding: Vec<f64> = (0..MARKS)
        .map(|_| draw.below(spikes.len()))
        .flat_map(|i| &spikes.marks[i * spikes.width..(i + 1) * spikes.width])
        .copied()
        .collect();
    let bins = PlaceBins { axes: axes.iter().map(Vec::as_slice).collect(), interior: &interior };
    let rows = |choice: Choice| {
        let intensity = Intensity::new(&fewer, &bins, bandwidths, choice, (&scale, floor_ln));
        let mut rows = vec![0.0f64; MARKS * BINS];
        intensity.log_intensity(CpuLevel::detect(), &decoding, &mut rows, &mut Scratch::default());
        rows
    };
    let double = Choice { precision: Precision::F64, ..*choice };
    let exact = rows(Choice { method: Method::Direct, cut: 0.0, ..double });
    let apart = rows(double).into_iter().zip(exact).map(|(a, b): (f64, f64)| (a - b).abs());
    apart.fold(0.0, f64::max)
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

impl Accuracy {
    /// Whether a choice with this bound is good enough; looks at samples where that was asked.
    pub(super) fn allows(&self, bound: f64, observe: impl FnOnce(u64) -> f64) -> bool {
        match self {
            Accuracy::Direct => false,
            Accuracy::Guaranteed(tolerance) => bound <= *tolerance,
            Accuracy::Observed { tolerance, seed } => observe(*seed) <= *tolerance,
        }
    }
}

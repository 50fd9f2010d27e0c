//! The definition: plain loops in double precision, one exponential per pair and axis.
//!
//! Slow on purpose; everything else in this module is measured against it.

use super::{Bandwidths, EncodingSpikes, PlaceBins};

/// Normalised Gaussian product kernel.
fn kernel(a: &[f64], b: &[f64], std: &[f64]) -> f64 {
    let root = std::f64::consts::TAU.sqrt();
    let factor = |((a, b), h): ((&f64, &f64), &f64)| (-0.5 * ((a - b) / h).powi(2)).exp() / (h * root);
    a.iter().zip(b).zip(std).map(factor).product()
}

/// Mean over the encoding spikes of `K_mark(mark, .) K_pos(position, .)`; 0 where there are none.
pub fn density(
    spikes: &EncodingSpikes<'_>,
    bandwidths: &Bandwidths<'_>,
    mark: &[f64],
    position: &[f64],
) -> f64 {
    if spikes.is_empty() {
        return 0.0;
    }
    let pair = |i: usize| {
        let theirs = &spikes.marks[i * spikes.width..(i + 1) * spikes.width];
        let place = &spikes.positions[i * spikes.axes..(i + 1) * spikes.axes];
        kernel(mark, theirs, bandwidths.mark) * kernel(position, place, bandwidths.position)
    };
    (0..spikes.len()).map(pair).sum::<f64>() / spikes.len() as f64
}

/// `l(d, p)` of one decoding spike at every interior bin.
///
/// `log_scale` holds `ln(rate / (occupancy n))` per interior bin, minus infinity where the
/// occupancy is 0. Where the intensity is below `exp(floor_ln)`, or there are no spikes, stands
/// the floor.
pub fn log_intensity(
    spikes: &EncodingSpikes<'_>,
    bins: &PlaceBins<'_>,
    bandwidths: &Bandwidths<'_>,
    (log_scale, floor_ln): (&[f64], f64),
    mark: &[f64],
) -> Vec<f64> {
    let at_bin = |(flat, scale): (&usize, &f64)| {
        let along = bins.along_axes(*flat);
        let place: Vec<f64> = bins.axes.iter().zip(along).map(|(centers, k)| centers[k]).collect();
        let sum = density(spikes, bandwidths, mark, &place) * spikes.len() as f64;
        (sum.ln() + scale).max(floor_ln)
    };
    bins.interior.iter().zip(log_scale).map(at_bin).collect()
}

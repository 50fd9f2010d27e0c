//! The definition, for reading and for tests.

use super::{Samples, peak};

/// `out[point] = sum_i w_i K_h(point, sample_i)`.
pub fn at_points(samples: Samples, std: &[f64], points: &[f64], out: &mut [f64]) {
    samples.check(std, points.len() / samples.axes, out.len());
    let axes = samples.axes;
    for (point, out) in points.chunks_exact(axes).zip(out) {
        let mut sum = 0.0;
        for (index, sample) in samples.positions.chunks_exact(axes).enumerate() {
            let mut square = 0.0;
            for ((x, s), h) in point.iter().zip(sample).zip(std) {
                square += (x - s) * (x - s) / (h * h);
            }
            sum += samples.weight(index) * (-0.5 * square).exp();
        }
        *out = sum * peak(std);
    }
}

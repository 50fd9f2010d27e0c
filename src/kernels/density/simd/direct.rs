//! Sums over all pairs of samples and points.

use super::exp::exp;
use crate::backend::CpuLevel;
use crate::kernels::density::{Samples, peak};
use crate::kernels::simd::{Lanes, per_level};

/// Points worked on together; their sums stay in the first cache.
const POINTS: usize = 128;
/// Samples summed before the sum is added to the total, so that rounding grows with the number of
/// such blocks and not of samples.
const BLOCK: usize = 256;

/// Sums of one block of at most [`POINTS`] points, given axis by axis.
#[inline(always)]
unsafe fn body<L: Lanes>(samples: Samples, scale: &[f64], planes: &[f64], out: &mut [f64]) {
    let axes = samples.axes;
    let mut square = [0.0f64; POINTS];
    let mut part = [0.0f64; POINTS];
    let count = samples.len();
    let mut first = 0;
    while first < count {
        let last = (first + BLOCK).min(count);
        part.fill(0.0);
        for index in first..last {
            for axis in 0..axes {
                let (s, h) = (samples.positions[index * axes + axis], scale[axis]);
                let plane = &planes[axis * POINTS..(axis + 1) * POINTS];
                if axis == 0 {
                    for j in 0..POINTS {
                        let d = (plane[j] - s) * h;
                        square[j] = d * d;
                    }
                } else {
                    for j in 0..POINTS {
                        let d = (plane[j] - s) * h;
                        square[j] += d * d;
                    }
                }
            }
            let w = samples.weight(index);
            for j in 0..POINTS {
                part[j] += w * exp::<L>(-square[j]);
            }
        }
        for (out, part) in out.iter_mut().zip(&part) {
            *out += part;
        }
        first = last;
    }
}
per_level! { unsafe fn body_at(samples: Samples, scale: &[f64], planes: &[f64], out: &mut [f64]) = body }

/// `out[point] = sum_i w_i K_h(point, sample_i)` over all samples; what `out` held is replaced.
///
/// # Panics
///
/// If lengths do not fit: `points` is `[out.len()][axes]`, `std` one positive bandwidth per axis.
pub fn at_points(level: CpuLevel, samples: Samples, std: &[f64], points: &[f64], out: &mut [f64]) {
    samples.check(std, points.len() / samples.axes, out.len());
    let (axes, level) = (samples.axes, level.min(CpuLevel::detect()));
    let scale: Vec<f64> = std.iter().map(|h| std::f64::consts::FRAC_1_SQRT_2 / h).collect();
    let mut planes = vec![0.0; axes * POINTS];
    for (points, out) in points.chunks(axes * POINTS).zip(out.chunks_mut(POINTS)) {
        for (index, point) in points.chunks_exact(axes).enumerate() {
            for (axis, &x) in point.iter().enumerate() {
                planes[axis * POINTS + index] = x;
            }
        }
        out.fill(0.0);
        // SAFETY: the level is one of this machine; the body indexes with checks.
        unsafe { body_at(level, samples, &scale, &planes, out) };
        out.iter_mut().for_each(|sum| *sum *= peak(std));
    }
}

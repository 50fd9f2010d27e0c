//! Sums at a point far from most samples: only the cells that matter, sample by sample.

use super::exp::exp;
use super::moments::Geometry;
use crate::backend::CpuLevel;
use crate::kernels::density::moments::{SIDE, Sorted, TOLERANCE};
use crate::kernels::simd::{Lanes, per_level};

/// Samples whose sums run side by side.
const SIDE_BY_SIDE: usize = 32;
/// How far, in cells, rounding may have put a sample outside of its cell.
const SLACK: f64 = 1e-6;

/// Half the square of the least and of the largest distance between a coordinate and each used cell
/// of an axis, in bandwidths.
fn half_squares(at: &Geometry, axis: usize, x: f64) -> Vec<[f64; 2]> {
    let u = (x - at.origin[axis]) * at.per_unit[axis] - at.margin as f64;
    let to = |cell: usize| {
        let (below, above) = (cell as f64 - u, u - (cell + 1) as f64);
        let least = (below.max(above) - SLACK).max(0.0) * SIDE;
        let most = (-above).max(-below) + SLACK;
        [0.5 * least * least, 0.5 * most * most * SIDE * SIDE]
    };
    (0..at.used[axis]).map(to).collect()
}

/// The sum at one point without the cells whose samples together add less than half of the tolerance:
/// some cell's samples, all at their largest distance, are a lower bound of the sum.
#[inline(always)]
unsafe fn body<L: Lanes>(samples: &Sorted, at: &Geometry, (mass, point): (&[f64], &[f64])) -> f64 {
    let x = half_squares(at, 0, point[0]);
    let y = if point.len() > 1 { half_squares(at, 1, point[1]) } else { vec![[0.0; 2]] };
    let ln_mass: Vec<f64> = mass.iter().map(|mass| mass.ln()).collect();
    let mut least = f64::NEG_INFINITY;
    for (row, x) in ln_mass.chunks_exact(y.len()).zip(&x) {
        for (ln_mass, y) in row.iter().zip(&y) {
            least = least.max(ln_mass - x[1] - y[1]);
        }
    }
    let limit = least + (0.5 * TOLERANCE / mass.len() as f64).ln();
    let scale = [0, 1].map(|axis| at.per_unit[axis] * SIDE * std::f64::consts::FRAC_1_SQRT_2);
    let mut sum = 0.0;
    for cell in 0..mass.len() {
        let (x, y) = (x[cell / y.len()], y[cell % y.len()]);
        // Not "greater": without any mass both sides are negative infinity.
        if ln_mass[cell] - x[0] - y[0] < limit || mass[cell] == 0.0 {
            continue;
        }
        let mut sums = [0.0; SIDE_BY_SIDE];
        let mut first = samples.starts[cell];
        while first < samples.starts[cell + 1] {
            let last = (first + SIDE_BY_SIDE).min(samples.starts[cell + 1]);
            let mut square = [0.0f64; SIDE_BY_SIDE];
            for axis in 0..point.len() {
                for (square, s) in square.iter_mut().zip(&samples.planes[axis][first..last]) {
                    let d = (point[axis] - s) * scale[axis];
                    *square += d * d;
                }
            }
            // All of the block, so that it is vector code; what lies behind the samples is not added.
            for square in &mut square {
                *square = exp::<L>(-*square);
            }
            match &samples.weights {
                None => sums.iter_mut().zip(&square[..last - first]).for_each(|(sum, k)| *sum += k),
                Some(weights) => {
                    for ((sum, k), w) in sums.iter_mut().zip(&square).zip(&weights[first..last]) {
                        *sum += k * w;
                    }
                }
            }
            first = last;
        }
        sum += sums.iter().sum::<f64>();
    }
    sum
}
per_level! { unsafe fn body_at(samples: &Sorted, at: &Geometry, cells: (&[f64], &[f64])) -> f64 = body }

/// The sum at `point`, kernel peak = 1; not a number where the point is none.
pub fn sum(level: CpuLevel, samples: &Sorted, at: &Geometry, mass: &[f64], point: &[f64]) -> f64 {
    if point.iter().any(|x| x.is_nan()) {
        return f64::NAN;
    }
    // SAFETY: the level is one of this machine; the body indexes with checks.
    unsafe { body_at(level, samples, at, (mass, point)) }
}

//! Expansion coefficients of many cells at once: lanes are cells.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

use crate::backend::CpuLevel;
use crate::kernels::marks::expansion::{MOST_TERMS, Nodes};
use crate::kernels::simd::exp::{LOWEST, exp};
use crate::kernels::simd::{Lanes, per_level};

/// Nodes whose kernels go side by side.
const ABREAST: usize = 4;
/// Most lanes of a register.
const WIDEST: usize = 8;

#[inline(always)]
unsafe fn body<L: Lanes>(at: &[f64], half: f64, nodes: &Nodes, out: &mut [f64]) {
    let q = nodes.z.len();
    for (at, out) in at.chunks(L::N).zip(out.chunks_mut(L::N * q)) {
        let mut padded = [0.0; WIDEST];
        padded[..at.len()].copy_from_slice(at);
        // SAFETY: a register fits into WIDEST values.
        unsafe {
            let (u, lowest, down) = (L::load(padded.as_ptr()), L::splat(LOWEST), L::splat(-0.5));
            let mut sums = [L::splat(0.0); MOST_TERMS];
            for first in (0..q).step_by(ABREAST) {
                let count = ABREAST.min(q - first);
                let mut exponent = [L::splat(0.0); ABREAST];
                for k in 0..count {
                    let apart = u.sub(L::splat(half * nodes.z[first + k]));
                    exponent[k] = apart.mul(apart).mul(down).max(lowest);
                }
                let values = exp(exponent);
                for k in 0..count {
                    let cosines = &nodes.cosines[(first + k) * q..][..q];
                    for (sum, cosine) in sums.iter_mut().zip(cosines) {
                        *sum = values[k].fma(L::splat(*cosine), *sum);
                    }
                }
            }
            for a in 0..q {
                let scale = if a == 0 { 1.0 } else { 2.0 } / q as f64;
                let lanes = sums[a].mul(L::splat(scale)).to_array();
                for (row, value) in out.chunks_exact_mut(q).zip(lanes) {
                    row[a] = value;
                }
            }
        }
    }
}
per_level! { unsafe fn body_at(at: &[f64], half: f64, nodes: &Nodes, out: &mut [f64]) = body }

/// The coefficients of [`expansion::coefficients`](super::super::expansion::coefficients) for a bin
/// at each distance `at` from cells of half side `half`, all in bandwidths: `out[cell][degree]`.
///
/// # Panics
///
/// If `out` is not `at` times the degrees, or these are more than [`MOST_TERMS`].
pub(in crate::kernels::marks) fn coefficients_of(
    level: CpuLevel,
    at: &[f64],
    half: f64,
    q: usize,
    out: &mut [f64],
) {
    assert!(q <= MOST_TERMS && out.len() == at.len() * q);
    // SAFETY: the level is limited to what the machine has.
    unsafe { body_at(level.min(CpuLevel::detect()), at, half, Nodes::shared(q), out) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::marks::expansion::coefficients;

    #[test]
    fn lanes_agree_with_one_cell_at_a_time() {
        for level in CpuLevel::available() {
            for (q, cells) in [(1, 3), (4, 8), (5, 1), (8, 17), (9, 40), (16, 9)] {
                let at: Vec<f64> = (0..cells).map(|i| -11.0 + 0.61 * i as f64).collect();
                let mut out = vec![f64::NAN; cells * q];
                coefficients_of(level, &at, 0.17, q, &mut out);
                let mut expected = vec![0.0; q];
                for (u, row) in at.iter().zip(out.chunks_exact(q)) {
                    coefficients(*u, 0.17, &mut expected);
                    let most = expected.iter().fold(0.0, |most: f64, c| most.max(c.abs()));
                    for (a, (ours, theirs)) in row.iter().zip(&expected).enumerate() {
                        assert!(
                            (ours - theirs).abs() <= 2e-15 * most,
                            "{level:?} {q} {u} {a}: {ours} {theirs}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_cell_out_of_all_reach_gives_next_to_nothing() {
        let mut out = [1.0; 8];
        coefficients_of(CpuLevel::detect(), &[500.0], 0.3, 8, &mut out);
        assert!(out.iter().all(|c| c.abs() < 1e-290), "{out:?}");
    }
}

//! Lane-generic bodies: exponentials, element-wise products with their sums, quotients, and the
//! max-plus product of the most likely sequence.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

pub mod exp;
pub mod max_plus;

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};
pub use crate::kernels::transition::total;
use crate::kernels::transition::{FLUSH, LEAST_NORMAL};

#[inline(always)]
unsafe fn weigh_body<L: Lanes>(prior: &[f64], evidence: *const f64, out: *mut f64) -> f64 {
    // SAFETY: `weigh` checked the lengths.
    unsafe {
        let (flush, zero, least) = (L::splat(FLUSH), L::splat(0.0), L::splat(LEAST_NORMAL));
        let (from, n) = (prior.as_ptr(), prior.len());
        let mut sums = [zero; 4];
        let mut i = 0;
        while i + 4 * L::N <= n {
            for chain in 0..4 {
                let at = i + chain * L::N;
                let value = L::load(from.add(at)).fma(L::load(evidence.add(at)), least);
                let value = zero.select(value.at_most(flush), value);
                value.store(out.add(at));
                sums[chain] = sums[chain].add(value);
            }
            i += 4 * L::N;
        }
        let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
        let mut sum: f64 = sum.to_array().iter().sum();
        while i < n {
            let value = *from.add(i) * *evidence.add(i);
            *out.add(i) = if value <= FLUSH { 0.0 } else { value };
            sum += *out.add(i);
            i += 1;
        }
        sum
    }
}
per_level! { unsafe fn weigh_at(prior: &[f64], evidence: *const f64, out: *mut f64) -> f64 = weigh_body }

/// `out = prior * evidence`, 0 where it falls below [`FLUSH`]; returns the sum.
///
/// # Panics
///
/// If the lengths differ.
pub fn weigh(level: CpuLevel, prior: &[f64], evidence: &[f64], out: &mut [f64]) -> f64 {
    assert!(prior.len() == evidence.len() && prior.len() == out.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { weigh_at(level.min(CpuLevel::detect()), prior, evidence.as_ptr(), out.as_mut_ptr()) }
}

#[inline(always)]
unsafe fn scale_body<L: Lanes>(values: &mut [f64], factor: f64) {
    // SAFETY: loads and stores stay inside of the slice.
    unsafe {
        let (at, n) = (values.as_mut_ptr(), values.len());
        let mut i = 0;
        while i + L::N <= n {
            L::load(at.add(i)).mul(L::splat(factor)).store(at.add(i));
            i += L::N;
        }
        while i < n {
            *at.add(i) *= factor;
            i += 1;
        }
    }
}
per_level! { unsafe fn scale_at(values: &mut [f64], factor: f64) = scale_body }

/// `values *= factor`.
pub fn scale(level: CpuLevel, values: &mut [f64], factor: f64) {
    // SAFETY: the level is limited to what the machine has.
    unsafe { scale_at(level.min(CpuLevel::detect()), values, factor) }
}

#[inline(always)]
unsafe fn ratio_body<L: Lanes>(above: &[f64], below: *const f64, out: *mut f64) {
    // SAFETY: `ratio` checked the lengths.
    unsafe {
        let zero = L::splat(0.0);
        let (from, n) = (above.as_ptr(), above.len());
        let mut i = 0;
        while i + L::N <= n {
            let below = L::load(below.add(i));
            let quotient = L::load(from.add(i)).div(below);
            zero.select(below.at_most(zero), quotient).store(out.add(i));
            i += L::N;
        }
        while i < n {
            let below = *below.add(i);
            *out.add(i) = if below <= 0.0 { 0.0 } else { *from.add(i) / below };
            i += 1;
        }
    }
}
per_level! { unsafe fn ratio_at(above: &[f64], below: *const f64, out: *mut f64) = ratio_body }

/// `out = above / below`, 0 where `below` is 0.
///
/// # Panics
///
/// If the lengths differ.
pub fn ratio(level: CpuLevel, above: &[f64], below: &[f64], out: &mut [f64]) {
    assert!(above.len() == below.len() && above.len() == out.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { ratio_at(level.min(CpuLevel::detect()), above, below.as_ptr(), out.as_mut_ptr()) }
}

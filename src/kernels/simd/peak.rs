//! The most a core can do: multiply-adds, exponentials, copies. What kernels are measured against.

use super::exp::exp;
use super::{AlignedF64, Lanes, per_level};
use crate::backend::CpuLevel;

/// Independent chains, enough to hide the latency of a multiply-add on two ports.
const CHAINS: usize = 12;
/// The same where a product takes a register of its own: more chains would not stay in registers.
const FEWER: usize = 8;

/// Chains of an instruction set.
fn chains(level: CpuLevel) -> usize {
    if level == CpuLevel::Baseline { FEWER } else { CHAINS }
}

#[inline(always)]
unsafe fn burst_body<L: Lanes>(rounds: usize, seed: f64) -> f64 {
    // SAFETY: registers only.
    unsafe {
        if L::N == 2 { burst_of::<L, FEWER>(rounds, seed) } else { burst_of::<L, CHAINS>(rounds, seed) }
    }
}

#[inline(always)]
unsafe fn burst_of<L: Lanes, const CHAINS: usize>(rounds: usize, seed: f64) -> f64 {
    // SAFETY: registers only.
    unsafe {
        let (factor, term) = (L::splat(1.0 - 1e-9), L::splat(1e-9 * seed));
        let mut sums = [L::splat(seed); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sum.fma(factor, term);
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = all.add(*sum);
        }
        all.to_array().iter().sum()
    }
}
per_level! { unsafe fn burst_at(rounds: usize, seed: f64) -> f64 = burst_body }

/// Double-precision lanes of a register.
fn lanes(level: CpuLevel) -> usize {
    match level {
        CpuLevel::Baseline => 2,
        CpuLevel::Avx2 => 4,
        CpuLevel::Avx512 => 8,
    }
}

/// Runs `rounds` rounds of independent multiply-adds in float64; returns the flop done and a
/// value that depends on all of them, so that none is left out.
pub fn multiply_add_burst(level: CpuLevel, rounds: usize, seed: f64) -> (u64, f64) {
    let level = level.min(CpuLevel::detect());
    // SAFETY: the level was limited to what the machine has.
    let value = unsafe { burst_at(level, rounds, seed) };
    (2 * (lanes(level) * chains(level) * rounds) as u64, value)
}

#[inline(always)]
unsafe fn single_burst_body<L: Lanes>(rounds: usize, seed: f32) -> f64 {
    // SAFETY: registers only.
    unsafe {
        if L::N == 2 {
            single_burst_of::<L, FEWER>(rounds, seed)
        } else {
            single_burst_of::<L, CHAINS>(rounds, seed)
        }
    }
}

#[inline(always)]
unsafe fn single_burst_of<L: Lanes, const CHAINS: usize>(rounds: usize, seed: f32) -> f64 {
    // SAFETY: registers only.
    unsafe {
        let (factor, term) = (L::single(1.0 - 1e-6), L::single(1e-6 * seed));
        let mut sums = [L::single(seed); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = L::fma_single(*sum, factor, term);
            }
        }
        let mut all = L::splat(0.0);
        for sum in &sums {
            let (low, high) = L::widen_single(*sum);
            all = all.add(low).add(high);
        }
        all.to_array().iter().sum()
    }
}
per_level! { unsafe fn single_burst_at(rounds: usize, seed: f32) -> f64 = single_burst_body }

/// As [`multiply_add_burst`], in float32.
pub fn single_multiply_add_burst(level: CpuLevel, rounds: usize, seed: f32) -> (u64, f64) {
    let level = level.min(CpuLevel::detect());
    // SAFETY: the level was limited to what the machine has.
    let value = unsafe { single_burst_at(level, rounds, seed) };
    (2 * (2 * lanes(level) * chains(level) * rounds) as u64, value)
}

/// Registers whose exponentials go side by side: what the kernels take.
const SIDE_BY_SIDE: usize = 4;

#[inline(always)]
unsafe fn exp_burst_body<L: Lanes>(rounds: usize, seed: f64) -> f64 {
    // SAFETY: registers only.
    unsafe {
        let (mut x, step) = ([L::splat(-seed.abs()); SIDE_BY_SIDE], L::splat(-1e-6));
        let mut sums = [L::splat(0.0); SIDE_BY_SIDE];
        for _ in 0..rounds {
            let values = exp::<L, SIDE_BY_SIDE>(x);
            for k in 0..SIDE_BY_SIDE {
                sums[k] = sums[k].add(values[k]);
                x[k] = x[k].add(step);
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = all.add(*sum);
        }
        all.to_array().iter().sum()
    }
}
per_level! { unsafe fn exp_burst_at(rounds: usize, seed: f64) -> f64 = exp_burst_body }

/// Runs `rounds` rounds of [`exp`] in float64 near `-seed`, which is at most 600; returns how many
/// values that were and a number that depends on all of them.
pub fn exp_burst(level: CpuLevel, rounds: usize, seed: f64) -> (u64, f64) {
    let level = level.min(CpuLevel::detect());
    // SAFETY: the level was limited to what the machine has.
    let value = unsafe { exp_burst_at(level, rounds, seed.clamp(0.0, 600.0)) };
    ((lanes(level) * SIDE_BY_SIDE * rounds) as u64, value)
}

#[inline(always)]
unsafe fn copy_body<L: Lanes>(from: *const f64, to: *mut f64, count: usize) {
    // SAFETY: the caller's pointers, both on a cache line.
    unsafe {
        let mut at = 0;
        while at + L::N <= count {
            L::load(from.add(at)).stream(to.add(at));
            at += L::N;
        }
        while at < count {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}
per_level! { unsafe fn copy_at(from: *const f64, to: *mut f64, count: usize) = copy_body }

/// Copies the shorter one's length past the caches; returns the bytes moved, read and written both
/// counted.
pub fn copy(level: CpuLevel, from: &AlignedF64, to: &mut AlignedF64) -> u64 {
    let level = level.min(CpuLevel::detect());
    let count = from.len().min(to.len());
    // SAFETY: both hold `count` values from a cache line on; the level was limited to what the machine has.
    unsafe { copy_at(level, from.as_ptr(), to.as_mut_ptr(), count) };
    (16 * count) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_exponentials_are_what_they_count() {
        for level in CpuLevel::available() {
            let (mut from, mut to) = (AlignedF64::zeros(1001), AlignedF64::zeros(1001));
            from.iter_mut().enumerate().for_each(|(at, value)| *value = at as f64);
            assert_eq!(copy(level, &from, &mut to), 16 * 1001);
            assert!(to.iter().zip(from.iter()).all(|(a, b)| a == b), "{level:?}");
            let (count, value) = exp_burst(level, 100, 2.0);
            let expected = count as f64 * (-2.0f64).exp();
            assert!((value / expected - 1.0).abs() < 1e-3, "{level:?} {value} {expected}");
            let (flop, value) = single_multiply_add_burst(level, 100, 1.0);
            assert!((value / (flop as f64 / 200.0) - 1.0).abs() < 1e-2, "{level:?} {value}");
        }
    }

    #[test]
    fn every_level_does_the_work_it_counts() {
        for level in CpuLevel::available() {
            let (flop, value) = multiply_add_burst(level, 1000, 1.0);
            assert!(
                flop >= 32_000 && (value - flop as f64 / 2000.0).abs() < 1e-3,
                "{level:?} {flop} {value}"
            );
        }
    }
}

//! The most multiply-adds a core can do: what compute-bound kernels are measured against.

use super::{Lanes, per_level};
use crate::backend::CpuLevel;

/// Independent chains, enough to hide the latency of a multiply-add on two ports.
const CHAINS: usize = 12;

#[inline(always)]
unsafe fn burst_body<L: Lanes>(rounds: usize, seed: f64) -> f64 {
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

/// Runs `rounds` rounds of independent multiply-adds in float64; returns the flop done and a
/// value that depends on all of them, so that none is left out.
pub fn multiply_add_burst(level: CpuLevel, rounds: usize, seed: f64) -> (u64, f64) {
    let level = level.min(CpuLevel::detect());
    let lanes = match level {
        CpuLevel::Baseline => 2,
        CpuLevel::Avx2 => 4,
        CpuLevel::Avx512 => 8,
    };
    // SAFETY: the level was limited to what the machine has.
    let value = unsafe { burst_at(level, rounds, seed) };
    (2 * (lanes * CHAINS * rounds) as u64, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_does_the_work_it_counts() {
        for level in CpuLevel::available() {
            let (flop, value) = multiply_add_burst(level, 1000, 1.0);
            assert!(
                flop >= 48_000 && (value - flop as f64 / 2000.0).abs() < 1e-3,
                "{level:?} {flop} {value}"
            );
        }
    }
}

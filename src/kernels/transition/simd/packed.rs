//! Packed weights times a vector.

use super::super::LEAST_NORMAL;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Targets of a block: two cache lines of weights per source.
pub const WIDTH: usize = 16;

/// A stretch of sources towards [`WIDTH`] targets.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// First target.
    pub target: usize,
    /// First source.
    pub first: usize,
    /// Source after the last.
    pub last: usize,
    /// Where its weights begin.
    pub offset: usize,
}

/// `V` registers of targets, `K` sources at a time in chains of their own.
#[inline(always)]
unsafe fn stretch<L: Lanes, const V: usize, const K: usize>(
    b: &Block,
    weights: *const f64,
    source: *const f64,
    sums: &mut [[L; V]; K],
) {
    // SAFETY: `packed` checked that sources and weights are there.
    unsafe {
        let mut at = weights.add(b.offset);
        let mut k = b.first;
        while k + K <= b.last {
            for chain in 0..K {
                let f = L::splat(*source.add(k + chain));
                for v in 0..V {
                    sums[chain][v] = f.fma(L::load(at.add(chain * WIDTH + v * L::N)), sums[chain][v]);
                }
            }
            at = at.add(K * WIDTH);
            k += K;
        }
        while k < b.last {
            let f = L::splat(*source.add(k));
            for v in 0..V {
                sums[0][v] = f.fma(L::load(at.add(v * L::N)), sums[0][v]);
            }
            at = at.add(WIDTH);
            k += 1;
        }
    }
}

#[inline(always)]
unsafe fn blocks<L: Lanes, const V: usize, const K: usize>(
    blocks: &[Block],
    weights: *const f64,
    source: *const f64,
    walked: *mut f64,
) {
    // SAFETY: as `stretch`; each target's line is whole.
    unsafe {
        let mut at = 0;
        while at < blocks.len() {
            let target = blocks[at].target;
            let mut sums = [[L::splat(LEAST_NORMAL); V]; K];
            while at < blocks.len() && blocks[at].target == target {
                stretch::<L, V, K>(&blocks[at], weights, source, &mut sums);
                at += 1;
            }
            for v in 0..V {
                let mut sum = sums[0][v];
                for chain in 1..K {
                    sum = sum.add(sums[chain][v]);
                }
                sum.store(walked.add(target + v * L::N));
            }
        }
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(list: &[Block], weights: *const f64, source: *const f64, walked: *mut f64) {
    // SAFETY: passed on; WIDTH is V registers at each lane count.
    unsafe {
        match L::N {
            8 => blocks::<L, 2, 4>(list, weights, source, walked),
            4 => blocks::<L, 4, 2>(list, weights, source, walked),
            _ => blocks::<L, 8, 1>(list, weights, source, walked),
        }
    }
}
per_level! { unsafe fn body_at(list: &[Block], weights: *const f64, source: *const f64, walked: *mut f64) = body }

/// `walked[target] = sum of weight * source` over the blocks of each target; targets that no block
/// names keep what they held. Blocks of one target follow each other.
///
/// # Panics
///
/// If a block reaches outside of a slice.
pub fn packed(level: CpuLevel, list: &[Block], weights: &[f64], source: &[f64], walked: &mut [f64]) {
    for b in list {
        let end = b.offset + WIDTH * (b.last - b.first);
        assert!(b.first <= b.last && b.last <= source.len() && end <= weights.len());
        assert!(b.target + WIDTH <= walked.len());
    }
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe {
        body_at(level.min(CpuLevel::detect()), list, weights.as_ptr(), source.as_ptr(), walked.as_mut_ptr())
    }
}

//! Weights that depend on the distance alone times a vector.
//!
//! [`BLOCKS`] blocks of targets share the weights of a shift: for 8 multiply-adds of a register 2
//! loads of weights and 4 of sources, so that the multiply-adds bind and not the loads.

use super::super::LEAST_NORMAL;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Registers of targets in a block.
const WIDTH: usize = 2;
/// Blocks of a group.
const BLOCKS: usize = 4;
/// Cells before the first and after the last that may be read and written: a group at most.
pub const MARGIN: usize = 64;

/// Targets of a block.
pub fn block(level: CpuLevel) -> usize {
    match level.min(CpuLevel::detect()) {
        CpuLevel::Avx512 => 8 * WIDTH,
        CpuLevel::Avx2 => 4 * WIDTH,
        CpuLevel::Baseline => 2 * WIDTH,
    }
}

/// Targets of a group.
pub fn group(level: CpuLevel) -> usize {
    BLOCKS * block(level)
}

/// Blocks of targets side by side and the sources they meet: for the targets from `t` on, those
/// from `t + first` to `t + end`.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// First target.
    pub target: usize,
    /// First shift.
    pub first: isize,
    /// Shift after the last.
    pub end: isize,
}

/// Weights by distance.
#[derive(Debug, Clone, Copy)]
pub struct Band<'a> {
    /// From the least distance to the greatest.
    pub weights: &'a [f64],
    /// Where that of distance 0 stands.
    pub own: usize,
}

#[inline(always)]
unsafe fn body<L: Lanes>(groups: &[Group], own: *const f64, source: *const f64, walked: *mut f64) {
    // SAFETY: `along` checked that sources, weights and targets are there.
    unsafe {
        for g in groups {
            let mut sums = [[L::splat(LEAST_NORMAL); WIDTH]; BLOCKS];
            for shift in g.first..g.end {
                let mut weights = [L::splat(0.0); WIDTH];
                for v in 0..WIDTH {
                    weights[v] = L::load(own.offset((v * L::N) as isize - shift));
                }
                let from = source.add(g.target).offset(shift);
                for b in 0..BLOCKS {
                    let f = L::splat(*from.add(b * WIDTH * L::N));
                    for v in 0..WIDTH {
                        sums[b][v] = f.fma(weights[v], sums[b][v]);
                    }
                }
            }
            for b in 0..BLOCKS {
                for v in 0..WIDTH {
                    sums[b][v].store(walked.add(g.target + (b * WIDTH + v) * L::N));
                }
            }
        }
    }
}
per_level! { unsafe fn body_at(groups: &[Group], own: *const f64, source: *const f64, walked: *mut f64) = body }

/// `walked[t] = sum over s of weights[own + t - s] * source[s]`, `s` in the shifts of the group of `t`.
///
/// # Panics
///
/// If a group reaches outside of a slice.
pub fn along(level: CpuLevel, groups: &[Group], band: Band<'_>, source: &[f64], walked: &mut [f64]) {
    let (level, block, group) = (level.min(CpuLevel::detect()), block(level), group(level));
    let Band { weights, own } = band;
    for g in groups {
        assert!(g.first <= g.end && g.target + group <= walked.len());
        let (before, after) = (-g.first.min(0) as usize, g.end.max(0) as usize);
        assert!(g.target >= before && g.target + after + group - block <= source.len());
        assert!(own + 1 >= after && own + block + before <= weights.len());
    }
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { body_at(level, groups, weights.as_ptr().add(own), source.as_ptr(), walked.as_mut_ptr()) }
}

//! Products of small matrices, banded by blocks: a block of the result stays in registers while
//! the steps of its band pass by.

use super::super::{FAINT, LEAST_NORMAL};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};
use std::ops::Range;

/// Most units of 8 columns in a block: with 16 registers, and with 32. Five rows of five units were
/// the fastest on AVX-512 (87 % of peak), before 8 x 3 and 6 x 4 (75 %), 8 x 2 (60 %).
pub const UNITS: [usize; 2] = [1, 5];

/// Most rows of a block of `units`: the sums leave registers for the two factors.
pub fn most_rows(level: CpuLevel, units: usize) -> usize {
    match (level, units) {
        (CpuLevel::Avx512, 1..=2) => 10,
        (CpuLevel::Avx512, 3) => 8,
        (CpuLevel::Avx512, 4) => 6,
        (CpuLevel::Avx512, _) => 5,
        (CpuLevel::Avx2, _) => 6,
        (CpuLevel::Baseline, _) => 3,
    }
}

/// A block of the result and the steps it sums over.
#[derive(Debug, Clone)]
pub struct Span {
    /// Rows.
    pub rows: Range<usize>,
    /// Columns in units of 8.
    pub units: Range<usize>,
    /// Steps.
    pub steps: Range<usize>,
}

/// The factors: `left[row, step]` at `row * left_row + step * left_step`, `right[step, column]`.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// Read one value at a time.
    pub left: &'a [f64],
    /// Elements from row to row.
    pub left_row: usize,
    /// Elements from step to step.
    pub left_step: usize,
    /// Read in registers of columns.
    pub right: &'a [f64],
}

#[derive(Clone, Copy)]
struct Pointers {
    left: *const f64,
    left_row: usize,
    left_step: usize,
    right: *const f64,
    stride: usize,
    out: *mut f64,
}

#[inline(always)]
unsafe fn block<L: Lanes, const R: usize, const V: usize>(p: Pointers, span: &Span) {
    // SAFETY: `product` checked the span against all three matrices.
    unsafe {
        let column = span.units.start * 8;
        let mut sums = [[L::splat(LEAST_NORMAL); V]; R];
        let mut left = p.left.add(span.rows.start * p.left_row + span.steps.start * p.left_step);
        let mut right = p.right.add(span.steps.start * p.stride + column);
        for _ in span.steps.start..span.steps.end {
            let mut values = [L::splat(0.0); V];
            for v in 0..V {
                values[v] = L::load(right.add(v * L::N));
            }
            for r in 0..R {
                let f = L::splat(*left.add(r * p.left_row));
                for v in 0..V {
                    sums[r][v] = f.fma(values[v], sums[r][v]);
                }
            }
            left = left.wrapping_add(p.left_step);
            right = right.wrapping_add(p.stride);
        }
        let out = p.out.add(span.rows.start * p.stride + column);
        for r in 0..R {
            for v in 0..V {
                let mut sum = sums[r][v];
                if L::N == 2 {
                    // The one instruction set without fused multiply-adds: see `FAINT`.
                    sum = L::splat(0.0).select(sum.at_most(L::splat(FAINT)), sum);
                }
                sum.store(out.add(r * p.stride + v * L::N));
            }
        }
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(p: Pointers, spans: &[Span]) {
    // SAFETY: passed on.
    unsafe {
        for span in spans {
            macro_rules! blocks {
                ($units:literal, $v:literal: $($rows:literal)*) => {
                    match (span.rows.len(), span.units.len()) {
                        $( ($rows, $units) => block::<L, $rows, $v>(p, span), )*
                        _ => {}
                    }
                };
            }
            match L::N {
                8 => {
                    blocks!(1, 1: 1 2 3 4 5 6 7 8 9 10);
                    blocks!(2, 2: 1 2 3 4 5 6 7 8 9 10);
                    blocks!(3, 3: 1 2 3 4 5 6 7 8);
                    blocks!(4, 4: 1 2 3 4 5 6);
                    blocks!(5, 5: 1 2 3 4 5);
                }
                4 => blocks!(1, 2: 1 2 3 4 5 6),
                _ => blocks!(1, 4: 1 2 3),
            }
        }
    }
}
per_level! { unsafe fn body_at(p: Pointers, spans: &[Span]) = body }

/// Writes the blocks `spans` of `left right` into `out`; rows of `right` and `out` lie `stride`
/// apart. `spans` were cut with [`UNITS`] and [`most_rows`] for `level`.
///
/// # Panics
///
/// If a block reaches outside of a matrix or is larger than the tile.
pub fn product(level: CpuLevel, spans: &[Span], factors: Operands, stride: usize, out: &mut [f64]) {
    let level = level.min(CpuLevel::detect());
    let units = UNITS[usize::from(level == CpuLevel::Avx512)];
    for s in spans {
        assert!(!s.units.is_empty() && s.units.len() <= units);
        assert!(!s.rows.is_empty() && s.rows.len() <= most_rows(level, s.units.len()));
        assert!(8 * s.units.end <= stride && s.rows.end * stride <= out.len());
        if !s.steps.is_empty() {
            let last = (s.rows.end - 1) * factors.left_row + (s.steps.end - 1) * factors.left_step;
            assert!(last < factors.left.len() && s.steps.end * stride <= factors.right.len());
        }
    }
    let pointers = Pointers {
        left: factors.left.as_ptr(),
        left_row: factors.left_row,
        left_step: factors.left_step,
        right: factors.right.as_ptr(),
        stride,
        out: out.as_mut_ptr(),
    };
    // SAFETY: checked above for every block.
    unsafe { body_at(level, pointers, spans) }
}

//! Products of small matrices where sums take the place of products and the largest that of the
//! sum, with the step that gave it.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// The factors, `left[row, step]` at `row * left_row + step * left_step` and `right[step, column]`
/// with rows `stride` apart, and the shape of the result.
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
    /// Columns of `right` and of the results, a multiple of 8.
    pub stride: usize,
    /// Rows of the results.
    pub rows: usize,
    /// Steps.
    pub steps: usize,
}

#[derive(Clone, Copy)]
struct Pointers {
    left: *const f64,
    left_row: usize,
    left_step: usize,
    right: *const f64,
    stride: usize,
    steps: usize,
    best: *mut f64,
    step: *mut f64,
}

#[inline(always)]
unsafe fn block<L: Lanes, const R: usize, const V: usize>(p: Pointers, row: usize, column: usize) {
    // SAFETY: `max_plus` checked all four matrices.
    unsafe {
        let mut best = [[L::splat(f64::NEG_INFINITY); V]; R];
        let mut step = [[L::splat(0.0); V]; R];
        let mut left = p.left.add(row * p.left_row);
        let mut right = p.right.add(column);
        for k in 0..p.steps {
            let now = L::splat(f64::from_bits(k as u64));
            let mut values = [L::splat(0.0); V];
            for v in 0..V {
                values[v] = L::load(right.add(v * L::N));
            }
            for r in 0..R {
                let score = L::splat(*left.add(r * p.left_row));
                for v in 0..V {
                    let sum = score.add(values[v]);
                    // The first of equals stays.
                    let stays = sum.at_most(best[r][v]);
                    best[r][v] = best[r][v].select(stays, sum);
                    step[r][v] = step[r][v].select(stays, now);
                }
            }
            left = left.wrapping_add(p.left_step);
            right = right.wrapping_add(p.stride);
        }
        for r in 0..R {
            for v in 0..V {
                let at = (row + r) * p.stride + column + v * L::N;
                best[r][v].store(p.best.add(at));
                step[r][v].store(p.step.add(at));
            }
        }
    }
}

#[inline(always)]
unsafe fn columns<L: Lanes, const R: usize, const V: usize>(p: Pointers, row: usize) {
    // SAFETY: passed on; the stride is a multiple of 8.
    unsafe {
        let mut column = 0;
        while column + V * L::N <= p.stride {
            block::<L, R, V>(p, row, column);
            column += V * L::N;
        }
        while column < p.stride {
            block::<L, R, 1>(p, row, column);
            column += L::N;
        }
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(p: Pointers, rows: usize) {
    // SAFETY: passed on.
    unsafe {
        let mut row = 0;
        while row + 4 <= rows && L::REGISTERS == 32 {
            columns::<L, 4, 2>(p, row);
            row += 4;
        }
        while row + 2 <= rows {
            columns::<L, 2, 2>(p, row);
            row += 2;
        }
        while row < rows {
            columns::<L, 1, 4>(p, row);
            row += 1;
        }
    }
}
per_level! { unsafe fn body_at(p: Pointers, rows: usize) = body }

/// `best[row, column]` = largest over the steps of `left[row, step] + right[step, column]`, and the
/// first `step` that reaches it, as the bits of an integer (lanes only move them); -inf and step 0
/// where all are -inf.
///
/// # Panics
///
/// If a matrix is too short.
pub fn max_plus(level: CpuLevel, f: Operands, best: &mut [f64], step: &mut [f64]) {
    assert!(f.stride.is_multiple_of(8) && f.right.len() >= f.steps * f.stride);
    assert!(best.len() >= f.rows * f.stride && step.len() >= f.rows * f.stride);
    if f.rows > 0 && f.steps > 0 {
        assert!(f.left.len() > (f.rows - 1) * f.left_row + (f.steps - 1) * f.left_step);
    }
    let pointers = Pointers {
        left: f.left.as_ptr(),
        left_row: f.left_row,
        left_step: f.left_step,
        right: f.right.as_ptr(),
        stride: f.stride,
        steps: f.steps,
        best: best.as_mut_ptr(),
        step: step.as_mut_ptr(),
    };
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { body_at(level.min(CpuLevel::detect()), pointers, f.rows) }
}

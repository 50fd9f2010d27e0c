//! float32 sums within a kernel row, float64 across rows: twice the lanes at three float32
//! roundings of the magnitude as seen (spec convolve 8.4; the guarantee is `Tolerance::narrow_rows`).

use super::direct::Rows;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Weights in float32, column by column like [`TapTable`](super::taps::TapTable), relative to a
/// power of two so that none is too small or too large.
#[derive(Debug)]
pub struct NarrowTaps {
    rows: usize,
    cols: usize,
    by_column: Vec<f32>,
    /// What the sums are to be multiplied by.
    pub scale: f64,
}

impl NarrowTaps {
    /// Rounds `rows x cols` weights (row-major).
    pub fn new(values: &[f64], rows: usize, cols: usize) -> Self {
        let largest = values.iter().fold(0.0_f64, |m, k| m.max(k.abs()));
        let exponent = ((largest.to_bits() >> 52) as i32 - 1023).clamp(-1000, 1000);
        let scale = 2.0_f64.powi(exponent);
        let by_column =
            (0..cols * rows).map(|at| (values[at % rows * cols + at / rows] / scale) as f32).collect();
        NarrowTaps { rows, cols, by_column, scale }
    }
}

/// Longest chain of float32 additions: longer ones lose more than the tolerance grants.
pub const CHAIN: usize = 16;

#[derive(Clone, Copy)]
struct Block {
    from: *const f32,
    from_stride: usize,
    to: *mut f64,
    to_stride: usize,
    rows: usize,
    cols: usize,
}

/// One kernel row of `R` output rows x `C` registers of float32, added to the float64 sums.
#[inline(always)]
unsafe fn row_step<L: Lanes, const R: usize, const C: usize, const LO: usize, const HI: usize>(
    sums: &mut [[(L, L); C]; R],
    (from, weight): (*const f32, *const f32),
    (columns, rows): (usize, usize),
) {
    // SAFETY: the caller's block covers `columns - 1` elements beyond the C registers.
    unsafe {
        let (mut from, mut weight, mut left) = (from, weight, columns);
        while left > 0 {
            let part = if left < CHAIN { left } else { CHAIN };
            let mut row = [[L::single(0.0); C]; R];
            for _ in 0..part {
                let mut values = [L::single(0.0); C];
                for c in 0..C {
                    values[c] = L::load_single(from.add(c * 2 * L::N));
                }
                for r in LO..HI {
                    let w = L::single(*weight.wrapping_sub(r));
                    for c in 0..C {
                        row[r][c] = L::fma_single(w, values[c], row[r][c]);
                    }
                }
                from = from.add(1);
                weight = weight.wrapping_add(rows);
            }
            for r in LO..HI {
                for c in 0..C {
                    let (low, high) = L::widen_single(row[r][c]);
                    sums[r][c] = (sums[r][c].0.add(low), sums[r][c].1.add(high));
                }
            }
            left -= part;
        }
    }
}

/// `R` rows from `first` on, all columns; returns the next row.
#[inline(always)]
unsafe fn band<L: Lanes, const R: usize, const C: usize>(taps: &NarrowTaps, b: Block, first: usize) -> usize {
    // SAFETY: `narrow` checked both buffers, the overhang of the last registers included.
    unsafe {
        let mut row = first;
        while taps.rows >= R && row + R <= b.rows {
            let mut col = 0;
            while col < b.cols {
                let mut sums = [[(L::splat(0.0), L::splat(0.0)); C]; R];
                macro_rules! step {
                    ($y:expr, $lo:expr, $hi:expr) => {
                        row_step::<L, R, C, { $lo }, { $hi }>(
                            &mut sums,
                            (
                                b.from.add((row + $y) * b.from_stride + col),
                                taps.by_column.as_ptr().wrapping_add($y),
                            ),
                            (taps.cols, taps.rows),
                        )
                    };
                }
                macro_rules! heads { ($($n:literal)*) => { $( if R > $n { step!($n - 1, 0, $n); } )* }; }
                macro_rules! tails { ($($n:literal)*) => { $( if R > $n { step!(taps.rows - 1 + $n, $n, R); } )* }; }
                heads!(1 2 3 4 5 6 7);
                for y in R - 1..taps.rows {
                    step!(y, 0, R);
                }
                tails!(1 2 3 4 5 6 7);
                for r in 0..R {
                    for c in 0..C {
                        let to = b.to.add((row + r) * b.to_stride + col + c * 2 * L::N);
                        sums[r][c].0.store(to);
                        sums[r][c].1.store(to.add(L::N));
                    }
                }
                col += C * 2 * L::N;
            }
            row += R;
        }
        row
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(taps: &NarrowTaps, b: Block) {
    // SAFETY: passed on.
    unsafe {
        let mut row = 0;
        if L::REGISTERS == 32 {
            row = band::<L, 8, 2>(taps, b, row);
            row = band::<L, 4, 2>(taps, b, row);
        }
        row = band::<L, 2, 2>(taps, b, row);
        band::<L, 1, 2>(taps, b, row);
    }
}
per_level! { unsafe fn body_at(taps: &NarrowTaps, b: Block) = body }

/// Columns that the widest block may overhang, rounded up to.
pub const NARROW_SLACK: usize = 32;

/// Window sums of `from`, rows `from_stride` elements apart, into `to`.
///
/// # Panics
///
/// If a buffer is too short, whole blocks of [`NARROW_SLACK`] columns included.
pub fn narrow(
    level: CpuLevel,
    taps: &NarrowTaps,
    (from, from_stride): (&[f32], usize),
    (to, shape): (&mut [f64], Rows),
) {
    let Rows { stride, rows, cols } = shape;
    if rows == 0 || cols == 0 {
        return;
    }
    let wide = cols.next_multiple_of(NARROW_SLACK);
    assert!(to.len() >= (rows - 1) * stride + wide && wide <= stride);
    assert!(from.len() >= (rows + taps.rows - 2) * from_stride + wide + taps.cols - 1);
    let block =
        Block { from: from.as_ptr(), from_stride, to: to.as_mut_ptr(), to_stride: stride, rows, cols };
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { body_at(level, taps, block) }
}

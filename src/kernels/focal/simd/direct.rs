//! Every tap, register-blocked, behind functions that check their bounds.
//!
//! Each cell adds its taps in row-major order, whatever the block, so no blocking shows in the
//! result: blocks, panels and strips of any shape give the same bits.

use super::blocks::{Block, Fused, Narrow, Separate, band};
use super::taps::TapTable;
use super::upright::upright_at;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

#[inline(always)]
unsafe fn fused_body<L: Lanes>(taps: &TapTable, b: Block) {
    // SAFETY: passed on.
    unsafe {
        let mut row = 0;
        if L::REGISTERS == 32 {
            row = band::<L, Fused, 8, 3>(taps, &b, row);
            row = band::<L, Fused, 6, 4>(taps, &b, row);
            row = band::<L, Fused, 4, 4>(taps, &b, row);
            row = band::<L, Fused, 3, 4>(taps, &b, row);
            row = band::<L, Fused, 2, 4>(taps, &b, row);
            band::<L, Fused, 1, 8>(taps, &b, row);
        } else {
            row = band::<L, Fused, 6, 2>(taps, &b, row);
            row = band::<L, Fused, 4, 2>(taps, &b, row);
            row = band::<L, Fused, 3, 3>(taps, &b, row);
            row = band::<L, Fused, 2, 4>(taps, &b, row);
            band::<L, Fused, 1, 6>(taps, &b, row);
        }
    }
}

#[inline(always)]
unsafe fn separate_body<L: Lanes>(taps: &TapTable, b: Block) {
    // SAFETY: passed on.
    unsafe {
        let row = band::<L, Separate, 4, 2>(taps, &b, 0);
        band::<L, Separate, 1, 4>(taps, &b, row);
    }
}

#[inline(always)]
unsafe fn narrow_body<L: Lanes>(taps: &TapTable, b: Block) {
    // SAFETY: passed on.
    unsafe {
        let row = band::<L, Narrow, 4, 2>(taps, &b, 0);
        band::<L, Narrow, 1, 4>(taps, &b, row);
    }
}

per_level! { unsafe fn fused_at(taps: &TapTable, b: Block) = fused_body }
per_level! { unsafe fn separate_at(taps: &TapTable, b: Block) = separate_body }
per_level! { unsafe fn narrow_at(taps: &TapTable, b: Block) = narrow_body }

/// Widest overhang of a register beyond the last column, in elements.
pub const SLACK: usize = 8;

/// Columns that a tight target must have: the widest block.
pub const TIGHT_COLS: usize = 64;

/// How taps are multiplied and added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Fused multiply-add where the machine has it.
    Fused,
    /// The peer's: product, then sum.
    Separate,
    /// The peer's with products in float32.
    Narrow,
}

/// Rows of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Elements from one row to the next.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
}

/// Values in rows `stride` elements apart.
pub type Source<'a> = (&'a [f64], usize);

fn check(taps: &TapTable, (from, from_stride): Source, to: &[f64], shape: Rows, slack: usize) {
    let Rows { stride, rows, cols } = shape;
    let wide = cols.next_multiple_of(slack);
    assert!(wide <= stride || rows == 1, "{cols} columns in a stride of {stride}");
    assert!(to.len() >= (rows - 1) * stride + wide, "{rows} x {cols} sums in {}", to.len());
    let last = (rows + taps.rows - 2) * from_stride + wide + taps.cols - 1;
    assert!(from.len() >= last, "patch of {} values, {last} wanted", from.len());
}

/// Window sums of `from` into `to`: output row i reads rows `i .. i + kernel rows`, output
/// column j columns from j on. Up to [`SLACK`] elements behind the columns are overwritten.
///
/// # Panics
///
/// If a buffer is shorter than the rows, the kernel and [`SLACK`] ask.
pub fn direct(
    level: CpuLevel,
    rounding: Rounding,
    taps: &TapTable,
    from: Source,
    (to, shape): (&mut [f64], Rows),
) {
    let Rows { stride, rows, cols } = shape;
    if rows == 0 || cols == 0 {
        return;
    }
    check(taps, from, to, shape, SLACK);
    let block = Block {
        from: from.0.as_ptr(),
        from_stride: from.1,
        to: to.as_mut_ptr(),
        to_stride: stride,
        rows,
        cols,
        tight: false,
        stream: false,
    };
    // SAFETY: both buffers were checked above, overhang included; `level` is available because
    // `Focal` limits it to what the machine has.
    unsafe {
        match rounding {
            Rounding::Fused if taps.cols == 1 => upright_at(level, taps, block),
            Rounding::Fused => fused_at(level, taps, block),
            Rounding::Separate => separate_at(level, taps, block),
            Rounding::Narrow => narrow_at(level, taps, block),
        }
    }
}

/// Fused window sums like [`direct`], touching nothing beyond the columns of `to`, and writing
/// past the caches where asked and where the rows of `to` allow it.
///
/// # Panics
///
/// If a buffer is too short, or there are fewer than [`TIGHT_COLS`] columns.
pub fn direct_tight(
    level: CpuLevel,
    taps: &TapTable,
    from: Source,
    (to, shape): (&mut [f64], Rows),
    stream: bool,
) {
    let Rows { stride, rows, cols } = shape;
    if rows == 0 {
        return;
    }
    assert!(cols >= TIGHT_COLS);
    check(taps, from, to, shape, 1);
    let block = Block {
        from: from.0.as_ptr(),
        from_stride: from.1,
        to: to.as_mut_ptr(),
        to_stride: stride,
        rows,
        cols,
        tight: true,
        stream: stream && stride.is_multiple_of(8) && (to.as_ptr() as usize).is_multiple_of(8),
    };
    // SAFETY: both buffers were checked above; a tight block stays within its columns; rows a
    // whole number of registers apart are aligned alike.
    unsafe { fused_at(level, taps, block) }
}

//! Every tap, register-blocked: `R` rows x `C` registers of sums stay in registers while the
//! input rows pass; a loaded vector serves up to `R` rows, a weight `C` vectors.
//!
//! Each cell adds its taps in row-major order, whatever the block, so no blocking shows in the
//! result: blocks, panels and strips of any shape give the same bits.

use super::taps::TapTable;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// How a tap joins its sum.
trait Step<L> {
    unsafe fn step(weight: L, value: L, sum: L) -> L;
}

/// Multiply-add with one rounding where the machine has it.
struct Fused;
/// Product and sum rounded each: the peer's order of operations.
struct Separate;
/// The product rounded to float32 as well: the peer's products of float32 by float32.
struct Narrow;

impl<L: Lanes> Step<L> for Fused {
    #[inline(always)]
    unsafe fn step(weight: L, value: L, sum: L) -> L {
        // SAFETY: inlined into a function compiled for L.
        unsafe { weight.fma(value, sum) }
    }
}
impl<L: Lanes> Step<L> for Separate {
    #[inline(always)]
    unsafe fn step(weight: L, value: L, sum: L) -> L {
        // SAFETY: inlined into a function compiled for L.
        unsafe { sum.add(weight.mul(value)) }
    }
}
impl<L: Lanes> Step<L> for Narrow {
    #[inline(always)]
    unsafe fn step(weight: L, value: L, sum: L) -> L {
        // The product of two float32 values is exact in float64: rounding it is the one rounding.
        // SAFETY: inlined into a function compiled for L.
        unsafe { sum.add(weight.mul(value).through_f32()) }
    }
}

/// Where a block is read and written: element offsets are rows times stride plus columns.
#[derive(Debug, Clone, Copy)]
struct Block {
    from: *const f64,
    from_stride: usize,
    to: *mut f64,
    to_stride: usize,
    rows: usize,
    cols: usize,
}

/// The taps of one row step, `LO..HI` being the output rows it serves: `weight` points at the
/// weight of output row 0 in the first column.
#[inline(always)]
unsafe fn row_step<L: Lanes, S: Step<L>, const R: usize, const C: usize, const LO: usize, const HI: usize>(
    sums: &mut [[L; C]; R],
    from: *const f64,
    weight: *const f64,
    (columns, rows): (usize, usize),
) {
    // SAFETY: the caller's block covers `columns - 1` elements beyond the C registers.
    unsafe {
        let (mut from, mut weight) = (from, weight);
        for _ in 0..columns {
            let mut values = [L::splat(0.0); C];
            for c in 0..C {
                values[c] = L::load(from.add(c * L::N));
            }
            for r in LO..HI {
                let w = L::splat(*weight.wrapping_sub(r));
                for c in 0..C {
                    sums[r][c] = S::step(w, values[c], sums[r][c]);
                }
            }
            from = from.add(1);
            weight = weight.wrapping_add(rows);
        }
    }
}

/// One block of `R` rows x `C` registers at `(row, col)`; the kernel has at least `R` rows.
#[inline(always)]
unsafe fn block<L: Lanes, S: Step<L>, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    row: usize,
    col: usize,
) {
    // SAFETY: rows row..row + R + kernel rows - 1 and the columns of C registers plus the kernel
    // lie in the block by the check in `check`.
    unsafe {
        let mut sums = [[L::splat(0.0); C]; R];
        let from = b.from.add(row * b.from_stride + col);
        macro_rules! step {
            ($y:expr, $lo:expr, $hi:expr) => {{
                let y: usize = $y;
                let (first, end) = taps.columns_at(y, R);
                row_step::<L, S, R, C, { $lo }, { $hi }>(
                    &mut sums,
                    from.add(y * b.from_stride + first),
                    taps.by_column.as_ptr().wrapping_add(first * taps.rows + y),
                    (end.saturating_sub(first), taps.rows),
                );
            }};
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
                sums[r][c].store(b.to.add((row + r) * b.to_stride + col + c * L::N));
            }
        }
    }
}

/// All columns of `R` rows: `C` registers at a time, then one at a time.
#[inline(always)]
unsafe fn band<L: Lanes, S: Step<L>, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    from_row: usize,
) -> usize {
    // SAFETY: as `block`; the last register may overhang into the stride's slack.
    unsafe {
        let mut row = from_row;
        if taps.rows < R || from_row + R > b.rows {
            return row;
        }
        let whole = b.rows - (b.rows - from_row) % R;
        let mut col = 0;
        while col < b.cols {
            let wide = C > 1 && b.cols - col > L::N * (C - 1);
            row = from_row;
            while row < whole {
                if wide {
                    block::<L, S, R, C>(taps, b, row, col);
                } else {
                    block::<L, S, R, 1>(taps, b, row, col);
                }
                row += R;
            }
            col += if wide { C * L::N } else { L::N };
        }
        row
    }
}

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

/// Rows of a buffer: values, elements from one row to the next, and columns wanted.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Elements from one row to the next.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
}

/// Window sums of `from` (rows of `from_stride` elements, output row i reading rows
/// `i..i + kernel rows` and columns from `j` on) into `to`.
///
/// # Panics
///
/// If a buffer is shorter than the rows, the kernel and [`SLACK`] ask.
pub fn direct(
    level: CpuLevel,
    rounding: Rounding,
    taps: &TapTable,
    (from, from_stride): (&[f64], usize),
    (to, shape): (&mut [f64], Rows),
) {
    if shape.rows == 0 || shape.cols == 0 {
        return;
    }
    let Rows { stride, rows, cols } = shape;
    assert!(cols.next_multiple_of(SLACK) <= stride || rows == 1, "{cols} columns in a stride of {stride}");
    assert!(
        to.len() >= (rows - 1) * stride + cols.next_multiple_of(SLACK),
        "sums of {rows} x {cols} in {}",
        to.len()
    );
    let last = (rows + taps.rows - 2) * from_stride + cols.next_multiple_of(SLACK) + taps.cols - 1;
    assert!(from.len() >= last, "patch of {} values, {last} wanted", from.len());
    let block =
        Block { from: from.as_ptr(), from_stride, to: to.as_mut_ptr(), to_stride: stride, rows, cols };
    // SAFETY: both buffers were checked above, overhang included; `level` is available because
    // `Focal` limits it to what the machine has.
    unsafe {
        match rounding {
            Rounding::Fused => fused_at(level, taps, block),
            Rounding::Separate => separate_at(level, taps, block),
            Rounding::Narrow => narrow_at(level, taps, block),
        }
    }
}

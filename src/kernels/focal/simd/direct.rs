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
    /// True where nothing beyond `cols` may be written.
    tight: bool,
    /// Write past the caches, to whole registers.
    stream: bool,
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
    (row, col): (usize, usize),
    stream: bool,
) {
    // SAFETY: rows row..row + R + kernel rows - 1 and the columns of C registers plus the kernel
    // lie in the block by the check in `direct`.
    unsafe {
        let mut sums = [[L::splat(0.0); C]; R];
        let from = b.from.add(row * b.from_stride + col);
        macro_rules! step {
            ($y:expr, $lo:expr, $hi:expr) => {{
                let y: usize = $y;
                let (first, end) = taps.columns_at(y, R);
                row_step::<L, S, R, C, { $lo }, { $hi }>(
                    &mut sums,
                    from.wrapping_add(y * b.from_stride + first),
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
                let to = b.to.add((row + r) * b.to_stride + col + c * L::N);
                if stream { sums[r][c].stream(to) } else { sums[r][c].store(to) }
            }
        }
    }
}

/// A block of a kernel of one column: no loop over columns, whose set-up would cost as much as
/// its single turn.
#[inline(always)]
unsafe fn upright<L: Lanes, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    (row, col): (usize, usize),
) {
    // SAFETY: as `block`.
    unsafe {
        let mut sums = [[L::splat(0.0); C]; R];
        let mut from = b.from.add(row * b.from_stride + col);
        let weights = taps.by_column.as_ptr();
        macro_rules! step {
            ($y:expr, $lo:expr, $hi:expr) => {{
                let mut values = [L::splat(0.0); C];
                for c in 0..C {
                    values[c] = L::load(from.add(c * L::N));
                }
                for r in $lo..$hi {
                    let w = L::splat(*weights.wrapping_add($y).wrapping_sub(r));
                    for c in 0..C {
                        sums[r][c] = w.fma(values[c], sums[r][c]);
                    }
                }
                #[allow(unused_assignments)] // The last step of all has no row after it.
                {
                    from = from.wrapping_add(b.from_stride);
                }
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

/// A kernel of one column, `R` rows and `C` registers at a time, into a buffer with slack.
#[inline(always)]
unsafe fn upright_band<L: Lanes, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    first: usize,
) -> usize {
    // SAFETY: as `band`.
    unsafe {
        if taps.rows < R || first + R > b.rows {
            return first;
        }
        let end = b.rows - (b.rows - first) % R;
        let mut col = 0;
        while col < b.cols {
            let wide = b.cols - col > L::N * (C - 1);
            let mut row = first;
            while row < end {
                if wide {
                    upright::<L, R, C>(taps, b, (row, col));
                } else {
                    upright::<L, R, 1>(taps, b, (row, col));
                }
                row += R;
            }
            col += if wide { C * L::N } else { L::N };
        }
        end
    }
}

#[inline(always)]
unsafe fn upright_body<L: Lanes>(taps: &TapTable, b: Block) {
    // SAFETY: passed on.
    unsafe {
        let mut row = 0;
        if L::REGISTERS == 32 {
            row = upright_band::<L, 8, 3>(taps, &b, row);
        } else {
            row = upright_band::<L, 6, 2>(taps, &b, row);
        }
        row = upright_band::<L, 4, 2>(taps, &b, row);
        row = upright_band::<L, 2, 4>(taps, &b, row);
        upright_band::<L, 1, 4>(taps, &b, row);
    }
}
per_level! { unsafe fn upright_at(taps: &TapTable, b: Block) = upright_body }

/// Blocks of `R` rows down one column of blocks.
#[inline(always)]
unsafe fn column<L: Lanes, S: Step<L>, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    (rows, col): ((usize, usize), usize),
    stream: bool,
) {
    // SAFETY: as `block`.
    unsafe {
        let mut row = rows.0;
        while row < rows.1 {
            block::<L, S, R, C>(taps, b, (row, col), stream);
            row += R;
        }
    }
}

/// All columns of as many times `R` rows as there are from `first` on; returns the next row.
#[inline(always)]
unsafe fn band<L: Lanes, S: Step<L>, const R: usize, const C: usize>(
    taps: &TapTable,
    b: &Block,
    first: usize,
) -> usize {
    // SAFETY: as `block`. Registers overhang into the stride's slack, or in a tight block the
    // last ones move back to end with the columns: their cells are computed twice, to equal bits.
    unsafe {
        if taps.rows < R || first + R > b.rows {
            return first;
        }
        let rows = (first, b.rows - (b.rows - first) % R);
        let wide = C * L::N;
        if b.tight {
            let mut col = 0;
            if b.stream {
                col = b.to.add(first * b.to_stride).align_offset(L::N * 8);
                if col > 0 {
                    column::<L, S, R, C>(taps, b, (rows, 0), false);
                }
                while col + wide <= b.cols {
                    column::<L, S, R, C>(taps, b, (rows, col), true);
                    col += wide;
                }
            }
            while col < b.cols {
                column::<L, S, R, C>(
                    taps,
                    b,
                    (rows, if col + wide < b.cols { col } else { b.cols - wide }),
                    false,
                );
                col += wide;
            }
        } else {
            let mut col = 0;
            while col < b.cols {
                if C > 1 && b.cols - col > L::N * (C - 1) {
                    column::<L, S, R, C>(taps, b, (rows, col), false);
                    col += wide;
                } else {
                    column::<L, S, R, 1>(taps, b, (rows, col), false);
                    col += L::N;
                }
            }
        }
        rows.1
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

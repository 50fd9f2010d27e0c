//! Blocks of sums: `R` rows x `C` registers stay in registers while the input rows pass; a
//! loaded vector serves up to `R` rows, a weight `C` vectors.

use super::taps::TapTable;
use crate::kernels::simd::Lanes;

/// How a tap joins its sum.
pub(super) trait Step<L> {
    unsafe fn step(weight: L, value: L, sum: L) -> L;
}

/// Multiply-add with one rounding where the machine has it.
pub(super) struct Fused;
/// Product and sum rounded each: the peer's order of operations.
pub(super) struct Separate;
/// The product rounded to float32 as well: the peer's products of float32 by float32.
pub(super) struct Narrow;

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
pub(super) struct Block {
    pub from: *const f64,
    pub from_stride: usize,
    pub to: *mut f64,
    pub to_stride: usize,
    pub rows: usize,
    pub cols: usize,
    /// True where nothing beyond `cols` may be written.
    pub tight: bool,
    /// Write past the caches, to whole registers.
    pub stream: bool,
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
pub(super) unsafe fn band<L: Lanes, S: Step<L>, const R: usize, const C: usize>(
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

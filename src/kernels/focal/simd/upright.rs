//! Kernels of one column: the column pass of separable kernels.

use super::blocks::Block;
use super::taps::TapTable;
use crate::kernels::simd::{Lanes, per_level};

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
per_level! { pub(super) unsafe fn upright_at(taps: &TapTable, b: Block) = upright_body }

//! Sums of runs by additions only: columns shared by eight or sixteen output rows, rows by doubling.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Output rows that share one core of column sums, at most. Groups start on multiples of it in a block,
/// so that they are the same for every strip.
pub const GROUP: usize = 16;

/// Column sums of `height` rows for `rows <= R` output rows; `height >= R`.
#[inline(always)]
unsafe fn group<L: Lanes, const R: usize>(
    from: *const f64,
    stride: usize,
    height: usize,
    to: *mut f64,
    shape: (usize, usize, usize),
) {
    let (to_stride, rows, cols) = shape;
    // SAFETY: the caller's rows, whole registers included.
    unsafe {
        let mut col = 0;
        while col < cols {
            // A macro, because a closure would not be compiled for L.
            macro_rules! at {
                ($y:expr) => {
                    L::load(from.add($y * stride + col))
                };
            }
            // The rows that all windows of the group share, in four chains.
            let mut core = [L::splat(0.0); 4];
            let mut y = R - 1;
            while y + 4 <= height {
                for c in 0..4 {
                    core[c] = core[c].add(at!(y + c));
                }
                y += 4;
            }
            while y < height {
                core[0] = core[0].add(at!(y));
                y += 1;
            }
            let core = core[0].add(core[1]).add(core[2].add(core[3]));
            let mut sums = [core; R];
            let mut above = L::splat(0.0);
            for r in (0..R - 1).rev() {
                above = above.add(at!(r));
                sums[r] = sums[r].add(above);
            }
            let mut below = L::splat(0.0);
            for r in 0..R {
                if r < rows {
                    if r > 0 {
                        below = below.add(at!(height + r - 1));
                    }
                    sums[r].add(below).store(to.add(r * to_stride + col));
                }
            }
            col += L::N;
        }
    }
}

#[inline(always)]
unsafe fn columns_body<L: Lanes>(
    from: *const f64,
    stride: usize,
    height: usize,
    to: *mut f64,
    shape: (usize, usize, usize),
) {
    let (to_stride, rows, cols) = shape;
    // SAFETY: passed on.
    unsafe {
        // The largest power of two within height and GROUP.
        let size = if height >= 8 {
            8
        } else if height >= 4 {
            4
        } else if height >= 2 {
            2
        } else {
            1
        };
        let mut row = 0;
        while row < rows {
            let (from, to) = (from.add(row * stride), to.add(row * to_stride));
            let shape = (to_stride, rows - row, cols);
            match size {
                16 if L::REGISTERS == 32 => group::<L, 16>(from, stride, height, to, shape),
                8 => group::<L, 8>(from, stride, height, to, shape),
                4 => group::<L, 4>(from, stride, height, to, shape),
                2 => group::<L, 2>(from, stride, height, to, shape),
                _ => group::<L, 1>(from, stride, height, to, shape),
            }
            row += size;
        }
    }
}
per_level! { unsafe fn columns_at(from: *const f64, stride: usize, height: usize, to: *mut f64, shape: (usize, usize, usize)) = columns_body }

/// Sums over one length of run, wanted from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Values in a sum.
    pub length: usize,
    /// Where the first sum starts in the line.
    pub first: usize,
    /// Sums wanted.
    pub cols: usize,
    /// Where they go.
    pub to: usize,
}

/// Sums over runs of a line of `total` values by doubling; the line is used up.
#[inline(always)]
unsafe fn line_body<L: Lanes>(line: *mut f64, total: usize, stretches: &[Stretch], to: *mut f64) {
    // SAFETY: `line` checked both buffers, whole registers included.
    unsafe {
        let (mut size, mut longest) = (1, 1);
        for s in stretches {
            longest = if s.length > longest { s.length } else { longest };
        }
        loop {
            for s in stretches {
                if s.length & size != 0 {
                    // The smaller parts of the length stand in front of this one.
                    let smaller = s.length & (size - 1);
                    let (from, to) = (line.add(s.first + smaller), to.add(s.to));
                    let mut col = 0;
                    while col < s.cols {
                        let mut sum = L::load(from.add(col));
                        if smaller != 0 {
                            sum = sum.add(L::load(to.add(col)));
                        }
                        sum.store(to.add(col));
                        col += L::N;
                    }
                }
            }
            if longest < 2 * size {
                return;
            }
            let needed = total + 1 - 2 * size;
            let mut col = 0;
            while col < needed {
                L::load(line.add(col)).add(L::load(line.add(col + size))).store(line.add(col));
                col += L::N;
            }
            size *= 2;
        }
    }
}
per_level! { unsafe fn line_at(line: *mut f64, total: usize, stretches: &[Stretch], to: *mut f64) = line_body }

/// Column sums over `height` rows of `from` for `shape` = (stride, rows, columns) of `to`.
///
/// # Panics
///
/// If a buffer is too short, whole registers of 8 included.
pub fn columns(
    level: CpuLevel,
    (from, stride): (&[f64], usize),
    height: usize,
    (to, shape): (&mut [f64], (usize, usize, usize)),
) {
    let (to_stride, rows, cols) = shape;
    if rows == 0 || cols == 0 {
        return;
    }
    let wide = cols.next_multiple_of(8);
    assert!(height > 0 && wide <= to_stride && to.len() >= (rows - 1) * to_stride + wide);
    assert!(from.len() >= (rows + height - 2) * stride + wide);
    // SAFETY: rows up to `rows + height - 2` are read, `rows` written; checked. A group reads no
    // row beyond its last window: its core ends at `height`, its prefixes at its own rows.
    unsafe { columns_at(level, from.as_ptr(), stride, height, to.as_mut_ptr(), shape) }
}

/// Sums over runs of the `total` values of `line`, which is used up.
///
/// # Panics
///
/// If a run leaves the line, `line` has no room for 8 values more, or `to` none for whole
/// registers of 8.
pub fn line(level: CpuLevel, (line, total): (&mut [f64], usize), stretches: &[Stretch], to: &mut [f64]) {
    assert!(line.len() >= total + 8);
    for s in stretches {
        assert!(s.length > 0 && s.first + s.cols + s.length <= total + 1);
        assert!(to.len() >= s.to + s.cols.next_multiple_of(8));
    }
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { line_at(level, line.as_mut_ptr(), total, stretches, to.as_mut_ptr()) }
}

#[inline(always)]
unsafe fn gather_body<L: Lanes>(from: *const f64, offsets: &[usize], to: *mut f64, cols: usize) {
    // SAFETY: `gather` checked the offsets.
    unsafe {
        let mut col = 0;
        while col < cols {
            let mut sums = [L::splat(0.0); 8];
            for &offset in offsets {
                let p = from.add(offset + col);
                for c in 0..8 {
                    sums[c] = sums[c].add(L::load(p.add(c * L::N)));
                }
            }
            for c in 0..8 {
                if col + c * L::N < cols {
                    sums[c].store(to.add(col + c * L::N));
                }
            }
            col += 8 * L::N;
        }
    }
}
per_level! { unsafe fn gather_at(from: *const f64, offsets: &[usize], to: *mut f64, cols: usize) = gather_body }

/// Adds up `cols` neighbours of `from` at each offset.
///
/// # Panics
///
/// If `from` has no room for the farthest offset and 64 values of overhang.
pub fn gather(level: CpuLevel, from: &[f64], offsets: &[usize], to: &mut [f64], cols: usize) {
    let last = offsets.iter().copied().max().unwrap_or(0);
    assert!(from.len() >= last + cols.next_multiple_of(64) && to.len() >= cols.next_multiple_of(8));
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { gather_at(level, from.as_ptr(), offsets, to.as_mut_ptr(), cols) }
}

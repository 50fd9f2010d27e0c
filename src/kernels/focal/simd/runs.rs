//! Sums of runs along a row by additions only: by doubling, or by sums of four.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

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

/// Sums over `length` neighbours of a line: sums of 4, 16, 64 ... while the length has eight of
/// the next ones, then as many of each as the length holds.
#[inline(always)]
unsafe fn wide_body<L: Lanes>(
    line: *const f64,
    length: usize,
    levels: (*mut f64, usize),
    to: *mut f64,
    cols: usize,
) {
    // SAFETY: `wide` checked the buffers, whole blocks of registers included.
    unsafe {
        let mut terms = [line; 64];
        let (mut count, mut from, mut size, mut left) = (0, line, 1, length);
        let mut level = levels.0;
        loop {
            // What the larger sums do not cover is taken off the end.
            let longer = left >= 8 * size;
            let here = if longer { left / size % 4 } else { left / size };
            for _ in 0..here {
                left -= size;
                terms[count] = from.add(left);
                count += 1;
            }
            if !longer {
                break;
            }
            let needed = cols + length - 4 * size + 1;
            let mut col = 0;
            while col < needed {
                let p = from.add(col);
                let (a, b) = (
                    L::load(p).add(L::load(p.add(size))),
                    L::load(p.add(2 * size)).add(L::load(p.add(3 * size))),
                );
                a.add(b).store(level.add(col));
                col += L::N;
            }
            (from, size, level) = (level, 4 * size, level.add(levels.1));
        }
        let mut col = 0;
        while col < cols {
            let mut sums = [L::splat(0.0); 4];
            for term in &terms[..count] {
                for c in 0..4 {
                    sums[c] = sums[c].add(L::load(term.add(col + c * L::N)));
                }
            }
            for c in 0..4 {
                sums[c].store(to.add(col + c * L::N));
            }
            col += 4 * L::N;
        }
    }
}
per_level! { unsafe fn wide_at(line: *const f64, length: usize, levels: (*mut f64, usize), to: *mut f64, cols: usize) = wide_body }

/// Levels of sums that [`wide`] keeps for runs of `length`.
pub fn levels(length: usize) -> usize {
    (0..24).take_while(|&k| length >= 8 << (2 * k)).count()
}

/// Sums over `length` neighbours of `line` into `to`; `keep` holds the sums between, each level
/// `stride` elements.
///
/// # Panics
///
/// If a buffer has no room for the columns, the length and 40 values more.
pub fn wide(
    level: CpuLevel,
    line: &[f64],
    length: usize,
    (keep, stride): (&mut [f64], usize),
    (to, cols): (&mut [f64], usize),
) {
    assert!(length > 0 && line.len() >= cols + length + 40 && to.len() >= cols + 40);
    assert!(stride >= cols + length + 40 && keep.len() >= levels(length) * stride);
    // SAFETY: checked; at most 7 terms of the last size and 3 of each other one are needed, and
    // lengths are far below 4^18; the level is available (see `Focal`).
    unsafe { wide_at(level, line.as_ptr(), length, (keep.as_mut_ptr(), stride), to.as_mut_ptr(), cols) }
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

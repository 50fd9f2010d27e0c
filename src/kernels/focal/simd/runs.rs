//! Sums of runs by additions only: columns shared by eight or sixteen output rows, rows by doubling.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Output rows that share one core of column sums, at most. Groups start on multiples of it in a block,
/// so that they are the same for every strip.
pub const GROUP: usize = 16;

/// Rows that are summed once for all groups.
pub const OCTET: usize = 8;

/// Heights from which sums of [`OCTET`] rows pay.
pub const TALL: usize = 32;

/// What column sums read and write.
#[derive(Clone, Copy)]
struct Columns {
    from: *const f64,
    stride: usize,
    /// Sums of eight rows from row 0, 8, 16 ... on; null for low windows.
    octets: *const f64,
    octet_stride: usize,
    height: usize,
    to: *mut f64,
    to_stride: usize,
}

/// Column sums for `rows <= R` output rows of `cols` columns; the height is at least `R`.
#[inline(always)]
unsafe fn group<L: Lanes, const R: usize>(c: Columns, rows: usize, cols: usize) {
    // SAFETY: the caller's rows, whole registers included.
    unsafe {
        let mut col = 0;
        while col < cols {
            // A macro, because a closure would not be compiled for L.
            macro_rules! at {
                ($y:expr) => {
                    L::load(c.from.add($y * c.stride + col))
                };
            }
            // The rows that all windows of the group share, in four chains.
            let mut core = [L::splat(0.0); 4];
            let mut y = R - 1;
            if R.is_multiple_of(OCTET) && !c.octets.is_null() {
                core[0] = at!(R - 1);
                let end = c.height / OCTET;
                let mut g = R / OCTET;
                while g + 2 <= end {
                    core[1] = core[1].add(L::load(c.octets.add(g * c.octet_stride + col)));
                    core[2] = core[2].add(L::load(c.octets.add((g + 1) * c.octet_stride + col)));
                    g += 2;
                }
                if g < end {
                    core[3] = L::load(c.octets.add(g * c.octet_stride + col));
                }
                y = end * OCTET;
            }
            while y + 4 <= c.height {
                for chain in 0..4 {
                    core[chain] = core[chain].add(at!(y + chain));
                }
                y += 4;
            }
            while y < c.height {
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
                        below = below.add(at!(c.height + r - 1));
                    }
                    sums[r].add(below).store(c.to.add(r * c.to_stride + col));
                }
            }
            col += L::N;
        }
    }
}

#[inline(always)]
unsafe fn columns_body<L: Lanes>(c: Columns, rows: usize, cols: usize) {
    // SAFETY: passed on.
    unsafe {
        // The largest power of two within height and GROUP.
        let size = match c.height {
            16.. if L::REGISTERS == 32 => 16,
            8.. => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let mut row = 0;
        while row < rows {
            let part = Columns {
                from: c.from.add(row * c.stride),
                octets: c.octets.wrapping_add(row / OCTET * c.octet_stride),
                to: c.to.add(row * c.to_stride),
                ..c
            };
            let part = if c.octets.is_null() { Columns { octets: c.octets, ..part } } else { part };
            match size {
                16 if L::REGISTERS == 32 => group::<L, 16>(part, rows - row, cols),
                8 => group::<L, 8>(part, rows - row, cols),
                4 => group::<L, 4>(part, rows - row, cols),
                2 => group::<L, 2>(part, rows - row, cols),
                _ => group::<L, 1>(part, rows - row, cols),
            }
            row += size;
        }
    }
}
per_level! { unsafe fn columns_at(c: Columns, rows: usize, cols: usize) = columns_body }

#[inline(always)]
unsafe fn octets_body<L: Lanes>(
    (from, stride): (*const f64, usize),
    (to, to_stride): (*mut f64, usize),
    count: usize,
    cols: usize,
) {
    // SAFETY: `octets` checked both buffers, whole registers included.
    unsafe {
        for g in 0..count {
            let from = from.add(g * OCTET * stride);
            let mut col = 0;
            while col < cols {
                let p = from.add(col);
                let mut sums = [L::load(p), L::load(p.add(stride))];
                for pair in 1..OCTET / 2 {
                    sums[0] = sums[0].add(L::load(p.add(2 * pair * stride)));
                    sums[1] = sums[1].add(L::load(p.add((2 * pair + 1) * stride)));
                }
                sums[0].add(sums[1]).store(to.add(g * to_stride + col));
                col += L::N;
            }
        }
    }
}
per_level! { unsafe fn octets_at(from: (*const f64, usize), to: (*mut f64, usize), count: usize, cols: usize) = octets_body }

/// Sums of rows 0..8, 8..16 ... of `from` (`rows` x `cols` values) into rows of `to`.
///
/// # Panics
///
/// If a buffer is too short, whole registers of 8 included.
pub fn octets(
    level: CpuLevel,
    (from, stride): (&[f64], usize),
    (rows, cols): (usize, usize),
    (to, to_stride): (&mut [f64], usize),
) {
    let (count, wide) = (rows / OCTET, cols.next_multiple_of(8));
    if count == 0 || cols == 0 {
        return;
    }
    assert!(wide <= to_stride && to.len() >= (count - 1) * to_stride + wide);
    assert!(from.len() >= (rows - 1) * stride + wide);
    // SAFETY: checked; the level is available (see `Focal`).
    unsafe { octets_at(level, (from.as_ptr(), stride), (to.as_mut_ptr(), to_stride), count, cols) }
}

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
/// `octets` are those of `from`, wanted for heights from [`TALL`] on.
///
/// # Panics
///
/// If a buffer is too short, whole registers of 8 included.
pub fn columns(
    level: CpuLevel,
    (from, stride): (&[f64], usize),
    (octets, octet_stride): (&[f64], usize),
    height: usize,
    (to, (to_stride, rows, cols)): (&mut [f64], (usize, usize, usize)),
) {
    if rows == 0 || cols == 0 {
        return;
    }
    let wide = cols.next_multiple_of(8);
    assert!(height > 0 && wide <= to_stride && to.len() >= (rows - 1) * to_stride + wide);
    assert!(from.len() >= (rows + height - 2) * stride + wide);
    let mut c = Columns {
        from: from.as_ptr(),
        stride,
        octets: std::ptr::null(),
        octet_stride,
        height,
        to: to.as_mut_ptr(),
        to_stride,
    };
    if height >= TALL {
        // The last group starts below `rows` and uses the whole octets of its first window.
        let last = (rows - 1) / OCTET + height / OCTET;
        assert!(octets.len() >= (last - 1) * octet_stride + wide);
        c.octets = octets.as_ptr();
    }
    // SAFETY: rows up to `rows + height - 2` are read, `rows` written; checked. A group reads no
    // row beyond its last window: its core ends at `height`, its prefixes at its own rows.
    unsafe { columns_at(level, c, rows, cols) }
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

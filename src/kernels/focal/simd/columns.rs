//! Column sums of boxes by additions only: a core shared by eight or sixteen output rows, put
//! together from sums of eight rows, and what each row has above and below it.

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

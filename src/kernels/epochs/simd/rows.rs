//! Moving and adding rows: the small change of the passes, without a call per row.

use super::super::Tile;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

#[inline(always)]
unsafe fn pick_body<L: Lanes>(from: *const f64, stride: usize, order: &[u32], to: *mut f64) {
    // SAFETY: `pick` checked positions and both buffers; the stride is a multiple of 8.
    unsafe {
        let mut to = to;
        for &row in order {
            let row = from.add(row as usize * stride);
            let mut at = 0;
            while at < stride {
                L::load(row.add(at)).store(to.add(at));
                at += L::N;
            }
            to = to.add(stride);
        }
    }
}
per_level! { unsafe fn pick_at(from: *const f64, stride: usize, order: &[u32], to: *mut f64) = pick_body }

/// Copies the rows `order` of a tile, in that order, into `out` with the same stride.
///
/// # Panics
///
/// If a position is no row or a buffer is too short.
pub fn pick(level: CpuLevel, tile: Tile, order: &[u32], out: &mut [f64]) {
    assert!(tile.is_whole() && out.len() >= order.len() * tile.stride);
    assert!(order.iter().all(|&row| (row as usize) < tile.rows));
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe {
        pick_at(level.min(CpuLevel::detect()), tile.values.as_ptr(), tile.stride, order, out.as_mut_ptr());
    }
}

#[inline(always)]
unsafe fn gather_body<L: Lanes>(from: *const f64, starts: &[usize], width: usize, to: *mut f64) {
    // SAFETY: `gather` checked the starts and both buffers; the width is a multiple of 8.
    unsafe {
        let mut to = to;
        for &start in starts {
            let row = from.add(start);
            let mut at = 0;
            while at < width {
                L::load(row.add(at)).store(to.add(at));
                at += L::N;
            }
            to = to.add(width);
        }
    }
}
per_level! { unsafe fn gather_at(from: *const f64, starts: &[usize], width: usize, to: *mut f64) = gather_body }

/// Copies `width` values from each of `starts` in `from` to `out`, one row after the other.
///
/// # Panics
///
/// If a row does not lie in `from`, `out` is too short, or `width` is no multiple of 8.
pub fn gather(level: CpuLevel, from: &[f64], starts: &[usize], width: usize, out: &mut [f64]) {
    assert!(width.is_multiple_of(8) && out.len() >= starts.len() * width);
    let last = starts.iter().copied().max().unwrap_or(0);
    assert!(starts.is_empty() || last + width <= from.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { gather_at(level.min(CpuLevel::detect()), from.as_ptr(), starts, width, out.as_mut_ptr()) }
}

#[inline(always)]
unsafe fn copy_body<L: Lanes>(from: (*const f64, usize), to: (*mut f64, usize), rows: usize, count: usize) {
    // SAFETY: `copy_rows` checked both buffers.
    unsafe {
        for row in 0..rows {
            let (from, to) = (from.0.add(row * from.1), to.0.add(row * to.1));
            let mut at = 0;
            while at + L::N <= count {
                L::load(from.add(at)).store(to.add(at));
                at += L::N;
            }
            while at < count {
                *to.add(at) = *from.add(at);
                at += 1;
            }
        }
    }
}
per_level! { unsafe fn copy_at(from: (*const f64, usize), to: (*mut f64, usize), rows: usize, count: usize) = copy_body }

/// Copies `count` values of each of `rows` rows; rows lie strides apart in both buffers.
///
/// # Panics
///
/// If a row does not lie in its buffer, or is longer than the stride of `to`.
pub fn copy_rows(
    level: CpuLevel,
    (from, from_stride): (&[f64], usize),
    (to, to_stride): (&mut [f64], usize),
    rows: usize,
    count: usize,
) {
    if rows == 0 || count == 0 {
        return;
    }
    assert!(count <= to_stride && (rows - 1) * from_stride + count <= from.len());
    assert!((rows - 1) * to_stride + count <= to.len());
    let (from, to) = ((from.as_ptr(), from_stride), (to.as_mut_ptr(), to_stride));
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { copy_at(level.min(CpuLevel::detect()), from, to, rows, count) }
}

#[inline(always)]
unsafe fn add_body<L: Lanes>(sums: &mut [f64], values: &[f64], less: &[f64]) {
    // SAFETY: `add_difference` checked that all have one length, or that nothing is subtracted.
    unsafe {
        let (to, from, n) = (sums.as_mut_ptr(), values.as_ptr(), sums.len());
        let mut at = 0;
        while at + L::N <= n {
            let mut v = L::load(from.add(at));
            if !less.is_empty() {
                v = v.sub(L::load(less.as_ptr().add(at)));
            }
            L::load(to.add(at)).add(v).store(to.add(at));
            at += L::N;
        }
        while at < n {
            let less = if less.is_empty() { 0.0 } else { *less.as_ptr().add(at) };
            *to.add(at) += *from.add(at) - less;
            at += 1;
        }
    }
}
per_level! { unsafe fn add_at(sums: &mut [f64], values: &[f64], less: &[f64]) = add_body }

/// `sums += values`, cell by cell.
///
/// # Panics
///
/// If the lengths differ.
pub fn add(level: CpuLevel, sums: &mut [f64], values: &[f64]) {
    assert!(sums.len() == values.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { add_at(level.min(CpuLevel::detect()), sums, values, &[]) }
}

/// `sums += values - less`, cell by cell.
///
/// # Panics
///
/// If the lengths differ.
pub fn add_difference(level: CpuLevel, sums: &mut [f64], values: &[f64], less: &[f64]) {
    assert!(sums.len() == values.len() && sums.len() == less.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { add_at(level.min(CpuLevel::detect()), sums, values, less) }
}

/// `to = a + b`, cell by cell.
///
/// # Panics
///
/// If the lengths differ.
pub fn set_sum(level: CpuLevel, to: &mut [f64], a: &[f64], b: &[f64]) {
    assert!(to.len() == a.len() && to.len() == b.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { set_at(level.min(CpuLevel::detect()), to, a, b) }
}

#[inline(always)]
unsafe fn set_body<L: Lanes>(to: &mut [f64], a: &[f64], b: &[f64]) {
    // SAFETY: `set_sum` checked that all have one length.
    unsafe {
        let n = to.len();
        let mut at = 0;
        while at + L::N <= n {
            L::load(a.as_ptr().add(at)).add(L::load(b.as_ptr().add(at))).store(to.as_mut_ptr().add(at));
            at += L::N;
        }
        while at < n {
            *to.as_mut_ptr().add(at) = *a.as_ptr().add(at) + *b.as_ptr().add(at);
            at += 1;
        }
    }
}
per_level! { unsafe fn set_at(to: &mut [f64], a: &[f64], b: &[f64]) = set_body }

#[inline(always)]
unsafe fn distance_body<L: Lanes>(a: &[f64], b: &[f64], share: f64, target: &[f64]) -> f64 {
    // SAFETY: `squared_distance` checked that all have one length.
    unsafe {
        let (n, factor) = (target.len(), L::splat(share));
        let mut sums = [L::splat(0.0); 4];
        let mut at = 0;
        while at + 4 * L::N <= n {
            for i in 0..4 {
                let at = at + i * L::N;
                let sum = L::load(a.as_ptr().add(at)).add(L::load(b.as_ptr().add(at)));
                let apart = sum.mul(factor).sub(L::load(target.as_ptr().add(at)));
                sums[i] = apart.fma(apart, sums[i]);
            }
            at += 4 * L::N;
        }
        let mut rest = 0.0;
        while at < n {
            let apart = (*a.as_ptr().add(at) + *b.as_ptr().add(at)) * share - *target.as_ptr().add(at);
            rest += apart * apart;
            at += 1;
        }
        rest + sums[0].add(sums[1]).add(sums[2].add(sums[3])).to_array().iter().sum::<f64>()
    }
}
per_level! { unsafe fn distance_at(a: &[f64], b: &[f64], share: f64, target: &[f64]) -> f64 = distance_body }

/// Sum over cells of `((a + b) * share - target)` squared.
///
/// # Panics
///
/// If the lengths differ.
pub fn squared_distance(level: CpuLevel, (a, b): (&[f64], &[f64]), share: f64, target: &[f64]) -> f64 {
    assert!(a.len() == target.len() && b.len() == target.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { distance_at(level.min(CpuLevel::detect()), a, b, share, target) }
}

//! The losses of all prefixes of sorted epochs in one pass (spec autoreject 14).

use super::super::Tile;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Losses are written in groups of this many rows.
const GROUP: usize = 8;

/// Room that the losses of `rows` rows take in [`sweep`].
pub fn padded(rows: usize) -> usize {
    rows.next_multiple_of(GROUP)
}

/// `1 / k` for `k = 1 ..= rows`, as [`sweep`] wants it.
pub fn reciprocals(rows: usize) -> Vec<f64> {
    (1..=rows).map(|k| 1.0 / k as f64).collect()
}

/// One fold over one tile.
#[derive(Clone, Copy)]
struct Walk {
    values: *const f64,
    stride: usize,
    order: *const u32,
    rows: usize,
    reciprocals: *const f64,
    target: *const f64,
    losses: *mut f64,
}

/// `V` registers of samples from column `col` on.
#[inline(always)]
unsafe fn columns<L: Lanes, const V: usize>(walk: Walk, col: usize) {
    // SAFETY: `sweep` checked order, tile, reciprocals, target and losses.
    unsafe {
        let mut sums = [L::splat(0.0); V];
        let mut against = [L::splat(0.0); V];
        for v in 0..V {
            against[v] = L::splat(0.0).sub(L::load(walk.target.add(col + v * L::N)));
        }
        let mut k = 0;
        while k + L::N <= walk.rows {
            let mut squares = [L::splat(0.0); 8];
            // A constant bound lets the rows of a group overlap.
            for i in 0..8 {
                if i < L::N {
                    squares[i] = prefix::<L, V>(&mut sums, &against, walk, (k + i, col));
                }
            }
            let at = walk.losses.add(k);
            L::load(at).add(L::sums(squares.as_ptr())).store(at);
            k += L::N;
        }
        if k < walk.rows {
            let mut squares = [L::splat(0.0); 8];
            for i in 0..walk.rows - k {
                squares[i] = prefix::<L, V>(&mut sums, &against, walk, (k + i, col));
            }
            let at = walk.losses.add(k);
            L::load(at).add(L::sums(squares.as_ptr())).store(at);
        }
    }
}

/// Adds row `k` of the order and returns the squared differences of the mean so far.
#[inline(always)]
unsafe fn prefix<L: Lanes, const V: usize>(
    sums: &mut [L; V],
    against: &[L; V],
    walk: Walk,
    (k, col): (usize, usize),
) -> L {
    // SAFETY: the caller's walk.
    unsafe {
        let row = walk.values.add(*walk.order.add(k) as usize * walk.stride + col);
        let share = L::splat(*walk.reciprocals.add(k));
        // Two chains, so that their latencies overlap.
        let mut total = [L::splat(0.0); 2];
        for v in 0..V {
            sums[v] = sums[v].add(L::load(row.add(v * L::N)));
            let apart = sums[v].fma(share, against[v]);
            total[v % 2] = apart.fma(apart, total[v % 2]);
        }
        total[0].add(total[1])
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(walk: Walk, samples: usize) {
    // SAFETY: passed on; samples are padded to a multiple of the lanes.
    unsafe {
        let mut col = 0;
        while col + 4 * L::N <= samples {
            columns::<L, 4>(walk, col);
            col += 4 * L::N;
        }
        while col < samples {
            columns::<L, 1>(walk, col);
            col += L::N;
        }
    }
}
per_level! { unsafe fn body_at(walk: Walk, samples: usize) = body }

/// Adds to `losses[k]`, for each prefix of `order` of length `k + 1`, the sum over samples of the
/// squared difference between the prefix's mean and `target`.
///
/// `order` holds positions of rows; `reciprocals` those of 1 up to its length; `target` has
/// `tile.stride` values; `losses` has [`padded`] room, of which what lies beyond the prefixes
/// only gathers zeros. Samples beyond `tile.samples` must be 0 in both tile and target.
///
/// # Panics
///
/// If a buffer is too short or a position is no row.
pub fn sweep(
    level: CpuLevel,
    tile: Tile,
    order: &[u32],
    (reciprocals, target): (&[f64], &[f64]),
    losses: &mut [f64],
) {
    let rows = order.len();
    assert!(tile.is_whole() && target.len() >= tile.stride && reciprocals.len() >= rows);
    assert!(losses.len() >= padded(rows) && order.iter().all(|&row| (row as usize) < tile.rows));
    let walk = Walk {
        values: tile.values.as_ptr(),
        stride: tile.stride,
        order: order.as_ptr(),
        rows,
        reciprocals: reciprocals.as_ptr(),
        target: target.as_ptr(),
        losses: losses.as_mut_ptr(),
    };
    // SAFETY: checked above; the stride is a multiple of every lane count, so the last register
    // of a row stays inside of it.
    unsafe { body_at(level.min(CpuLevel::detect()), walk, tile.samples.next_multiple_of(8)) }
}

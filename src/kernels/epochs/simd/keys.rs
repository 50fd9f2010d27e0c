//! Medians over many sets of the same rows, one per sample, by 16-bit keys (spec autoreject 6, 14).
//!
//! Ten folds ask for the medians of different fifths of the rows of one tile. Each value becomes a
//! 16-bit key once, its place on a ruler laid over the middle of its sample's values; keys keep the
//! order of values. The key of a set's middle row is then found bit by bit, by counting keys, of
//! which four times as many fit in a register as of values, and one pass over the values
//! themselves finds the rows to both sides of it. So the result is the middle value itself, bit
//! for bit that of a selection; keys only say where to look. Samples whose middle rows share a key
//! are looked at one by one.

use super::super::{Tile, scalar};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Keys that are counted together.
const BLOCK: usize = 32;
/// More rows than this do not fit a 16-bit count.
const MOST_ROWS: usize = 32_000;
/// Half of the ruler's length in mean distances from the mean. The middle of all values is within
/// one of them, those of a fifth of the values are nearly as surely within two.
const REACH: f64 = 2.0;
/// Length of the ruler in keys.
const STEPS: f64 = 65_535.0;
/// Added to a number from 0 to 65535, this leaves it, rounded, in the lowest bits.
const ROUNDING: f64 = 4_503_599_627_370_496.0;
/// The ruler is laid by every fourth row of many.
const SPARSE: usize = 4;

/// On a cache line of its own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Block([i16; BLOCK]);

/// The keys of one tile.
#[derive(Debug, Default)]
pub struct Keys {
    /// `[row][stride]` as in the tile.
    keys: Vec<i16>,
    /// Keys of one set's rows for some columns, in blocks.
    picked: Vec<Block>,
}

/// Where the ruler begins and how many keys it has per unit, per lane.
#[inline(always)]
unsafe fn ruler<L: Lanes>(values: *const f64, stride: usize, rows: usize) -> (L, L) {
    // SAFETY: the caller's tile.
    unsafe {
        let step = if rows >= 16 * SPARSE { SPARSE } else { 1 };
        let n = L::splat(rows.div_ceil(step) as f64);
        let mut sum = L::splat(0.0);
        let mut row = 0;
        while row < rows {
            sum = sum.add(L::load(values.add(row * stride)));
            row += step;
        }
        let mean = sum.div(n);
        let mut away = L::splat(0.0);
        row = 0;
        while row < rows {
            away = away.add(L::load(values.add(row * stride)).sub(mean).abs());
            row += step;
        }
        let reach = away.div(n).mul(L::splat(REACH));
        (mean.sub(reach), L::splat(STEPS / 2.0).div(reach))
    }
}

#[inline(always)]
unsafe fn read_body<L: Lanes>(values: *const f64, stride: usize, rows: usize, keys: *mut i16) {
    // SAFETY: `read` sized the keys as the tile; the stride is a multiple of 8.
    unsafe {
        let (least, most, rounding) = (L::splat(0.0), L::splat(STEPS), L::splat(ROUNDING));
        let mut col = 0;
        while col < stride {
            let (start, scale) = ruler::<L>(values.add(col), stride, rows);
            for row in 0..rows {
                let v = L::load(values.add(row * stride + col));
                // A ruler without length gives what is no number, and that one the first key.
                let at = v.sub(start).mul(scale).max(least).min(most).add(rounding).to_array();
                let to = keys.add(row * stride + col);
                for i in 0..L::N {
                    *to.add(i) = (at[i].to_bits() as u16 ^ 0x8000) as i16;
                }
            }
            col += L::N;
        }
    }
}
per_level! { unsafe fn read_at(values: *const f64, stride: usize, rows: usize, keys: *mut i16) = read_body }

/// How many keys lie below `limit`, per lane.
#[inline(always)]
fn below(picked: &[Block], limit: &[i16; BLOCK]) -> [i16; BLOCK] {
    let mut counts = [[0i16; BLOCK]; 4];
    let (fours, rest) = picked.as_chunks::<4>();
    for four in fours {
        for k in 0..4 {
            for i in 0..BLOCK {
                counts[k][i] += i16::from(four[k].0[i] < limit[i]);
            }
        }
    }
    for block in rest {
        for i in 0..BLOCK {
            counts[0][i] += i16::from(block.0[i] < limit[i]);
        }
    }
    let mut count = [0; BLOCK];
    for i in 0..BLOCK {
        count[i] = counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];
    }
    count
}

/// The sum of each lane and those that lie a multiple of `W` lanes from it.
#[inline(always)]
fn together<const W: usize>(count: [i16; BLOCK]) -> [i16; BLOCK] {
    let mut sum = count;
    if W <= 16 {
        let before = sum;
        for i in 0..BLOCK {
            sum[i] = before[i] + before[i ^ 16];
        }
    }
    if W <= 8 {
        let before = sum;
        for i in 0..BLOCK {
            sum[i] = before[i] + before[i ^ 8];
        }
    }
    sum
}

/// The key of the row of rank `rank` (from 1) in each of `W` columns; a block holds rows side by
/// side where columns are few.
#[inline(always)]
fn rank_key<const W: usize>(picked: &[Block], rank: i16) -> [i16; BLOCK] {
    let mut found = [i16::MIN; BLOCK];
    let mut bit = i16::MIN;
    for _ in 0..16 {
        let mut limit = [0; BLOCK];
        for i in 0..BLOCK {
            limit[i] = found[i] ^ bit;
        }
        let count = together::<W>(below(picked, &limit));
        for i in 0..BLOCK {
            found[i] = if count[i] < rank { limit[i] } else { found[i] };
        }
        bit = ((bit as u16) >> 1) as i16;
    }
    found
}

/// One set of rows in one group of columns.
#[derive(Clone, Copy)]
struct Set {
    values: *const f64,
    keys: *const i16,
    stride: usize,
    order: *const u32,
    rows: usize,
    width: usize,
}

/// Writes the medians of `set` and tells which columns are left to be done (bits).
#[inline(always)]
unsafe fn set_body<L: Lanes, const W: usize>(set: Set, picked: &[Block], out: *mut f64) -> u32 {
    // SAFETY: `medians` checked the order, the tile and `out`.
    unsafe {
        let rank = set.rows.div_ceil(2);
        let found = rank_key::<W>(picked, rank as i16);
        let odd = set.rows % 2 == 1;
        let (mut open, mut col) = (0, 0);
        while col < W {
            let mut limits = [0.0; 8];
            for i in 0..L::N {
                limits[i] = f64::from(found[col + i]);
            }
            let limit = L::load(limits.as_ptr());
            let (least, most, one) = (L::splat(f64::NEG_INFINITY), L::splat(f64::INFINITY), L::splat(1.0));
            let mut lower = [least; 2];
            let mut upper = [most; 2];
            let mut count = [L::splat(0.0); 2];
            let mut at = 0;
            while at < set.rows {
                // A constant bound keeps the results in registers.
                for half in 0..2 {
                    if at + half < set.rows {
                        let row = *set.order.add(at + half) as usize * set.stride + col;
                        let mut keys = [0.0; 8];
                        for i in 0..L::N {
                            keys[i] = f64::from(*set.keys.add(row + i));
                        }
                        let low = L::load(keys.as_ptr()).at_most(limit);
                        let v = L::load(set.values.add(row));
                        count[half] = count[half].add_where(low, one);
                        lower[half] = lower[half].max(v.select(low, least));
                        upper[half] = upper[half].min(most.select(low, v));
                    }
                }
                at += 2;
            }
            let lower = lower[0].max(lower[1]);
            let upper = upper[0].min(upper[1]);
            let middle = if odd { lower } else { lower.add(upper).mul(L::splat(0.5)) };
            middle.store(out.add(col));
            let count = count[0].add(count[1]).to_array();
            for i in 0..L::N {
                open |= u32::from(count[i] != rank as f64) << (col + i);
            }
            col += L::N;
        }
        open
    }
}
#[inline(always)]
unsafe fn any_width<L: Lanes>(set: Set, picked: &[Block], out: *mut f64) -> u32 {
    // SAFETY: passed on.
    unsafe {
        match set.width {
            32 => set_body::<L, 32>(set, picked, out),
            16 => set_body::<L, 16>(set, picked, out),
            _ => set_body::<L, 8>(set, picked, out),
        }
    }
}
per_level! { unsafe fn set_at(set: Set, picked: &[Block], out: *mut f64) -> u32 = any_width }

impl Keys {
    /// Takes the keys of all rows of `tile`, whose values are numbers.
    ///
    /// # Panics
    ///
    /// If the tile is not whole.
    pub fn read(&mut self, level: CpuLevel, tile: Tile) {
        assert!(tile.is_whole());
        self.keys.resize(tile.rows * tile.stride, 0);
        let (values, keys) = (tile.values.as_ptr(), self.keys.as_mut_ptr());
        // SAFETY: checked; the level is limited to what the machine has.
        unsafe { read_at(level.min(CpuLevel::detect()), values, tile.stride, tile.rows, keys) }
    }

    /// Medians over the rows `order` of the tile that was read last, one per sample, as numpy
    /// computes them; samples up to the next multiple of 8 are written.
    ///
    /// # Panics
    ///
    /// If it is another tile, a position is no row or `out` is too short, or `order` is empty.
    pub fn medians(&mut self, level: CpuLevel, tile: Tile, order: &[u32], out: &mut [f64]) {
        assert!(tile.is_whole() && self.keys.len() == tile.rows * tile.stride && !order.is_empty());
        let samples = tile.samples.next_multiple_of(8);
        assert!(out.len() >= samples && order.iter().all(|&row| (row as usize) < tile.rows));
        let mut first = 0;
        while first < samples {
            let width = [32, 16, 8].into_iter().find(|w| samples - first >= *w).unwrap_or(8);
            let open = if order.len() > MOST_ROWS {
                u32::MAX
            } else {
                match width {
                    32 => self.pick::<32>((tile.stride, first), order),
                    16 => self.pick::<16>((tile.stride, first), order),
                    _ => self.pick::<8>((tile.stride, first), order),
                }
                let set = Set {
                    values: tile.values[first..].as_ptr(),
                    keys: self.keys[first..].as_ptr(),
                    stride: tile.stride,
                    order: order.as_ptr(),
                    rows: order.len(),
                    width,
                };
                let out = out[first..first + width].as_mut_ptr();
                // SAFETY: checked; the level is limited to what the machine has.
                unsafe { set_at(level.min(CpuLevel::detect()), set, &self.picked, out) }
            };
            for col in (0..width).filter(|col| open & (1 << col) != 0) {
                let value = |&row: &u32| tile.values[row as usize * tile.stride + first + col];
                out[first + col] = scalar::median(&mut order.iter().map(value).collect::<Vec<_>>());
            }
            first += width;
        }
    }

    /// Brings the keys of the rows `order` in `W` columns from `first` on together; the last block
    /// is filled up with the largest key, which is below nothing.
    fn pick<const W: usize>(&mut self, (stride, first): (usize, usize), order: &[u32]) {
        let blocks = order.len().div_ceil(BLOCK / W);
        self.picked.resize(blocks, Block([i16::MAX; BLOCK]));
        if let Some(last) = self.picked.last_mut() {
            *last = Block([i16::MAX; BLOCK]);
        }
        let picked = self.picked.iter_mut().flat_map(|block| block.0.as_chunks_mut::<W>().0);
        for (to, &row) in picked.zip(order) {
            let from = &self.keys[row as usize * stride + first..];
            if let Some(from) = from.first_chunk::<W>() {
                *to = *from;
            }
        }
    }
}

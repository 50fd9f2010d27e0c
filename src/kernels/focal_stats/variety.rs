//! Variety: how many distinct values a window holds.
//!
//! The values of a tile are numbered once through a hash table; then a histogram of numbers
//! slides along each row, where a run of the mask gains one cell and loses one per step. The
//! cost of a cell is that of its runs, not of its taps.

use super::Place;
use super::mask::Mask;
use super::tile::Tile;
use crate::array::Real;

/// Scratch per cell of a tile: number, histogram and at most four slots of the hash table.
pub(super) const BYTES_PER_CELL: u64 = 8 + 4 * 12;

/// Number of NaN cells; its histogram entry starts at 1, so it never counts as a value.
const NAN_NUMBER: u32 = 0;

/// Numbered cells, histogram and hash table; kept between tiles.
#[derive(Debug, Default)]
pub(super) struct Tally {
    numbers: Vec<u32>,
    histogram: Vec<u32>,
    /// Number of the value whose bits are in `keys` at the same slot; 0 is a free slot.
    slots: Vec<u32>,
    keys: Vec<u64>,
}

impl Tally {
    /// Gives equal values of `cells` equal numbers, from 1.
    fn number<T: Real>(&mut self, cells: &[T]) {
        let size = (2 * cells.len()).next_power_of_two();
        let shift = 64 - size.trailing_zeros();
        self.slots.clear();
        self.slots.resize(size, 0);
        self.keys.resize(size, 0);
        self.numbers.clear();
        let mut next = 1;
        for cell in cells {
            let value = cell.widen();
            if value.is_nan() {
                self.numbers.push(NAN_NUMBER);
                continue;
            }
            // -0 + 0 is +0.
            let key = (value + 0.0).to_bits();
            // Multiplying by an odd constant near 2^64 / golden ratio mixes all bits into the top.
            let mut slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize;
            while self.slots[slot] != 0 && self.keys[slot] != key {
                slot = (slot + 1) & (size - 1);
            }
            if self.slots[slot] == 0 {
                (self.slots[slot], self.keys[slot]) = (next, key);
                next += 1;
            }
            self.numbers.push(self.slots[slot]);
        }
        self.histogram.clear();
        self.histogram.resize(next as usize, 0);
        self.histogram[NAN_NUMBER as usize] = 1;
    }

    #[inline(always)]
    fn gain(&mut self, at: usize) -> u32 {
        let held = &mut self.histogram[self.numbers[at] as usize];
        *held += 1;
        u32::from(*held == 1)
    }

    #[inline(always)]
    fn lose(&mut self, at: usize) -> u32 {
        let held = &mut self.histogram[self.numbers[at] as usize];
        *held -= 1;
        u32::from(*held == 0)
    }
}

/// Variety of every output cell of `tile` into `layer`.
pub(super) fn tile<T: Real>(tile: &Tile<T>, mask: &Mask, place: Place, layer: &mut [T], tally: &mut Tally) {
    let (rows, columns) = tile.shape();
    let stride = tile.stride();
    tally.number(tile.cells());
    let runs: Vec<(usize, usize)> = mask
        .runs()
        .iter()
        .map(|&(a, first, end)| (a as usize * stride + first as usize, a as usize * stride + end as usize))
        .collect();
    for i in 0..rows {
        let start = i * stride;
        let mut distinct = 0;
        for &(first, end) in &runs {
            distinct += (first..end).map(|at| tally.gain(start + at)).sum::<u32>();
        }
        let out = &mut layer[place.cells(i, 0..columns)];
        for (j, o) in out.iter_mut().enumerate() {
            *o = if distinct == 0 { T::NAN } else { T::round_from(f64::from(distinct)) };
            // The last step leaves the window one column on, from where it is emptied.
            for &(first, end) in &runs {
                distinct += tally.gain(start + j + end);
                distinct -= tally.lose(start + j + first);
            }
        }
        for &(first, end) in &runs {
            for at in first..end {
                tally.lose(start + columns + at);
            }
        }
    }
}

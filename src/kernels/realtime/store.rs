//! Marks kept of one electrode (spec decode 8.2 step 6).
//!
//! Marks lie in blocks of [`BLOCK`], `[block][channel][lane]`, and a block holds marks of one place
//! bin: sums over the marks of a bin run through whole blocks and stay in registers. (One list with
//! a bin beside each mark needs a scatter: neighbours in time are neighbours in place, so additions
//! to the histogram wait for each other.) A mark that is replaced leaves a hole, which the newest of
//! its bin fills. Idle lanes hold infinity: nothing is near them and their weight is none.

use super::simd::Mark;
use super::touched;

/// Lanes of a block: a whole number of registers at every level, eight of the widest.
pub const BLOCK: usize = 64;
/// No block, no slot.
pub const NONE: u32 = u32::MAX;

/// Marks of one electrode by place bin.
#[derive(Debug)]
pub struct Store<E> {
    width: usize,
    capacity: usize,
    /// `[block][channel][lane]`.
    marks: Vec<E>,
    /// First value on a cache line's boundary.
    start: usize,
    /// `[block]`: the block of the same bin that is older, or the next free one.
    next: Vec<u32>,
    /// `[bin]`: the newest block, the only one that may have idle lanes.
    heads: Vec<u32>,
    /// `[bin]`: lanes used of the newest block.
    used: Vec<u32>,
    free: u32,
    /// `[block * BLOCK + lane]`: the slot kept there.
    slots: Vec<u32>,
    /// `[slot]`: where it is kept.
    places: Vec<u32>,
    /// `[block]`: its bin.
    bins: Vec<u32>,
    /// The peer's counter: slots filled, then the walk of replacements.
    counter: usize,
    kept: usize,
}

impl<E: Mark> Store<E> {
    /// Room for `capacity` marks of `width` channels over `bins` place bins.
    ///
    /// # Panics
    ///
    /// If there is no channel, bin or room, or more than 32-bit places.
    pub fn new(capacity: usize, width: usize, bins: usize) -> Self {
        assert!(capacity > 0 && width > 0 && bins > 0);
        // Every bin may have one block that is not full, and no more than `capacity` have any.
        let blocks = capacity / BLOCK + bins.min(capacity);
        assert!(blocks * BLOCK < NONE as usize);
        let line = 64 / size_of::<E>();
        let marks = touched(blocks * width * BLOCK + line, E::of(f64::INFINITY));
        let start = marks.as_ptr().align_offset(64).min(line);
        let mut next: Vec<u32> = (1..=blocks as u32).collect();
        next[blocks - 1] = NONE;
        Store {
            width,
            capacity,
            marks,
            start,
            next,
            heads: touched(bins, NONE),
            used: touched(bins, BLOCK as u32),
            free: 0,
            slots: touched(blocks * BLOCK, NONE),
            places: touched(capacity, NONE),
            bins: touched(blocks, NONE),
            counter: 0,
            kept: 0,
        }
    }

    /// Channels of a mark.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Marks kept.
    pub fn len(&self) -> usize {
        self.kept
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// Place bins.
    pub fn bins(&self) -> usize {
        self.heads.len()
    }

    /// Newest block of each bin, and for each block the next older one.
    pub(super) fn chains(&self) -> (&[u32], &[u32]) {
        (&self.heads, &self.next)
    }

    /// All blocks.
    pub(super) fn blocks(&self) -> &[E] {
        &self.marks[self.start..]
    }

    /// Keeps a mark of `bin` by the peer's policy: the first ones fill the room; after that, where
    /// the counter k is even, one replaces slot k modulo the capacity, and k grows by 3 either way,
    /// so that about half of the later ones are kept. True where it was kept.
    ///
    /// A mark of another width, or a bin that is not there, is not kept and does not count.
    pub fn learn(&mut self, mark: &[E], bin: usize) -> bool {
        if mark.len() != self.width || bin >= self.bins() {
            return false;
        }
        let k = self.counter;
        if k < self.capacity {
            self.counter += 1;
            self.insert(k, mark, bin);
            return true;
        }
        self.counter = k.wrapping_add(3);
        if !k.is_multiple_of(2) {
            return false;
        }
        let slot = k % self.capacity;
        self.remove(slot);
        self.insert(slot, mark, bin);
        true
    }

    fn insert(&mut self, slot: usize, mark: &[E], bin: usize) {
        if self.used[bin] as usize == BLOCK {
            let block = self.free;
            if block == NONE {
                return;
            }
            self.free = self.next[block as usize];
            self.next[block as usize] = self.heads[bin];
            self.heads[bin] = block;
            self.bins[block as usize] = bin as u32;
            self.used[bin] = 0;
        }
        let (block, lane) = (self.heads[bin] as usize, self.used[bin] as usize);
        self.used[bin] += 1;
        self.kept += 1;
        for (channel, &value) in mark.iter().enumerate() {
            self.put(block * BLOCK + lane, channel, value);
        }
        self.slots[block * BLOCK + lane] = slot as u32;
        self.places[slot] = (block * BLOCK + lane) as u32;
    }

    fn remove(&mut self, slot: usize) {
        let place = self.places[slot] as usize;
        if place == NONE as usize {
            return;
        }
        let bin = self.bins[place / BLOCK] as usize;
        let head = self.heads[bin] as usize;
        let last = head * BLOCK + self.used[bin] as usize - 1;
        for channel in 0..self.width {
            let moved = self.get(last, channel);
            self.put(place, channel, moved);
            self.put(last, channel, E::of(f64::INFINITY));
        }
        self.slots[place] = self.slots[last];
        self.places[self.slots[place] as usize] = place as u32;
        self.slots[last] = NONE;
        self.places[slot] = NONE;
        self.used[bin] -= 1;
        self.kept -= 1;
        if self.used[bin] == 0 {
            self.heads[bin] = self.next[head];
            self.next[head] = self.free;
            self.free = head as u32;
            // An older block is full.
            self.used[bin] = BLOCK as u32;
        }
    }

    fn index(&self, place: usize, channel: usize) -> usize {
        self.start + (place / BLOCK * self.width + channel) * BLOCK + place % BLOCK
    }

    fn put(&mut self, place: usize, channel: usize, value: E) {
        let at = self.index(place, channel);
        self.marks[at] = value;
    }

    fn get(&self, place: usize, channel: usize) -> E {
        self.marks[self.index(place, channel)]
    }

    /// `[slot]`: mark and bin of every slot that is filled, for tests and inspection; allocates.
    pub fn slots(&self) -> Vec<(Vec<E>, usize)> {
        let filled = self.places.iter().filter(|&&place| place != NONE).map(|&place| place as usize);
        filled
            .map(|place| {
                let mark = (0..self.width).map(|channel| self.get(place, channel)).collect();
                (mark, self.bins[place / BLOCK] as usize)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy as it is told, over a plain list.
    #[test]
    fn replacement_is_the_peers_over_any_bins() {
        for (capacity, bins) in [(1, 1), (3, 5), (64, 2), (65, 3), (500, 41), (501, 41)] {
            let mut store = Store::<f32>::new(capacity, 2, bins);
            let (mut list, mut k) = (Vec::new(), 0);
            let mut seed = 12345u64;
            for event in 0..8 * capacity + 40 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let mark = [event as f32, -(event as f32)];
                let bin = (seed >> 33) as usize % bins;
                store.learn(&mark, bin);
                if k < capacity {
                    list.push((mark.to_vec(), bin));
                    k += 1;
                } else {
                    if k % 2 == 0 {
                        list[k % capacity] = (mark.to_vec(), bin);
                    }
                    k += 3;
                }
            }
            assert_eq!(store.slots(), list, "{capacity} {bins}");
            assert_eq!(store.len(), capacity);
            let (heads, next) = store.chains();
            let mut blocks = 0;
            for &head in heads {
                let mut block = head;
                while block != NONE {
                    blocks += 1;
                    block = next[block as usize];
                }
            }
            let idle = store.blocks().chunks_exact(2 * BLOCK).take(next.len());
            let idle: usize = idle.map(|b| b[..BLOCK].iter().filter(|v| v.is_infinite()).count()).sum();
            assert_eq!(idle, next.len() * BLOCK - capacity, "{blocks} of {} blocks", next.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let mut store = Store::<f64>::new(4, 3, 2);
        assert!(!store.learn(&[1.0; 2], 0) && !store.learn(&[1.0; 3], 2) && store.is_empty());
        assert!(store.learn(&[1.0; 3], 1));
        assert_eq!(store.slots(), [(vec![1.0; 3], 1)]);
    }
}

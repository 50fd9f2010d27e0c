//! Chunks: which items of the work a buffer holds.

use std::ops::Range;

/// A run of consecutive items (rows of one plane, epochs, time bins) treated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the sequence of chunks, from 0.
    pub index: u64,
    /// Which plane, block or file the items belong to, from 0.
    pub plane: u64,
    /// First item.
    pub start: u64,
    /// One past the last item.
    pub end: u64,
}

impl Chunk {
    /// Number of items.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// True for no items.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// Splits `planes` planes of `items` items into chunks of at most `length` items; chunk borders
/// fall on multiples of `length`, and no chunk spans two planes.
pub fn split(planes: u64, items: u64, length: u64) -> impl Iterator<Item = Chunk> {
    split_range(planes, 0..items, length)
}

/// Splits the items `range` of each of `planes` planes into chunks of at most `length` items,
/// counted from the range's start; no chunk spans two planes.
pub fn split_range(planes: u64, range: Range<u64>, length: u64) -> impl Iterator<Item = Chunk> {
    let length = length.max(1);
    let per_plane = (range.end - range.start).div_ceil(length);
    (0..planes * per_plane).map(move |index| {
        let (plane, part) = (index / per_plane, index % per_plane);
        let start = range.start + part * length;
        Chunk { index, plane, start, end: range.end.min(start + length) }
    })
}

/// The chunks of [`split_range`] from row `from.1` of plane `from.0` on: what an earlier run left.
pub fn rest(planes: u64, range: Range<u64>, length: u64, from: (u64, u64)) -> impl Iterator<Item = Chunk> {
    let (plane, row) = from;
    let own = u64::from(plane < planes);
    let first = split_range(own, row.min(range.end)..range.end, length).map(move |c| Chunk { plane, ..c });
    let later = split_range(planes.saturating_sub(plane + 1), range, length);
    let later = later.map(move |c| Chunk { plane: c.plane + plane + 1, ..c });
    first.chain(later).zip(0..).map(|(chunk, index)| Chunk { index, ..chunk })
}

/// Those chunks of [`rest`] that lie before row `to.1` of plane `to.0`, the last one cut there.
pub fn between(
    planes: u64,
    range: Range<u64>,
    length: u64,
    (from, to): ((u64, u64), (u64, u64)),
) -> impl Iterator<Item = Chunk> {
    let before = rest(planes, range, length, from).take_while(move |c| (c.plane, c.start) < to);
    before.map(move |c| if c.plane == to.0 { Chunk { end: c.end.min(to.1), ..c } } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_left_and_what_was_done_are_the_whole(
            planes in 0u64..4, items in 1u64..40, length in 1u64..50, done in 0usize..100,
        ) {
            let all: Vec<Chunk> = split(planes, items, length).collect();
            let done = done.min(all.len());
            let from = match all.get(done) {
                Some(next) => (next.plane, next.start),
                None => (planes, 0),
            };
            let left: Vec<Chunk> = rest(planes, 0..items, length, from).collect();
            prop_assert_eq!(left.len(), all.len() - done);
            for (index, (a, b)) in left.iter().zip(&all[done..]).enumerate() {
                prop_assert_eq!((a.plane, a.start, a.end, a.index), (b.plane, b.start, b.end, index as u64));
            }
        }

        #[test]
        fn what_lies_between_two_places_ends_where_the_rest_begins(
            planes in 1u64..4, items in 1u64..40, length in 1u64..50, plane in 0u64..4, row in 0u64..40,
        ) {
            let to = (plane.min(planes), row.min(items));
            let before: Vec<Chunk> = between(planes, 0..items, length, ((0, 0), to)).collect();
            let after: Vec<Chunk> = rest(planes, 0..items, length, to).collect();
            let mut expected = (0..planes).flat_map(|p| (0..items).map(move |i| (p, i)));
            for chunk in before.iter().chain(&after) {
                for item in chunk.start..chunk.end {
                    prop_assert_eq!(expected.next(), Some((chunk.plane, item)));
                }
            }
            prop_assert_eq!(expected.next(), None);
            prop_assert!(before.iter().all(|c| (c.plane, c.end) <= to || c.plane < to.0));
        }

        #[test]
        fn chunks_cover_every_item_once_in_order(planes in 0u64..4, items in 0u64..40, length in 0u64..50) {
            let mut expected = (0..planes).flat_map(|p| (0..items).map(move |i| (p, i)));
            for (position, chunk) in split(planes, items, length).enumerate() {
                prop_assert_eq!(chunk.index, position as u64);
                prop_assert!(!chunk.is_empty());
                for item in chunk.start..chunk.end {
                    prop_assert_eq!(expected.next(), Some((chunk.plane, item)));
                }
            }
            prop_assert_eq!(expected.next(), None);
        }
    }
}

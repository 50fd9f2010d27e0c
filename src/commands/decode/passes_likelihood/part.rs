//! Which spikes of a train a chunk holds, and in which order they are computed.

use super::{Adds, BLOCK, Train};
use crate::kernels::marks::by_marks;
use std::ops::Range;

/// A train's spikes of one chunk.
pub(super) struct Part {
    /// Which they are.
    pub spikes: Range<usize>,
    /// Order in which they are computed, counted from the first; empty for time order.
    pub order: Vec<usize>,
    /// Place of each in that order; empty likewise.
    places: Vec<u32>,
    /// Place of the first in the chunk's buffer.
    pub base: usize,
}

impl Part {
    /// The `spikes` of `train`; wide marks in boxes of alike ones.
    pub fn of(train: &Train<'_>, spikes: Range<usize>) -> Self {
        let mut order = Vec::new();
        if let Adds::Marks { marks, width, similar, .. } = &train.adds
            && !similar.is_empty()
        {
            order = (0..spikes.len()).collect();
            by_marks(&mut order, &marks[spikes.start * width..spikes.end * width], similar, BLOCK);
        }
        let mut places = vec![0; order.len()];
        for (place, &at) in order.iter().enumerate() {
            places[at] = place as u32;
        }
        Part { spikes, order, places, base: 0 }
    }

    /// Where the log intensity of `spike` lies in the chunk's buffer, in rows.
    pub fn row_of(&self, spike: usize) -> usize {
        let at = spike - self.spikes.start;
        self.base + self.places.get(at).map_or(at, |&place| place as usize)
    }
}

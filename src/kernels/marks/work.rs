//! Working memory of a block of decoding spikes.

use super::boxes::push_box;
use super::tables::{GROUP, TILE, Tables};
use crate::kernels::simd::Element;

/// Numbers on a 64-byte boundary: a register that straddles cache lines costs two accesses.
#[derive(Debug)]
pub(super) struct Buffer<E> {
    storage: Vec<E>,
    start: usize,
}

impl<E> Default for Buffer<E> {
    fn default() -> Self {
        Buffer { storage: Vec::new(), start: 0 }
    }
}

impl<E: Element> Buffer<E> {
    /// Makes room for `len` values; allocates only to grow.
    fn fit(&mut self, len: usize) {
        let line = 64 / size_of::<E>();
        if self.storage.len() < len + line {
            self.storage.resize(len + line, E::default());
            self.start = self.storage.as_ptr().align_offset(64).min(line);
        }
    }

    fn bytes(&self) -> usize {
        self.storage.len() * size_of::<E>()
    }
}

impl<E> std::ops::Deref for Buffer<E> {
    type Target = [E];
    #[inline(always)]
    fn deref(&self) -> &[E] {
        &self.storage[self.start..]
    }
}

impl<E> std::ops::DerefMut for Buffer<E> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.storage[self.start..]
    }
}

/// Working memory of a block.
#[derive(Debug)]
pub(super) struct Work<E> {
    /// Decoding marks `[feature][lane]`, then positions `[axis][lane]`.
    pub(super) spikes: Buffer<E>,
    /// `[feature][least, greatest]` of the decoding marks.
    pub(super) bounds: Vec<f64>,
    /// `[spike of the tile][lane]`.
    pub(super) weights: Buffer<E>,
    /// `[value of the group][spike of the tile]`.
    pub(super) strip: Buffer<E>,
    /// Moments of a row of cells `[cell][term][lane]`.
    pub(super) moments: Buffer<E>,
    /// `[bin along][row][degree across][lane]`.
    pub(super) fields: Buffer<E>,
    /// Sums `[slot][lane]`.
    pub(super) sums: Buffer<E>,
}

impl<E> Default for Work<E> {
    fn default() -> Self {
        Work {
            spikes: Buffer::default(),
            bounds: Vec::new(),
            weights: Buffer::default(),
            strip: Buffer::default(),
            moments: Buffer::default(),
            fields: Buffer::default(),
            sums: Buffer::default(),
        }
    }
}

impl<E: Element> Work<E> {
    /// Values of the buffers in their order, for `lanes` lanes and `slots` rows of sums.
    fn lengths(tables: &Tables<E>, lanes: usize, slots: usize) -> [usize; 6] {
        let (moments, fields) = tables.between();
        let spikes = (tables.width + tables.axes) * lanes;
        [spikes, TILE * lanes, GROUP * TILE, moments * lanes, fields * lanes, slots * lanes]
    }

    /// Bytes that a block of `lanes` lanes takes.
    pub(super) fn needed(tables: &Tables<E>, lanes: usize) -> usize {
        Self::lengths(tables, lanes, tables.slots()).iter().sum::<usize>() * size_of::<E>()
    }

    /// Makes room for `lanes` lanes; allocates only when it grows.
    pub(super) fn fit(&mut self, tables: &Tables<E>, lanes: usize, slots: usize) {
        let lengths = Self::lengths(tables, lanes, slots);
        let Work { spikes, weights, strip, moments, fields, sums, .. } = self;
        for (buffer, length) in [spikes, weights, strip, moments, fields, sums].into_iter().zip(lengths) {
            buffer.fit(length);
        }
    }

    /// Notes the box of the decoding marks in the first `used` of `lanes` lanes.
    pub(super) fn enclose(&mut self, width: usize, lanes: usize, used: usize) {
        self.bounds.clear();
        for column in self.spikes.chunks_exact(lanes).take(width) {
            push_box(column[..used].iter().map(|value| value.wide()), 1, &mut self.bounds);
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let first = self.spikes.bytes() + self.weights.bytes() + self.strip.bytes();
        first + self.moments.bytes() + self.fields.bytes() + self.sums.bytes()
    }
}

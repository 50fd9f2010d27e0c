//! Working memory of a block of decoding spikes.

use super::boxes::push_box;
use super::moments::Moments;
use super::tables::{PAIRS, TILE, Tables};
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
    /// `[axis][degree][spike of the tile]`.
    pub(super) polynomials: Buffer<E>,
    /// `[pair of rows][spike of the tile]`.
    pub(super) strip: Buffer<E>,
    /// Moments of a row of cells `[cell][term][lane]`.
    pub(super) moments: Buffer<E>,
    /// `[bin along][row][degree across][lane]`.
    pub(super) fields: Buffer<E>,
    /// The same for the bound of errors, without degrees.
    pub(super) error_fields: Buffer<E>,
    /// Sums `[slot][lane]`.
    pub(super) sums: Buffer<E>,
    /// Bounds of the errors of the sums, likewise.
    pub(super) errors: Buffer<E>,
    /// Logarithm of the largest ratio of bound and sum (or floor) over the bins, `[lane]`.
    pub(super) excess: Buffer<E>,
    /// Which of the rows asked for the block holds, by lane.
    pub(super) rows: Vec<usize>,
    /// Rows that were not certified and wait for a block.
    pub(super) again: Vec<usize>,
}

impl<E> Default for Work<E> {
    fn default() -> Self {
        Work {
            spikes: Buffer::default(),
            bounds: Vec::new(),
            weights: Buffer::default(),
            polynomials: Buffer::default(),
            strip: Buffer::default(),
            moments: Buffer::default(),
            fields: Buffer::default(),
            error_fields: Buffer::default(),
            sums: Buffer::default(),
            errors: Buffer::default(),
            excess: Buffer::default(),
            rows: Vec::new(),
            again: Vec::new(),
        }
    }
}

impl<E: Element> Work<E> {
    /// Values of the buffers in their order, for `lanes` lanes and `slots` rows of sums.
    fn lengths(tables: &Tables<E>, lanes: usize, slots: usize) -> [usize; 10] {
        let (all, certified) = (tables.moments(), tables.moments().and_then(|m| m.certified.as_ref()));
        let rows = all.map_or(0, |moments| moments.rows.len());
        let row_moments = all.map_or(0, Moments::row_moments);
        let fields = all.map_or(0, |moments| moments.full.fields(rows));
        let (error_fields, errors) = certified.map_or((0, 0), |c| (c.error.fields(rows), slots));
        let spikes = tables.width + tables.axes;
        let by_lane = [spikes, TILE, row_moments, fields, error_fields, slots, errors].map(|n| n * lanes);
        let [spikes, weights, moments, fields, error_fields, sums, errors] = by_lane;
        let polynomials = 2 * TILE * all.map_or(0, |moments| moments.full.q);
        let strip = PAIRS * TILE;
        [spikes, weights, polynomials, strip, moments, fields, error_fields, sums, errors, lanes]
    }

    /// Bytes that a block of `lanes` lanes takes.
    pub(super) fn needed(tables: &Tables<E>, lanes: usize) -> usize {
        Self::lengths(tables, lanes, tables.slots()).iter().sum::<usize>() * size_of::<E>()
    }

    /// Makes room for `lanes` lanes; allocates only when it grows.
    pub(super) fn fit(&mut self, tables: &Tables<E>, lanes: usize, slots: usize) {
        let lengths = Self::lengths(tables, lanes, slots);
        let Work {
            spikes,
            weights,
            polynomials,
            strip,
            moments,
            fields,
            error_fields,
            sums,
            errors,
            excess,
            ..
        } = self;
        let buffers =
            [spikes, weights, polynomials, strip, moments, fields, error_fields, sums, errors, excess];
        for (buffer, length) in buffers.into_iter().zip(lengths) {
            buffer.fit(length);
        }
        self.rows.reserve(lanes);
        // Rows are computed again as soon as they fill a block.
        self.again.reserve(2 * lanes);
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
        let first =
            self.spikes.bytes() + self.weights.bytes() + self.polynomials.bytes() + self.strip.bytes();
        let between = self.moments.bytes() + self.fields.bytes() + self.error_fields.bytes();
        let rows = (self.rows.capacity() + self.again.capacity()) * size_of::<usize>();
        first + between + self.sums.bytes() + self.errors.bytes() + self.excess.bytes() + rows
    }
}

//! Chunked storage: blocks put together from chunks decoded in parallel.
//!
//! The output is cut into the part of each chunk with `ndarray`'s disjoint views, so that workers
//! write straight into their place without sharing pointers. A chunk that a block covers only in
//! part stays decoded in a small cache: strips that meet inside a chunk row, or overlap by a halo,
//! decode it once.

use super::cache::Decoded;
use super::dataset::{Hdf5Dataset, fill_cells};
use super::filters::Scratch;
use super::header::Object;
use super::index::{self, Location, Table};
use super::source::{DAMAGED, lock};
use super::unshuffle;
use crate::error::Result;
use crate::io::Block;
use hdf5_reader::messages::layout::ChunkIndexing;
use ndarray::{ArrayViewMut, Axis, IxDyn};
use rayon::prelude::*;
use std::cell::RefCell;

/// A chunk is decoded whole, by each worker one: larger ones are refused.
const CHUNK_LIMIT: u64 = 1 << 30;
/// Decoded bytes that chunks in work may take together.
const IN_WORK: usize = 1 << 30;
/// Parts handed to the workers at a time; bounds the list for tiny chunks.
const PARTS: usize = 4096;
/// Buffers of a worker above this are given back after use.
const SCRATCH_KEPT: usize = 16 << 20;

/// How a dataset is cut into chunks.
pub(super) struct Chunking {
    /// Address of the index.
    pub address: u64,
    /// Chunk shape in elements.
    pub shape: Vec<u64>,
    /// The same as the index parsers want it.
    pub dims: Vec<u32>,
    pub indexing: Option<ChunkIndexing>,
    /// Bytes of a decoded chunk.
    pub bytes: usize,
    /// Chunks that reach beyond the shape are stored without filters.
    plain_edges: bool,
}

impl Chunking {
    /// Checks chunk shapes before anything is allocated by them.
    pub fn new(
        address: u64,
        shape: Vec<u64>,
        element: usize,
        indexing: Option<ChunkIndexing>,
        object: &Object,
    ) -> Result<Chunking, String> {
        if shape.is_empty() || shape.contains(&0) {
            return Err(format!("chunks of shape {shape:?}"));
        }
        let bytes = shape.iter().try_fold(element as u64, |n, &d| n.checked_mul(d));
        let Some(bytes) = bytes.filter(|&b| b <= CHUNK_LIMIT) else {
            return Err(format!("chunks of shape {shape:?}, more than 1 GiB each"));
        };
        let dims = shape.iter().map(|&d| d as u32).collect();
        // Layout versions 4 and 5: version, class, flags.
        let flags =
            object.raw_layout.as_deref().filter(|raw| raw.first() >= Some(&4)).and_then(|raw| raw.get(2));
        let plain_edges = flags.is_some_and(|flags| flags & 1 != 0);
        Ok(Chunking { address, shape, dims, indexing, bytes: bytes as usize, plain_edges })
    }

    /// Number of chunks on each axis.
    pub fn grid(&self, shape: &[u64]) -> Vec<u64> {
        shape.iter().zip(&self.shape).map(|(&d, &c)| d.div_ceil(c)).collect()
    }

    /// Number of a chunk in C order of the grid. There are no more chunks than elements.
    pub fn number(&self, shape: &[u64], grid: &[u64]) -> u64 {
        self.grid(shape).iter().zip(grid).fold(0, |n, (&count, &g)| n * count + g)
    }

    /// Indexes that leave the size of unfiltered chunks out.
    pub fn has_plain_size(&self) -> bool {
        self.plain_edges || matches!(self.indexing, Some(ChunkIndexing::Implicit))
    }
}

/// The part of the output that one chunk fills.
struct Part<'a> {
    grid: Vec<u64>,
    /// Axes of the dataset; the last one in bytes.
    view: ArrayViewMut<'a, u8, IxDyn>,
}

/// One read of a block.
struct Read<'a> {
    dataset: &'a Hdf5Dataset,
    chunking: &'a Chunking,
    block: &'a Block,
    table: &'a Table,
    number: u64,
    /// Parts to gather before the workers start.
    batch: usize,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Fills `out` with a block of a chunked dataset; the block was checked against the shape.
pub(super) fn read(dataset: &Hdf5Dataset, chunking: &Chunking, block: &Block, out: &mut [u8]) -> Result<()> {
    let first: Vec<u64> = block.start.iter().zip(&chunking.shape).map(|(&s, &c)| s / c).collect();
    let ends = block.start.iter().zip(&block.count);
    let last: Vec<u64> = ends.zip(&chunking.shape).map(|((&s, &n), &c)| (s + n - 1) / c).collect();
    let number = {
        let mut cache = lock(&dataset.cache);
        cache.begin()
    };
    let element = dataset.about.element.size;
    let mut lengths: Vec<usize> = block.count.iter().map(|&n| n as usize).collect();
    if let Some(inner) = lengths.last_mut() {
        *inner *= element;
    }
    let view = ArrayViewMut::from_shape(IxDyn(&lengths), out)
        .map_err(|err| dataset.fail("", err.to_string(), "a block that fits its bytes", ""))?;
    index::with_table(dataset, chunking, &first, &last, |table| {
        let batch = (IN_WORK / chunking.bytes.max(1)).clamp(1, PARTS);
        let read = Read { dataset, chunking, block, table, number, batch };
        let mut pending = Vec::new();
        read.divide(view, &mut Vec::new(), &mut pending)?;
        read.run(&mut pending)
    })
}

impl Read<'_> {
    /// Cuts `view` along its axes, slowest first, into the parts of single chunks.
    fn divide<'v>(
        &self,
        view: ArrayViewMut<'v, u8, IxDyn>,
        grid: &mut Vec<u64>,
        pending: &mut Vec<Part<'v>>,
    ) -> Result<()> {
        let axis = grid.len();
        if axis == self.block.start.len() {
            pending.push(Part { grid: grid.clone(), view });
            return if pending.len() >= self.batch { self.run(pending) } else { Ok(()) };
        }
        let unit = if axis + 1 == self.block.start.len() { self.dataset.about.element.size } else { 1 };
        let chunk = self.chunking.shape[axis];
        let stop = self.block.start[axis] + self.block.count[axis];
        let mut at = self.block.start[axis];
        let mut rest = view;
        while at < stop {
            let next = ((at / chunk + 1).saturating_mul(chunk)).min(stop);
            let (part, after) = rest.split_at(Axis(axis), (next - at) as usize * unit);
            rest = after;
            grid.push(at / chunk);
            self.divide(part, grid, pending)?;
            grid.pop();
            at = next;
        }
        Ok(())
    }

    fn run(&self, pending: &mut Vec<Part<'_>>) -> Result<()> {
        let parts = std::mem::take(pending);
        parts.into_par_iter().try_for_each(|part| self.fill(part))
    }

    fn fill(&self, mut part: Part<'_>) -> Result<()> {
        let shape = &self.dataset.about.info.shape;
        let number = self.chunking.number(shape, &part.grid);
        let Some(&location) = self.table.get(&number) else {
            part.view.rows_mut().into_iter().for_each(|mut row| {
                if let Some(row) = row.as_slice_mut() {
                    fill_cells(row, self.dataset.about.fill.as_deref());
                }
            });
            return Ok(());
        };
        let cached = lock(&self.dataset.cache).get(number, self.number);
        if let Some(chunk) = cached {
            self.copy(&mut part, &chunk.bytes, chunk.shuffled);
            return Ok(());
        }
        // Taken out while in use: a filter that waits for other work of the pool may come back here.
        let mut scratch = SCRATCH.take();
        let shuffled = self.decode(&part.grid, location, &mut scratch)?;
        self.copy(&mut part, &scratch.bytes, shuffled);
        if self.is_partial(&part.grid) {
            let bytes = std::mem::take(&mut scratch.bytes);
            lock(&self.dataset.cache).put(number, self.number, Decoded { bytes, shuffled });
        }
        scratch.trim(SCRATCH_KEPT);
        SCRATCH.set(scratch);
        Ok(())
    }

    /// Reads and decodes one chunk into `scratch.bytes`; true when it is still shuffled.
    fn decode(&self, grid: &[u64], location: Location, scratch: &mut Scratch) -> Result<bool> {
        let fail = |found: String| {
            self.dataset.fail(
                &format!(", chunk {grid:?}"),
                found,
                &format!("{} bytes", self.chunking.bytes),
                DAMAGED,
            )
        };
        let pipeline = &self.dataset.about.pipeline;
        let shape = &self.dataset.about.info.shape;
        let edge = grid.iter().zip(&self.chunking.shape).zip(shape).any(|((&g, &c), &d)| d - g * c < c);
        let plain = pipeline.is_empty() || (self.chunking.plain_edges && edge);
        // No filter here more than doubles a chunk.
        let size = usize::try_from(location.size).unwrap_or(usize::MAX);
        if size > self.chunking.bytes.saturating_mul(2).saturating_add(64 << 10) {
            return Err(fail(format!("{size} bytes stored")));
        }
        scratch.bytes.resize(size, 0);
        self.dataset.source.read(location.address, &mut scratch.bytes)?;
        let mask = if plain { u32::MAX } else { location.mask };
        pipeline.decode(scratch, mask, self.chunking.bytes).map_err(fail)
    }

    /// True when the block leaves cells of this chunk, which a later block may want.
    fn is_partial(&self, grid: &[u64]) -> bool {
        (0..grid.len()).any(|a| {
            let (from, to) = self.bounds(grid, a);
            from < self.block.start[a] || to > self.block.start[a] + self.block.count[a]
        })
    }

    /// First and one past the last index of a chunk on an axis, inside the shape.
    fn bounds(&self, grid: &[u64], axis: usize) -> (u64, u64) {
        let chunk = self.chunking.shape[axis];
        let from = grid[axis] * chunk;
        (from, from.saturating_add(chunk).min(self.dataset.about.info.shape[axis]))
    }

    /// Copies the part's cells out of a decoded chunk.
    fn copy(&self, part: &mut Part<'_>, bytes: &[u8], shuffled: bool) {
        let size = self.dataset.about.element.size;
        let elements = self.chunking.bytes / size.max(1);
        let rank = part.grid.len();
        // Index inside the chunk of the part's first cell.
        let mut index: Vec<u64> = (0..rank)
            .map(|a| self.block.start[a].saturating_sub(part.grid[a] * self.chunking.shape[a]))
            .collect();
        let first = index.clone();
        let lengths: Vec<u64> = part.view.shape().iter().map(|&n| n as u64).collect();
        for mut row in part.view.rows_mut() {
            let cell = index.iter().zip(&self.chunking.shape).fold(0, |n, (&i, &c)| n * c + i) as usize;
            if let Some(row) = row.as_slice_mut() {
                if shuffled {
                    unshuffle::gather(bytes, elements, size, cell, row);
                } else {
                    row.copy_from_slice(&bytes[cell * size..cell * size + row.len()]);
                }
            }
            for axis in (0..rank.saturating_sub(1)).rev() {
                index[axis] += 1;
                if index[axis] < first[axis] + lengths[axis] {
                    break;
                }
                index[axis] = first[axis];
            }
        }
    }
}

//! Chunk indexes: from a chunk's place in the grid to its bytes in the file.

use super::arrays;
use super::chunks::Chunking;
use super::dataset::Hdf5Dataset;
use super::source::DAMAGED;
use crate::error::Result;
use hdf5_reader::btree_v1;
use hdf5_reader::chunk_index::{self, ChunkEntry};
use hdf5_reader::messages::layout::ChunkIndexing;
use std::collections::HashMap;

/// Grids of up to so many chunks are looked up once for all (24 bytes each).
const WHOLE_LIMIT: u64 = 1 << 18;

/// Where one chunk lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Location {
    pub address: u64,
    pub size: u64,
    /// Bit `i` set: filter `i` was left out for this chunk.
    pub mask: u32,
}

/// Chunks by their number in the grid, counted in C order. One that is missing was never written.
pub(super) type Table = HashMap<u64, Location>;

/// Finds the chunks of the grid rectangle `first ..= last`, from the table of all chunks where the
/// dataset keeps one.
pub(super) fn with_table<T>(
    dataset: &Hdf5Dataset,
    chunking: &Chunking,
    first: &[u64],
    last: &[u64],
    work: impl FnOnce(&Table) -> Result<T>,
) -> Result<T> {
    let count = chunking.grid(&dataset.about.info.shape).iter().try_fold(1u64, |n, &c| n.checked_mul(c));
    if count.is_none_or(|n| n > WHOLE_LIMIT) {
        return work(&collect(dataset, chunking, Some((first, last)))?);
    }
    let table = match dataset.table.get() {
        Some(table) => table,
        None => {
            let table = collect(dataset, chunking, None)?;
            dataset.table.get_or_init(|| table)
        }
    };
    work(table)
}

fn collect(dataset: &Hdf5Dataset, chunking: &Chunking, bounds: Option<(&[u64], &[u64])>) -> Result<Table> {
    if dataset.source.is_undefined(chunking.address) {
        return Ok(Table::new());
    }
    let path = &dataset.about.info.path;
    let mut table = Table::new();
    let mut put = |grid: &[u64], location: Location| put(dataset, chunking, &mut table, grid, location);
    match &chunking.indexing {
        Some(ChunkIndexing::FixedArray { .. } | ChunkIndexing::ExtensibleArray { .. }) => {
            from_array(dataset, chunking, bounds, &mut put)?;
        }
        _ => {
            for entry in entries(dataset, chunking, bounds).map_err(dataset.source.damaged(path))? {
                let aligned = entry.offsets.len() == chunking.shape.len()
                    && entry.offsets.iter().zip(&chunking.shape).all(|(&o, &c)| o % c == 0);
                if !aligned {
                    let found = format!("a chunk that begins at {:?}", entry.offsets);
                    let expected = format!("multiples of {:?}", chunking.shape);
                    return Err(dataset.fail("", found, &expected, DAMAGED));
                }
                let grid: Vec<u64> =
                    entry.offsets.iter().zip(&chunking.shape).map(|(&o, &c)| o / c).collect();
                put(&grid, Location { address: entry.address, size: entry.size, mask: entry.filter_mask })?;
            }
        }
    }
    Ok(table)
}

/// Enters one chunk. A dataset that was made smaller can keep chunks beyond its shape.
fn put(
    dataset: &Hdf5Dataset,
    chunking: &Chunking,
    table: &mut Table,
    grid: &[u64],
    mut location: Location,
) -> Result<()> {
    let shape = &dataset.about.info.shape;
    let outside = grid.iter().zip(chunking.grid(shape)).any(|(&g, count)| g >= count);
    if outside || dataset.source.is_undefined(location.address) {
        return Ok(());
    }
    location.size = stored_size(dataset, chunking, location, grid)?;
    if table.insert(chunking.number(shape, grid), location).is_some() {
        return Err(dataset.fail("", format!("chunk {grid:?} twice"), "each chunk once", DAMAGED));
    }
    Ok(())
}

/// Chunks of a fixed or extensible array, numbered in C order of the greatest grid; in the latter
/// the unlimited axis is counted slowest.
fn from_array(
    dataset: &Hdf5Dataset,
    chunking: &Chunking,
    bounds: Option<(&[u64], &[u64])>,
    put: &mut dyn FnMut(&[u64], Location) -> Result<()>,
) -> Result<()> {
    let (source, about) = (&dataset.source, &dataset.about);
    let shape = &about.info.shape;
    let growing = about.max_shape.iter().position(|&d| d == u64::MAX);
    let slowest = growing.unwrap_or(0);
    let order: Vec<usize> =
        std::iter::once(slowest).chain((0..shape.len()).filter(|&a| a != slowest)).collect();
    let now = chunking.grid(shape);
    let most: Vec<u64> = chunking.grid(&about.max_shape).iter().zip(&now).map(|(&m, &n)| m.max(n)).collect();
    let mut grid = vec![0; shape.len()];
    let mut failed = None;
    let mut take = |mut number: u64, location: Location| {
        for &axis in order.iter().skip(1).rev() {
            grid[axis] = number % most[axis].max(1);
            number /= most[axis].max(1);
        }
        grid[slowest] = number;
        let wanted = bounds.is_none_or(|(first, last)| {
            grid.iter().zip(first).zip(last).all(|((g, first), last)| (first..=last).contains(&g))
        });
        if wanted && let Err(err) = put(&grid, location) {
            failed = Some(err);
            return Err(String::new());
        }
        Ok(())
    };
    let read = if let Some(ChunkIndexing::FixedArray { .. }) = chunking.indexing {
        arrays::fixed(source, chunking.address, &mut take)
    } else {
        // One past the number of the last chunk inside the shape.
        let end = order
            .iter()
            .fold(0u64, |n, &axis| n.saturating_mul(most[axis]).saturating_add(now[axis].saturating_sub(1)));
        arrays::extensible(source, chunking.address, end.saturating_add(1), &mut take)
    };
    match (read, failed) {
        (_, Some(err)) => Err(err),
        (Err(found), None) => Err(dataset.fail("", found, "a sound chunk index", DAMAGED)),
        (Ok(()), None) => Ok(()),
    }
}

/// Size in the file: the chunk's own where nothing is filtered, else as the index says.
fn stored_size(dataset: &Hdf5Dataset, chunking: &Chunking, entry: Location, grid: &[u64]) -> Result<u64> {
    let whole = chunking.bytes as u64;
    let plain = dataset.about.pipeline.is_empty() || (entry.size == 0 && chunking.has_plain_size());
    let size = if plain { whole } else { entry.size };
    let wrong = plain && entry.size != 0 && entry.size != whole;
    if wrong || size == 0 {
        let found = format!("{} bytes", entry.size);
        return Err(dataset.fail(&format!(", chunk {grid:?}"), found, &format!("{whole} bytes"), DAMAGED));
    }
    if !dataset.source.holds(entry.address, size) {
        let found = format!("{size} bytes at {:#x}, beyond the end of the file", entry.address);
        return Err(dataset.fail(&format!(", chunk {grid:?}"), found, "a chunk inside the file", DAMAGED));
    }
    Ok(size)
}

fn entries(
    dataset: &Hdf5Dataset,
    chunking: &Chunking,
    bounds: Option<(&[u64], &[u64])>,
) -> hdf5_reader::error::Result<Vec<ChunkEntry>> {
    let source = &dataset.source;
    let (storage, os, ls) = (source.storage.as_ref(), source.offset_size, source.length_size);
    let about = &dataset.about;
    let (shape, dims, at) = (&about.info.shape, &chunking.dims, chunking.address);
    let rank = shape.len();
    // Implicit chunks are numbered by the greatest shape, which is finite.
    let greatest = if about.max_shape.contains(&u64::MAX) { shape } else { &about.max_shape };
    match &chunking.indexing {
        None => {
            let leaves = btree_v1::collect_btree_v1_leaves_storage(
                storage,
                at,
                os,
                ls,
                Some(rank as u32),
                dims,
                bounds,
            )?;
            Ok(leaves.into_iter().filter_map(|(key, address)| tree_entry(key, address, rank)).collect())
        }
        Some(ChunkIndexing::SingleChunk { filtered_size, filters }) => {
            Ok(vec![chunk_index::single_chunk_entry(at, *filtered_size, *filters, rank)])
        }
        Some(ChunkIndexing::BTreeV2) => {
            chunk_index::collect_v2_chunk_entries_storage(storage, at, os, ls, rank as u32, dims, bounds)
        }
        Some(ChunkIndexing::Implicit) => {
            let element = about.element.size;
            chunk_index::collect_implicit_chunk_entries(at, greatest, dims, element, bounds, source.len)
        }
        // Read by `from_array`.
        Some(ChunkIndexing::FixedArray { .. } | ChunkIndexing::ExtensibleArray { .. }) => Ok(Vec::new()),
    }
}

fn tree_entry(key: btree_v1::BTreeV1Key, address: u64, rank: usize) -> Option<ChunkEntry> {
    let btree_v1::BTreeV1Key::RawData { chunk_size, filter_mask, mut offsets } = key else {
        return None;
    };
    // The last offset counts bytes inside an element and is zero.
    offsets.truncate(rank);
    Some(ChunkEntry { address, size: u64::from(chunk_size), filter_mask, offsets })
}

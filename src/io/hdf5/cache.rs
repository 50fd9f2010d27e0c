//! Decoded chunks kept between the reads of neighbouring blocks.

use std::collections::HashMap;
use std::sync::Arc;

/// Decoded bytes kept for the next block.
const CACHE_BYTES: usize = 32 << 20;

/// Decoded chunks by number, each with the read that used it last.
#[derive(Default)]
pub(super) struct ChunkCache {
    chunks: HashMap<u64, (Arc<Decoded>, u64)>,
    bytes: usize,
    reads: u64,
}

/// One decoded chunk.
pub(super) struct Decoded {
    pub bytes: Vec<u8>,
    /// Still in the order of the shuffle filter.
    pub shuffled: bool,
}

impl ChunkCache {
    /// Numbers a new read.
    pub fn begin(&mut self) -> u64 {
        self.reads += 1;
        self.reads
    }

    /// A chunk, marked as used by this read.
    pub fn get(&mut self, number: u64, read: u64) -> Option<Arc<Decoded>> {
        let (chunk, used) = self.chunks.get_mut(&number)?;
        *used = read;
        Some(chunk.clone())
    }

    /// Keeps a chunk if there is room beside those of the same read.
    pub fn put(&mut self, number: u64, read: u64, chunk: Decoded) {
        let size = chunk.bytes.len();
        if self.bytes + size > CACHE_BYTES {
            let bytes = &mut self.bytes;
            self.chunks.retain(|_, (chunk, used)| {
                let keep = *used == read;
                *bytes -= if keep { 0 } else { chunk.bytes.len() };
                keep
            });
        }
        if self.bytes + size <= CACHE_BYTES {
            self.bytes += size;
            if let Some((old, _)) = self.chunks.insert(number, (Arc::new(chunk), read)) {
                self.bytes -= old.bytes.len();
            }
        }
    }
}

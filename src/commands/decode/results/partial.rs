//! Whole chunks from blocks of any size: what is cut off at either end waits for its neighbours.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Rows of one dataset on their way to chunks.
#[derive(Debug)]
pub(super) struct Partial {
    /// Rows of a chunk, and of all.
    pub chunk: usize,
    pub rows: usize,
    /// Bytes of a row.
    pub width: usize,
    /// Chunks of which some rows came, by number; blocks that follow each other leave one.
    waiting: BTreeMap<usize, Waiting>,
    /// Which chunks were handed over.
    gone: Vec<bool>,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    came: Vec<bool>,
}

impl Partial {
    pub fn new(chunk: usize, rows: usize, width: usize) -> Self {
        let chunk = chunk.max(1);
        Partial { chunk, rows, width, waiting: BTreeMap::new(), gone: vec![false; rows.div_ceil(chunk)] }
    }

    /// Takes rows from `first` on, and hands whole chunks with their first row to `put`.
    pub fn take(
        &mut self,
        first: usize,
        bytes: &[u8],
        put: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let end = first.saturating_add(bytes.len() / self.width.max(1));
        if end > self.rows {
            return Err(Error::Failed(format!("rows {first} to {end} of {}", self.rows)));
        }
        let mut at = first;
        while at < end {
            let rest = &bytes[(at - first) * self.width..];
            let stop = if end == self.rows { end } else { end / self.chunk * self.chunk };
            if at.is_multiple_of(self.chunk) && stop > at {
                let chunks = at / self.chunk..stop.div_ceil(self.chunk);
                let waits = self.waiting.range(chunks.clone()).next().is_some();
                if waits || self.gone[chunks.clone()].contains(&true) {
                    return Err(self.twice(at, stop));
                }
                self.gone[chunks].fill(true);
                put(at, &rest[..(stop - at) * self.width])?;
                at = stop;
                continue;
            }
            let stop = end.min((at / self.chunk + 1) * self.chunk);
            self.wait(at, &rest[..(stop - at) * self.width], put)?;
            at = stop;
        }
        Ok(())
    }

    /// Keeps rows of one chunk, and hands it over once it is whole.
    fn wait(
        &mut self,
        first: usize,
        bytes: &[u8],
        put: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (number, within) = (first / self.chunk, first % self.chunk);
        let height = self.chunk.min(self.rows - number * self.chunk);
        let end = first + bytes.len() / self.width.max(1);
        let rows = within..within + end - first;
        let came = self.waiting.get(&number).is_some_and(|chunk| chunk.came[rows.clone()].contains(&true));
        if came || self.gone[number] {
            return Err(self.twice(first, end));
        }
        let chunk = self
            .waiting
            .entry(number)
            .or_insert_with(|| Waiting { bytes: vec![0; height * self.width], came: vec![false; height] });
        chunk.came[rows.clone()].fill(true);
        chunk.bytes[rows.start * self.width..rows.end * self.width].copy_from_slice(bytes);
        if chunk.came.contains(&false) {
            return Ok(());
        }
        self.gone[number] = true;
        match self.waiting.remove(&number) {
            Some(whole) => put(number * self.chunk, &whole.bytes),
            None => Ok(()),
        }
    }

    fn twice(&self, first: usize, end: usize) -> Error {
        Error::Failed(format!("rows {first} to {end} of {} came twice", self.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_become_whole_chunks() {
        let all: Vec<u8> = (0..2 * 23u8).collect();
        for step in [1, 3, 4, 5, 8, 9, 23] {
            for backwards in [false, true] {
                let mut partial = Partial::new(4, 23, 2);
                let mut seen = vec![0u8; all.len()];
                let mut blocks: Vec<usize> = (0..23).step_by(step).collect();
                if backwards {
                    blocks.reverse();
                }
                for first in blocks {
                    let end = (first + step).min(23);
                    partial
                        .take(first, &all[2 * first..2 * end], &mut |at, bytes| {
                            assert!(at % 4 == 0 && (bytes.len() % 8 == 0 || at + bytes.len() / 2 == 23));
                            seen[2 * at..2 * at + bytes.len()].copy_from_slice(bytes);
                            Ok(())
                        })
                        .unwrap();
                    assert!(partial.waiting.len() <= 1);
                }
                assert_eq!(seen, all, "{step} {backwards}");
            }
        }
    }

    #[test]
    fn rows_twice_or_beyond_the_end_are_refused() {
        let mut partial = Partial::new(4, 10, 1);
        let mut put = |_: usize, _: &[u8]| Ok(());
        partial.take(1, &[0; 2], &mut put).unwrap();
        assert!(partial.take(2, &[0; 1], &mut put).is_err());
        assert!(partial.take(9, &[0; 2], &mut put).is_err());
        partial.take(9, &[0; 1], &mut put).unwrap();
        assert!(partial.take(0, &[0; 4], &mut put).is_err(), "two rows of the chunk wait");
        partial.take(4, &[0; 4], &mut put).unwrap();
        assert!(partial.take(7, &[0; 1], &mut put).is_err() && partial.take(4, &[0; 4], &mut put).is_err());
        assert!(partial.take(usize::MAX, &[0; 1], &mut put).is_err());
    }
}

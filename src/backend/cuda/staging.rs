//! Pinned buffers between the caller's memory and the device.
//!
//! The driver copies pageable memory through a buffer of its own, at half the bus's speed and while
//! the caller waits. Here two pinned slabs take turns: while the device reads one, the host fills
//! the other, with all threads where there is much to copy.

use super::driver::{Event, Pinned, Stream, Told};
use rayon::prelude::*;

/// Bytes of a slab: long enough for the bus's full speed, short beside any strip.
const SLAB: usize = 8 << 20;

/// Pieces that threads copy.
const PIECE: usize = 512 << 10;

struct Slab {
    memory: Pinned,
    /// Passed when the device is done with the slab.
    done: Event,
}

/// Two slabs.
pub struct Staging {
    slabs: [Slab; 2],
    next: usize,
}

impl Staging {
    /// Slabs of the current context.
    pub fn new() -> Told<Self> {
        let slab = || Ok::<Slab, String>(Slab { memory: Pinned::new(SLAB)?, done: Event::new()? });
        Ok(Staging { slabs: [slab()?, slab()?], next: 0 })
    }

    /// Copies `bytes` to the device address `to`; returns when `bytes` is free again.
    pub fn upload(&mut self, stream: &Stream, to: u64, bytes: &[u8]) -> Told<()> {
        for (piece, bytes) in bytes.chunks(SLAB).enumerate() {
            let slab = &mut self.slabs[self.next];
            self.next = 1 - self.next;
            slab.done.wait()?;
            copy(&mut slab.memory.bytes_mut()[..bytes.len()], bytes);
            stream.upload(to + (piece * SLAB) as u64, &slab.memory, bytes.len())?;
            stream.record(&slab.done)?;
        }
        Ok(())
    }

    /// Copies from the device address `from`; returns when `into` is whole.
    pub fn download(&mut self, stream: &Stream, from: u64, into: &mut [u8]) -> Told<()> {
        let mut pieces = into.chunks_mut(SLAB).enumerate();
        let mut under_way: Option<(usize, &mut [u8])> = None;
        loop {
            let started = match pieces.next() {
                Some((piece, into)) => {
                    let at = self.next;
                    self.next = 1 - self.next;
                    let slab = &mut self.slabs[at];
                    // An upload may still read it.
                    slab.done.wait()?;
                    stream.download(&mut slab.memory, from + (piece * SLAB) as u64, into.len())?;
                    stream.record(&slab.done)?;
                    Some((at, into))
                }
                None => None,
            };
            if let Some((at, into)) = under_way.take() {
                let slab = &mut self.slabs[at];
                slab.done.wait()?;
                copy(into, &slab.memory.bytes_mut()[..into.len()]);
            }
            if started.is_none() {
                return Ok(());
            }
            under_way = started;
        }
    }
}

/// One thread fills a third of a fast bus.
fn copy(to: &mut [u8], from: &[u8]) {
    if to.len() <= 2 * PIECE {
        to.copy_from_slice(from);
    } else {
        to.par_chunks_mut(PIECE).zip(from.par_chunks(PIECE)).for_each(|(to, from)| to.copy_from_slice(from));
    }
}

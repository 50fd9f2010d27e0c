//! A deflated archive member, readable at any offset, cheap in ascending order.
//!
//! One stream runs over the member; the bytes it gave last are kept, so that row strips that
//! overlap by their halo still inflate each byte once. A jump back beyond what is kept begins
//! anew from the front.

use crate::error::{Error, Result};
use crate::io::block::ReadAt;
use crate::io::npy::FileRange;
use flate2::{Decompress, FlushDecompress, Status};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Compressed bytes taken from the file at once.
const INPUT: usize = 128 << 10;
/// Bytes kept at first; a jump back beyond them raises it to what would have sufficed.
const KEPT: usize = 4 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bad_checksum(place: &str) -> Error {
    Error::data(
        place,
        "bytes that contradict the member's checksum",
        "those that were saved",
        "the archive is damaged; save it again",
    )
}

/// Checksum of a stored member, followed as far as reads go on from each other.
pub(super) struct Checksum {
    state: Mutex<(crc32fast::Hasher, u64)>,
    length: u64,
    crc: u32,
}

impl Checksum {
    /// `front` is what stands before the `length` bytes that [`Checksum::see`] is shown.
    pub(super) fn new(front: &[u8], length: u64, crc: u32) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(front);
        Checksum { state: Mutex::new((hasher, 0)), length, crc }
    }

    /// Follows a read; compares when the last byte was seen in order.
    pub(super) fn see(&self, place: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = lock(&self.state);
        let (hasher, position) = &mut *state;
        let end = offset + bytes.len() as u64;
        if offset > *position || end <= *position {
            return Ok(());
        }
        hasher.update(&bytes[(*position - offset) as usize..]);
        *position = end;
        if end == self.length && hasher.clone().finalize() != self.crc {
            return Err(bad_checksum(place));
        }
        Ok(())
    }
}

/// A deflated member.
pub(super) struct Inflated {
    place: String,
    range: FileRange,
    compressed: u64,
    /// Inflated length, header included.
    size: u64,
    crc: u32,
    /// Where the array's elements begin in the inflated bytes.
    base: u64,
    stream: Mutex<Stream>,
}

struct Stream {
    inflate: Decompress,
    hasher: crc32fast::Hasher,
    /// Compressed bytes read from the file so far, and those of them not yet used.
    taken: u64,
    input: Vec<u8>,
    used: usize,
    /// Inflated bytes so far.
    position: u64,
    /// The last of them.
    kept: Vec<u8>,
    keep: usize,
}

impl Stream {
    fn new(keep: usize) -> Self {
        Stream {
            inflate: Decompress::new(false),
            hasher: crc32fast::Hasher::new(),
            taken: 0,
            input: Vec::new(),
            used: 0,
            position: 0,
            kept: Vec::new(),
            keep,
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        let tail = &bytes[bytes.len().saturating_sub(self.keep)..];
        // Moved to the front only once in a while, so that remembering costs one copy.
        if self.kept.len() + tail.len() > 2 * self.keep {
            let drop = self.kept.len() - (self.keep - tail.len()).min(self.kept.len());
            self.kept.drain(..drop);
        }
        self.kept.extend_from_slice(tail);
    }
}

impl Inflated {
    pub(super) fn new(place: String, range: FileRange, compressed: u64, size: u64, crc: u32) -> Self {
        let stream = Mutex::new(Stream::new(KEPT));
        Inflated { place, range, compressed, size, crc, base: 0, stream }
    }

    /// The first `length` inflated bytes, which hold the header.
    pub(super) fn front(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut front = vec![0; length];
        self.read_at(0, &mut front)?;
        Ok(front)
    }

    /// From now on offsets count from `base`.
    pub(super) fn skip_header(&mut self, base: u64) {
        self.base = base;
    }

    /// Fills `out` with the next inflated bytes.
    fn next(&self, stream: &mut Stream, out: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < out.len() {
            if stream.used == stream.input.len() {
                self.take_input(stream)?;
            }
            let produced = self.step(stream, &mut out[filled..])?;
            if produced == 0 && stream.used == stream.input.len() && stream.taken == self.compressed {
                return Err(self.damaged(stream.position + filled as u64));
            }
            filled += produced;
        }
        stream.hasher.update(out);
        stream.position += out.len() as u64;
        stream.remember(out);
        if stream.position == self.size {
            self.at_end(stream)?;
        }
        Ok(())
    }

    fn take_input(&self, stream: &mut Stream) -> Result<()> {
        let length = (self.compressed - stream.taken).min(INPUT as u64) as usize;
        stream.input.resize(length, 0);
        self.range.read_at(stream.taken, &mut stream.input)?;
        stream.taken += length as u64;
        stream.used = 0;
        Ok(())
    }

    /// One call of the decompressor; how many bytes it gave.
    fn step(&self, stream: &mut Stream, out: &mut [u8]) -> Result<usize> {
        let (used, given) = (stream.inflate.total_in(), stream.inflate.total_out());
        let input = &stream.input[stream.used..];
        let status = stream.inflate.decompress(input, out, FlushDecompress::None);
        stream.used += (stream.inflate.total_in() - used) as usize;
        let produced = (stream.inflate.total_out() - given) as usize;
        match status {
            Ok(Status::StreamEnd) if produced < out.len() => {
                Err(self.damaged(stream.position + produced as u64))
            }
            Ok(_) => Ok(produced),
            Err(_) => Err(self.damaged(stream.position)),
        }
    }

    /// The stream must end where the header said, with the checksum that was saved.
    fn at_end(&self, stream: &mut Stream) -> Result<()> {
        let mut surplus = [0u8; 1];
        loop {
            if stream.used == stream.input.len() && stream.taken < self.compressed {
                self.take_input(stream)?;
            }
            let given = stream.inflate.total_out();
            let used = stream.inflate.total_in();
            let input = &stream.input[stream.used..];
            let status = stream.inflate.decompress(input, &mut surplus, FlushDecompress::Finish);
            stream.used += (stream.inflate.total_in() - used) as usize;
            if stream.inflate.total_out() > given {
                return Err(Error::data(
                    self.place.as_str(),
                    "a member that inflates to more than its shape",
                    format!("{} bytes", self.size),
                    "the archive is damaged or hostile",
                ));
            }
            match status {
                Ok(Status::StreamEnd) => break,
                Ok(_) if stream.taken < self.compressed => {}
                _ => return Err(self.damaged(self.size)),
            }
        }
        if stream.hasher.clone().finalize() != self.crc {
            return Err(bad_checksum(&self.place));
        }
        Ok(())
    }

    fn damaged(&self, at: u64) -> Error {
        Error::data(
            self.place.as_str(),
            format!("compressed data that end or break after {at} bytes"),
            format!("{} bytes", self.size),
            "the archive is damaged; save it again",
        )
    }
}

impl ReadAt for Inflated {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let offset = self.base + offset;
        let mut stream = lock(&self.stream);
        let back = stream.position.saturating_sub(offset);
        if back > stream.kept.len() as u64 {
            // Begin anew; if the jump was an overlap of blocks, keep as much from now on.
            let keep = if back <= out.len() as u64 { back as usize } else { 0 };
            *stream = Stream::new(keep.max(stream.keep));
        }
        // What is passed over is inflated into `out`, which is overwritten afterwards, or in pieces.
        let mut pass = Vec::new();
        while stream.position < offset {
            pass.resize((offset - stream.position).min(INPUT as u64) as usize, 0);
            self.forward(&mut stream, &mut pass)?;
        }
        let back = (stream.position - offset) as usize;
        let again = back.min(out.len());
        let from = stream.kept.len() - back;
        out[..again].copy_from_slice(&stream.kept[from..from + again]);
        if again < out.len() { self.forward(&mut stream, &mut out[again..]) } else { Ok(()) }
    }
}

impl Inflated {
    /// [`Inflated::next`] that leaves no half-used stream behind an error.
    fn forward(&self, stream: &mut Stream, out: &mut [u8]) -> Result<()> {
        self.next(stream, out).inspect_err(|_| *stream = Stream::new(stream.keep))
    }
}

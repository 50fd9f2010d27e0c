//! Large arrays on their way to the disk, past the page cache.
//!
//! Outputs are synced before they get their name, so every byte goes to the disk within the run
//! in any case. Through the page cache that costs a page to be found, filled and kept for each 4
//! KiB, by the cores that compute, and then the wait for the sync. Here a thread of its own hands
//! the disk whole aligned buffers (`O_DIRECT`) while the next ones are filled. Where a file
//! system has no such way the same thread writes in the ordinary one.

use crate::array::pages::Pages;
use crate::error::{Error, Result};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Arrays of fewer bytes stay in the page cache, where their next reader finds them.
pub(crate) const LEAST: u64 = 32 << 20;
/// Bytes of a buffer. Larger ones were no faster.
const BUFFER: usize = 4 << 20;
/// Buffers that circulate: one is filled, one is written, one waits.
const BUFFERS: usize = 3;
/// What file positions and lengths must be multiples of.
const ALIGNMENT: u64 = 4096;

/// A buffer and where its bytes go.
struct Full {
    buffer: Pages,
    length: usize,
    at: u64,
}

/// A stretch of a file that is filled from front to end.
pub(crate) struct Direct {
    path: PathBuf,
    plain: File,
    /// Place in the file of the next byte.
    at: u64,
    buffer: Option<Pages>,
    filled: usize,
    full: Option<SyncSender<Full>>,
    empty: Receiver<Pages>,
    writer: Option<JoinHandle<std::io::Result<()>>>,
}

impl Direct {
    /// Begins to fill `length` bytes from `start` on of the file `temporary`, which errors call
    /// `path`.
    ///
    /// # Errors
    /// The file cannot be opened, or the disk has no room.
    pub(crate) fn new(path: &Path, temporary: &Path, (start, length): (u64, u64)) -> Result<Self> {
        let failed = |e: std::io::Error| Error::io(path, "write")(e);
        let open = |flags: OFlags| {
            let mut options = File::options();
            options.write(true).custom_flags(flags.bits() as i32).open(temporary)
        };
        let plain = open(OFlags::empty()).map_err(failed)?;
        // Blocks laid out at once lie together and need no thought later. Not every file system can.
        let laid_out = rustix::fs::fallocate(&plain, FallocateFlags::empty(), start, length);
        if let Err(e @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) = laid_out {
            return Err(failed(e.into()));
        }
        let direct = open(OFlags::DIRECT).ok();
        let fallback = plain.try_clone().map_err(failed)?;
        let (full, to_write) = sync_channel::<Full>(BUFFERS);
        let (written, empty) = sync_channel::<Pages>(BUFFERS);
        for _ in 0..BUFFERS {
            // The channel is deep enough for all of them and its receiver lives here.
            let _ = written.send(Pages::of_bytes(BUFFER)?);
        }
        let write = move || -> std::io::Result<()> {
            let mut direct = direct;
            for Full { buffer, length, at } in to_write {
                let bytes = &buffer.bytes()[..length];
                let aligned = at.is_multiple_of(ALIGNMENT) && (length as u64).is_multiple_of(ALIGNMENT);
                let passed = match &direct {
                    Some(file) if aligned => file.write_all_at(bytes, at).is_ok(),
                    _ => false,
                };
                if !passed {
                    // Some file systems refuse only now.
                    if aligned {
                        direct = None;
                    }
                    fallback.write_all_at(bytes, at)?;
                }
                let _ = written.send(buffer);
            }
            Ok(())
        };
        let writer = std::thread::Builder::new().name("nissl-write".into()).spawn(write).map_err(failed)?;
        let (full, writer) = (Some(full), Some(writer));
        Ok(Direct { path: path.to_owned(), plain, at: start, buffer: None, filled: 0, full, empty, writer })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The disk refused these or earlier ones.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        // What lies before the first whole block shares it with other parts of the file.
        let apart = (self.at.next_multiple_of(ALIGNMENT) - self.at) as usize;
        if self.filled == 0 && apart > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(apart));
            self.plain.write_all_at(head, self.at).map_err(Error::io(&self.path, "write"))?;
            self.at += head.len() as u64;
            bytes = rest;
        }
        while !bytes.is_empty() {
            let Some(mut buffer) = self.buffer.take().or_else(|| self.empty.recv().ok()) else {
                return Err(self.stopped());
            };
            let (part, rest) = bytes.split_at(bytes.len().min(BUFFER - self.filled));
            buffer.bytes_mut()[self.filled..self.filled + part.len()].copy_from_slice(part);
            self.filled += part.len();
            bytes = rest;
            if self.filled == BUFFER {
                self.send(buffer)?;
            } else {
                self.buffer = Some(buffer);
            }
        }
        Ok(())
    }

    /// Hands the filled part of `buffer` to the writer.
    fn send(&mut self, buffer: Pages) -> Result<()> {
        let full = Full { buffer, length: self.filled, at: self.at };
        self.at += self.filled as u64;
        self.filled = 0;
        match self.full.as_ref().map(|sender| sender.send(full)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.stopped()),
        }
    }

    /// Why the writer ended early.
    fn stopped(&mut self) -> Error {
        match self.join() {
            Err(error) => error,
            Ok(()) => Error::Failed(format!("{}: the writing thread ended early", self.path.display())),
        }
    }

    fn join(&mut self) -> Result<()> {
        self.full = None;
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.map_err(Error::io(&self.path, "write")),
            Some(Err(_)) => Err(Error::Failed("internal error: the writing thread panicked".into())),
            None => Ok(()),
        }
    }

    /// Waits until everything is handed over; the file is not synced yet.
    ///
    /// # Errors
    /// The disk refused some of it.
    pub(crate) fn finish(mut self) -> Result<()> {
        // The last, partial block goes the ordinary way.
        let whole = self.filled as u64 / ALIGNMENT * ALIGNMENT;
        if let Some(buffer) = self.buffer.take() {
            let rest = &buffer.bytes()[whole as usize..self.filled];
            self.plain.write_all_at(rest, self.at + whole).map_err(Error::io(&self.path, "write"))?;
            self.filled = whole as usize;
            if whole > 0 {
                self.send(buffer)?;
            }
        }
        self.join()
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        // Nothing may write into the file once its owner is gone.
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives_whatever_the_start_and_the_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..2 * BUFFER + 12_345).map(|i| (i * 31 % 251) as u8).collect();
        for (start, piece) in [(0, bytes.len()), (128, 1 << 20), (2048, 4097), (4096, 1 << 22), (5000, 777)] {
            let path = folder.path().join(format!("{start}"));
            std::fs::write(&path, vec![7; start]).unwrap();
            let mut direct = Direct::new(&path, &path, (start as u64, bytes.len() as u64)).unwrap();
            bytes.chunks(piece).for_each(|part| direct.append(part).unwrap());
            direct.finish().unwrap();
            let found = std::fs::read(&path).unwrap();
            assert!(found[..start].iter().all(|&b| b == 7) && found[start..] == bytes, "{start} {piece}");
        }
        let short = folder.path().join("short");
        std::fs::write(&short, b"x").unwrap();
        let mut direct = Direct::new(&short, &short, (1, 10)).unwrap();
        direct.append(b"0123456789").unwrap();
        direct.finish().unwrap();
        assert_eq!(std::fs::read(&short).unwrap(), b"x0123456789");
    }

    #[test]
    fn a_missing_file_and_a_full_disk_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent");
        assert!(Direct::new(&path, &path, (0, 10)).is_err());
        let full = Path::new("/dev/full");
        let mut direct = Direct::new(full, full, (0, 3 * BUFFER as u64)).unwrap();
        let bytes = vec![0; 3 * BUFFER];
        assert!(direct.append(&bytes).and_then(|()| direct.finish()).is_err());
    }
}

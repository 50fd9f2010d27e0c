//! A file without a name for what does not fit in memory: gone with the process, however it ends.

#![allow(unsafe_code)] // The memory map, which no safe interface offers.

use super::atomic::Beside;
use crate::error::{Error, Result};
use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes at any offset, written and read from several threads.
#[derive(Debug)]
pub struct ScratchFile {
    file: File,
    /// Whose neighbour it is, for messages.
    beside: PathBuf,
}

impl ScratchFile {
    /// Makes an empty one in the folder of `output`, where there must be room for the output anyway.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn beside(output: &Path) -> Result<Self> {
        let mut named = Beside::create(output)?;
        let file = named.file().try_clone().map_err(Error::io(output, "write beside"))?;
        // Dropped without a finish, the name goes and the open file stays.
        drop(named);
        Ok(ScratchFile { file, beside: output.to_owned() })
    }

    /// Writes `bytes` from byte `at` on.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, at).map_err(Error::io(&self.beside, "write intermediate rows beside"))
    }

    /// Reads what was written at byte `at`.
    ///
    /// # Errors
    /// The disk fails, or fewer bytes were written there.
    pub fn read_at(&self, at: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, at).map_err(Error::io(&self.beside, "read intermediate rows beside"))
    }

    /// Gives back the room on the disk; what was written is gone.
    ///
    /// # Errors
    /// The disk fails.
    pub fn clear(&self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io(&self.beside, "empty intermediate rows beside"))
    }
}

/// Bytes of a [`ScratchFile`] as memory: the system keeps in memory what is touched, and gives it back
/// to the file after [`ScratchMap::release`].
#[derive(Debug)]
pub struct ScratchMap {
    map: MmapMut,
}

impl ScratchMap {
    /// `bytes` zeros beside `output`, for which the disk has set room aside.
    ///
    /// # Errors
    /// The folder is not writable, or the disk too full.
    pub fn beside(output: &Path, bytes: usize) -> Result<Self> {
        let scratch = ScratchFile::beside(output)?;
        let file = &scratch.file;
        let refused = Error::io(output, "set room aside beside");
        match fallocate(file, FallocateFlags::empty(), 0, bytes.max(1) as u64) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(&scratch, bytes.max(1))?,
            Err(error) => return Err(refused(error.into())),
        }
        // SAFETY: the file has no name, so nobody else can open it, and nobody shortens it while it is
        // mapped: the descriptor is closed here. All of its blocks are there, so that no touch finds the
        // disk full.
        let map = unsafe { MmapOptions::new().len(bytes.max(1)).map_mut(file) };
        Ok(ScratchMap { map: map.map_err(Error::io(output, "map intermediate values beside"))? })
    }

    /// All bytes, on a page's boundary.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// All bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }

    /// Gives back the memory of what was touched; it comes from the file when it is touched again.
    pub fn release(&self) {
        // A wish only: refused, the memory goes with the map.
        // SAFETY: the map is shared with its file, where all that was written stays, so that the bytes
        // are the same before and after.
        let _ = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
    }
}

/// Writes zeros where the file system cannot set room aside.
fn fill(scratch: &ScratchFile, bytes: usize) -> Result<()> {
    let zeros = vec![0; 1 << 20];
    for at in (0..bytes).step_by(zeros.len()) {
        scratch.write_at(at as u64, &zeros[..zeros.len().min(bytes - at)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_is_written_and_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = ScratchFile::beside(&folder.path().join("out.nc")).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        scratch.write_at(5, b"rows").unwrap();
        scratch.write_at(0, b"first").unwrap();
        let mut back = [0; 9];
        scratch.read_at(0, &mut back).unwrap();
        assert_eq!(&back, b"firstrows");
        assert!(scratch.read_at(6, &mut back).is_err());
        scratch.clear().unwrap();
        assert!(scratch.read_at(0, &mut back[..1]).is_err());
    }
    #[test]
    fn a_map_keeps_what_is_written_through_a_release() {
        let folder = tempfile::tempdir().unwrap();
        let mut map = ScratchMap::beside(&folder.path().join("out.nc"), 3 << 20).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(map.bytes().len() == 3 << 20 && map.bytes().iter().all(|&byte| byte == 0));
        map.bytes_mut()[70_000] = 7;
        map.release();
        assert_eq!((map.bytes()[70_000], map.bytes()[70_001]), (7, 0));
        assert_eq!(ScratchMap::beside(&folder.path().join("out.nc"), 0).unwrap().bytes().len(), 1);
        let huge = ScratchMap::beside(&folder.path().join("out.nc"), 1 << 60).unwrap_err().to_string();
        assert!(huge.contains("set room aside"), "{huge}");
    }

    #[test]
    fn room_is_set_aside_by_zeros_where_there_is_no_other_way() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = ScratchFile::beside(&folder.path().join("out.nc")).unwrap();
        fill(&scratch, (1 << 20) + 5).unwrap();
        assert_eq!(scratch.file.metadata().unwrap().len(), (1 << 20) + 5);
    }
}

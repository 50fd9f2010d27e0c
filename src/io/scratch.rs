//! A file without a name for what does not fit in memory: gone with the process, however it ends.

use super::atomic::Beside;
use crate::error::{Error, Result};
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
}

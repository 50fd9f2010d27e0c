//! The folder in which inputs and outputs are made: checked for room, and gone in the end.

use crate::error::{Error, Result};
use crate::units::format_bytes;
use std::path::{Path, PathBuf};

/// Room that is left free besides what is needed, bytes.
const SPARE: u64 = 256 << 20;

/// A folder of its own that is deleted when it is dropped.
#[derive(Debug)]
pub struct Workplace {
    folder: PathBuf,
}

impl Workplace {
    /// Makes one under `under`, or in the system's temporary folder.
    ///
    /// # Errors
    /// The place is missing, closed, or has less free space than `needed` bytes.
    pub fn make(under: Option<&Path>, needed: u64) -> Result<Workplace> {
        let under = under.map_or_else(std::env::temp_dir, Path::to_owned);
        room_for(&under, needed)?;
        for turn in 0..1000 {
            let folder = under.join(format!("nissl-bench-{}-{turn}", std::process::id()));
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Workplace { folder }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io(&under, "make a folder in")(e)),
            }
        }
        Err(Error::Failed(format!("{}: is full of folders of earlier benches; delete them", under.display())))
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // There is nobody left to tell, and the next bench takes another name.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Refuses a folder whose file system has less free space than `needed` bytes.
///
/// # Errors
/// So; or it cannot be asked.
pub fn room_for(folder: &Path, needed: u64) -> Result<()> {
    let found = rustix::fs::statvfs(folder).map_err(|e| Error::io(folder, "look at")(e.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free < needed.saturating_add(SPARE) {
        return Err(Error::Failed(format!(
            "{}: {} are free, and the works need {}; give --work another disk, a smaller --size, or --only",
            folder.display(),
            format_bytes(free),
            format_bytes(needed.saturating_add(SPARE))
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workplace_goes_with_its_owner_and_needs_room() {
        let under = tempfile::tempdir().unwrap();
        let first = Workplace::make(Some(under.path()), 1).unwrap();
        let second = Workplace::make(Some(under.path()), 1).unwrap();
        assert_ne!(first.folder(), second.folder());
        std::fs::write(first.folder().join("file"), "x").unwrap();
        drop((first, second));
        assert!(std::fs::read_dir(under.path()).unwrap().next().is_none());
        let message = Workplace::make(Some(under.path()), 1 << 60).unwrap_err().to_string();
        assert!(message.contains("free") && message.contains("--work"), "{message}");
        assert!(Workplace::make(Some(Path::new("/nowhere/at/all")), 1).is_err());
    }
}

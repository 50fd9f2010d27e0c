//! Outputs appear whole or not at all: written beside, synced, renamed.
//!
//! [`check_output`] and [`check_folder`] refuse, before any work, what could not end well;
//! [`Beside`] is the file under construction. A killed process leaves at most a hidden `.NAME.nissl-PID-TOKEN-N.tmp`; one that
//! is interrupted removes even that, by [`remove_unfinished`] from its signal-handling thread.

mod checks;

pub use checks::{check_folder, check_output, same_file};

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Temporary files of this process that still wait for their rename.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Tells this process from all others: on two nodes of a cluster that share a folder, two may have
/// the same number.
fn token() -> u32 {
    static TOKEN: OnceLock<u32> = OnceLock::new();
    *TOKEN.get_or_init(|| RandomState::new().hash_one(std::process::id()) as u32)
}

/// Longest part of the final name that the temporary name keeps: names end at 255 bytes.
const KEPT_NAME: usize = 200;
/// A chain of symbolic links longer than this is a loop, as Linux has it.
const MAX_LINKS: usize = 40;

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // The set is valid after any panic: a path is in it or not.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every unfinished output of this process; a [`Beside::finish`] that comes later fails
/// with [`Error::Interrupted`]. Meant for the thread that handles signals, not for a handler itself.
pub fn remove_unfinished() {
    for path in std::mem::take(&mut *unfinished()) {
        // Nothing better can be done on the way out, and the name tells what the file is.
        let _ = std::fs::remove_file(path);
    }
}

/// A file under construction in the folder of its final name.
///
/// Dropped without [`Beside::finish`], it removes itself.
#[derive(Debug)]
pub struct Beside {
    target: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Beside {
    /// Makes an empty file beside `target` (beside what it points to, if it is a symbolic link).
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn create(target: &Path) -> Result<Self> {
        let target = follow_links(target)?;
        let name = target.file_name().ok_or_else(|| not_a_file_name(&target))?;
        let name = &name.as_bytes()[..name.len().min(KEPT_NAME)];
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let tail = format!(".nissl-{}-{:08x}-{number}.tmp", std::process::id(), token());
        let temporary =
            target.with_file_name(OsString::from_vec([b".".as_slice(), name, tail.as_bytes()].concat()));
        let mut waiting = unfinished();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(Error::io(&target, "create"))?;
        waiting.insert(temporary.clone());
        drop(waiting);
        Ok(Beside { target, temporary, file })
    }

    /// The final name, symbolic links followed.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The temporary name, for writers that open by path.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The open file, at the position the last write left.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Reads bytes that were written before, at `offset`.
    ///
    /// # Errors
    /// They are not there, or the disk fails.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(bytes, offset).map_err(Error::io(&self.target, "read back"))
    }

    /// Syncs the file, renames it to its final name, syncs the folder.
    ///
    /// # Errors
    /// A full disk shows here at the latest; the temporary file is then removed and whatever
    /// stood at the final name is untouched. [`Error::Interrupted`] after [`remove_unfinished`].
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.target, "write"))?;
        {
            // The lock makes rename and removal exclude each other.
            let mut waiting = unfinished();
            if !waiting.contains(&self.temporary) {
                return Err(Error::Interrupted);
            }
            let old = Replaced::hold(&self.target);
            std::fs::rename(&self.temporary, &self.target).map_err(Error::io(&self.target, "rename to"))?;
            waiting.remove(&self.temporary);
            old.let_go();
        }
        sync_folder(&self.target)
    }
}

/// Replaced files of fewer bytes are given back at once.
#[cfg(target_os = "linux")]
const LARGE: u64 = 16 << 20;

/// A large file that is about to be replaced. The disk takes its time to take the blocks back (30
/// ms for 140 MB where it is told of free blocks); nobody need wait for that but the end of the
/// process.
struct Replaced {
    #[cfg(target_os = "linux")]
    held: Option<rustix::fd::OwnedFd>,
}

impl Replaced {
    /// Takes hold of what stands at `target`, if it is large; reads nothing of it.
    #[cfg(target_os = "linux")]
    fn hold(target: &Path) -> Self {
        use rustix::fs::{Mode, OFlags};
        let large = std::fs::metadata(target).is_ok_and(|found| found.is_file() && found.len() >= LARGE);
        let open = || rustix::fs::open(target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        Replaced { held: if large { open() } else { None } }
    }

    #[cfg(not(target_os = "linux"))]
    fn hold(_target: &Path) -> Self {
        Replaced {}
    }

    /// Gives its blocks back, beside whatever follows.
    fn let_go(self) {
        #[cfg(target_os = "linux")]
        if let Some(held) = self.held {
            // Where no thread is to be had it is given back here.
            let _ = std::thread::Builder::new().name("nissl-replaced".into()).spawn(move || drop(held));
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if unfinished().remove(&self.temporary) {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Makes the rename itself durable. Some network file systems cannot sync a folder: they say so
/// by these kinds, and the file's own data are safe by then.
fn sync_folder(target: &Path) -> Result<()> {
    let folder = parent(target);
    match File::open(folder).and_then(|f| f.sync_all()) {
        Err(e)
            if !matches!(
                e.kind(),
                std::io::ErrorKind::InvalidInput
                    | std::io::ErrorKind::Unsupported
                    | std::io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(Error::io(folder, "sync")(e))
        }
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn not_a_file_name(path: &Path) -> Error {
    Error::usage(format!("{}: is a folder; -o needs a file name", path.display()))
}

/// Follows symbolic links at `path` itself, dangling ones too: an output through a link is meant
/// for the place it points to, and a rename over the link would cut it.
fn follow_links(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            Ok(next) => path = parent(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(Error::usage(format!("{}: too many symbolic links; give -o the file itself", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_file_replaces_and_an_unfinished_one_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.npy");
        fs::write(&target, b"old").unwrap();
        let mut unfinished = Beside::create(&target).unwrap();
        unfinished.file().write_all(b"half").unwrap();
        assert!(names(folder.path())[0].starts_with(".out.npy.nissl-"));
        drop(unfinished);
        assert_eq!(names(folder.path()), ["out.npy"]);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        let mut whole = Beside::create(&target).unwrap();
        whole.file().write_all(b"new").unwrap();
        whole.finish().unwrap();
        assert_eq!(names(folder.path()), ["out.npy"]);
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn an_output_through_a_link_lands_where_the_link_points() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("far")).unwrap();
        let link = folder.path().join("out.npy");
        symlink("far/real.npy", &link).unwrap();
        check_output(&link, false, &[] as &[&Path]).unwrap();
        Beside::create(&link).unwrap().finish().unwrap();
        assert!(folder.path().join("far/real.npy").is_file());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let (a, b) = (folder.path().join("loop-a.npy"), folder.path().join("loop-b.npy"));
        symlink(&a, &b).unwrap();
        symlink(&b, &a).unwrap();
        assert!(matches!(check_output(&a, true, &[] as &[&Path]), Err(Error::Usage(_))));
    }

    #[test]
    fn names_of_the_greatest_length_still_have_a_temporary_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("n".repeat(251) + ".npy");
        Beside::create(&target).unwrap().finish().unwrap();
        assert!(target.is_file());
    }
}

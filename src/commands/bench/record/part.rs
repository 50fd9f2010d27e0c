//! The case under construction, and how it takes the place of an earlier one: at once, so that a run
//! that is killed leaves the one or the other, whole.

use super::name_of;
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a case is made of; other files in its folder are somebody's.
const OWN: [&str; 3] = ["case.json", "inputs", "expected"];

/// The case under construction, beside its folder; gone unless put in place.
pub(super) struct Part(PathBuf);

impl Part {
    /// An empty one for `folder`.
    ///
    /// # Errors
    /// The place cannot be written.
    pub(super) fn new(folder: &Path) -> Result<Part> {
        let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::io(parent, "make"))?;
        let part = Part(parent.join(format!(".{}.part-{}", name_of(folder)?, std::process::id())));
        // A leftover of a killed process with the same id is nobody's.
        let _ = std::fs::remove_dir_all(part.path());
        for sub in ["inputs", "expected"] {
            let path = part.path().join(sub);
            std::fs::create_dir_all(&path).map_err(Error::io(&path, "make"))?;
        }
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the place of `folder`; files in it that are no part of a case stay.
    ///
    /// # Errors
    /// The folder cannot be replaced.
    pub(super) fn put_in_place(&self, folder: &Path) -> Result<()> {
        // A folder without inputs would only ask what it is for.
        let _ = std::fs::remove_dir(self.0.join("inputs"));
        if let Ok(entries) = std::fs::read_dir(folder) {
            for entry in entries {
                let from = entry.map_err(Error::io(folder, "read"))?.path();
                let name = from.file_name().unwrap_or_default();
                if !OWN.iter().any(|own| name == *own) {
                    bring(&from, &self.0.join(name))?;
                }
            }
        }
        match std::fs::rename(&self.0, folder) {
            Err(e) if matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                exchange(&self.0, folder)
            }
            other => other.map_err(Error::io(folder, "write")),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Puts a file or folder of the user's into the new folder too; both have it until one goes.
fn bring(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() && !from.is_symlink() {
        std::fs::create_dir_all(to).map_err(Error::io(to, "make"))?;
        for entry in std::fs::read_dir(from).map_err(Error::io(from, "read"))? {
            let from = entry.map_err(Error::io(from, "read"))?.path();
            bring(&from, &to.join(from.file_name().unwrap_or_default()))?;
        }
        return Ok(());
    }
    // Some file systems have no links.
    let linked = std::fs::hard_link(from, to);
    linked.or_else(|_| std::fs::copy(from, to).map(drop)).map_err(Error::io(from, "copy"))
}

/// Lets two folders change their names.
#[cfg(target_os = "linux")]
fn exchange(new: &Path, old: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).or_else(|_| one_after_the_other(new, old))
}

#[cfg(not(target_os = "linux"))]
fn exchange(new: &Path, old: &Path) -> Result<()> {
    one_after_the_other(new, old)
}

/// The same where the system knows no exchange: a run killed in the midst leaves the old folder
/// under the name `NAME.old`.
fn one_after_the_other(new: &Path, old: &Path) -> Result<()> {
    let mut aside = old.as_os_str().to_owned();
    aside.push(".old");
    let aside = PathBuf::from(aside);
    std::fs::rename(old, &aside).map_err(Error::io(old, "replace"))?;
    std::fs::rename(new, old).map_err(Error::io(old, "write"))?;
    std::fs::rename(&aside, new).map_err(Error::io(new, "write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(folder: &Path, text: &str) {
        let part = Part::new(folder).unwrap();
        std::fs::write(part.path().join("case.json"), text).unwrap();
        std::fs::write(part.path().join("expected").join(text), text).unwrap();
        part.put_in_place(folder).unwrap();
    }

    #[test]
    fn a_new_case_replaces_an_old_one_and_leaves_the_users_files() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a");
        case(&folder, "one");
        std::fs::write(folder.join("notes.txt"), "mine").unwrap();
        std::fs::create_dir(folder.join("plots")).unwrap();
        std::fs::write(folder.join("plots/a.svg"), "drawn").unwrap();
        case(&folder, "two");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!([read("case.json"), read("expected/two")], ["two", "two"]);
        assert_eq!([read("notes.txt"), read("plots/a.svg")], ["mine", "drawn"]);
        assert!(!folder.join("expected/one").exists() && !folder.join("inputs").exists());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside");
        let (new, old) = (place.path().join("new"), place.path().join("old"));
        std::fs::create_dir_all(new.join("n")).unwrap();
        std::fs::create_dir_all(old.join("o")).unwrap();
        one_after_the_other(&new, &old).unwrap();
        assert!(old.join("n").is_dir() && new.join("o").is_dir());
    }

    #[test]
    fn a_case_that_cannot_be_put_in_place_leaves_the_old_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a");
        case(&folder, "one");
        drop(Part::new(&folder).unwrap());
        assert_eq!(std::fs::read_to_string(folder.join("case.json")).unwrap(), "one");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

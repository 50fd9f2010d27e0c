//! The rules of `-o`, checked before any work.

use super::{follow_links, not_a_file_name, parent};
use crate::error::{Error, Result};
use rustix::fs::Access;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// True where both paths lead to one file: same device and inode, or, where nothing is there
/// yet, the same name in the same folder.
pub fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        (Err(_), Err(_)) => match (future_place(a), future_place(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
        _ => false,
    }
}

fn future_place(path: &Path) -> Option<PathBuf> {
    let path = follow_links(path).ok()?;
    Some(parent(&path).canonicalize().ok()?.join(path.file_name()?))
}

/// The rules of `-o FILE`, checked before any work: not one of the `inputs`, not there yet
/// (unless `force`), a regular file's name in a folder that exists and may be written.
///
/// # Errors
/// [`Error::OutputExists`] or [`Error::Usage`] for what the command line shows;
/// [`Error::Io`] for a folder that is missing or closed.
pub fn check_output<P: AsRef<Path>>(path: &Path, force: bool, inputs: &[P]) -> Result<()> {
    if let Some(input) = inputs.iter().find(|input| same_file(path, input.as_ref())) {
        let input = input.as_ref();
        let as_input = if input == path { String::new() } else { format!(" {}", input.display()) };
        return Err(Error::usage(format!(
            "{}: the output is the input{as_input}; give another -o",
            path.display()
        )));
    }
    let target = follow_links(path)?;
    if target.file_name().is_none() || path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(not_a_file_name(path));
    }
    match std::fs::metadata(&target) {
        Ok(found) if found.is_dir() => return Err(not_a_file_name(path)),
        Ok(found) if !found.is_file() => {
            return Err(Error::usage(format!(
                "{}: is a device, pipe or socket; -o needs a regular file",
                path.display()
            )));
        }
        Ok(_) if !force => return Err(Error::OutputExists(path.to_owned())),
        _ => {}
    }
    let folder = parent(&target);
    let found = std::fs::metadata(folder).map_err(Error::io(folder, "write into"))?;
    if !found.is_dir() {
        return Err(Error::usage(format!("{}: {} is not a folder", path.display(), folder.display())));
    }
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|e| Error::io(folder, "write into")(e.into()))
}

/// The rules of `-o FOLDER`, checked before any work: a folder that is empty or not there yet
/// (unless `force`), in a place where it can be made and written to. Nothing is made here.
///
/// # Errors
/// [`Error::OutputExists`] or [`Error::Usage`] for what the command line shows;
/// [`Error::Io`] for a place that may not be written.
pub fn check_folder(path: &Path, force: bool) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::usage("-o '': expected a folder"));
    }
    // The nearest place that is there: the folder itself, or the one it will be made in.
    let mut place = path;
    let found = loop {
        match std::fs::metadata(place) {
            Ok(found) => break found,
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
                    && place != Path::new(".") =>
            {
                place = parent(place);
            }
            Err(e) => return Err(Error::io(place, "write into")(e)),
        }
    };
    if !found.is_dir() {
        let message = format!("{}: {} is not a folder; -o needs one", path.display(), place.display());
        return Err(Error::usage(message));
    }
    if place == path && !force {
        let mut entries = std::fs::read_dir(path).map_err(Error::io(path, "read"))?;
        if entries.next().is_some() {
            return Err(Error::OutputExists(path.to_owned()));
        }
    }
    rustix::fs::access(place, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|e| Error::io(place, "write into")(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitCode;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn outputs_that_cannot_end_well_are_refused_before_work() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("in.npy"), b"x").unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::hard_link(at("in.npy"), at("hard.npy")).unwrap();
        symlink("in.npy", at("soft.npy")).unwrap();
        symlink("new.npy", at("dangling.npy")).unwrap();
        let check = |out: &str, force, input: &str| check_output(&at(out), force, &[at(input)]);
        for same in ["in.npy", "sub/../in.npy", "hard.npy", "soft.npy"] {
            let error = check(same, true, "in.npy").unwrap_err();
            assert!(error.to_string().contains("is the input"), "{error}");
        }
        for (out, input) in [("new.npy", "sub/../new.npy"), ("new.npy", "dangling.npy")] {
            assert!(check(out, true, input).unwrap_err().to_string().contains("is the input"));
        }
        fs::write(at("old.npy"), b"x").unwrap();
        assert!(matches!(check("old.npy", false, "in.npy"), Err(Error::OutputExists(_))));
        check("old.npy", true, "in.npy").unwrap();
        check("new.npy", false, "in.npy").unwrap();
        for (folder_name, force) in [("sub", true), ("sub/", false), ("new/..", false)] {
            let error = check(folder_name, force, "in.npy").unwrap_err();
            assert_eq!(error.exit_code(), ExitCode::Usage, "{error}");
        }
        let missing = check("absent/new.npy", false, "in.npy").unwrap_err();
        assert_eq!(missing.exit_code(), ExitCode::Failed);
        assert!(missing.to_string().contains("absent: cannot write into: no such file"), "{missing}");
        assert!(check("in.npy/new.npy", false, "old.npy").is_err());
    }

    #[test]
    fn folders_are_taken_empty_absent_or_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        fs::create_dir(at("full")).unwrap();
        fs::write(at("full/x"), b"").unwrap();
        for good in ["empty", "absent", "absent/below", "empty/below"] {
            check_folder(&at(good), false).unwrap();
        }
        assert!(matches!(check_folder(&at("full"), false), Err(Error::OutputExists(_))));
        check_folder(&at("full"), true).unwrap();
        for bad in ["full/x", "full/x/below", "full/x/far/below"] {
            let error = check_folder(&at(bad), true).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{bad}: {error}");
            assert!(error.to_string().contains("full/x is not a folder"), "{error}");
        }
        assert!(matches!(check_folder(Path::new(""), true), Err(Error::Usage(_))));
        check_folder(Path::new("a name that is not there"), false).unwrap();
        assert!(!at("absent").exists(), "nothing is made");
    }
}

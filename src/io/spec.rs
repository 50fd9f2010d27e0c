//! What the user typed as input: `file.npy`, `file.npz:name`, `file.h5:/group/data`.
//!
//! A path that exists as typed wins over any reading of its colons, so that files with a colon
//! in their name (time stamps, mostly) stay reachable.

use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// Extensions of files that hold named datasets; only used where no part of the text exists yet,
/// so that the message about the missing file names the file and not its dataset.
const CONTAINERS: [&str; 8] = ["h5", "hdf5", "hdf", "nc", "nc4", "cdf", "nwb", "npz"];

/// What the user typed as input: a file and perhaps a dataset inside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InputSpec {
    /// The file.
    pub path: PathBuf,
    /// Dataset inside the file, as typed; `None` asks for the obvious one.
    pub dataset: Option<String>,
}

impl InputSpec {
    /// A whole file, without a dataset.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        InputSpec { path: path.into(), dataset: None }
    }

    /// Reads `PATH` or `PATH:DATASET`. Looks at the file system to tell a colon that belongs to
    /// the name from one that ends it; the longest existing path wins.
    ///
    /// # Errors
    /// [`Error::Usage`] for an empty path or an empty dataset name.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::usage(
                "input '': expected FILE or FILE:DATASET, such as session.h5:/group/data",
            ));
        }
        if Path::new(text).exists() {
            return Ok(InputSpec::file(text));
        }
        let colons = || text.match_indices(':').map(|(at, _)| at);
        let at = colons()
            .rev()
            .find(|&at| Path::new(&text[..at]).is_file())
            .or_else(|| colons().find(|&at| has_container_extension(&text[..at])));
        let Some(at) = at else {
            if text.starts_with(':') {
                return Err(Error::usage(format!(
                    "input '{text}': no file before the colon, expected FILE:DATASET"
                )));
            }
            return Ok(InputSpec::file(text));
        };
        let (path, dataset) = (&text[..at], &text[at + 1..]);
        if dataset.is_empty() {
            return Err(Error::usage(format!(
                "input '{text}': no dataset after the colon, expected {path} or {path}:DATASET"
            )));
        }
        Ok(InputSpec { path: path.into(), dataset: Some(dataset.to_owned()) })
    }
}

fn has_container_extension(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or("");
    CONTAINERS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

impl fmt::Display for InputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dataset {
            Some(dataset) => write!(f, "{}:{dataset}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

impl std::str::FromStr for InputSpec {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        InputSpec::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>) {
        let spec = InputSpec::parse(text).unwrap();
        (spec.path.display().to_string(), spec.dataset)
    }

    #[test]
    fn datasets_follow_the_colon_whether_or_not_the_file_is_there() {
        assert_eq!(parts("a.h5:/group/data"), ("a.h5".into(), Some("/group/data".into())));
        assert_eq!(parts("d/a.NPZ:name"), ("d/a.NPZ".into(), Some("name".into())));
        assert_eq!(parts("a.h5:/g:1/data"), ("a.h5".into(), Some("/g:1/data".into())));
        assert_eq!(parts("a.npy"), ("a.npy".into(), None));
        assert_eq!(parts("12:30.npy"), ("12:30.npy".into(), None));
    }

    #[test]
    fn an_existing_path_with_colons_wins() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a.h5:b");
        std::fs::write(&name, b"x").unwrap();
        let text = name.to_str().unwrap();
        assert_eq!(parts(text), (text.into(), None));
        assert_eq!(parts(&format!("{text}:/d")), (text.into(), Some("/d".into())));
    }

    #[test]
    fn empty_parts_are_refused_and_display_is_what_was_typed() {
        for bad in ["", ":/x", "a.h5:"] {
            assert!(matches!(InputSpec::parse(bad), Err(Error::Usage(_))), "{bad}");
        }
        for text in ["a.h5:/group/data", "a.npy", "b.npz:x"] {
            assert_eq!(text.parse::<InputSpec>().unwrap().to_string(), text);
        }
    }
}

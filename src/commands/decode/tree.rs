//! A folder of `.npy` read like an HDF5 file: `position/time.npy` is the dataset `/position/time`.
//!
//! Axes and types are those of each file; there are no attributes.

use crate::error::{Error, Result};
use crate::io::{self, Attribute, Container, Dataset, Entry, Format};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Levels of folders that are looked into; the layout has two.
const DEPTH: usize = 4;
/// Entries of a folder that are listed; a folder of more is not a session.
const MOST_ENTRIES: usize = 1 << 16;

/// An open folder.
pub(super) struct Folder {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Folder {
    /// True for a folder that looks like a session, or like none that another reader knows.
    pub fn holds(path: &Path) -> bool {
        let zarr = [".zarray", ".zgroup", ".zmetadata", "zarr.json"];
        path.is_dir() && !zarr.iter().any(|name| path.join(name).exists())
    }

    /// Lists a folder.
    ///
    /// # Errors
    /// It cannot be read, or has more entries than a session could.
    pub fn open(path: &Path) -> Result<Folder> {
        let mut folder = Folder { path: path.to_owned(), entries: vec![Entry::Group("/".into())] };
        folder.walk(path, "", 0)?;
        Ok(folder)
    }

    fn walk(&mut self, folder: &Path, inner: &str, depth: usize) -> Result<()> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
            let entry = entry.map_err(Error::io(folder, "read"))?;
            // A name that is not UTF-8 is none of the layout's.
            names.extend(entry.file_name().into_string().ok());
            if names.len() + self.entries.len() > MOST_ENTRIES {
                let found = format!("more than {MOST_ENTRIES} entries");
                return Err(Error::data(
                    self.path.display().to_string(),
                    found,
                    "a folder of one session",
                    "",
                ));
            }
        }
        names.sort();
        for name in names {
            let path = folder.join(&name);
            if path.is_dir() {
                let inner = format!("{inner}/{name}");
                self.entries.push(Entry::Group(inner.clone()));
                if depth < DEPTH {
                    self.walk(&path, &inner, depth + 1)?;
                }
            } else if let Some(stem) = name.strip_suffix(".npy") {
                // Opened only when asked for: other arrays in the folder are not our business.
                self.entries.push(Entry::Link(format!("{inner}/{stem}"), path.display().to_string()));
            }
        }
        Ok(())
    }

    /// The file behind a dataset.
    pub fn file(&self, dataset: &str) -> PathBuf {
        self.path.join(format!("{}.npy", dataset.trim_matches('/')))
    }
}

impl Container for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> Format {
        Format::Npy
    }

    /// Folders as groups; arrays as links, for they are opened one by one.
    fn list(&self) -> Result<Vec<Entry>> {
        Ok(self.entries.clone())
    }

    fn attributes(&self, _path: &str) -> Result<Vec<Attribute>> {
        Ok(Vec::new())
    }

    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>> {
        let file = self.file(path);
        let container = io::open(&file)?;
        if container.format() != Format::Npy {
            let found = format!("{:?}", container.format());
            return Err(Error::data(file.display().to_string(), found, "an array in NPY format", ""));
        }
        container.dataset("")
    }
}

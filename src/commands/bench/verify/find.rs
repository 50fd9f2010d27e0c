//! Case files below a folder, the runs asked for, and the inputs that lie elsewhere.

use super::case::{self, Case, Family, Referenced};
use super::load;
use crate::commands::bench::works;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Name of a case file.
pub const FILE: &str = "case.json";
/// A case file is text by hand or script; larger ones are none.
const LARGEST: u64 = 64 << 20;

/// A case file.
#[derive(Debug)]
pub struct CaseFile {
    /// The folder it lies in, from the root on.
    pub folder: PathBuf,
}

/// One run to do.
#[derive(Debug)]
pub struct Run {
    /// Index of its file.
    pub file: usize,
    /// Index of its family among all.
    pub family: usize,
    /// `convolve/jacksboro/circle nan`: folder below the one searched, and name.
    pub id: String,
    /// What it is.
    pub case: Case,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files with cases.
    pub files: Vec<CaseFile>,
    /// Names of families as written, with their folder in front.
    pub families: Vec<String>,
    /// The runs asked for, in order.
    pub runs: Vec<Run>,
    /// Files that are no case files.
    pub bad: Vec<Error>,
}

/// All cases below `folder` whose name fits one of `only` (all, where that is empty).
///
/// # Errors
/// The folder cannot be read, or nothing fits.
pub fn cases(folder: &Path, only: &[String]) -> Result<Found> {
    let root = folder.canonicalize().map_err(Error::io(folder, "open"))?;
    let mut found = Found::default();
    let files = load::files(&root)?;
    let files: Vec<_> = files.iter().filter(|path| path.ends_with(FILE)).collect();
    for path in &files {
        let below = path.strip_prefix(&root).unwrap_or(path);
        let shown = folder.join(below).display().to_string();
        let below = below.parent().unwrap_or(below).to_string_lossy().into_owned();
        match read(path, &shown) {
            Ok(families) => found.add(path, &below, families, only),
            // A selection may leave out what cannot be read.
            Err(error) if only.is_empty() || only.iter().any(|p| fits(p, &below)) => found.bad.push(error),
            Err(_) => {}
        }
    }
    if found.runs.is_empty() && found.bad.is_empty() {
        let place = folder.display().to_string();
        let advice = "make one with nissl bench --record DIR -- COMMAND";
        return Err(if files.is_empty() {
            Error::data(place, format!("no {FILE} in it"), "references", advice)
        } else {
            Error::usage(format!("--only {}: no case below {place} has such a name", only.join(",")))
        });
    }
    Ok(found)
}

fn read(path: &Path, shown: &str) -> Result<Vec<Family>> {
    let size = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    if size > LARGEST {
        return Err(Error::data(shown, format!("{size} bytes"), "a case file", ""));
    }
    let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
    case::parse(&String::from_utf8_lossy(&text), shown)
}

impl Found {
    fn add(&mut self, path: &Path, below: &str, families: Vec<Family>, only: &[String]) {
        let front = if below.is_empty() { String::new() } else { format!("{below}/") };
        let folder = path.parent().unwrap_or(path).to_owned();
        for Family { name, runs } in families {
            for case in runs {
                let id = format!("{front}{}", case.name);
                if only.is_empty() || only.iter().any(|pattern| fits(pattern, &id)) {
                    let (file, family) = (self.files.len(), self.families.len());
                    self.runs.push(Run { file, family, id, case });
                }
            }
            self.families.push(format!("{front}{}", starred(&name)));
        }
        self.files.push(CaseFile { folder });
    }
}

/// A name with `*` for each name in braces: it picks all runs.
fn starred(name: &str) -> String {
    super::expand::names(name).fold(name.to_owned(), |text, key| text.replace(&format!("{{{key}}}"), "*"))
}

/// True where `pattern` fits the name, with `*` for any part, or is a folder in front of it.
pub fn fits(pattern: &str, name: &str) -> bool {
    let folder = pattern.trim_end_matches('/');
    works::fits(pattern, name) || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Why this build cannot run `case`, if so.
pub fn missing_feature(case: &Case) -> Option<&'static str> {
    let expects = case.expect.iter().flat_map(|e| [Some(&e.output), e.expected.as_ref()]);
    let mut words = case.command.iter().chain(expects.flatten());
    let ends = [".h5", ".hdf5", ".nc", ".nc4", ".cdf", ".nwb"];
    let needs =
        |word: &String| ends.iter().any(|end| word.ends_with(end) || word.contains(&format!("{end}:")));
    let cannot = !cfg!(feature = "hdf5") && words.any(needs);
    cannot.then_some("this nissl was built without the hdf5 feature")
}

/// Holds a referenced input against its size and sum.
///
/// # Errors
/// It is missing or has changed.
pub fn check_input(folder: &Path, name: &str, input: &Referenced) -> Result<()> {
    let path = folder.join(&input.path);
    let (bytes, sha256) = sum(&path)?;
    if (bytes, sha256.as_str()) != (input.bytes, input.sha256.as_str()) {
        let place = path.display().to_string();
        let found = format!("{bytes} bytes, SHA-256 {}...", &sha256[..12]);
        let wanted: String = input.sha256.chars().take(12).collect();
        let expected = format!("the input '{name}' as recorded: {} bytes, SHA-256 {wanted}...", input.bytes);
        return Err(Error::data(place, found, expected, "restore the file, or record the case anew"));
    }
    Ok(())
}

/// Bytes and SHA-256 of a file; of a folder's names, sizes and bytes of files, in order.
///
/// # Errors
/// Something cannot be read.
pub fn sum(path: &Path) -> Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    if path.is_dir() {
        for file in load::files(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            let length = std::fs::metadata(&file).map_err(Error::io(&file, "open"))?.len();
            hash.update(format!("{name}\0{length}\0").as_bytes());
            bytes += stream(&file, &mut hash)?;
        }
    } else {
        bytes = stream(path, &mut hash)?;
    }
    Ok((bytes, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn stream(path: &Path, hash: &mut Sha256) -> Result<u64> {
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let (mut piece, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut piece).map_err(Error::io(path, "read"))? {
            0 => return Ok(bytes),
            n => {
                hash.update(&piece[..n]);
                bytes += n as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_picked_whole_by_folder_or_with_stars() {
        let name = "convolve/f64_terrain__rand3x3 nan";
        for pattern in [name, "convolve", "convolve/", "*", "*nan", "convolve/*rand*", "conv*rand3x3 *n"] {
            assert!(fits(pattern, name), "{pattern}");
        }
        for pattern in ["conv", "convolve/f64", "*wrap", "decode*", "convolve/*rand"] {
            assert!(!fits(pattern, name), "{pattern}");
        }
    }

    #[test]
    fn the_sum_of_a_folder_sees_names_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        std::fs::write(folder.path().join("b"), "23").unwrap();
        let first = sum(folder.path()).unwrap();
        assert_eq!((first.0, first.1.len()), (3, 64));
        std::fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
        assert_ne!(sum(folder.path()).unwrap().1, first.1);
        let file = sum(&folder.path().join("a")).unwrap();
        assert!(file.1.starts_with("6b86b273ff34fce1"));
    }
}

//! A folder to work in, and what is demanded of a run there.

use crate::common::{done, fixture, nissl};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// Ten channels, twenty epochs, fifty samples.
pub const TINY: &str = "autoreject/tiny/epochs.h5";
/// The grid that suits so few epochs.
pub const SMALL: [&str; 6] = ["--cv", "5", "--n-interpolate", "1,4", "--consensus", "0:1:11"];

/// A folder to work in, with the small recording under several names.
pub struct Desk {
    pub folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(fixture(TINY), folder.path().join("epochs.h5")).unwrap();
        Desk { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of the recording under another name.
    pub fn copy(&self, name: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::copy(fixture(TINY), self.path(name)).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = nissl(&["autoreject", "--progress", "none"]);
        command.args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs with the small grid into `out` and demands success.
    pub fn clean(&self, out: &str, flags: &[&str]) -> Value {
        let mut command = nissl(&["autoreject", "--progress", "none", "epochs.h5", "-o", out]);
        done(command.args(flags).current_dir(self.folder.path()));
        self.summary(out)
    }

    pub fn summary(&self, out: &str) -> Value {
        json(&self.path(out).join("summary.json"))
    }

    /// Demands exit `code` and one error line with all of `words`; the output must not be there.
    pub fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?}: stdout is for results");
        assert_eq!(message.lines().filter(|l| l.contains("error: ")).count(), 1, "{arguments:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{arguments:?}: no '{word}' in {message}");
        }
        assert!(!self.path("out").exists(), "{arguments:?} left an output");
    }

    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn error_lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.contains("error: ")).map(str::to_owned).collect()
}

//! Small references in a temporary folder, and `nissl bench` on them.
#![allow(dead_code)] // Each test file uses its part.

use crate::common::{done, nissl, splitmix, write_npy};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with one case, a 3 x 3 convolution of 12 x 9 cells of float64.
pub struct Bench {
    pub folder: TempDir,
}

/// What a run of the program gave.
pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        let values: Vec<f64> = splitmix(3, 108).collect();
        bench.npy("in.npy", &[12, 9], &values);
        let mut command =
            nissl(&["convolve", "-q", "--exact", "--boundary", "reflect", "--kernel", "box:3x3"]);
        let expected = bench.path("expected.npy");
        done(command.arg(bench.path("in.npy")).arg("-o").arg(expected).args(["--report", "/dev/null"]));
        bench.cases(&[bench.case()]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn npy(&self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        write_npy(&self.path(name), "<f8", shape, &bytes);
    }

    /// The values of an NPY file that [`Bench::npy`] or the program wrote.
    pub fn values(&self, name: &str) -> Vec<f64> {
        crate::common::read(&self.path(name), "").values
    }

    /// The one case.
    pub fn case(&self) -> Value {
        json!({
            "name": "box",
            "command": ["convolve", "{case}/in.npy", "-o", "{out}/out.npy", "--exact", "--boundary", "reflect",
                        "--kernel", "box:3x3"],
            "expect": [{"output": "out.npy", "expected": "expected.npy", "same_type": true}],
        })
    }

    pub fn cases(&self, cases: &[Value]) {
        std::fs::write(self.path("case.json"), json!({ "cases": cases }).to_string()).unwrap();
    }

    /// `nissl bench` in the folder.
    pub fn run(&self, arguments: &[&str]) -> Told {
        told(self.folder.path(), arguments)
    }

    pub fn verify(&self) -> Told {
        self.run(&["--verify", "."])
    }
}

/// `nissl bench` in `folder`.
pub fn told(folder: &Path, arguments: &[&str]) -> Told {
    let mut command = nissl(&["bench", "--progress", "none"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

impl Told {
    /// Demands an exit code, and parts of what was said.
    #[track_caller]
    pub fn has(&self, code: i32, out: &[&str], err: &[&str]) {
        let all = format!("code {}\n{}\n{}", self.code, self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        out.iter().for_each(|part| assert!(self.out.contains(part), "no '{part}' in stdout: {all}"));
        err.iter().for_each(|part| assert!(self.err.contains(part), "no '{part}' in stderr: {all}"));
    }
}

//! The commands, all of one shape: [`Options`](convolve::Options) (what was asked) ->
//! `Plan` (what will run; printed by `--dry-run`, saved in the report) -> passes -> `Outcome`.

pub mod autoreject;
pub mod bench;
pub mod convolve;
pub mod decode;
pub mod keep;

use crate::backend::{Backend, CpuLevel, Seat};
use crate::error::{Error, ExitCode, Result};
use crate::report::Recorder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What every command is given besides its own options: machine, limits, and who listens.
pub struct Context<'a> {
    /// Instruction set to use.
    pub level: CpuLevel,
    /// Devices that may compute, for the plan to choose from.
    pub seat: &'a Seat,
    /// Worker threads.
    pub threads: usize,
    /// Memory the run may use, bytes.
    pub memory: u64,
    /// Replace an existing output.
    pub force: bool,
    /// Times, counts, warnings, progress, and the request to stop.
    pub recorder: &'a Recorder,
}

/// A resolved plan, as whoever runs it sees it: printed, saved in the report, asked these.
pub trait Planned: serde::Serialize + std::fmt::Display {
    /// The run's name, by which it is known again: a hash of all that its results depend on.
    fn name(&self) -> Option<&str> {
        None
    }

    /// What computes.
    fn backend(&self) -> &Backend;

    /// What whoever asked for it should know, one line each.
    fn warnings(&self) -> &[String];

    /// Inputs that are refused while others might go on; true where none is left.
    fn refused(&self) -> (bool, Vec<Failure>) {
        (false, Vec::new())
    }
}

/// A file read by a run, for the report.
#[derive(Debug, Clone, serde::Serialize)]
pub struct InputFacts {
    /// As typed, with the dataset taken inside it.
    pub path: String,
    /// Lengths of its axes.
    pub shape: Vec<u64>,
    /// Element type as stored: `int16`, `>f4` spelled `float32 (big-endian)`.
    pub dtype: String,
    /// File size, bytes.
    pub bytes: u64,
    /// SHA-256 of a sample of the file: first, middle and last 64 KiB, and its size.
    pub sample_sha256: String,
}

impl InputFacts {
    /// Looks at the file behind `place`: its size and the hash of a sample.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn of(path: &Path, place: &str, shape: &[u64], dtype: &str) -> Result<Self> {
        const PIECE: u64 = 64 << 10;
        let fault = |doing| Error::io(path, doing);
        let mut file = File::open(path).map_err(fault("open"))?;
        let bytes = file.metadata().map_err(fault("read"))?.len();
        let mut hash = Sha256::new();
        for start in [0, bytes / 2, bytes.saturating_sub(PIECE)] {
            file.seek(SeekFrom::Start(start)).map_err(fault("read"))?;
            let mut piece = Vec::new();
            (&mut file).take(PIECE).read_to_end(&mut piece).map_err(fault("read"))?;
            hash.update(&piece);
        }
        hash.update(bytes.to_le_bytes());
        let sample_sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(InputFacts {
            path: place.into(),
            shape: shape.to_vec(),
            dtype: dtype.into(),
            bytes,
            sample_sha256,
        })
    }
}

/// What a finished run hands to the report.
#[derive(Debug, serde::Serialize)]
pub struct Outcome {
    /// Files read.
    pub inputs: Vec<InputFacts>,
    /// Files written.
    pub outputs: Vec<PathBuf>,
    /// Counts particular to the command (cells, tiles that fell back, ...).
    pub counts: serde_json::Map<String, serde_json::Value>,
    /// Of several inputs, those that could not be worked on.
    #[serde(skip)]
    pub failures: Vec<Failure>,
}

impl Outcome {
    /// Done, done in part, or, where nothing was, the code of the first failure.
    pub fn exit_code(&self) -> ExitCode {
        ending(self.inputs.is_empty(), &self.failures)
    }
}

/// Done, done in part, or, where `nothing` was, the code of the first failure.
pub fn ending(nothing: bool, failures: &[Failure]) -> ExitCode {
    match failures.first() {
        None => ExitCode::Done,
        Some(first) if nothing => first.error.exit_code(),
        Some(_) => ExitCode::Partial,
    }
}

/// One of several inputs that could not be worked on.
#[derive(Debug)]
pub struct Failure {
    /// As typed.
    pub input: String,
    /// Why; its line names the file.
    pub error: Error,
}

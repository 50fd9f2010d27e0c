//! The commands, all of one shape: [`Options`](convolve::Options) (what was asked) ->
//! `Plan` (what will run; printed by `--dry-run`, saved in the report) -> passes -> `Outcome`.

pub mod convolve;

use crate::backend::CpuLevel;
use crate::report::Recorder;
use std::path::PathBuf;

/// What every command is given besides its own options: machine, limits, and who listens.
pub struct Context<'a> {
    /// Instruction set to use.
    pub level: CpuLevel,
    /// Worker threads.
    pub threads: usize,
    /// Memory the run may use, bytes.
    pub memory: u64,
    /// Replace an existing output.
    pub force: bool,
    /// Times, counts, warnings, progress, and the request to stop.
    pub recorder: &'a Recorder,
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

/// What a finished run hands to the report.
#[derive(Debug, serde::Serialize)]
pub struct Outcome {
    /// Files read.
    pub inputs: Vec<InputFacts>,
    /// Files written.
    pub outputs: Vec<PathBuf>,
    /// Counts particular to the command (cells, tiles that fell back, ...).
    pub counts: serde_json::Map<String, serde_json::Value>,
}

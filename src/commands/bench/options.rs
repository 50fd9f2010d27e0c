//! What the user asked of `bench`; plain data with the defaults.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// `nissl autoreject`.
    Autoreject,
    /// `nissl convolve`.
    Convolve,
    /// `nissl decode`.
    Decode,
    /// `nissl decode --stream`.
    Stream,
    /// Reading of files.
    Io,
}

impl Group {
    /// All of them, in the order in which they are timed.
    pub const ALL: [Group; 5] = [Group::Autoreject, Group::Convolve, Group::Decode, Group::Stream, Group::Io];

    /// As typed, and in front of the names of its works.
    pub fn name(self) -> &'static str {
        match self {
            Group::Autoreject => "autoreject",
            Group::Convolve => "convolve",
            Group::Decode => "decode",
            Group::Stream => "stream",
            Group::Io => "io",
        }
    }
}

/// How large the works are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// Under a minute in all.
    #[default]
    Quick,
    /// Some minutes.
    Standard,
    /// What labs wait for.
    Full,
}

impl Size {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Size::Quick => "quick",
            Size::Standard => "standard",
            Size::Full => "full",
        }
    }
}

/// A number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThreadCount {
    /// So many.
    Count(usize),
    /// All that the process may use.
    All,
}

/// `--record`: a command line to keep with its inputs and outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Folder of the new case.
    pub folder: PathBuf,
    /// Command line, the command's name first.
    pub argv: Vec<String>,
    /// Relative tolerance of its outputs.
    pub rtol: f64,
    /// Absolute tolerance of its outputs.
    pub atol: f64,
    /// Replace an existing case.
    pub force: bool,
}

/// Everything `bench` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The program that is timed: this one.
    pub program: PathBuf,
    /// Command line as typed, for the result.
    pub argv: Vec<String>,
    /// What is timed.
    pub groups: Vec<Group>,
    /// How large.
    pub size: Size,
    /// Names of works (`*` stands for any rest); empty takes all.
    pub only: Vec<String>,
    /// With how many threads each.
    pub threads: Vec<ThreadCount>,
    /// `--backend`, as typed.
    pub backend: String,
    /// `--memory` of the runs, bytes; `None` leaves them their default.
    pub memory: Option<u64>,
    /// Runs of each, after one of warm-up; `None` lets the size choose.
    pub repeat: Option<usize>,
    /// Folder for inputs and outputs; `None` takes the system's temporary one.
    pub work: Option<PathBuf>,
    /// Folder in which the inputs stay, with their command lines.
    pub keep: Option<PathBuf>,
    /// Tables as Markdown.
    pub markdown: bool,
    /// Picture of times (.svg or .png).
    pub plot: Option<PathBuf>,
    /// An earlier result to compare with.
    pub baseline: Option<PathBuf>,
    /// The most by which a work or stage may take longer than in the baseline.
    pub max_slowdown: f64,
    /// Compare with a baseline of another machine all the same.
    pub other_machine: bool,
    /// Results of other packages, for a table side by side.
    pub against: Vec<PathBuf>,
    /// An earlier own result: nothing is run.
    pub from: Option<PathBuf>,
    /// Folder of references to check instead.
    pub verify: Option<PathBuf>,
    /// Case to make instead.
    pub record: Option<Record>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            program: PathBuf::from("nissl"),
            argv: Vec::new(),
            groups: Group::ALL.to_vec(),
            size: Size::Quick,
            only: Vec::new(),
            threads: vec![ThreadCount::Count(1), ThreadCount::All],
            backend: "auto".into(),
            memory: None,
            repeat: None,
            work: None,
            keep: None,
            markdown: false,
            plot: None,
            baseline: None,
            max_slowdown: 1.2,
            other_machine: false,
            against: Vec::new(),
            from: None,
            verify: None,
            record: None,
        }
    }
}

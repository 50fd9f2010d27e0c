//! `nissl bench`: times the commands on this machine, checks results against references, finds
//! regressions.
//!
//! The program itself is run as a child process, once per work, number of threads and repeat: what
//! is timed is what a user waits for, start-up and files included. Stages come from the report
//! that each run writes; their counts are held against what the machine was measured to do at
//! most ([`results::Ceiling`]). Inputs are made, never stored.
//!
//! [`Options`] -> [`plan`] -> [`run`] -> [`Answer`]; the [result file](results) has a layout of its
//! own, which scripts that time other packages write as well.

pub mod against;
mod ceilings;
mod child;
mod compare;
mod inputs;
mod keep;
mod measure;
pub mod options;
#[cfg(feature = "plot")]
mod picture;
#[cfg(not(feature = "plot"))]
#[path = "no_picture.rs"]
mod picture;
mod plan;
mod reading;
pub mod record;
pub mod results;
mod roofline;
mod run;
pub mod synth;
pub mod table;
pub mod verify;
mod workplace;
pub mod works;

pub use options::Options;
pub use plan::{Plan, plan};
pub use results::BenchResult;
pub use run::run;
pub use works::Work;

use crate::error::{Error, ExitCode};

/// What a bench has to tell.
#[derive(Debug)]
pub struct Answer {
    /// Tables for standard output, plain or Markdown, with line ends.
    pub text: String,
    /// What was timed, where something was.
    pub result: Option<BenchResult>,
    /// One line each on stderr: slower works, references that failed.
    pub failures: Vec<Error>,
    /// How the process ends.
    pub code: ExitCode,
}

impl Answer {
    /// Everything is as it should be.
    pub fn fine(text: String) -> Answer {
        Answer { text, result: None, failures: Vec::new(), code: ExitCode::Done }
    }
}

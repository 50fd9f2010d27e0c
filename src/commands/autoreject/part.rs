//! A part of a run as a folder: the results of some of the inputs, each in the place it would have
//! in the output, and a label that is written when all are there.

use super::checkpoint::finished;
use super::options::Options;
use super::plan::{Plan, ShardPlan};
use crate::commands::Failure;
use crate::error::{Error, ExitCode, Result};
use crate::shards::{FOLDER_LABEL, Identity, Run, read_folder, write_folder};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a part tells the merge.
#[derive(Debug, Serialize, Deserialize)]
pub struct Details {
    /// How many inputs the run has in all.
    pub inputs: usize,
    /// Results that are there.
    pub results: Vec<Delivered>,
    /// Inputs that could not be worked on.
    pub failures: Vec<Failed>,
}

/// The results of one input.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivered {
    /// Their folder in the part; empty for the part itself.
    pub folder: PathBuf,
    /// The name of the input's run: hash of its data, options and version.
    pub run: String,
}

/// An input that could not be worked on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    /// As typed.
    pub input: String,
    /// Why.
    pub error: String,
    /// The exit code it leads to.
    pub code: u8,
}

impl Failed {
    /// As a failure of the merge.
    pub fn again(&self) -> Failure {
        let known = ExitCode::MEANINGS.iter().map(|(code, _)| *code).find(|code| *code as u8 == self.code);
        let error = Error::Refused(self.error.clone(), known.unwrap_or(ExitCode::Failed));
        Failure { input: self.input.clone(), error }
    }
}

/// The name of the whole run: its inputs by name, options and version. What is in the inputs is
/// in the name of each result, so that a part need not read the inputs of the others.
fn run_name(options: &Options) -> String {
    let neutral = Options {
        output: PathBuf::new(),
        resume: false,
        shard: None,
        asked: Default::default(),
        ..options.clone()
    };
    Run::of("autoreject").with(format!("{neutral:?}")).name()
}

/// Takes the label off a part that will be worked on again.
///
/// # Errors
/// A part of another run lies there and may not be replaced.
pub fn begin(options: &Options, force: bool) -> Result<()> {
    let Some(shard) = options.shard else { return Ok(()) };
    let folder = options.target()?;
    let found = read_folder(&folder).unwrap_or_default();
    let ours = found.as_ref().is_none_or(|found| found.run == run_name(options) && found.shard == shard);
    if !ours && !force {
        return Err(Error::OutputExists(folder));
    }
    let label = folder.join(FOLDER_LABEL);
    match std::fs::remove_file(&label) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&label, "remove")(e)),
        _ => Ok(()),
    }
}

/// Labels the part: all its inputs are done or told as failed.
///
/// # Errors
/// The label cannot be written.
pub fn end(plan: &Plan, options: &Options, failures: &[Failure]) -> Result<()> {
    let Some(ShardPlan { shard, of, .. }) = &plan.shard else { return Ok(()) };
    std::fs::create_dir_all(&plan.output).map_err(Error::io(&plan.output, "create"))?;
    let delivered = plan.subjects.iter().filter_map(|subject| {
        let folder = subject.folder.strip_prefix(&plan.output).unwrap_or(&subject.folder).to_owned();
        finished(&subject.folder).map(|run| Delivered { folder, run })
    });
    let failures = failures.iter().map(|failure| Failed {
        input: failure.input.clone(),
        error: failure.error.to_string(),
        code: failure.error.exit_code() as u8,
    });
    let details = Details { inputs: *of, results: delivered.collect(), failures: failures.collect() };
    let details =
        serde_json::to_value(details).map_err(|e| Error::Failed(format!("cannot label the part: {e}")))?;
    let identity = Identity::new("autoreject", &run_name(options), *shard, &options.asked, details);
    write_folder(&plan.output, &identity)
}

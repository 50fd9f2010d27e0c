//! A part of a run as a folder: the results of some of the inputs, each in the place it would have
//! in the output, and a label that is written when all are there.

use super::checkpoint::finished;
use super::options::Options;
use super::placing::coordinate_file;
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

/// The name of the whole run: its inputs by name, what is in the files beside them, options and
/// version. What is in the inputs is in the name of each result, so that a part need not read the
/// inputs of the others.
///
/// # Errors
/// A file beside the inputs cannot be read.
fn run_name(options: &Options) -> Result<String> {
    let neutral = Options {
        output: PathBuf::new(),
        resume: false,
        shard: None,
        asked: Default::default(),
        ..options.clone()
    };
    let mut run = Run::of("autoreject").with(format!("{neutral:?}"));
    let sources = &options.sources;
    let units = sources.electrodes.as_deref().and_then(coordinate_file);
    let beside = [&sources.channels, &sources.electrodes, &units];
    for path in beside.into_iter().chain([&options.thresholds, &options.apply, &options.reject_log]) {
        let text = path.as_ref().map(|path| std::fs::read(path).map_err(Error::io(path, "read")));
        // A file that is not there is none of no bytes.
        run = run.with([u8::from(path.is_some())]).with(text.transpose()?.unwrap_or_default());
    }
    Ok(run.name())
}

/// Takes the label off a part that will be worked on again; the name of the run it is of, none
/// where all is done at once.
///
/// # Errors
/// A part of another run lies there and may not be replaced.
pub fn begin(options: &Options, force: bool) -> Result<Option<String>> {
    let Some(shard) = options.shard else { return Ok(None) };
    let (folder, run) = (options.target()?, run_name(options)?);
    let found = read_folder(&folder).unwrap_or_default();
    let ours = found.as_ref().is_none_or(|found| found.run == run && found.shard == shard);
    if !ours && !force {
        return Err(Error::OutputExists(folder));
    }
    let label = folder.join(FOLDER_LABEL);
    match std::fs::remove_file(&label) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&label, "remove")(e)),
        _ => Ok(Some(run)),
    }
}

/// Labels the part of the run `run`: all its inputs are done or told as failed.
///
/// # Errors
/// The label cannot be written.
pub fn end(plan: &Plan, (options, run): (&Options, Option<&str>), failures: &[Failure]) -> Result<()> {
    let (Some(ShardPlan { shard, of, .. }), Some(run)) = (&plan.shard, run) else { return Ok(()) };
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
    let identity = Identity::new("autoreject", run, *shard, &options.asked, details);
    write_folder(&plan.output, &identity)
}

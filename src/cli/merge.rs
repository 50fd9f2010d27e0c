//! `nissl merge`: the parts of a sharded run into its result. Options come from the parts.

use super::common::{OutputFlags, ResumeFlag, RunFlags, ShardFlags};
use super::session::{self, Job, MakePlan};
use super::signals::Stop;
use super::{Cli, Command, command};
use crate::commands::{Context, Outcome, Planned};
use crate::error::{Error, ExitCode, Result};
use crate::shards::{self, Identity, Part};
use clap::{Args, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  Two parts of a raster, done one after the other, and the whole:
    nissl convolve dem.nc -o smooth.nc --kernel gauss:5km --shard 1/2
    nissl convolve dem.nc -o smooth.nc --kernel gauss:5km --shard 2/2
    nissl merge smooth.shard-*.nc -o smooth.nc
  All parts of smooth.nc in a folder; missing ones are listed as sbatch --array takes them:
    nissl merge results -o results/smooth.nc
  The subjects of a study, done as a job array (see nissl sbatch):
    nissl merge cleaned.shard-* -o cleaned";

/// Put the parts of a sharded run together
///
/// The result is, byte for byte, that of one run without --shard. Options come from the parts;
/// only what is listed here is given anew. Parts that are missing, there twice, damaged, or of
/// another run are refused. Parts that are files stay; the folders of autoreject are moved into
/// the output.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "nissl merge <PART>... --output <PATH> [FLAGS]"
)]
pub struct MergeArgs {
    /// Parts, in any order, or a folder in which the parts of the output lie
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) to: OutputFlags,

    #[command(flatten)]
    pub(super) again: ResumeFlag,

    #[command(flatten)]
    pub(super) run: RunFlags,
}

/// What a command brings to the merge of its parts.
pub(super) struct Merging<P> {
    /// What progress counts, and what stages count.
    pub counted: (&'static str, &'static str),
    /// Files that are read.
    pub inputs: Vec<PathBuf>,
    /// Files that are written.
    pub outputs: Vec<PathBuf>,
    /// The output is a folder.
    pub into_folder: bool,
    /// Makes the plan.
    pub plan: MakePlan<P>,
    /// Runs it.
    pub run: fn(&P, &Context) -> Result<Outcome>,
}

impl MergeArgs {
    /// Runs the command.
    pub(in crate::cli) fn run(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        let parts = shards::gather(&self.parts, &self.to.output)?;
        let Some(first) = parts.first() else { return Err(Error::usage("no parts given")) };
        match asked(first)? {
            Command::Convolve(args) => args.merge(self, parts, argv),
            Command::Decode(args) => args.merge(self, parts, argv),
            Command::Autoreject(args) => args.merge(self, parts, argv),
            _ => Err(foreign(first, &first.identity)),
        }
    }

    /// Turns flags of a part into those of the whole run.
    pub(super) fn instead_of(&self, to: &mut OutputFlags, parts: &mut ShardFlags) {
        *to = self.to.clone();
        *parts = ShardFlags { shard: None, again: self.again.clone() };
    }

    /// Merges as `merging` knows how.
    ///
    /// # Errors
    /// Whatever stops the plan or the run.
    pub(super) fn carry_out<P: Planned>(&self, merging: Merging<P>, argv: Vec<OsString>) -> Result<ExitCode> {
        let Merging { counted: (unit, item), inputs, outputs, into_folder, plan, run } = merging;
        let job = Job {
            command: "merge",
            unit,
            item,
            argv,
            inputs,
            outputs,
            into_folder,
            force: self.to.force,
            resume: self.again.resume,
            plan,
            run,
            stop: Stop::Keeps,
        };
        session::carry_out(&job, &self.run)
    }
}

/// The command line that a part is of.
fn asked(part: &Part) -> Result<Command> {
    // A run from a report has its stored flags and others after them.
    let last_wins = command().mut_subcommands(|c| c.args_override_self(true));
    let matches = last_wins.try_get_matches_from(&part.identity.argv);
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches)).ok();
    cli.and_then(|cli| cli.command).ok_or_else(|| foreign(part, &part.identity))
}

fn foreign(part: &Part, identity: &Identity) -> Error {
    Error::data(
        part.path.display().to_string(),
        format!("a part of nissl {} {}", identity.nissl, identity.command),
        format!("one that nissl {} can merge", env!("CARGO_PKG_VERSION")),
        "merge with the version that wrote the parts",
    )
}

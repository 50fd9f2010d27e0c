//! The command line: the only place that knows clap, prints results and errors, and chooses the
//! exit code.
//!
//! [`run`] is the whole program: parse, dispatch, one line on stderr if it went wrong.
//! [`command`] is the one table that help, man pages and completions are made of.

pub mod autoreject;
pub mod bench;
pub mod common;
pub mod completions;
pub mod convolve;
pub mod decode;
mod edge;
pub mod merge;
pub mod sbatch;
mod session;
mod signals;

use crate::error::{Error, ExitCode, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  nissl autoreject epochs.h5 -o cleaned
  nissl autoreject data/sub-*/epochs.h5 -o cleaned --threshold-search exact
  nissl convolve dem.nc -o smooth.nc --kernel circle:450m --normalize
  nissl convolve dem.nc -o smooth.nc --kernel circle:450m --dry-run
  nissl decode session.nwb -o posterior.nc --encode-interval 0:600 --time 600:1200:0.002 --plot laps.png
  nissl bench --size quick
  nissl convolve dem.nc -o smooth.nc --kernel gauss:5km --shard 3/8
  nissl merge smooth.shard-*.nc -o smooth.nc
  nissl sbatch convolve dem.nc -o smooth.nc --kernel gauss:5km --shards 8 --submit
  nissl --from-report smooth.nc.report.json -- -o again.nc
  nissl completions bash > ~/.local/share/bash-completion/completions/nissl";

/// Heavy analyses of neuroscience and raster labs, fast, with the answers of the Python packages
/// they use
///
/// One shape for all commands: `nissl COMMAND INPUT -o OUTPUT [flags]`. Inputs may name a dataset
/// inside a file, as in `session.h5:/group/data`. Outputs appear whole or not at all, and an
/// existing one is never replaced without --force.
#[derive(Debug, Parser)]
#[command(
    name = "nissl",
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    override_usage = "nissl <COMMAND> <INPUT> --output <OUTPUT> [FLAGS]\n       \
                      nissl --from-report <FILE> [-- <FLAGS>]",
    after_help = EXAMPLES,
    max_term_width = 100
)]
pub struct Cli {
    /// Run the command line stored in a report again, from the current folder; flags after `--`
    /// replace stored ones
    #[arg(long, value_name = "FILE")]
    from_report: Option<PathBuf>,

    /// Flags that replace those of the report
    #[arg(last = true, value_name = "FLAGS", requires = "from_report", allow_hyphen_values = true)]
    instead: Vec<OsString>,

    #[command(subcommand)]
    command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    Autoreject(Box<autoreject::AutorejectArgs>),
    Convolve(Box<convolve::ConvolveArgs>),
    Decode(Box<decode::DecodeArgs>),
    Bench(Box<bench::BenchArgs>),
    Merge(Box<merge::MergeArgs>),
    Sbatch(Box<sbatch::SbatchArgs>),
    Completions(completions::CompletionsArgs),
}

/// The clap definition, for help, man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with `argv` (the program's name first) and returns its exit code.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    edge::note_panics();
    edge::guard(|| {
        let cli = match command().try_get_matches_from(&argv).and_then(|m| Cli::from_arg_matches(&m)) {
            Ok(cli) => cli,
            Err(error) => return edge::answer(&error, &argv),
        };
        match cli.from_report {
            Some(report) => again(&report, cli.instead),
            None => dispatch(cli.command, argv),
        }
    })
}

/// Runs the command line stored in `report`, with the flags `instead` in place of stored ones.
fn again(report: &std::path::Path, instead: Vec<OsString>) -> Result<ExitCode> {
    let stored = crate::report::json::command_line(report)?;
    if stored.iter().any(|word| word == "--from-report") {
        let advice = "run that report instead";
        return Err(Error::data(
            report.display().to_string(),
            "a run of another report",
            "a command",
            advice,
        ));
    }
    let argv: Vec<OsString> = stored.into_iter().map(OsString::from).chain(instead).collect();
    let last_wins = command().mut_subcommands(|c| c.args_override_self(true));
    match last_wins.try_get_matches_from(&argv).and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => dispatch(cli.command, argv),
        Err(error) => edge::answer(&error, &argv),
    }
}

fn dispatch(command: Option<Command>, argv: Vec<OsString>) -> Result<ExitCode> {
    match command {
        Some(Command::Autoreject(args)) => args.run(argv),
        Some(Command::Convolve(args)) => args.run(argv),
        Some(Command::Decode(args)) => args.run(argv),
        Some(Command::Bench(args)) => args.run(argv),
        Some(Command::Merge(args)) => args.run(argv),
        Some(Command::Sbatch(args)) => args.run(),
        Some(Command::Completions(args)) => args.run(),
        None => Err(Error::usage("no command given; see nissl --help")),
    }
}

//! `nissl sbatch`: a job array for SLURM, with the merge that follows it, from a command line.

mod script;

use super::common::RunFlags;
use super::{Cli, Command, command, edge};
use crate::error::{Error, ExitCode, Result};
use crate::shards::{MOST, Shard};
use crate::units::{format_bytes, parse_bytes};
use clap::{Args, FromArgMatches};
use script::Script;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const EXAMPLES: &str = "\
Examples:
  The script for eight parts; look at it, then submit it:
    nissl sbatch convolve dem.nc -o smooth.nc --kernel gauss:5km --threads 4 --shards 8 > smooth.sh
    bash smooth.sh
  Submit at once, with flags for sbatch:
    nissl sbatch autoreject data/sub-*/epochs.h5 -o cleaned --memory 8G --shards 12 --submit \\
      --slurm '--time=04:00:00 --partition=long'
  Only the parts that the merge named as missing:
    ARRAY=3,7 bash smooth.sh";

/// Make a SLURM job array of a command, and the merge that depends on it
///
/// Prints a script; run with bash, it submits an array of N parts and a merge that begins when all
/// of them have ended, whole or not: the merge names parts that are missing. Memory and CPUs are
/// those of the plan, which is made here. A part that leaves with 75 is requeued and goes on.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "nissl sbatch <COMMAND>... --shards <N> [--submit] [--slurm <FLAGS>]"
)]
pub struct SbatchArgs {
    /// Number of parts, 2 or more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=MOST))]
    shards: Option<u64>,

    /// Submit the script instead of printing it
    #[arg(long)]
    submit: bool,

    /// Flags for both jobs as sbatch takes them, such as '--time=04:00:00 --partition=long'; they win over
    /// those of the script, and may be given several times
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    slurm: Vec<String>,

    /// The command with its inputs, output and flags, as it would be typed after nissl
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// What a part needs, from its plan.
pub(super) struct Needs {
    /// What the merge writes.
    pub output: PathBuf,
    /// Most memory of a part's buffers, bytes.
    pub memory: u64,
    /// Worker threads.
    pub threads: usize,
}

impl SbatchArgs {
    /// Runs the command.
    pub(in crate::cli) fn run(mut self) -> Result<ExitCode> {
        self.take_own_flags()?;
        let shards = self.shards.ok_or_else(|| {
            Error::usage("--shards N is missing: into how many parts; see nissl sbatch --help")
        })?;
        let words = self.command.iter().map(|word| {
            word.to_str().map(str::to_owned).ok_or_else(|| {
                Error::usage(format!("'{}' is no Unicode; rename the file", word.to_string_lossy()))
            })
        });
        let words: Vec<String> = words.collect::<Result<_>>()?;
        let one = Shard { index: 1, of: shards };
        let (name, flags, needs) = look(&words, one)?;
        let memory = match given_memory(&flags) {
            Some(limit) => limit,
            None => least_round(needs.memory),
        };
        let script = Script {
            program: std::env::current_exe().map_err(Error::io(Path::new("nissl"), "find"))?,
            name,
            words,
            shards,
            output: needs.output,
            threads: needs.threads,
            memory: flags.limits.memory.is_none().then(|| format_bytes(memory)),
            job_memory: memory + PROGRAM,
            slurm: self.slurm.join(" "),
        };
        let text = script.render()?;
        if self.submit { submit(&text) } else { edge::print(text.as_bytes()).map(|()| ExitCode::Done) }
    }

    /// Takes this command's own flags out of the words of the other: they may stand at its end.
    fn take_own_flags(&mut self) -> Result<()> {
        let mut kept = Vec::new();
        let mut words = std::mem::take(&mut self.command).into_iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let (flag, value) = match text.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (text.as_str(), None),
            };
            match flag {
                "--shards" | "--slurm" => {
                    let next = || words.next().map(|word| word.to_string_lossy().into_owned());
                    let value =
                        value.or_else(next).ok_or_else(|| Error::usage(format!("{flag}: needs a value")))?;
                    if flag == "--slurm" {
                        self.slurm.push(value);
                    } else {
                        let count = value.parse().ok().filter(|count| (2..=MOST).contains(count));
                        let told = || Error::usage(format!("--shards {value}: expected 2 to {MOST} parts"));
                        self.shards = Some(count.ok_or_else(told)?);
                    }
                }
                "--submit" if value.is_none() => self.submit = true,
                _ => kept.push(word),
            }
        }
        self.command = kept;
        Ok(())
    }
}

/// Beside the memory of its buffers a run takes the program's own; SLURM counts both.
const PROGRAM: u64 = 128 << 20;

/// A limit a little above what was predicted, so that the same plan is made under it.
fn least_round(predicted: u64) -> u64 {
    const STEP: u64 = 16 << 20;
    (predicted + predicted / 16).div_ceil(STEP).max(1) * STEP
}

/// The limit typed or in the environment.
fn given_memory(flags: &RunFlags) -> Option<u64> {
    let from_environment = || std::env::var("NISSL_MEMORY").ok().and_then(|text| parse_bytes(&text).ok());
    flags.limits.memory.or_else(from_environment)
}

/// Plans the first part of the command in `words`.
fn look(words: &[String], one: Shard) -> Result<(&'static str, RunFlags, Needs)> {
    for flag in ["--shard", "--report", "--dry-run"] {
        if words.iter().any(|word| word == flag || word.starts_with(&format!("{flag}="))) {
            let why = if flag == "--report" { "each part writes its own" } else { "the script does that" };
            return Err(Error::usage(format!("{flag}: leave it out, {why}")));
        }
    }
    let argv: Vec<OsString> =
        std::iter::once("nissl").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    let parsed = command().try_get_matches_from(&argv).and_then(|m| Cli::from_arg_matches(&m));
    let parsed = parsed.map_err(|error| edge::answered(&error, &argv))?;
    match parsed.command {
        Some(Command::Convolve(args)) => args.needs(one).map(|(flags, needs)| ("convolve", flags, needs)),
        Some(Command::Autoreject(args)) => args.needs().map(|(flags, needs)| ("autoreject", flags, needs)),
        Some(Command::Decode(args)) => args.needs(one).map(|(flags, needs)| ("decode", flags, needs)),
        _ => {
            let found = words.first().map_or("", String::as_str);
            Err(Error::usage(format!("nissl {found}: cannot be done in parts; expected {SHARDED}")))
        }
    }
}

/// Commands that know --shard.
const SHARDED: &str = "autoreject, convolve or decode";

/// Hands the script to bash, which submits both jobs and prints their numbers.
fn submit(text: &str) -> Result<ExitCode> {
    let mut bash = std::process::Command::new("bash")
        .arg("-s")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(Error::io(Path::new("bash"), "start"))?;
    if let Some(mut stdin) = bash.stdin.take() {
        // A bash that ended early tells by its exit code.
        let _ = stdin.write_all(text.as_bytes());
    }
    let ended = bash.wait().map_err(Error::io(Path::new("bash"), "wait for"))?;
    match ended.code() {
        Some(0) => Ok(ExitCode::Done),
        _ => Err(Error::Failed("the jobs were not submitted: see what sbatch says above".into())),
    }
}

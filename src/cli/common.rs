//! Flags that commands share, each defined once so that it means the same everywhere.

use crate::backend::Request;
use crate::error::{Error, Result};
use crate::report::progress::Display;
use crate::shards::{Asked, Shard};
use crate::units::parse_bytes;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a command's result goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// What to write: a file whose extension names the format; for autoreject a folder
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,

    /// Replace an existing output
    #[arg(long)]
    pub force: bool,
}

/// Runs that are done in parts, or in several goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct ShardFlags {
    /// Do the I-th of N parts, counted from 1, and write NAME.shard-I-of-N.EXT beside the output;
    /// nissl merge puts the parts together
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    #[command(flatten)]
    pub(super) again: ResumeFlag,
}

/// Runs that are done in several goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct ResumeFlag {
    /// Go on from the checkpoints of an earlier run with the same inputs, options and version;
    /// begin anew where there are none, and end at once where that run is done. Work is kept from
    /// its start, without this flag from the fifth second on
    #[arg(long)]
    pub resume: bool,
}

impl ShardFlags {
    /// The part to do; 1/1 is the whole.
    pub fn part(&self) -> Option<Shard> {
        self.shard.filter(|shard| shard.of > 1)
    }

    /// What a part keeps of the command line, for the merge.
    ///
    /// # Errors
    /// [`Error::Usage`]: words that are no Unicode, which a part cannot keep.
    pub fn asked(&self, argv: &[OsString]) -> Result<Asked> {
        if self.part().is_none() {
            return Ok(Asked::default());
        }
        let words = argv.iter().map(|word| {
            word.to_str().map(str::to_owned).ok_or_else(|| {
                Error::usage(format!("--shard: '{}' is no Unicode; rename the file", word.to_string_lossy()))
            })
        });
        let directory = std::env::current_dir().map_err(Error::io(Path::new("."), "look at"))?;
        Ok(Asked { argv: words.collect::<Result<_>>()?, directory })
    }
}

/// `path` as it was meant in `directory`, seen from the present folder.
pub fn meant_in(directory: &Path, path: &Path) -> PathBuf {
    let here = std::env::current_dir().is_ok_and(|here| here == directory);
    if here || path.is_absolute() { path.to_owned() } else { directory.join(path) }
}

/// What a run may use and what it tells.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct RunFlags {
    #[command(flatten)]
    pub(super) limits: LimitFlags,

    /// Worker threads [default: the CPUs this process may use: affinity, cgroup quota,
    /// SLURM_CPUS_PER_TASK]
    #[arg(
        long,
        value_name = "N",
        env = "NISSL_THREADS",
        hide_env_values = true,
        value_parser = thread_count
    )]
    pub threads: Option<usize>,

    /// Write the timing report (JSON) there, - for stdout [default: OUTPUT.report.json, or
    /// report.json in an output folder]
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,

    #[command(flatten)]
    pub(super) tell: TellFlags,
}

/// What a run may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct LimitFlags {
    /// Where to compute: auto takes a device only where the plan expects it to win
    #[arg(
        long,
        value_name = "NAME",
        env = "NISSL_BACKEND",
        hide_env_values = true,
        default_value = "auto",
        value_parser = one_of(BACKENDS)
    )]
    pub backend: Request,

    /// Memory the run may use, bytes or with K, M, G (powers of 1024), such as 8G [default: 80 %
    /// of what is available: RAM, cgroup limit, SLURM_MEM_PER_NODE, SLURM_MEM_PER_CPU]
    #[arg(
        long,
        value_name = "SIZE",
        env = "NISSL_MEMORY",
        hide_env_values = true,
        value_parser = |text: &str| parse_bytes(text)
    )]
    pub memory: Option<u64>,

    /// Memory of a device the run may use, bytes or with K, M, G [default: what the device tells,
    /// 2G where it tells nothing]
    #[arg(
        long,
        value_name = "SIZE",
        env = "NISSL_DEVICE_MEMORY",
        hide_env_values = true,
        value_parser = |text: &str| parse_bytes(text)
    )]
    pub device_memory: Option<u64>,
}

/// What a run tells.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct TellFlags {
    /// How to show progress on stderr: auto is a bar on a terminal and a plain line every few
    /// seconds elsewhere
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = one_of(DISPLAYS))]
    pub progress: Display,

    /// Print the resolved plan (shapes, types, algorithm and why, memory) on stdout and stop;
    /// nothing is written, no report either
    #[arg(long)]
    pub dry_run: bool,

    /// Tell on stderr what is found and decided; twice for details
    #[arg(short, long, action = ArgAction::Count, overrides_with = "quiet")]
    pub verbose: u8,

    /// Only warnings and errors on stderr: no progress, no table at the end
    #[arg(short, long, overrides_with = "verbose")]
    pub quiet: bool,
}

const BACKENDS: [(&str, Request); 4] =
    [("auto", Request::Auto), ("cpu", Request::Cpu), ("cuda", Request::Cuda), ("wgpu", Request::Wgpu)];

const DISPLAYS: [(&str, Display); 5] = [
    ("auto", Display::Auto),
    ("bar", Display::Bar),
    ("plain", Display::Plain),
    ("json", Display::Json),
    ("none", Display::None),
];

impl TellFlags {
    /// The progress display, with `-q` and `-v` taken into account: log lines and a bar would
    /// overwrite each other.
    pub fn display(&self) -> Display {
        match self.progress {
            _ if self.quiet || self.dry_run => Display::None,
            Display::Auto if self.verbose > 0 => Display::Plain,
            other => other.settle(),
        }
    }
}

/// More threads than any machine has are a slip, and the system might not give them.
const MOST_THREADS: usize = 1024;

/// `--threads`.
///
/// # Errors
/// No number, 0, or more than any machine has.
pub fn thread_count(text: &str) -> Result<usize> {
    match text.trim().parse() {
        Ok(count) if (1..=MOST_THREADS).contains(&count) => Ok(count),
        _ => Err(Error::usage(format!("expected a whole number from 1 to {MOST_THREADS}"))),
    }
}

/// A parser for a closed list of names; help and completions show the names.
pub fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    table: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(table.map(|(name, _)| name));
    names.try_map(move |typed| {
        let found = table.iter().find(|(name, _)| *name == typed);
        found.map(|&(_, value)| value).ok_or_else(|| format!("'{typed}' is none of the values"))
    })
}

/// Splits a list by commas and parses each part.
///
/// # Errors
/// An empty part, or what `parse` refuses.
pub fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    text.split(',')
        .map(|part| match part.trim() {
            "" => Err(Error::usage("expected values separated by commas, found an empty one")),
            part => parse(part),
        })
        .collect()
}

/// Longest list that a flag takes.
pub const LONGEST: usize = 1000;

/// A list as one value: clap would take a plain vector for one value per word.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T>(pub Vec<T>);

/// The values, if none is there twice and they are not too many.
///
/// # Errors
/// [`Error::Usage`] with the value that repeats.
pub fn distinct<T: PartialEq + std::fmt::Display>(values: Vec<T>) -> Result<Listed<T>> {
    if values.len() > LONGEST {
        return Err(Error::usage(format!("{} values; expected at most {LONGEST}", values.len())));
    }
    match (1..values.len()).find(|&at| values[..at].contains(&values[at])) {
        Some(at) => Err(Error::usage(format!("'{}' is there twice", values[at]))),
        None => Ok(Listed(values)),
    }
}

/// Names by commas.
///
/// # Errors
/// An empty or repeated one.
pub fn names(text: &str) -> Result<Listed<String>> {
    distinct(list(text, |part| Ok(part.to_owned()))?)
}

/// `--plot`.
///
/// # Errors
/// Another extension than those that pictures have.
pub fn picture(text: &str) -> Result<PathBuf> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("svg" | "png") => Ok(path),
        _ => Err(Error::usage("expected a file name that ends in .svg or .png")),
    }
}

/// The picture is a file of its own, and this build can draw.
///
/// # Errors
/// [`Error::Usage`] where it is the output, [`Error::Failed`] without the feature `plot`.
pub fn check_picture(plot: Option<&Path>, output: &Path) -> Result<()> {
    match plot {
        Some(plot) if plot == output => {
            Err(Error::usage(format!("--plot {}: is the output too; give another name", plot.display())))
        }
        Some(_) if !cfg!(feature = "plot") => {
            Err(Error::Failed("--plot: this nissl was built without the feature plot".into()))
        }
        _ => Ok(()),
    }
}

/// True where the file's name ends so, in any case.
pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

//! What will run, resolved: printed by `--dry-run`, saved in the report.

use super::channels::ChannelKind;
use super::options::{Method, ThresholdSearch};
use super::prepare::Prepared;
use crate::backend::Backend;
use crate::commands::{Failure, Planned};
use crate::error::Error;
use crate::shards::Shard;
use crate::units::format_bytes;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Channels of one type.
#[derive(Debug, Clone, Serialize)]
pub struct GroupPlan {
    /// The type.
    pub kind: ChannelKind,
    /// How many are fitted.
    pub channels: usize,
    /// Samples of a tile of the threshold search.
    pub tile_samples: usize,
}

/// One input.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectPlan {
    /// File as typed.
    pub path: PathBuf,
    /// Dataset inside it; empty for NPY.
    pub dataset: String,
    /// Where its results go.
    pub folder: PathBuf,
    /// Epochs, channels, samples.
    pub shape: [usize; 3],
    /// Stored element type and byte order.
    pub stored: String,
    /// Types that are fitted.
    pub groups: Vec<GroupPlan>,
    /// Channels left out because they are marked as bad.
    pub bads: Vec<String>,
    /// Grid of consensus shares.
    pub consensus: Vec<f64>,
    /// Grid of numbers of repaired channels.
    pub n_interpolate: Vec<i64>,
    /// Folds.
    pub cv: usize,
    /// True where all picked epochs are held in memory.
    pub held: bool,
    /// Walks over the file for one stage, where they are not held.
    pub passes: usize,
    /// True where they are first unpacked beside the results, since decoding the file anew for every walk
    /// would cost more.
    pub unpacked: bool,
    /// Floating point operations, about.
    pub flop: u64,
    /// Most memory it takes, about, bytes.
    pub memory: u64,
}

/// An input that cannot be worked on.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// File as typed.
    pub path: PathBuf,
    /// Why, in one line.
    pub reason: String,
}

/// Which part of a run this is.
#[derive(Debug, Clone, Serialize)]
pub struct ShardPlan {
    /// Which part.
    pub shard: Shard,
    /// Position of its first input among all.
    pub first: usize,
    /// How many inputs there are in all.
    pub of: usize,
}

/// A resolved run.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// What is done.
    pub method: Method,
    /// How thresholds are searched.
    pub search: ThresholdSearch,
    /// Predicted epochs take part.
    pub augment: bool,
    /// Seed of everything that is drawn.
    pub seed: u32,
    /// Inputs in the order given.
    pub subjects: Vec<SubjectPlan>,
    /// Inputs that are refused.
    pub refused: Vec<Refusal>,
    /// Folder of the results.
    pub output: PathBuf,
    /// Which part, if not all.
    pub shard: Option<ShardPlan>,
    /// Worker threads.
    pub threads: usize,
    /// What computes, and why.
    pub backend: Backend,
    /// Instruction set.
    pub level: String,
    /// Memory limit, bytes.
    pub memory: u64,
    /// Warnings found while planning.
    pub warnings: Vec<String>,
    /// What the run needs besides.
    #[serde(skip)]
    pub prepared: Prepared,
}

impl Plan {
    /// The inputs that are refused, as failures of the run.
    pub fn refusals(&self) -> Vec<Failure> {
        let failure = |(path, error): &(PathBuf, Error)| Failure {
            input: path.display().to_string(),
            error: Error::Refused(error.to_string(), error.exit_code()),
        };
        self.prepared.refused.iter().map(failure).collect()
    }
}

impl Planned for Plan {
    fn backend(&self) -> &Backend {
        &self.backend
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn refused(&self) -> (bool, Vec<Failure>) {
        (self.subjects.is_empty(), self.refusals())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::Local => "local: a threshold per channel, repair, a vote on epochs",
            Method::Global => "global: one threshold per channel type",
            Method::Ransac => "ransac: channels that random subsets of the others do not predict",
        };
        writeln!(f, "method     {method}")?;
        if self.method != Method::Ransac {
            let search = match self.search {
                ThresholdSearch::Bayesian => "bayesian: the peer's 41 points and 10 more",
                ThresholdSearch::Random => "random: the peer's 20 draws",
                ThresholdSearch::Exact => "exact: the least loss of all candidates",
            };
            let augment =
                if self.augment && self.method == Method::Local { ", with predicted epochs" } else { "" };
            writeln!(f, "search     {search}{augment}; one sweep gives the loss of every candidate")?;
        }
        writeln!(f, "seed       {}", self.seed)?;
        if let Some(ShardPlan { shard, first, of }) = &self.shard {
            let count = self.subjects.len() + self.refused.len();
            let which = if count == 0 { String::new() } else { format!(", from number {} on", first + 1) };
            writeln!(f, "shard      {shard}: {count} of {of} inputs{which}")?;
        }
        for subject in &self.subjects {
            subject.fmt_lines(f, self.method)?;
        }
        for refusal in &self.refused {
            writeln!(f, "refused    {}", refusal.reason)?;
        }
        writeln!(f, "output     {}", self.output.display())?;
        writeln!(f, "{}", self.backend)?;
        writeln!(f, "threads    {} ({})", self.threads, self.level)?;
        writeln!(f, "limit      {}", format_bytes(self.memory))
    }
}

impl SubjectPlan {
    fn fmt_lines(&self, f: &mut fmt::Formatter<'_>, method: Method) -> fmt::Result {
        let [n, c, t] = self.shape;
        let dataset = if self.dataset.is_empty() { String::new() } else { format!(":{}", self.dataset) };
        writeln!(f, "input      {}{dataset}", self.path.display())?;
        writeln!(f, "  shape    {n} epochs x {c} channels x {t} samples, {}", self.stored)?;
        for group in &self.groups {
            let tile = if method == Method::Ransac {
                String::new()
            } else {
                format!(", tiles of {} samples", group.tile_samples)
            };
            writeln!(f, "  fitted   {} {}{tile}", group.channels, group.kind.name())?;
        }
        if !self.bads.is_empty() {
            writeln!(f, "  bads     {}", self.bads.join(", "))?;
        }
        if method == Method::Local {
            let join = |values: Vec<String>| values.join(" ");
            writeln!(
                f,
                "  consensus     {}",
                join(self.consensus.iter().map(|v| format!("{v:.4}")).collect())
            )?;
            writeln!(
                f,
                "  n_interpolate {}",
                join(self.n_interpolate.iter().map(ToString::to_string).collect())
            )?;
        }
        if method != Method::Ransac {
            writeln!(f, "  folds    {}", self.cv)?;
        }
        let held = if self.held {
            "held in memory, the file is read once for them".to_owned()
        } else if self.unpacked {
            let channels: usize = self.groups.iter().map(|group| group.channels).sum();
            let bytes = format_bytes(8 * (n * channels * t) as u64);
            format!("larger than memory and packed: unpacked once beside the results ({bytes} of disk)")
        } else {
            format!("larger than memory: {} passes over the file for each walk in time", self.passes)
        };
        writeln!(f, "  epochs   {held}")?;
        writeln!(f, "  work     {:.3e} flop, {} of memory", self.flop as f64, format_bytes(self.memory))?;
        writeln!(f, "  results  {}", self.folder.display())
    }
}

//! What will run, resolved: printed by `--dry-run`, saved in the report.

use super::options::{Likelihood, Model, Precision, Save};
use super::prepare::Prepared;
use crate::backend::Backend;
use crate::commands::Planned;
use crate::shards::Shard;
use crate::units::format_bytes;
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// What the recording holds, and what of it is used.
#[derive(Debug, Clone, Serialize)]
pub struct RecordingPlan {
    /// The file or folder.
    pub path: PathBuf,
    /// Position samples, and those that encode.
    pub samples: [usize; 2],
    /// Axes of the positions as stored.
    pub axes: usize,
    /// Electrodes or units.
    pub trains: usize,
    /// Spikes that encode, of all trains.
    pub encoding_spikes: usize,
    /// Spikes that are decoded, of all trains.
    pub decoding_spikes: usize,
    /// Spikes before the first or after the last decoding time.
    pub spikes_outside: usize,
}

/// The place grid.
#[derive(Debug, Clone, Serialize)]
pub struct GridPlan {
    /// Bins along each axis.
    pub shape: Vec<usize>,
    /// Interior bins.
    pub interior: usize,
    /// Along a track graph.
    pub track: bool,
    /// Standard deviation of the position kernel, per axis.
    pub position_std: Vec<f64>,
}

/// How the intensities of some electrodes are computed.
#[derive(Debug, Clone, Serialize)]
pub struct AlgorithmPlan {
    /// Method with its parameters.
    pub method: String,
    /// Why this one.
    pub why: String,
    /// How many electrodes.
    pub electrodes: usize,
    /// Guaranteed largest error of a spike's log intensity from the expansion, nats; none where it
    /// was only sampled.
    pub bound: Option<f64>,
    /// Largest error of the expansion on sampled spikes and bins, nats.
    pub observed: f64,
}

/// Which part of a run this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardPlan {
    /// Which part.
    pub shard: Shard,
    /// Its time bins.
    pub rows: Range<u64>,
}

/// A resolved run.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// States and movement.
    pub model: Model,
    /// What the spikes tell.
    pub likelihood: Likelihood,
    /// Element type of the likelihood.
    pub precision: Precision,
    /// What the recording holds.
    pub recording: RecordingPlan,
    /// The place grid.
    pub grid: GridPlan,
    /// Names of the states.
    pub states: Vec<String>,
    /// Columns of all states.
    pub columns: usize,
    /// Time bins.
    pub rows: usize,
    /// Median step of the decoding times, seconds.
    pub step: f64,
    /// Ways of computing the intensities.
    pub algorithms: Vec<AlgorithmPlan>,
    /// Form of the random walk.
    pub walk: String,
    /// Where filter and smoother run; none where all runs on the CPU.
    pub chain: Option<String>,
    /// What is written besides the posterior.
    pub save: Vec<Save>,
    /// Hash of inputs, options and version: equal for all parts.
    pub run: String,
    /// Which part, if not all: its likelihood is computed, nothing else.
    pub shard: Option<ShardPlan>,
    /// The part is there already, whole.
    #[serde(skip)]
    pub done: bool,
    /// Rows of a chunk of the likelihood.
    pub chunk_rows: usize,
    /// Rows between two checkpoints of the filter.
    pub checkpoint_rows: usize,
    /// True where the likelihood waits for the smoother in memory, false on disk.
    pub held: bool,
    /// Electrodes (or parts of one) whose tables are in memory together, numbered over all; none
    /// for sorted units.
    pub turns: Vec<Range<usize>>,
    /// Floating point operations, about.
    pub flop: f64,
    /// Most memory it takes, about, bytes.
    pub memory_bytes: u64,
    /// Size of the output, about, bytes.
    pub output_bytes: u64,
    /// The output.
    pub output: PathBuf,
    /// Worker threads.
    pub threads: usize,
    /// What computes, and why.
    pub backend: Backend,
    /// Instruction set.
    pub level: String,
    /// Memory limit, bytes.
    pub memory: u64,
    /// Seed of what is sampled.
    pub seed: u64,
    /// Warnings found while planning.
    pub warnings: Vec<String>,
    /// What the run needs besides.
    #[serde(skip)]
    pub prepared: Prepared,
}

impl Planned for Plan {
    fn name(&self) -> Option<&str> {
        Some(&self.run)
    }

    fn backend(&self) -> &Backend {
        &self.backend
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_recording(f)?;
        self.fmt_model(f)?;
        for one in &self.algorithms {
            writeln!(f, "intensity  {} electrode(s): {}", one.electrodes, one.method)?;
            writeln!(f, "           {}", one.why)?;
            let seen = one.observed;
            match one.bound {
                Some(bound) => {
                    writeln!(
                        f,
                        "           error at most {bound:.1e} nats, {seen:.1e} seen on samples; rounding"
                    )?;
                }
                None => writeln!(f, "           error {seen:.1e} nats on samples, not guaranteed; rounding")?,
            }
            writeln!(f, "           adds about {} nats", self.rounding())?;
        }
        if let Some(ShardPlan { shard, rows }) = &self.shard {
            writeln!(f, "shard      {shard}: the likelihood of time bins {} to {}", rows.start, rows.end)?;
        }
        if self.rows > 0 {
            let held = if self.held { "in memory" } else { "in a file beside the output" };
            writeln!(f, "chunks     {} rows; the likelihood waits for the smoother {held}", self.chunk_rows)?;
            writeln!(f, "smoother   from checkpoints every {} rows", self.checkpoint_rows)?;
        }
        writeln!(f, "work       {:.3e} flop, {} of memory", self.flop, format_bytes(self.memory_bytes))?;
        writeln!(f, "output     {}, about {}", self.output.display(), format_bytes(self.output_bytes))?;
        writeln!(f, "{}", self.backend)?;
        writeln!(f, "threads    {} ({})", self.threads, self.level)?;
        writeln!(f, "limit      {}", format_bytes(self.memory))
    }
}

impl Plan {
    /// What single or double precision adds to a log intensity, as seen against exact sums.
    fn rounding(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "1e-6",
            Precision::F64 => "1e-14",
        }
    }

    fn fmt_recording(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recording = &self.recording;
        let [samples, encoding] = recording.samples;
        writeln!(f, "input      {}", recording.path.display())?;
        writeln!(f, "positions  {samples} samples of {} axes, {encoding} encode", recording.axes)?;
        let what = match self.likelihood {
            Likelihood::Clusterless => "electrodes",
            Likelihood::Sorted => "units",
        };
        writeln!(
            f,
            "spikes     {} {what}; {} spikes encode, {} are decoded",
            recording.trains, recording.encoding_spikes, recording.decoding_spikes
        )?;
        if self.rows > 0 {
            writeln!(f, "time       {} bins of {} s (median)", self.rows, shortest(self.step))?;
        }
        Ok(())
    }

    fn fmt_model(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.grid.shape.iter().map(ToString::to_string).collect();
        let track = if self.grid.track { " along the track graph" } else { "" };
        writeln!(f, "grid       {} place bins{track}, {} interior", shape.join(" x "), self.grid.interior)?;
        let list = |values: &[f64]| values.iter().map(|v| shortest(*v)).collect::<Vec<_>>().join(", ");
        writeln!(f, "kernel     position {} (standard deviation)", list(&self.grid.position_std))?;
        if self.rows > 0 {
            writeln!(f, "states     {}; {} columns", self.states.join(", "), self.columns)?;
            writeln!(f, "movement   {}", self.walk)?;
            if let Some(chain) = &self.chain {
                writeln!(f, "chain      {chain}")?;
            }
        }
        Ok(())
    }
}

/// A number with at most six digits after the point.
fn shortest(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded == 0.0 { format!("{value:.3e}") } else { rounded.to_string() }
}

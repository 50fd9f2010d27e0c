//! What will run tick by tick, resolved: printed by `--dry-run`, saved in the report.

use super::RealtimeConfig;
use super::bytes::Input;
use super::hints::Hints;
use super::options::Likelihood;
use super::prepare::Prepared;
use super::writer::Form;
use crate::backend::Backend;
use crate::commands::Planned;
use crate::units::format_bytes;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

/// What a recording holds, as events.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Events {
    /// Position samples.
    pub positions: usize,
    /// Spikes.
    pub spikes: usize,
    /// Samples of field potential.
    pub field_potentials: usize,
}

/// A resolved run.
#[derive(Serialize)]
pub struct StreamPlan {
    /// Where events come from.
    pub input: PathBuf,
    /// What that is.
    pub source: Input,
    /// What it holds, where that is known.
    pub events: Option<Events>,
    /// What a spike tells.
    pub likelihood: Likelihood,
    /// Electrodes.
    pub electrodes: usize,
    /// Names of the states.
    pub states: Vec<String>,
    /// Place bins.
    pub bins: usize,
    /// Samples of the clock per second, where it is known.
    pub clock: Option<f64>,
    /// When ticks are made.
    pub ticks: String,
    /// A tick's interval, seconds.
    pub tick_s: f64,
    /// Events wait for their time.
    pub paced: bool,
    /// Seconds of the stream that are neither held back nor timed, where asked for.
    pub warm_up_s: Option<f64>,
    /// Ripples are looked for in this.
    pub lfp: Option<String>,
    /// Which spikes count as one.
    pub dedup: &'static str,
    /// What the realtime likelihood is set up by.
    pub config: Option<RealtimeConfig>,
    /// Wishes of the ticking thread.
    pub hints: Hints,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Form of the output.
    pub form: Form,
    /// The output.
    pub output: PathBuf,
    /// Memory that is taken before the first event, about, bytes.
    pub memory_bytes: u64,
    /// Memory limit, bytes.
    pub memory: u64,
    /// What computes, and why.
    pub backend: Backend,
    /// Instruction set.
    pub level: String,
    /// Warnings found while planning.
    pub warnings: Vec<String>,
    /// What the run needs besides; taken by it.
    #[serde(skip)]
    pub prepared: Mutex<Option<Prepared>>,
}

impl Planned for StreamPlan {
    fn backend(&self) -> &Backend {
        &self.backend
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Display for StreamPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Input::StandardInput => "records from standard input",
            Input::Fifo => "records from a FIFO",
            Input::File => "records from a file that may grow",
            Input::Recording => "a recording",
        };
        writeln!(f, "input      {}, {source}", self.input.display())?;
        if let Some(events) = &self.events {
            let Events { positions, spikes, field_potentials } = events;
            write!(f, "events     {positions} positions, {spikes} spikes")?;
            match field_potentials {
                0 => writeln!(f)?,
                count => writeln!(f, ", {count} samples of field potential")?,
            }
        }
        let likelihood = match self.likelihood {
            Likelihood::Realtime => "realtime, learning",
            Likelihood::Kde => "kde, frozen model",
        };
        writeln!(f, "likelihood {likelihood}; {} electrodes; duplicates: {}", self.electrodes, self.dedup)?;
        if let Some(config) = &self.config {
            writeln!(f, "marks      {} of each electrode, {} channels", config.marks, config.mark_dim)?;
        }
        writeln!(f, "states     {}; {} bins each", self.states.join(", "), self.bins)?;
        writeln!(f, "ticks      {}{}", self.ticks, if self.paced { ", paced by the clock" } else { "" })?;
        if let Some(seconds) = self.warm_up_s {
            writeln!(f, "warm-up    {seconds} s, neither held back nor timed")?;
        }
        if let Some(lfp) = &self.lfp {
            writeln!(f, "ripples    in {lfp}")?;
        }
        let output = self.output.display();
        writeln!(f, "output     {output}: {}, {} bytes a tick", self.form.name(), self.record_bytes)?;
        writeln!(f, "memory     {} before the first event", format_bytes(self.memory_bytes))?;
        writeln!(f, "limit      {}", format_bytes(self.memory))?;
        writeln!(f, "{}", self.backend)?;
        writeln!(f, "level      {}", self.level)
    }
}

//! What the user asked of `decode --stream`; plain data.

use super::bytes::Input;
use super::hints::Hints;
use crate::commands::decode::Options;
use std::path::PathBuf;

pub use crate::kernels::realtime::Dedup;

/// What a spike tells, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Marks learned while the animal runs (spec decode 8.2, 8.3).
    Realtime,
    /// A frozen encoding model, as offline (spec decode 4).
    Kde,
}

/// When ticks are made.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ticks {
    /// At the decoding times where some are given, else every time bin of the configuration.
    #[default]
    Usual,
    /// Every so many seconds of stream time.
    Every(f64),
    /// Where records of the stream say so.
    Records,
}

/// Everything `decode --stream` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamOptions {
    /// What the tick mode shares with the other: input, output, and for `kde` the model.
    pub decode: Options,
    /// Kind of the input.
    pub input: Input,
    /// What a spike tells.
    pub likelihood: Likelihood,
    /// JSON of the realtime configuration.
    pub config: Option<PathBuf>,
    /// When ticks are made.
    pub ticks: Ticks,
    /// Hold events back until their time has come.
    pub paced: bool,
    /// Seconds of the stream before anything is held back or timed.
    pub warm_up: Option<f64>,
    /// Seconds without growth that end a file of records.
    pub idle: Option<f64>,
    /// Dataset of field potential of a recording, or channel of a stream.
    pub lfp: Option<String>,
    /// Which spikes count as one.
    pub dedup: Dedup,
    /// Wishes of the ticking thread.
    pub hints: Hints,
}

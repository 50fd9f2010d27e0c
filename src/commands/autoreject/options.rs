//! What the user asked of `autoreject`; plain data with the defaults.

use crate::error::Result;
use crate::io::InputSpec;
use crate::shards::{Asked, Shard};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;

/// What is done to the epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A threshold per channel, repair of some channels, a vote on epochs.
    #[default]
    Local,
    /// One threshold per channel type; epochs over it are dropped.
    Global,
    /// Channels that their neighbours do not predict are repaired in all epochs.
    Ransac,
}

/// How a channel's threshold is searched (spec autoreject 7, 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdSearch {
    /// The peer's Bayesian optimisation: 41 initial points and 10 more.
    #[default]
    Bayesian,
    /// Twenty random thresholds.
    Random,
    /// The true minimum over all candidates.
    Exact,
}

/// Where names, types and positions come from besides the input itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelSources {
    /// BIDS `channels.tsv`: `name`, `type`, `status`.
    pub channels: Option<PathBuf>,
    /// BIDS `electrodes.tsv`: `name`, `x`, `y`, `z`.
    pub electrodes: Option<PathBuf>,
    /// Name of a standard montage that gives positions to standard names.
    pub montage: Option<String>,
    /// Sampling rate, hertz, where the input has none.
    pub sfreq: Option<f64>,
    /// Names or types to fit; empty takes the default (spec autoreject 1).
    pub picks: Vec<String>,
    /// Names or types marked as bad besides the input's own.
    pub bads: Vec<String>,
    /// What one stored unit is in SI units: 1e-6 for microvolts.
    pub unit: f64,
}

impl Default for ChannelSources {
    /// Nothing beside the input, which is in SI units.
    fn default() -> Self {
        ChannelSources {
            channels: None,
            electrodes: None,
            montage: None,
            sfreq: None,
            picks: Vec::new(),
            bads: Vec::new(),
            unit: 1.0,
        }
    }
}

/// Everything `autoreject` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Epochs files, each perhaps with a dataset in it.
    pub inputs: Vec<InputSpec>,
    /// Folder for the results.
    pub output: PathBuf,
    /// What is done.
    pub method: Method,
    /// How thresholds are searched.
    pub search: ThresholdSearch,
    /// Grid of numbers of channels to repair; None takes `[1, 4, min(C - 1, 32)]`.
    pub n_interpolate: Option<Vec<i64>>,
    /// Grid of consensus shares; None takes 0, 0.1, ... 1.
    pub consensus: Option<Vec<f64>>,
    /// Folds; None takes 10, and 5 for `global`.
    pub cv: Option<usize>,
    /// Keep every so many samples (`global` only).
    pub decim: usize,
    /// Names, types, positions.
    pub sources: ChannelSources,
    /// Predicted epochs take part in the threshold search.
    pub augment: bool,
    /// Thresholds given by file (JSON: name to threshold, or a `summary.json`).
    pub thresholds: Option<PathBuf>,
    /// A state fitted before.
    pub apply: Option<PathBuf>,
    /// A reject log edited by hand.
    pub reject_log: Option<PathBuf>,
    /// Fresh votes for every entry of the n_interpolate grid instead of the peer's carried labels.
    pub fresh_labels: bool,
    /// Drop epochs with more bad channels than may be repaired.
    pub drop_unrepaired: bool,
    /// Seed; None takes 42, and 435656 for `ransac`.
    pub seed: Option<u32>,
    /// Deflate level 1..9 of the cleaned epochs; None copies the input's choice.
    pub compress: Option<u32>,
    /// Go on from matching checkpoints.
    pub resume: bool,
    /// Which part of the inputs is worked on; None takes them all.
    pub shard: Option<Shard>,
    /// Command line and folder, for parts: the merge takes its options from them.
    pub asked: Asked,
}

impl Default for Options {
    /// What a command line with nothing but inputs and an output asks.
    fn default() -> Self {
        Options {
            inputs: Vec::new(),
            output: PathBuf::new(),
            method: Method::default(),
            search: ThresholdSearch::default(),
            n_interpolate: None,
            consensus: None,
            cv: None,
            decim: 1,
            sources: ChannelSources::default(),
            augment: true,
            thresholds: None,
            apply: None,
            reject_log: None,
            fresh_labels: false,
            drop_unrepaired: false,
            seed: None,
            compress: None,
            resume: false,
            shard: None,
            asked: Asked::default(),
        }
    }
}

impl Options {
    /// The folder that the run writes: the output, or its part.
    ///
    /// # Errors
    /// An output without a name.
    pub fn target(&self) -> Result<PathBuf> {
        self.shard.map_or_else(|| Ok(self.output.clone()), |shard| shard.part_of(&self.output, true))
    }

    /// Positions of the inputs that the run works on.
    pub fn own(&self) -> Range<usize> {
        let all = self.inputs.len() as u64;
        let own = self.shard.map_or(0..all, |shard| shard.items(all));
        own.start as usize..own.end as usize
    }
}

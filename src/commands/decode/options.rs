//! What the user asked of `decode`; plain data with the defaults.

use crate::error::Result;
use crate::io::InputSpec;
use crate::shards::{Asked, Shard};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which states the animal's represented position can be in, and how it moves (spec decode 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One state that moves as a random walk.
    #[default]
    Decoder,
    /// Continuous and fragmented movement.
    Contfrag,
    /// Local, no spike, non-local continuous, non-local fragmented.
    Nonlocal,
    /// No spike, continuous, fragmented.
    NospikeContfrag,
}

/// What the spikes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Time and waveform features of unsorted spikes.
    #[default]
    Clusterless,
    /// Times of sorted units.
    Sorted,
}

impl Likelihood {
    /// As the flag spells it.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Clusterless => "clusterless",
            Likelihood::Sorted => "sorted",
        }
    }
}

/// How the likelihood is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The cheapest of direct product and cell moments whose guaranteed error is at most 2e-6.
    Exact,
    /// The direct product.
    Direct,
    /// Cell moments with this guaranteed largest error of a spike's log intensity.
    Approx(f64),
    /// The cheapest cell moments whose sampled error stays under this; no guarantee.
    Observed(f64),
}

/// Element type of the likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single-precision kernels, sums in double precision.
    #[default]
    F32,
    /// Double precision throughout: the oracle.
    F64,
}

/// Where a spike's intensity stops falling (spec decode 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFloor {
    /// The peer's 1e-15, in units of the mark space.
    #[default]
    Peer,
    /// So many nats under the electrode's greatest possible intensity.
    Relative(f64),
}

/// Which bins of the grid take part.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interior {
    /// Those the animal visited, closed (spec decode 2.1).
    #[default]
    Visited,
    /// All of them, padding included.
    All,
    /// A mask of truth values of the grid's shape.
    File(PathBuf),
}

/// What the file holds besides the acausal posterior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Save {
    /// Causal posterior.
    Filter,
    /// One-step prediction.
    Predictive,
    /// Log likelihood.
    Loglik,
    /// Bin of the greatest posterior.
    Map,
    /// Posterior mean.
    Mean,
    /// Thresholds of the 50 % and 95 % regions of highest density.
    Hpd,
    /// Most likely sequence of bins.
    Viterbi,
}

/// Everything `decode` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The recording: NWB, HDF5, or a folder of `.npy`.
    pub input: InputSpec,
    /// The netCDF-4 file, or with `fit_only` the encoding model.
    pub output: PathBuf,
    /// States and movement.
    pub model: Model,
    /// What the spikes tell.
    pub likelihood: Likelihood,
    /// Standard deviation of the position kernel, per axis or one for all; None takes the model's, else 6.
    pub position_std: Option<Vec<f64>>,
    /// Standard deviation of the mark kernel, per feature or one for all; None takes the model's, else 24.
    pub waveform_std: Option<Vec<f64>>,
    /// Side of a place bin, per axis or one for all; None takes the model's, else 2.
    pub bin_size: Option<Vec<f64>>,
    /// Ends of the grid along each axis; None takes those of the positions.
    pub position_range: Option<Vec<(f64, f64)>>,
    /// Variance of the random walk per time bin, length squared.
    pub movement_var: f64,
    /// Decoding times `start, stop, step` in seconds, stop excluded; None takes the file's.
    pub time: Option<(f64, f64, f64)>,
    /// Encoding intervals in seconds, both ends included; None takes the file's mask, else all.
    pub encode: Option<Vec<(f64, f64)>>,
    /// JSON of a track graph.
    pub track_graph: Option<PathBuf>,
    /// Bins that take part.
    pub interior: Interior,
    /// Floor of a spike's intensity.
    pub log_floor: LogFloor,
    /// Rates in hertz instead of spikes per position sample.
    pub rate_seconds: bool,
    /// Rate of the no-spike state, hertz.
    pub no_spike_rate: f64,
    /// Rows of the discrete transition matrix; None takes the model's.
    pub discrete_transition: Option<Vec<Vec<f64>>>,
    /// Initial probabilities of the states; None takes the model's.
    pub initial: Option<Vec<f64>>,
    /// Height and width of the penalty on positions near the animal (`nonlocal`).
    pub position_penalty: (f64, f64),
    /// What is written besides the posterior.
    pub save: Vec<Save>,
    /// How the likelihood is computed.
    pub algorithm: Algorithm,
    /// Element type of the likelihood.
    pub precision: Precision,
    /// Stop after the encoding model and write it.
    pub fit_only: bool,
    /// An encoding model written before.
    pub encoding_model: Option<PathBuf>,
    /// Position series of an NWB file, by name or path, one after another in time; empty: the only one.
    pub position_series: Vec<String>,
    /// Columns of the units table that are the marks, in order.
    pub features: Vec<String>,
    /// Keep the first of equal or decreasing position time stamps instead of refusing.
    pub fix_timestamps: bool,
    /// Picture of the posterior over time.
    pub plot: Option<PathBuf>,
    /// Deflate level 1..9.
    pub compress: Option<u32>,
    /// Seed of the samples that errors are observed on.
    pub seed: u64,
    /// Count several spikes of one electrode or unit at exactly one time once.
    pub drop_repeated_spikes: bool,
    /// Weigh position samples by `position/weights` (sorted units only).
    pub position_weights: bool,
    /// Which part of the time bins is done: their likelihood alone; None decodes them all.
    pub shard: Option<Shard>,
    /// An output that the same run wrote before is taken as done.
    pub resume: bool,
    /// Command line and folder, for parts: the merge takes its options from them.
    pub asked: Asked,
}

impl Default for Options {
    /// What a command line with nothing but input and output asks.
    fn default() -> Self {
        Options {
            input: InputSpec::file(""),
            output: PathBuf::new(),
            model: Model::default(),
            likelihood: Likelihood::default(),
            position_std: None,
            waveform_std: None,
            bin_size: None,
            position_range: None,
            movement_var: 6.0,
            time: None,
            encode: None,
            track_graph: None,
            interior: Interior::default(),
            log_floor: LogFloor::default(),
            rate_seconds: false,
            no_spike_rate: 1e-10,
            discrete_transition: None,
            initial: None,
            position_penalty: (0.0, 1.0),
            save: Vec::new(),
            algorithm: Algorithm::Exact,
            precision: Precision::default(),
            fit_only: false,
            encoding_model: None,
            position_series: Vec::new(),
            features: Vec::new(),
            fix_timestamps: false,
            plot: None,
            compress: None,
            seed: 42,
            drop_repeated_spikes: false,
            position_weights: false,
            shard: None,
            resume: false,
            asked: Asked::default(),
        }
    }
}

impl Options {
    /// The file that the run writes: the output, or its part.
    ///
    /// # Errors
    /// An output without a name.
    pub fn target(&self) -> Result<PathBuf> {
        self.shard.map_or_else(|| Ok(self.output.clone()), |shard| shard.part_of(&self.output, false))
    }

    /// The files that the run writes: the result, and beside a whole one its picture.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub fn written(&self) -> Result<Vec<PathBuf>> {
        let drawn = self.plot.clone().filter(|_| self.shard.is_none());
        Ok(std::iter::once(self.target()?).chain(drawn).collect())
    }
}

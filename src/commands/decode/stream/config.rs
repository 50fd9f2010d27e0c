//! How the `realtime` likelihood is set up: JSON with the peer's keys (spec decode 8.1).
//!
//! Keys that are not there take the defaults; a bad value, or a name that no section has, is
//! refused by its key. Sections of the peer's that concern processes, screens and hardware are
//! passed over: [`RealtimeConfig::ignored`] names those that nobody knows.
//! Lengths are in the unit of the positions, times in samples of the spike clock.

mod read;

use serde::Serialize;

/// Channels of an electrode at most.
pub const MOST_CHANNELS: usize = 64;

/// What decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// One state, uniform movement.
    Decoder,
    /// Several states, each with its own movement.
    Classifier,
}

/// How positions move from one state into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// They stay.
    Identity,
    /// A Gaussian walk along the arms.
    RandomWalk,
    /// Anywhere.
    Uniform,
}

/// Place bins of a track of arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bins {
    /// Lower edge of the first bin.
    pub lower: f64,
    /// Upper edge of the last bin.
    pub upper: f64,
    /// Number of bins.
    pub count: usize,
    /// First and last bin of each arm, both included, in order; other bins are gaps.
    pub arms: Vec<[usize; 2]>,
}

/// Kernel of the marks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkKernel {
    /// Standard deviation, unit of the marks.
    pub std: f64,
    /// Demand marks nearby.
    pub use_filter: bool,
    /// Nearby is strictly within so many standard deviations in each channel.
    pub n_std: f64,
    /// Marks nearby that are demanded.
    pub n_marks_min: usize,
}

/// States and how they follow each other; used by [`Algorithm::Classifier`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classifier {
    /// Names of the states.
    pub states: Vec<String>,
    /// Probability that a state stays; the rest is shared evenly.
    pub diagonal: f64,
    /// Movement `[from][to]`.
    pub movement: Vec<Vec<Movement>>,
    /// Length of a bin, centimetres.
    pub cm_per_bin: f64,
    /// Standard deviation of the random walk, centimetres.
    pub gaussian_std: f64,
}

/// Everything that the `realtime` likelihood is set up by; defaults are those of spec 8.1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RealtimeConfig {
    /// What decodes.
    pub algorithm: Algorithm,
    /// Number of the decoder, as records carry it.
    pub rank: i32,
    /// Electrodes in order; empty: those of the recording.
    pub electrodes: Vec<u16>,
    /// Samples of the spike clock per second.
    pub clock: f64,
    /// Samples of the local field potential per second.
    pub lfp_rate: f64,
    /// Train no marks and no occupancy.
    pub frozen: bool,
    /// Place bins.
    pub bins: Bins,
    /// Marks without a channel above this are passed over.
    pub spike_amplitude: f64,
    /// Channels of a mark.
    pub mark_dim: usize,
    /// Marks kept of each electrode.
    pub marks: usize,
    /// Speed from which on the animal trains.
    pub velocity_threshold: f64,
    /// Channels farther than this from the one of the greatest value are zeroed where an electrode
    /// has more than twice as many and one; None: never.
    pub channel_distance: Option<usize>,
    /// Channels that are zeroed, for electrodes that have such.
    pub dead_channels: Vec<(u16, Vec<usize>)>,
    /// Kernel of the marks.
    pub kernel: MarkKernel,
    /// Spikes that wait for their tick.
    pub spike_buffer: usize,
    /// Samples of a time bin.
    pub bin_samples: i64,
    /// Samples that a tick lies behind its newest spike.
    pub delay_samples: i64,
    /// Credible share.
    pub credible_level: f64,
    /// Spikes of at most so many credible bins are named in a record.
    pub credible_max: i32,
    /// States of the classifier.
    pub classifier: Classifier,
    /// Sections of the file that nobody knows, for a warning.
    pub ignored: Vec<String>,
}

impl Default for Bins {
    fn default() -> Self {
        Bins { lower: 0.0, upper: 41.0, count: 41, arms: vec![[0, 8], [13, 24], [29, 40]] }
    }
}

impl Default for Classifier {
    fn default() -> Self {
        use Movement::{Identity, RandomWalk, Uniform};
        Classifier {
            states: ["stationary", "continuous", "fragmented"].map(String::from).to_vec(),
            diagonal: 0.98,
            movement: vec![
                vec![Identity, RandomWalk, Uniform],
                vec![Identity, RandomWalk, Uniform],
                vec![Uniform, Uniform, Uniform],
            ],
            cm_per_bin: 5.0,
            gaussian_std: 6.0,
        }
    }
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        RealtimeConfig {
            algorithm: Algorithm::Decoder,
            rank: 1,
            electrodes: Vec::new(),
            clock: 30_000.0,
            lfp_rate: 1500.0,
            frozen: false,
            bins: Bins::default(),
            spike_amplitude: 100.0,
            mark_dim: 4,
            marks: 50_000,
            velocity_threshold: 10.0,
            channel_distance: None,
            dead_channels: Vec::new(),
            kernel: MarkKernel { std: 20.0, use_filter: true, n_std: 1.0, n_marks_min: 10 },
            spike_buffer: 2000,
            bin_samples: 180,
            delay_samples: 180,
            credible_level: 0.5,
            credible_max: 5,
            classifier: Classifier::default(),
            ignored: Vec::new(),
        }
    }
}

impl RealtimeConfig {
    /// Length of a time bin, seconds.
    pub fn bin_seconds(&self) -> f64 {
        self.bin_samples as f64 / self.clock
    }
}

impl Bins {
    /// Width of a bin.
    pub fn delta(&self) -> f64 {
        (self.upper - self.lower) / self.count as f64
    }

    /// Centres of the bins.
    pub fn centers(&self) -> Vec<f64> {
        let delta = self.delta();
        (0..self.count).map(|bin| self.lower + (bin as f64 + 0.5) * delta).collect()
    }
}

#[cfg(test)]
mod tests;

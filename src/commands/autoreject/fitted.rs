//! What a fit yields: thresholds, choices and the reject log; plain data (spec autoreject 9, 12).

use super::channels::ChannelKind;

/// The fit of one channel type.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The type.
    pub kind: ChannelKind,
    /// Indices into the recording's channels, ascending.
    pub picks: Vec<usize>,
    /// Names of the picks.
    pub names: Vec<String>,
    /// Peak-to-peak threshold per pick, SI units.
    pub thresholds: Vec<f64>,
    /// The chosen share of bad channels from which on an epoch is bad.
    pub consensus: f64,
    /// The chosen number of channels repaired at most.
    pub n_interpolate: i64,
    /// Loss `[consensus][n_interpolate][fold]`, infinite where nothing is kept.
    pub loss: Vec<f64>,
}

/// A whole fit, as it is saved and applied to other epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedState {
    /// Grid of consensus shares.
    pub consensus: Vec<f64>,
    /// Grid of numbers of repaired channels.
    pub n_interpolate: Vec<i64>,
    /// Folds of the grid search.
    pub cv: usize,
    /// Seed of splits and searches.
    pub seed: u32,
    /// `bayesian_optimization`, `random_search` or `exact`.
    pub thresh_method: String,
    /// All picks, ascending.
    pub picks: Vec<usize>,
    /// One fit per channel type, in order of first appearance.
    pub groups: Vec<Fitted>,
}

/// Which epochs are dropped and which channels repaired.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectLog {
    /// All channels of the recording.
    pub ch_names: Vec<String>,
    /// One per epoch.
    pub bad_epochs: Vec<bool>,
    /// `[epoch][channel]`: 0 good, 1 bad, 2 repaired, NaN not picked.
    pub labels: Vec<f64>,
}

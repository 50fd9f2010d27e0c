//! The variables that a result file may hold (spec decode 6.1).

use super::ResultLayout;
use crate::array::Dtype;

/// A variable of a result file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// Smoother output, `(time, state_bins)`.
    AcausalPosterior,
    /// Its sums over each state's bins, `(time, states)`.
    AcausalStateProbabilities,
    /// Filter output.
    CausalPosterior,
    /// Its sums over each state's bins.
    CausalStateProbabilities,
    /// One-step prediction, before the row's own spikes.
    PredictivePosterior,
    /// Its sums over each state's bins.
    PredictiveStateProbabilities,
    /// Log likelihood of every bin.
    LogLikelihood,
    /// Centre of the bin of maximum posterior, `(time,)` per axis.
    MapPosition,
    /// Mean of the posterior, `(time,)` per axis.
    MeanPosition,
    /// Threshold of the highest-density region of half the mass, `(time,)`.
    HpdThreshold50,
    /// The same of 95 % of the mass.
    HpdThreshold95,
    /// Most likely sequence as indices into `state_bins`, `(time,)`.
    ViterbiBin,
}

/// What a row of a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// A value for every bin of every state.
    StateBins,
    /// A value for every state.
    States,
    /// A coordinate along every position axis, each a variable of its own.
    Position,
    /// One number.
    Number,
    /// One index.
    Index,
}

impl Variable {
    /// What its rows hold.
    pub fn row(self) -> Row {
        use Variable::*;
        match self {
            AcausalPosterior | CausalPosterior | PredictivePosterior | LogLikelihood => Row::StateBins,
            AcausalStateProbabilities | CausalStateProbabilities | PredictiveStateProbabilities => {
                Row::States
            }
            MapPosition | MeanPosition => Row::Position,
            HpdThreshold50 | HpdThreshold95 => Row::Number,
            ViterbiBin => Row::Index,
        }
    }

    /// Element type in the file.
    pub fn dtype(self) -> Dtype {
        match self.row() {
            Row::StateBins | Row::States => Dtype::F32,
            Row::Position | Row::Number => Dtype::F64,
            Row::Index => Dtype::I64,
        }
    }

    /// Its name in the file, or the names of its axes.
    pub fn names(self, layout: &ResultLayout) -> Vec<String> {
        let name = match self {
            Variable::AcausalPosterior => "acausal_posterior",
            Variable::AcausalStateProbabilities => "acausal_state_probabilities",
            Variable::CausalPosterior => "causal_posterior",
            Variable::CausalStateProbabilities => "causal_state_probabilities",
            Variable::PredictivePosterior => "predictive_posterior",
            Variable::PredictiveStateProbabilities => "predictive_state_probabilities",
            Variable::LogLikelihood => "log_likelihood",
            Variable::MapPosition => return layout.axis_names("map_"),
            Variable::MeanPosition => return layout.axis_names("mean_"),
            Variable::HpdThreshold50 => "hpd_threshold_50",
            Variable::HpdThreshold95 => "hpd_threshold_95",
            Variable::ViterbiBin => "viterbi_bin",
        };
        vec![name.to_owned()]
    }

    /// Its attribute `coordinates`: names sorted, blank-separated; nothing where no coordinate but
    /// `time` belongs to it. Coordinates without a dimension belong to every variable.
    pub fn coordinates(self, layout: &ResultLayout) -> Option<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of_states = || owned(&["encoding_groups", "environments"]);
        let mut names = match self.row() {
            Row::StateBins => [layout.axis_names(""), owned(&["state"])].concat(),
            Row::States => of_states(),
            _ => Vec::new(),
        };
        if layout.states.len() == 1 {
            names.extend([of_states(), owned(&["states"])].concat());
        }
        names.sort();
        names.dedup();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

//! The encoding model: where the animal was, how often each electrode or unit fired there, and the
//! spikes it is decoded with (spec decode 3, 4.1, 4.4, 4.6).
//!
//! Positions are linearised where there is a track graph, `[row][axis]`; arrays over place bins have one
//! value per interior bin. Occupancy and spike densities are densities over position
//! (1/unit^axes); rates are spikes per position sample, or per second where asked.

mod fit;
mod local;
mod memory;
#[cfg(test)]
mod tests;

use super::grid::PlaceGrid;
pub use super::options::Likelihood;
use super::selection::median_step;
use super::track::TrackGraph;
use crate::error::{Error, Result};
use crate::io::column::Column;
use serde::{Deserialize, Serialize};

pub use fit::{EncodingData, EncodingTrain, Settings};
pub use local::{LocalModel, PositionDensity, local_log_intensity};

/// The least intensity: what is smaller counts as this (spec decode, symbols).
pub const EPS: f64 = 1e-15;
/// Its logarithm.
pub const LOG_EPS: f64 = -34.538776394910684;

/// What rates count per.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateUnits {
    /// Position sample, as the peer does: decoding bins are taken to be as long.
    Samples,
    /// Second; the rate of a decoding bin is multiplied by its width.
    Seconds {
        /// Median step of the position samples, s.
        sample_period: f64,
    },
}

impl RateUnits {
    /// What a rate is multiplied by for one decoding bin of `bin_width` seconds.
    pub fn per_bin(self, bin_width: f64) -> f64 {
        match self {
            RateUnits::Samples => 1.0,
            RateUnits::Seconds { .. } => bin_width,
        }
    }

    /// What lies between two position samples: 1 sample, or the median step in seconds.
    pub fn sample(self) -> f64 {
        match self {
            RateUnits::Samples => 1.0,
            RateUnits::Seconds { sample_period } => sample_period,
        }
    }
}

/// Encoding spikes of one electrode or unit.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedTrain {
    /// Its name in the input.
    pub name: String,
    /// Features of a mark; 0 for a sorted unit.
    pub width: usize,
    /// `[spike][feature]`.
    pub marks: Column<f64>,
    /// `[spike][axis]`, linearised.
    pub positions: Column<f64>,
    /// Weights of a sorted unit's spikes; empty: all 1.
    pub weights: Column<f64>,
    /// Mean rate.
    pub rate: f64,
    /// Sorted: rate at each interior bin, at least [`EPS`]; clusterless: empty.
    pub field: Vec<f64>,
}

impl EncodedTrain {
    /// Number of its encoding spikes.
    pub fn spikes(&self, axes: usize) -> usize {
        self.positions.len() / axes.max(1)
    }
}

/// Everything that decoding needs to know about encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodingModel {
    /// Which spikes it decodes.
    pub kind: Likelihood,
    /// The place bins.
    pub grid: PlaceGrid,
    /// The track that positions are linearised on.
    pub track: Option<TrackGraph>,
    /// Width of a place bin as asked for: one for all axes, or one per axis.
    pub bin_size: Vec<f64>,
    /// Bandwidth of positions, one per axis.
    pub position_std: Vec<f64>,
    /// Bandwidth of marks: one for all features, or one per feature; empty for sorted units.
    pub waveform_std: Vec<f64>,
    /// What rates count per.
    pub rate_units: RateUnits,
    /// Position samples that encode, `[sample][axis]`, linearised.
    pub samples: Vec<f64>,
    /// Their weights (sorted units only); empty: all 1.
    pub weights: Vec<f64>,
    /// Density of the samples at each interior bin.
    pub occupancy: Vec<f64>,
    /// Summed rate of all trains at each interior bin: what a decoding bin without spikes subtracts
    /// from the log likelihood, before [`RateUnits::per_bin`].
    pub ground: Vec<f64>,
    /// One per electrode or unit.
    pub trains: Vec<EncodedTrain>,
}

impl EncodingModel {
    /// Interior bins.
    pub fn bins(&self) -> usize {
        self.grid.interior_bins.len()
    }

    /// Axes of a (linearised) position.
    pub fn axes(&self) -> usize {
        self.grid.axes
    }

    /// Bandwidth of each feature of a train's marks.
    pub fn mark_std(&self, train: usize) -> Vec<f64> {
        match &self.waveform_std[..] {
            [one] => vec![*one; self.trains[train].width],
            each => each.to_vec(),
        }
    }

    /// `ln(rate / (occupancy * spikes))` of a train at each interior bin: what the log of its summed
    /// kernels is offset by. Negative infinity where the occupancy or the number of spikes is 0.
    pub fn log_scale(&self, train: usize) -> Vec<f64> {
        let spikes = self.trains[train].spikes(self.axes());
        let scale = |&occupancy: &f64| {
            if occupancy > 0.0 && spikes > 0 {
                (self.trains[train].rate / (occupancy * spikes as f64)).ln()
            } else {
                f64::NEG_INFINITY
            }
        };
        self.occupancy.iter().map(scale).collect()
    }

    /// Logarithm of the largest intensity that a train's model can give at any bin (spec 4.4): with
    /// it below the floor, no mark can tell anything. Negative infinity without spikes.
    pub fn ln_ceiling(&self, train: usize) -> f64 {
        let spikes = self.trains[train].spikes(self.axes()) as f64;
        let scale = self.log_scale(train).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let width = |h: &f64| (h * (2.0 * std::f64::consts::PI).sqrt()).ln();
        scale + spikes.ln()
            - self.mark_std(train).iter().map(width).sum::<f64>()
            - self.position_std.iter().map(width).sum::<f64>()
    }

    /// Trains without an encoding spike, by name: each of their decoding spikes adds [`LOG_EPS`]
    /// everywhere.
    pub fn silent_trains(&self) -> Vec<&str> {
        let silent = |train: &&EncodedTrain| train.positions.is_empty();
        self.trains.iter().filter(silent).map(|train| &train.name[..]).collect()
    }

    /// Interior bins without any occupancy: nothing is above the floor there.
    pub fn unvisited_bins(&self) -> usize {
        self.occupancy.iter().filter(|&&occupancy| occupancy == 0.0).count()
    }

    /// Positions in the model's coordinates: linearised where it has a track.
    ///
    /// # Errors
    /// Positions of another number of axes than the model's.
    pub fn linearise(&self, positions: &[f64], axes: usize) -> Result<Vec<f64>> {
        linearise(self.track.as_ref(), &self.grid, positions, axes)
    }
}

/// Positions in the coordinates of `grid`.
fn linearise(
    track: Option<&TrackGraph>,
    grid: &PlaceGrid,
    positions: &[f64],
    axes: usize,
) -> Result<Vec<f64>> {
    let expected = if track.is_some() { 2 } else { grid.axes };
    if axes != expected {
        let what =
            if track.is_some() { "a track graph is laid on the plane" } else { "as the place grid has" };
        let found = format!("positions of {axes} axes");
        return Err(Error::data("position", found, format!("{expected} axes: {what}"), ""));
    }
    Ok(track.map_or_else(|| positions.to_vec(), |track| track.linearise_all(positions)))
}

/// Median decoding and position steps, s, where they differ by more than 1 %: then rates per sample
/// overweight or underweight bins without spikes (spec 3.3).
pub fn step_mismatch(decoding: &[f64], position: &[f64]) -> Option<(f64, f64)> {
    let (decoding, position) = (median_step(decoding), median_step(position));
    ((decoding - position).abs() > 0.01 * position).then_some((decoding, position))
}

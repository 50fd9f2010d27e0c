//! Makes the engine that a run asks for.

use super::config::{Algorithm, RealtimeConfig};
use super::prepare::Prepared;
use super::realtime::Realtime;
use super::{Engine, Shape};
use crate::backend::CpuLevel;
use crate::error::Result;

/// Takes all memory of the engine.
pub fn engine(prepared: &Prepared, level: CpuLevel) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Realtime::new(level, &prepared.config, prepared.options.dedup)))
}

/// Sizes and labels of the `realtime` likelihood.
pub fn shape(config: &RealtimeConfig) -> Shape {
    let state_names = match config.algorithm {
        Algorithm::Decoder => vec!["state".to_owned()],
        Algorithm::Classifier => config.classifier.states.clone(),
    };
    Shape {
        states: state_names.len(),
        bins: config.bins.count,
        state_names,
        centers: vec![config.bins.centers()],
    }
}

/// Memory that it takes, about, bytes: marks in single precision with their bins, estimates of the
/// spikes that wait, transitions.
pub fn bytes(config: &RealtimeConfig) -> u64 {
    let marks = config.electrodes.len() * config.marks * (4 * config.mark_dim + 8);
    let waiting = config.spike_buffer * (8 * config.bins.count + 64);
    let states = shape(config).states;
    (marks + waiting + 8 * (states * config.bins.count).pow(2)) as u64
}

//! Makes the engine that a run asks for.

use super::Engine;
use super::config::RealtimeConfig;
use super::kde;
use super::prepare::Prepared;
use super::realtime::{self, Realtime};
use crate::backend::CpuLevel;
use crate::error::Result;

/// Takes all memory of the engine, whose events have times by `clock`.
///
/// # Errors
/// As [`kde::engine`].
pub fn engine(prepared: &mut Prepared, clock: f64, level: CpuLevel) -> Result<Box<dyn Engine>> {
    let Some(frozen) = &mut prepared.frozen else {
        return Ok(Box::new(Realtime::new(level, &prepared.config, prepared.options.dedup)));
    };
    match frozen.engine.take() {
        Some(engine) if clock == frozen.settings.clock => Ok(engine),
        _ => {
            frozen.settings.clock = clock;
            let made = kde::engine(&prepared.options.decode, &frozen.model, &frozen.settings, level)?;
            Ok(made.0)
        }
    }
}

/// Memory that the `realtime` likelihood takes, about, bytes: marks in single precision with their bins, estimates of the
/// spikes that wait, transitions.
pub fn bytes(config: &RealtimeConfig) -> u64 {
    let marks = config.electrodes.len() * config.marks * (4 * config.mark_dim + 8);
    let waiting = config.spike_buffer * (8 * config.bins.count + 64);
    let states = realtime::shape(config).states;
    (marks + waiting + 8 * (states * config.bins.count).pow(2)) as u64
}

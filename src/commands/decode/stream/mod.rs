//! `decode --stream`: the posterior tick by tick, from events as they come (spec decode 8).
//!
//! An [`Engine`] knows only events: positions, spikes and ticks, all at whole samples of one clock.
//! Whatever it needs is allocated before the first event; spikes are encoded on arrival, so that a
//! tick only combines.

pub mod config;
pub mod engine;
mod json;

pub use config::RealtimeConfig;
pub use engine::{Counts, Engine, Shape, TickRecord};

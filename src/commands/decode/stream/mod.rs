//! `decode --stream`: the posterior tick by tick, from events as they come (spec decode 8).
//!
//! An [`Engine`] knows only events: positions, spikes and ticks, all at whole samples of one clock.
//! Whatever it needs is allocated before the first event; spikes are encoded on arrival, so that a
//! tick only combines. Around it: sources of events ([`source`], [`bytes`], [`event`]), the times
//! of ticks ([`schedule`]), the loop ([`ticking`]), and the thread that writes what a ring hands it
//! ([`ring`], [`writer`]).

pub mod bytes;
pub mod config;
mod electrodes;
pub mod engine;
mod engines;
pub mod event;
pub mod hints;
mod json;
pub mod kde;
pub mod latency;
pub mod lfp;
mod netcdf;
pub mod options;
pub mod plan;
pub mod prepare;
pub mod realtime;
pub mod record;
mod recording;
pub mod ring;
mod run;
pub mod schedule;
pub mod source;
mod speed;
pub mod ticking;
mod told;
mod waiting;
pub mod writer;

pub use config::RealtimeConfig;
pub use engine::{Counts, Engine, Shape, TickRecord};
pub use options::StreamOptions;
pub use plan::StreamPlan;
pub use prepare::plan;
pub use run::run;

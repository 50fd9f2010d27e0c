//! `decode`: position from unsorted spikes and their waveform features (clusterless marked point
//! process), or from sorted units.
//!
//! Input: position samples (any length unit), spike times (seconds) and features per electrode.
//! Output: the posterior of position over time. Numbers as `non_local_detector` gives them
//! (spec decode).

mod condition;
mod numbers;
mod nwb;
mod ragged;
mod reading;
pub mod selection;
mod series;
pub mod session;
mod simple;
mod tree;

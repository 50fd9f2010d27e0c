//! `decode`: position from unsorted spikes and their waveform features, or from sorted units.
//!
//! Input: position samples `[sample, axis]` (any length unit), spike times (seconds) and marks
//! `[spike, feature]` per electrode. Output: the posterior of position `[time, state bin]` over the
//! whole recording as netCDF-4. Method: clusterless marked point process with Gaussian kernel
//! densities and a hidden Markov model of movement (Deng et al. 2015; Denovellis et al. 2021);
//! numbers as `non_local_detector` gives them (spec decode 1-6).

mod assemble;
mod budget;
mod condition;
mod devices;
mod encode;
pub mod encoding;
#[cfg(test)]
mod fixture;
pub mod grid;
mod keeping;
mod mark_models;
mod mask;
pub mod merge;
pub mod model_file;
mod neighbours;
mod numbers;
mod nwb;
pub mod options;
mod part;
mod passes_chain;
mod passes_filter;
mod passes_likelihood;
mod passes_local;
mod passes_smooth;
pub mod plan;
pub mod prepare;
mod ragged;
mod reading;
pub mod results;
mod run;
pub mod selection;
mod series;
pub mod session;
mod simple;
pub mod sorted;
pub mod states;
mod store;
pub mod stream;

pub mod track;
mod tree;
mod walks;

#[cfg(feature = "plot")]
mod picture;
#[cfg(not(feature = "plot"))]
#[path = "no_picture.rs"]
mod picture;

pub use options::Options;
pub use plan::Plan;
pub use prepare::plan;
pub use run::run;

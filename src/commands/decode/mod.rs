//! `decode`: position from unsorted spikes and their waveform features.
//!
//! Input: a recording (spike times in seconds, marks `[spike, feature]`, position `[sample, axis]`).
//! Output: the posterior of position `[time, state bin]` over the whole recording as netCDF-4.
//! Method: clusterless marked point process with Gaussian kernel densities and a hidden Markov
//! model of movement (Deng et al. 2015; Denovellis et al. 2021); numbers as `non_local_detector`
//! gives them (spec decode 1-6).

pub mod options;
pub mod results;

pub use options::Options;

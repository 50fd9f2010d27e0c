//! `decode`: position of an animal from its spikes (spec decode).
//!
//! Input: position samples `[sample][axis]` (any length, cm by habit) with times (s), spikes of each
//! electrode or unit with times (s) and, clusterless, marks `[spike][feature]` (any unit, µV by
//! habit). Output: the posterior over place bins `[time][state bin]`. Method: marked point process
//! with Gaussian kernel densities, state space filter and smoother (Denovellis et al., "Hippocampal
//! replay of experience at real-world speeds", eLife 2021); numbers as `non_local_detector` gives them.

pub mod encoding;
#[cfg(test)]
mod fixture;
pub mod grid;
pub mod model_file;
pub mod neighbours;
pub mod sorted;
pub mod track;

//! `autoreject`: finds and repairs bad channels and trials in EEG/MEG epochs.
//!
//! Input: epochs `[epoch, channel, sample]` in SI units (volt, tesla, ...), channel names, types
//! and positions (metres, head frame). Output: a folder with the cleaned epochs, the reject log,
//! the fitted state, a summary and pictures. Method: Jas et al., "Autoreject: Automated artifact
//! rejection for MEG and EEG data", NeuroImage 159, 2017; numbers as `autoreject` 0.5.1 gives
//! them (spec autoreject).

pub mod channels;
pub mod fitted;
pub mod options;
pub mod ransac;
pub mod search;
pub mod votes;

pub use options::Options;

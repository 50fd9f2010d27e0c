//! `autoreject`: finds and repairs bad channels and trials in EEG/MEG epochs.
//!
//! Input: epochs `[epoch, channel, sample]` in SI units (volt, tesla, ...), channel names, types
//! and positions (metres, head frame). Output: a folder with the cleaned epochs, the reject log,
//! the fitted state, a summary and pictures. Method: Jas et al., "Autoreject: Automated artifact
//! rejection for MEG and EEG data", NeuroImage 159, 2017; numbers as `autoreject` 0.5.1 gives
//! them (spec autoreject).

pub mod advice;
pub mod channels;
mod checkpoint;
pub mod cleaned;
mod copying;
mod decision;
mod deliver;
pub mod epochs;
mod fellows;
pub mod fit;
pub mod fitted;
pub mod folders;
pub mod global;
mod locate;
pub mod merge;
pub mod montage;
pub mod options;
mod part;
mod passes_device;
pub mod passes_grid;
pub mod passes_measure;
pub mod passes_ransac;
pub mod passes_sweep;
pub mod picks;
mod placing;
pub mod plan;
pub mod prepare;
pub mod ransac;
mod reading;
pub mod recording;
pub mod reject_log;
pub mod repairs;
mod run;
pub mod search;
mod sources;
pub mod state;
pub mod summary;
pub mod test_medians;
pub mod tsv;
mod unpacked;
pub mod votes;
mod work;

#[cfg(feature = "plot")]
pub mod pictures;
#[cfg(not(feature = "plot"))]
#[path = "no_pictures.rs"]
pub mod pictures;

pub use options::Options;
pub use plan::Plan;
pub use prepare::plan;
pub use recording::Recording;
pub use run::run;

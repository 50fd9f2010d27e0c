//! `decode`: position from spikes and their waveform features, without sorting them (spec decode).

#[cfg(feature = "plot")]
pub mod picture;
#[cfg(not(feature = "plot"))]
#[path = "no_picture.rs"]
pub mod picture;
pub mod results;

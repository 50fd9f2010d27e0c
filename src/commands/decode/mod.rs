//! `decode`: position from spikes and their waveform features, without sorting them (spec decode).

pub mod results;

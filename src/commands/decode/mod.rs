//! `decode`: position from spikes by a marked point process and a hidden Markov chain
//! (spec decode).

pub mod states;

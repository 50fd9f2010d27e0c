//! Recordings of `fixtures/`, open.

use crate::common::fixture;
use nissl::commands::autoreject::fitted::RejectLog;
use nissl::commands::autoreject::options::ChannelSources;
use nissl::commands::autoreject::recording::Recording;
use nissl::io::InputSpec;
use std::path::Path;

pub fn open(path: &Path) -> Recording {
    let mut warnings = Vec::new();
    let input = InputSpec::file(path);
    Recording::open(&input, &ChannelSources::default(), &mut warnings).unwrap_or_else(|e| panic!("{e}"))
}

pub fn tiny() -> Recording {
    open(&fixture("autoreject/tiny/epochs.h5"))
}

pub fn visual() -> Recording {
    open(&fixture("autoreject/visual/epochs.h5"))
}

pub fn same_labels(a: &RejectLog, b: &RejectLog) -> bool {
    let bits = |log: &RejectLog| log.labels.iter().map(|v| (v.is_nan(), v.max(-1.0))).collect::<Vec<_>>();
    a.ch_names == b.ch_names && a.bad_epochs == b.bad_epochs && bits(a) == bits(b)
}

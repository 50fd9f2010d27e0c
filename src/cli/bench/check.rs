//! What the command line alone shows to be wrong and clap cannot tell.

use crate::cli::common::check_picture;
use crate::commands::bench::Options;
use crate::error::{Error, Result};
use crate::io::atomic;
use std::path::{Path, PathBuf};

/// Combinations of flags, and whether the outputs may be written.
pub fn options(options: &Options, json: Option<&Path>, force: bool) -> Result<()> {
    let instead = [
        (options.verify.is_some(), "--verify"),
        (options.record.is_some(), "--record"),
        (options.from.is_some(), "--from"),
    ];
    if let Some((_, flag)) = instead.iter().find(|(given, _)| *given) {
        let timing = [
            (options.keep.is_some(), "--keep"),
            (!options.only.is_empty() && options.verify.is_none(), "--only"),
            (options.repeat.is_some(), "--repeat"),
        ];
        if let Some((_, other)) = timing.iter().find(|(given, _)| *given) {
            return Err(Error::usage(format!("{other} goes with timing; {flag} times nothing")));
        }
    }
    if options.from.is_none() && instead.iter().any(|(given, _)| *given) {
        let results = [
            (options.baseline.is_some(), "--baseline"),
            (!options.against.is_empty(), "--against"),
            (options.plot.is_some(), "--plot"),
            (json.is_some(), "--json"),
        ];
        if let Some((_, other)) = results.iter().find(|(given, _)| *given) {
            return Err(Error::usage(format!("{other} goes with times; nothing is timed here")));
        }
    }
    let read: Vec<PathBuf> =
        options.baseline.iter().chain(&options.from).chain(&options.against).cloned().collect();
    for output in options.plot.iter().map(PathBuf::as_path).chain(json.filter(|p| *p != Path::new("-"))) {
        atomic::check_output(output, force, &read)?;
    }
    if let Some(keep) = &options.keep {
        atomic::check_folder(keep, force)?;
    }
    match (&options.plot, json) {
        (Some(plot), Some(json)) => check_picture(Some(plot), json),
        (plot, _) => check_picture(plot.as_deref(), Path::new("")),
    }
}

//! What the command line alone shows to be wrong and clap cannot tell.

use super::values::Way;
use crate::cli::common::{check_picture, has_extension};
use crate::commands::decode::Options;
use crate::commands::decode::options::{Algorithm, Interior, Likelihood, Model};
use crate::error::{Error, Result};
use crate::io::atomic;
use std::path::PathBuf;

/// `--algorithm` with its tolerance.
pub fn algorithm(way: Option<Way>, tol: Option<f64>, observed: Option<f64>) -> Result<Algorithm> {
    let alone = "--tol and --tol-observed go with --algorithm approx; see nissl decode --help";
    match (way, tol, observed) {
        (None | Some(Way::Exact), None, None) => Ok(Algorithm::Exact),
        (Some(Way::Direct), None, None) => Ok(Algorithm::Direct),
        (Some(Way::Approx), Some(tol), _) => Ok(Algorithm::Approx(tol)),
        (Some(Way::Approx), None, Some(tol)) => Ok(Algorithm::Observed(tol)),
        (Some(Way::Approx), None, None) => {
            Err(Error::usage("--algorithm approx: give --tol X (guaranteed) or --tol-observed X (sampled)"))
        }
        (_, Some(_), _) | (_, _, Some(_)) => Err(Error::usage(alone)),
    }
}

/// All files that `options` name for reading.
pub fn files_read(options: &Options) -> Vec<PathBuf> {
    let mask = match &options.interior {
        Interior::File(path) => Some(path),
        Interior::Visited | Interior::All => None,
    };
    let beside = [options.track_graph.as_ref(), options.encoding_model.as_ref(), mask];
    std::iter::once(&options.input.path).chain(beside.into_iter().flatten()).cloned().collect()
}

/// Combinations of values, and whether the outputs may be written.
pub fn options(options: &Options, force: bool) -> Result<()> {
    let extensions: &[&str] = if options.fit_only { &["h5", "hdf5"] } else { &["nc", "nc4"] };
    if !extensions.iter().any(|extension| has_extension(&options.output, extension)) {
        let what = if options.fit_only { "an encoding model" } else { "a posterior" };
        let output = options.output.display();
        return Err(Error::usage(format!("-o {output}: {what} is written as .{}", extensions[0])));
    }
    if options.position_penalty.0 > 0.0 && options.model != Model::Nonlocal {
        return Err(Error::usage("--position-penalty goes with --model nonlocal"));
    }
    if options.position_weights && options.likelihood != Likelihood::Sorted {
        return Err(Error::usage("--position-weights goes with --likelihood sorted, as in the peer"));
    }
    if options.likelihood == Likelihood::Sorted {
        if options.waveform_std.is_some() || !options.features.is_empty() {
            return Err(Error::usage("--waveform-std and --features go with --likelihood clusterless"));
        }
        if options.algorithm != Algorithm::Exact {
            return Err(Error::usage(
                "--algorithm goes with --likelihood clusterless: sorted units need no choice",
            ));
        }
    }
    check_picture(options.plot.as_deref(), &options.output)?;
    let read = files_read(options);
    let written = std::iter::once(&options.output).chain(&options.plot);
    written.into_iter().try_for_each(|path| atomic::check_output(path, force, &read))
}

//! What the command line alone shows to be wrong and clap cannot tell.

use super::values::Way;
use crate::cli::common::{check_picture, has_extension};
use crate::commands::decode::Options;
use crate::commands::decode::options::{Algorithm, Interior, Likelihood, Model};
use crate::commands::decode::stream::bytes::Input;
use crate::commands::decode::stream::options::{Dedup, Likelihood as StreamLikelihood, StreamOptions, Ticks};
use crate::commands::decode::stream::{lfp, writer};
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
    let target = options.target()?;
    if options.shard.is_some() {
        // What the merge will write must not be an input either; it may be there.
        atomic::check_output(&options.output, true, &read)?;
    }
    // The session tells results of the same run from others.
    let written = std::iter::once(&target).chain(&options.plot);
    written.into_iter().try_for_each(|path| atomic::check_output(path, force || options.resume, &read))
}

/// The same with `--stream`.
pub fn stream(options: &StreamOptions, force: bool) -> Result<()> {
    match options.likelihood {
        StreamLikelihood::Realtime => of_kde(&options.decode)?,
        StreamLikelihood::Kde if options.config.is_some() => {
            return Err(Error::usage("--realtime-config goes with --likelihood realtime"));
        }
        StreamLikelihood::Kde if options.dedup != Dedup::default() => {
            return Err(Error::usage(
                "--dedup goes with --likelihood realtime: the frozen model counts every spike",
            ));
        }
        StreamLikelihood::Kde => {}
    }
    match options.input {
        Input::Recording if options.idle.is_some() => {
            return Err(Error::usage("--stream-idle goes with a file of event records"));
        }
        Input::Recording if options.ticks == Ticks::Records => {
            return Err(Error::usage("--tick records: a recording has none; give seconds, or --time"));
        }
        Input::Recording => {}
        input => of_recordings(options, input)?,
    }
    if options.decode.time.is_some() && options.ticks != Ticks::Usual {
        return Err(Error::usage("--time and --tick both say when to tick; give one of them"));
    }
    let read: Vec<PathBuf> = files_read(&options.decode).into_iter().chain(options.config.clone()).collect();
    writer::check_output(&options.decode.output, force, &read)
}

/// Refuses what only recordings have.
fn of_recordings(options: &StreamOptions, input: Input) -> Result<()> {
    let decode = &options.decode;
    let given = [
        (decode.time.is_some(), "--time"),
        (decode.track_graph.is_some(), "--track-graph"),
        (!decode.position_series.is_empty(), "--position-series"),
        (!decode.features.is_empty(), "--features"),
        (decode.fix_timestamps, "--fix-timestamps"),
    ];
    if let Some((_, flag)) = given.iter().find(|(given, _)| *given) {
        return Err(Error::usage(format!(
            "{flag} goes with a recording, not with a stream of event records"
        )));
    }
    if options.idle.is_some() && input != Input::File {
        return Err(Error::usage(
            "--stream-idle goes with a file of event records: pipes tell their end themselves",
        ));
    }
    options.lfp.as_deref().map_or(Ok(()), |name| lfp::channel(name).map(drop))
}

/// Refuses what only the frozen model has.
fn of_kde(decode: &Options) -> Result<()> {
    let usual = Options::default();
    let given = [
        (decode.model != usual.model, "--model"),
        (decode.position_std.is_some(), "--position-std"),
        (decode.waveform_std.is_some(), "--waveform-std"),
        (decode.bin_size.is_some(), "--bin-size"),
        (decode.position_range.is_some(), "--position-range"),
        (decode.interior != usual.interior, "--interior"),
        (decode.movement_var != usual.movement_var, "--movement-var"),
        (decode.discrete_transition.is_some(), "--discrete-transition"),
        (decode.initial.is_some(), "--initial"),
        (decode.no_spike_rate != usual.no_spike_rate, "--no-spike-rate"),
        (decode.position_penalty != usual.position_penalty, "--position-penalty"),
        (decode.log_floor != usual.log_floor, "--log-floor"),
        (decode.rate_seconds, "--rate-units"),
        (decode.algorithm != usual.algorithm, "--algorithm"),
        (decode.precision != usual.precision, "--precision"),
        (decode.encode.is_some(), "--encode-interval"),
        (decode.encoding_model.is_some(), "--encoding-model"),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, flag)) => Err(Error::usage(format!(
            "{flag} belongs to a frozen model: give --likelihood kde, or see --realtime-config"
        ))),
    }
}

//! From the recording to the encoding model.

use super::encoding::{EncodingData, EncodingModel, EncodingTrain, RateUnits, Settings};
use super::grid::{GridOptions, InteriorMask, PlaceGrid};
use super::mask;
use super::model_file::{self, Given};
use super::options::{Interior, Options};
use super::selection::{self, EncodingSamples, Interval};
use super::session::{Session, SpikeTrain};
use super::track::TrackGraph;
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::units::format_bytes;
use std::ops::Range;
use std::path::Path;

/// Spikes of one train that encode, as ranges of their numbers.
type Spikes = Vec<Range<usize>>;

/// Defaults of the peer's model classes.
const POSITION_STD: f64 = 6.0;
const WAVEFORM_STD: f64 = 24.0;
const BIN_SIZE: f64 = 2.0;

/// Fits the model to `session`, or loads the one that was asked for; `machine` is the memory limit
/// and the instruction set. The spikes of a fitted model lie where those of `session` do, of a loaded one
/// in files `beside` an output where that may be and they take much of the memory.
///
/// # Errors
/// Data, files or flags that do not fit, or a model that the memory does not hold beside `session`.
pub fn model(
    options: &Options,
    session: &Session,
    machine: (u64, CpuLevel),
    beside: Option<&Path>,
) -> Result<EncodingModel> {
    let Some(path) = &options.encoding_model else { return fit(options, session, machine) };
    // Models are stored as they are held.
    let bytes = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    let much = session.beside.is_some() || bytes > machine.0 / SHARE_OF_SPIKES;
    let beside = beside.filter(|_| much);
    if beside.is_none() {
        let what = || format!("{}: the model and the recording", path.display());
        room_for(session.bytes() + bytes, machine.0, what)?;
    }
    let model = stored(options, path, beside)?;
    let place = path.display().to_string();
    check_trains(&model, session, &place)?;
    // Where the animal is matters late, for local states and the picture: say early what cannot fit.
    model.linearise(&[], session.positions.axes).map_err(Error::within(&session.place))?;
    Ok(model)
}

/// The model in the file `path`, which the rest of `options` must not contradict; its spikes lie in files
/// `beside` an output where one is named.
///
/// # Errors
/// The file cannot be read, is no model, or is another one than `options` say.
pub fn stored(options: &Options, path: &Path, beside: Option<&Path>) -> Result<EncodingModel> {
    let model = model_file::read(path, beside)?;
    given(options)?.check(&model, &path.display().to_string())?;
    Ok(model)
}

/// What the command line says of the model besides the file.
fn given(options: &Options) -> Result<Given> {
    Ok(Given {
        kind: Some(options.likelihood),
        bin_size: options.bin_size.clone(),
        position_std: options.position_std.clone(),
        waveform_std: options.waveform_std.clone(),
        rate_seconds: options.rate_seconds.then_some(true),
        track: options.track_graph.as_deref().map(track).transpose()?,
        interior: user_mask(options)?,
    })
}

pub(super) fn track(path: &Path) -> Result<TrackGraph> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    TrackGraph::from_json(&text, &path.display().to_string())
}

fn user_mask(options: &Options) -> Result<Option<InteriorMask>> {
    let Interior::File(path) = &options.interior else { return Ok(None) };
    let (shape, values, place) = mask::read(path)?;
    Ok(Some(InteriorMask { shape, values, place }))
}

/// The recording must have the electrodes or units that the model was fitted to.
fn check_trains(model: &EncodingModel, session: &Session, place: &str) -> Result<()> {
    let advice = "decode the recording that it was fitted to, or fit another";
    if model.trains.len() != session.trains.len() {
        let (found, expected) = (model.trains.len(), session.trains.len());
        let found = format!("a model of {found} electrodes or units");
        return Err(Error::data(place, found, format!("{expected} as in {}", session.place), advice));
    }
    for (mine, train) in model.trains.iter().zip(&session.trains) {
        if mine.width != train.width {
            let found = format!("{} of {} features", train.label, mine.width);
            let expected = format!("{} as in {}", train.width, session.place);
            return Err(Error::data(place, found, expected, advice));
        }
    }
    Ok(())
}

/// Values that are copied before the memory of those in files goes back.
const AT_ONCE: usize = 1 << 20;
/// Part of the memory limit that spikes of a model file may take before they lie in files beside.
const SHARE_OF_SPIKES: u64 = 4;
/// What a run may take beyond its limit until it knows what it needs: half of what is promised.
const BEYOND: u64 = 48 << 20;

fn room_for(taken: u64, limit: u64, what: impl Fn() -> String) -> Result<()> {
    if taken <= limit.saturating_add(BEYOND) {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "{} take {}, over --memory {}; tables and the rows in work come on top: give more than that",
        what(),
        format_bytes(taken),
        format_bytes(limit)
    )))
}

/// Refuses what is held of a model where it is far too large beside the recording, before it is copied
/// together. What is nearly small enough is made all the same: the refusal then tells the least that works.
fn check_room(session: &Session, samples: &EncodingSamples, spikes: &[Spikes], limit: u64) -> Result<()> {
    let values = |(train, ranges): (&SpikeTrain, &Spikes)| {
        let weighed = usize::from(!samples.weights.is_empty());
        ranges.iter().map(Range::len).sum::<usize>() * (train.width + samples.axes + weighed)
    };
    let of_trains = session.trains.iter().zip(spikes).map(values);
    // One electrode at a time comes from files, and its tables, in half the precision, are beside it.
    let of_spikes: usize = match session.beside {
        None => of_trains.sum(),
        Some(_) => of_trains.max().unwrap_or(0) * 3 / 2,
    };
    let model = 8 * (of_spikes + samples.data.len() + samples.weights.len());
    let what = || format!("{}: the recording and the spikes that encode", session.place);
    room_for(session.bytes() + model as u64, limit, what)
}

fn fit(options: &Options, session: &Session, (memory, level): (u64, CpuLevel)) -> Result<EncodingModel> {
    let intervals = options
        .encode
        .as_ref()
        .map(|list| list.iter().map(|&(start, stop)| Interval { start, stop }).collect::<Vec<_>>());
    let positions = &session.positions;
    let samples = selection::encoding_samples(positions, intervals.as_deref(), &session.place)?;
    let (grid, track) = environment(options, session).map_err(Error::within(&session.place))?;
    let encoding = |train: &SpikeTrain| {
        let ranges = samples.spikes(&train.times);
        train.release();
        ranges
    };
    let spikes: Vec<Spikes> = session.trains.iter().map(encoding).collect();
    check_room(session, &samples, &spikes, memory)?;
    let beside = session.beside.as_deref();
    let trains = session.trains.iter().zip(&spikes);
    let trains = trains.map(|(train, ranges)| selected(train, ranges, &samples, beside));
    let trains = trains.collect::<Result<_>>()?;
    let sample_period = selection::median_step(&positions.time);
    let settings = Settings {
        kind: options.likelihood,
        bin_size: bin_size(options),
        position_std: options.position_std.clone().unwrap_or(vec![POSITION_STD]),
        waveform_std: options.waveform_std.clone().unwrap_or(vec![WAVEFORM_STD]),
        rate_units: match options.rate_seconds {
            true => RateUnits::Seconds { sample_period },
            false => RateUnits::Samples,
        },
    };
    let EncodingSamples { data: places, axes, weights, .. } = samples;
    let data = EncodingData { samples: places, axes, weights, trains, beside: session.beside.clone() };
    EncodingModel::fit(level, data, (grid, track), &settings).map_err(Error::within(&session.place))
}

/// The spikes of `train` that encode, in files `beside` an output where one is named.
fn selected(
    train: &SpikeTrain,
    ranges: &[Range<usize>],
    samples: &EncodingSamples,
    beside: Option<&Path>,
) -> Result<EncodingTrain> {
    let width = train.width;
    let mut marks = Column::zeros(ranges.iter().map(Range::len).sum::<usize>() * width, beside)?;
    let mut at = 0;
    for range in ranges {
        for some in train.marks[range.start * width..range.end * width].chunks(AT_ONCE) {
            marks[at..at + some.len()].copy_from_slice(some);
            at += some.len();
            marks.release();
            train.marks.release();
        }
    }
    let made = EncodingTrain {
        name: train.name.clone(),
        width,
        marks,
        positions: Column::keep(samples.positions_at(&train.times, ranges), beside)?,
        weights: Column::keep(samples.weights_at(&train.times, ranges), beside)?,
    };
    train.release();
    Ok(made)
}

fn bin_size(options: &Options) -> Vec<f64> {
    options.bin_size.clone().unwrap_or(vec![BIN_SIZE])
}

/// The place grid, over all positions of the recording, and the track graph.
fn environment(options: &Options, session: &Session) -> Result<(PlaceGrid, Option<TrackGraph>)> {
    let bin_size = bin_size(options);
    if let Some(path) = &options.track_graph {
        if options.interior != Interior::Visited {
            return Err(Error::usage(
                "--interior goes without --track-graph: all bins of a track are interior",
            ));
        }
        let [size] = bin_size[..] else {
            return Err(Error::usage("--bin-size: one value, for --track-graph makes positions linear"));
        };
        let track = track(path)?;
        let grid = track.grid(size)?;
        return Ok((grid, Some(track)));
    }
    let grid_options = GridOptions {
        bin_size,
        position_range: options.position_range.clone(),
        infer_interior: options.interior != Interior::All,
        mask: user_mask(options)?,
        ..GridOptions::default()
    };
    let positions = &session.positions;
    Ok((PlaceGrid::from_positions(&positions.data, positions.axes, &grid_options)?, None))
}

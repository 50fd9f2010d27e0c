//! A recorded session as events, and what it tells of the set-up.

use super::config::RealtimeConfig;
use super::lfp;
use super::options::StreamOptions;
use super::source::Replay;
use crate::commands::Context;
use crate::commands::decode::encode;
use crate::commands::decode::selection::{self, TimeSpan};
use crate::commands::decode::session::{self, Session, SessionChoices, SpikeTrain};
use crate::error::{Error, Result};

/// Clock of a replay for the frozen model, samples per second: fine enough that no spike changes its
/// time bin by rounding.
pub const FINE: f64 = 1e9;

/// Reads it.
///
/// # Errors
/// As [`session::read`].
pub fn read(options: &StreamOptions, context: &Context) -> Result<Session> {
    let choices = SessionChoices {
        position_series: options.decode.position_series.clone(),
        features: options.decode.features.clone(),
        fix_timestamps: options.decode.fix_timestamps,
        memory: context.memory,
        ..SessionChoices::default()
    };
    context.recorder.time("read", || session::read(&options.decode.input, &choices))
}

/// Fills in what only the recording knows of the realtime set-up, and checks the rest against it.
///
/// # Errors
/// Electrodes that it does not have, or marks of other widths.
pub fn fit(config: &mut RealtimeConfig, session: &Session, options: &StreamOptions) -> Result<()> {
    let own = electrodes(session)?;
    if config.electrodes.is_empty() {
        config.electrodes = own.clone();
    }
    if let Some(missing) = config.electrodes.iter().find(|electrode| !own.contains(electrode)) {
        let expected = format!("electrodes of the recording: {own:?}");
        let found = format!("no electrode {missing}");
        return Err(Error::data(&session.place, found, expected, "see decoder_assignment"));
    }
    let firing = || session.trains.iter().filter(|train| !train.times.is_empty());
    if options.config.is_none()
        && let Some(train) = firing().next()
    {
        config.mark_dim = train.width;
    }
    match firing().find(|train| train.width != config.mark_dim) {
        None => Ok(()),
        Some(train) => Err(Error::data(
            format!("{}, {}", session.place, train.label),
            format!("{} features", train.width),
            format!("{}, as encoder.mark_dim says", config.mark_dim),
            "all electrodes of the realtime likelihood have as many",
        )),
    }
}

fn electrodes(session: &Session) -> Result<Vec<u16>> {
    let number = |train: &SpikeTrain| {
        let found = format!("electrode {}", train.name);
        let wrong = || {
            Error::data(
                &session.place,
                found,
                "a number from 0 to 65535",
                "events name electrodes by number: rename the group",
            )
        };
        train.name.parse().map_err(|_| wrong())
    };
    session.trains.iter().map(number).collect()
}

/// Times of the rows that the offline run would have, for the frozen model.
///
/// # Errors
/// Times that are not in order, or too few positions to tell them.
pub fn rows(options: &StreamOptions, session: &Session) -> Result<Vec<f64>> {
    match (options.decode.time, &session.time) {
        (Some((start, stop, step)), _) => TimeSpan { start, stop, step }.times(),
        (None, Some(time)) => {
            selection::check_decoding_times(&session.place, time)?;
            Ok(time.clone())
        }
        (None, None) => selection::default_times(&session.positions, &session.place),
    }
}

/// Most spikes of one row.
pub fn most_spikes(session: &Session, rows: &[f64]) -> usize {
    let mut counts = vec![0; rows.len()];
    for time in session.trains.iter().flat_map(|train| train.times.iter()) {
        if let Some(count) = counts.get_mut(rows.partition_point(|row| row <= time)) {
            *count += 1;
        }
    }
    counts.into_iter().max().unwrap_or(0)
}

/// Positions, spikes and field potential as events by `clock`, on a line where `line`; of the spikes
/// those in `span`, seconds, first included.
///
/// # Errors
/// Positions of two axes that no track graph puts on a line, or a field potential that cannot be
/// read.
pub fn replay(
    options: &StreamOptions,
    session: &Session,
    (clock, lfp_rate): (f64, f64),
    (line, span): (bool, Option<(f64, f64)>),
    context: &Context,
) -> Result<Replay> {
    let mut replay = Replay::new(clock);
    let positions = &session.positions;
    match (&options.decode.track_graph, positions.axes) {
        (Some(path), 2) if line => {
            let along = encode::track(path)?.linearise_all(&positions.data);
            replay.positions(&positions.time, &along, 1);
        }
        (Some(path), axes) if line => {
            let found = format!("positions of {axes} axis");
            return Err(Error::data(
                &session.place,
                found,
                format!("2 for the graph {}", path.display()),
                "positions on a line need no --track-graph",
            ));
        }
        (None, axes) if line && axes > 1 => {
            let advice = "--track-graph FILE.json puts them on a line";
            let expected = "1: the bins of the realtime likelihood lie on a line";
            let found = format!("positions of {axes} axes");
            return Err(Error::data(&session.place, found, expected, advice));
        }
        (_, axes) => replay.positions(&positions.time, &positions.data, axes),
    }
    for (train, electrode) in session.trains.iter().zip(electrodes(session)?) {
        let within = match span {
            None => 0..train.times.len(),
            Some((first, last)) => {
                let before = |time| train.times.partition_point(|&at| at < time);
                before(first)..before(last)
            }
        };
        let marks = within.start * train.width..within.end * train.width;
        replay.electrode(electrode, &train.times[within], &train.marks[marks], train.width);
    }
    if let Some(name) = &options.lfp {
        let left = context.memory.saturating_sub(session.bytes());
        replay.field_potential(lfp::read(&options.decode.input, name, lfp_rate, left)?);
    }
    replay.settle();
    Ok(replay)
}

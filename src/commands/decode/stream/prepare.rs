//! Options to [`StreamPlan`]: reads configuration and recording, settles everything that can fail
//! before the first event.

use super::bytes::Input;
use super::config::RealtimeConfig;
use super::lfp;
use super::options::{Likelihood, StreamOptions, Ticks};
use super::plan::{Events, StreamPlan};
use super::record::Layout;
use super::source::Replay;
use super::writer::Form;
use super::{Shape, engines, realtime};
use crate::commands::decode::encode;
use crate::commands::decode::selection::TimeSpan;
use crate::commands::decode::session::{self, Session, SessionChoices};
use crate::commands::{Context, InputFacts};
use crate::error::{Error, Result};
use crate::kernels::realtime::Dedup;
use std::path::Path;
use std::sync::Mutex;

/// What a run needs besides the plan's facts.
#[derive(Debug)]
pub struct Prepared {
    /// What was asked.
    pub options: StreamOptions,
    /// The engine's settings.
    pub config: RealtimeConfig,
    /// A recording as events.
    pub replay: Option<Replay>,
    /// Files read, for the report.
    pub inputs: Vec<InputFacts>,
    /// Sizes and labels of the records.
    pub shape: Shape,
    /// Axes of positions as events have them.
    pub axes: usize,
    /// Seconds from tick to tick, where none are told by events.
    pub step: Option<f64>,
    /// A tick's interval, seconds.
    pub interval: f64,
}

/// Resolves `options` for the machine of `context`.
///
/// # Errors
/// Configuration or recording cannot be read or do not fit each other, or the memory is too little.
pub fn plan(options: &StreamOptions, context: &Context) -> Result<StreamPlan> {
    let mut warnings = Vec::new();
    let mut config = config(options, &mut warnings)?;
    let session = match options.input {
        Input::Recording => {
            let choices = SessionChoices {
                position_series: options.decode.position_series.clone(),
                features: options.decode.features.clone(),
                fix_timestamps: options.decode.fix_timestamps,
                memory: context.memory,
                ..SessionChoices::default()
            };
            Some(context.recorder.time("read", || session::read(&options.decode.input, &choices))?)
        }
        _ => None,
    };
    match &session {
        Some(session) => fit(&mut config, session, options)?,
        None if config.electrodes.is_empty() => return Err(no_electrodes(options)),
        None => {}
    }
    let (inputs, replay) = match session {
        Some(mut session) => {
            warnings.append(&mut session.warnings);
            let inputs = std::mem::take(&mut session.inputs);
            (inputs, Some(replay(options, &config, session, context)?))
        }
        None => (Vec::new(), None),
    };
    assemble(options, context, (config, replay, inputs), warnings)
}

fn config(options: &StreamOptions, warnings: &mut Vec<String>) -> Result<RealtimeConfig> {
    let Some(path) = &options.config else { return Ok(RealtimeConfig::default()) };
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let place = path.display().to_string();
    let config = RealtimeConfig::from_json(&text, &place)?;
    if !config.ignored.is_empty() {
        warnings.push(format!("{place}: sections that mean nothing here: {}", config.ignored.join(", ")));
    }
    Ok(config)
}

fn no_electrodes(options: &StreamOptions) -> Error {
    let place = options.config.as_ref().map_or("--realtime-config".into(), |path| path.display().to_string());
    let expected = "the electrodes of the stream, such as {\"decoder_assignment\": {\"1\": [1, 2, 3]}}";
    Error::data(place, "no decoder_assignment", expected, "only a recording tells its electrodes itself")
}

/// Fills in what only the recording knows, and checks the rest against it.
fn fit(config: &mut RealtimeConfig, session: &Session, options: &StreamOptions) -> Result<()> {
    let own = electrodes(session)?;
    if config.electrodes.is_empty() {
        config.electrodes = own.clone();
    }
    if let Some(missing) = config.electrodes.iter().find(|electrode| !own.contains(electrode)) {
        let expected = format!("electrodes of the recording: {own:?}");
        return Err(Error::data(
            &session.place,
            format!("no electrode {missing}"),
            expected,
            "see decoder_assignment",
        ));
    }
    let widths = || session.trains.iter().filter(|train| !train.times.is_empty());
    if options.config.is_none()
        && let Some(train) = widths().next()
    {
        config.mark_dim = train.width;
    }
    match widths().find(|train| train.width != config.mark_dim) {
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
    let number = |train: &session::SpikeTrain| {
        let wrong =
            || Error::data(&session.place, format!("electrode {}", train.name), "a number to 65535", "");
        train.name.parse().map_err(|_| wrong())
    };
    session.trains.iter().map(number).collect()
}

/// The recording as events; what the session took is given back.
fn replay(
    options: &StreamOptions,
    config: &RealtimeConfig,
    session: Session,
    context: &Context,
) -> Result<Replay> {
    let mut replay = Replay::new(config.clock);
    let positions = &session.positions;
    match (&options.decode.track_graph, positions.axes) {
        (Some(path), 2) => {
            let line = encode::track(path)?.linearise_all(&positions.data);
            replay.positions(&positions.time, &line, 1);
        }
        (Some(path), axes) => {
            let found = format!("positions of {axes} axis");
            return Err(Error::data(
                &session.place,
                found,
                format!("2 for the graph {}", path.display()),
                "",
            ));
        }
        (None, 1) => replay.positions(&positions.time, &positions.data, 1),
        (None, axes) => {
            let advice = "--track-graph FILE.json puts them on a line";
            let expected = "1: the bins of the realtime likelihood lie on a line";
            return Err(Error::data(&session.place, format!("positions of {axes} axes"), expected, advice));
        }
    }
    for (train, electrode) in session.trains.iter().zip(electrodes(&session)?) {
        replay.electrode(electrode, &train.times, &train.marks, train.width);
    }
    if let Some(name) = &options.lfp {
        let left = context.memory.saturating_sub(session.bytes());
        replay.field_potential(lfp::read(&options.decode.input, name, config.lfp_rate, left)?);
    }
    if let Some((start, stop, step)) = options.decode.time {
        replay.ticks(&TimeSpan { start, stop, step }.times()?);
    }
    replay.settle();
    Ok(replay)
}

fn assemble(
    options: &StreamOptions,
    context: &Context,
    (config, replay, inputs): (RealtimeConfig, Option<Replay>, Vec<InputFacts>),
    warnings: Vec<String>,
) -> Result<StreamPlan> {
    let times = options.decode.time;
    let (step, ticks) = match (options.ticks, times) {
        (Ticks::Every(seconds), _) => (Some(seconds), format!("every {seconds} s")),
        (Ticks::Records, _) => (None, "where records say so".to_owned()),
        (Ticks::Usual, Some((start, stop, step))) => {
            (None, format!("from {start} to {stop} s every {step} s"))
        }
        (Ticks::Usual, None) => {
            let seconds = config.bin_seconds();
            let unless = if replay.is_none() { ", unless records say so" } else { "" };
            (Some(seconds), format!("every {seconds} s{unless}"))
        }
    };
    let interval = step.or(times.map(|(_, _, step)| step)).unwrap_or(config.bin_seconds());
    if step.is_some_and(|step| step * config.clock < 1.0) {
        let message =
            format!("--tick {interval}: is less than a sample of the clock, {} a second", config.clock);
        return Err(Error::Usage(message));
    }
    let shape = realtime::shape(&config);
    let memory_bytes = engines::bytes(&config) + replay.as_ref().map_or(0, Replay::bytes);
    if memory_bytes > context.memory {
        return Err(Error::Failed(format!(
            "{} electrodes of {} marks take {} of memory, the limit is {}; a smaller encoder.bufsize, or a larger --memory, mends it",
            config.electrodes.len(),
            config.marks,
            crate::units::format_bytes(memory_bytes),
            crate::units::format_bytes(context.memory)
        )));
    }
    let events = replay.as_ref().map(|replay| {
        let [positions, spikes, field_potentials, _] = replay.counts();
        Events { positions, spikes, field_potentials }
    });
    Ok(StreamPlan {
        input: options.decode.input.path.clone(),
        source: options.input,
        events,
        likelihood: options.likelihood,
        electrodes: config.electrodes.len(),
        states: shape.state_names.clone(),
        bins: shape.bins,
        clock: Some(config.clock),
        ticks,
        tick_s: interval,
        paced: options.paced,
        lfp: options.lfp.clone(),
        dedup: match options.dedup {
            Dedup::Electrode => "time and electrode",
            Dedup::Peer => "time alone, as the peer does",
        },
        hints: options.hints,
        record_bytes: Layout::new(&shape, options.lfp.is_some()).size,
        form: Form::of(&options.decode.output),
        output: options.decode.output.clone(),
        memory_bytes,
        memory: context.memory,
        level: context.level.name().to_owned(),
        warnings,
        prepared: Mutex::new(Some(Prepared {
            options: options.clone(),
            config: config.clone(),
            replay,
            inputs,
            shape,
            axes: 1,
            step,
            interval,
        })),
        config: (options.likelihood == Likelihood::Realtime).then_some(config),
    })
}

/// Facts of a stream's file, for the report; a pipe has none that stay.
pub fn facts(path: &Path, input: Input) -> Result<Vec<InputFacts>> {
    match input {
        Input::File => Ok(vec![InputFacts::of(path, &path.display().to_string(), &[], "event records")?]),
        _ => Ok(Vec::new()),
    }
}

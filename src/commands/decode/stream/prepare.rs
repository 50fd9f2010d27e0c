//! Options to [`StreamPlan`]: reads configuration, model and recording, settles everything that can
//! fail before the first event.

use super::bytes::Input;
use super::config::RealtimeConfig;
use super::kde::{self, KdeSettings};
use super::lfp;
use super::options::{Likelihood, StreamOptions, Ticks};
use super::plan::{Events, StreamPlan};
use super::record::Layout;
use super::recording::{self, FINE};
use super::source::Replay;
use super::writer::Form;
use super::{Engine, Shape, engines, realtime};
use crate::backend::Fit;
use crate::commands::decode::encode;
use crate::commands::decode::encoding::EncodingModel;
use crate::commands::decode::selection::{self, TimeSpan};
use crate::commands::decode::session::Session;
use crate::commands::{Context, InputFacts};
use crate::error::{Error, Result};
use crate::kernels::realtime::Dedup;
use crate::kernels::ripple::{Detector, Settings};
use std::path::Path;
use std::sync::Mutex;

/// What a run needs besides the plan's facts.
pub struct Prepared {
    /// What was asked.
    pub options: StreamOptions,
    /// Settings of the engine; of the frozen model only what both likelihoods have.
    pub config: RealtimeConfig,
    /// The frozen model, where that decodes.
    pub frozen: Option<Frozen>,
    /// A recording as events.
    pub replay: Option<Replay>,
    /// Looks for ripples in one channel of field potential.
    pub ripples: Option<(Detector, u16)>,
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

/// A frozen model, and the engine made of it for the clock of its settings.
pub struct Frozen {
    /// The model.
    pub model: EncodingModel,
    /// What else the engine needs.
    pub settings: KdeSettings,
    /// The engine.
    pub engine: Option<Box<dyn Engine>>,
    /// What model and engine take, bytes.
    pub bytes: u64,
}

/// When ticks are made.
struct Beat {
    /// Seconds from tick to tick; none where events tell.
    step: Option<f64>,
    /// The same where events tell, about.
    interval: f64,
    /// For the plan.
    told: String,
}

/// Resolves `options` for the machine of `context`.
///
/// # Errors
/// Configuration, model or recording cannot be read or do not fit each other, or the memory is too
/// little.
pub fn plan(options: &StreamOptions, context: &Context) -> Result<StreamPlan> {
    let mut warnings = Vec::new();
    let session = match options.input {
        Input::Recording => Some(recording::read(options, context)?),
        _ => None,
    };
    warnings.extend(session.iter().flat_map(|session| session.warnings.clone()));
    let inputs = session.as_ref().map_or(Vec::new(), |session| session.inputs.clone());
    let (mut prepared, told) = match options.likelihood {
        Likelihood::Realtime => learning(options, session, context, &mut warnings)?,
        Likelihood::Kde => pool(context)?.install(|| frozen(options, session, context))?,
    };
    prepared.inputs = inputs;
    prepared.ripples = ripples(&prepared)?;
    assemble(prepared, told, warnings, context)
}

fn ripples(prepared: &Prepared) -> Result<Option<(Detector, u16)>> {
    let Some(name) = &prepared.options.lfp else { return Ok(None) };
    let (rate, channel) = match &prepared.replay {
        Some(replay) => (replay.lfp_rate(), 0),
        None => (prepared.config.lfp_rate, lfp::channel(name)?),
    };
    Ok(Some((Detector::new(&Settings { rate, ..Settings::default() }, 1)?, channel)))
}

fn pool(context: &Context) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(context.threads).build();
    pool.map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))
}

/// The `realtime` likelihood.
fn learning(
    options: &StreamOptions,
    session: Option<Session>,
    context: &Context,
    warnings: &mut Vec<String>,
) -> Result<(Prepared, String)> {
    let mut config = config(options, warnings)?;
    match &session {
        Some(session) => recording::fit(&mut config, session, options)?,
        None if config.electrodes.is_empty() => return Err(no_electrodes(options)),
        None => {}
    }
    let beat = beat(options, config.bin_seconds(), config.clock)?;
    let rates = (config.clock, config.lfp_rate);
    let as_events = |session| recording::replay(options, &session, rates, (true, None), context);
    let mut replay = session.map(as_events).transpose()?;
    if let (Some(replay), Some((start, stop, step))) = (&mut replay, options.decode.time) {
        replay.ticks(&TimeSpan { start, stop, step }.times()?);
    }
    let shape = realtime::shape(&config);
    let Beat { step, interval, told } = beat;
    let (options, inputs, ripples) = (options.clone(), Vec::new(), None);
    Ok((
        Prepared { options, config, frozen: None, replay, ripples, inputs, shape, axes: 1, step, interval },
        told,
    ))
}

/// The `kde` likelihood. A replay's rows are those of the offline run: the tick of a row comes at its
/// end, so that the last time, whose row is empty, is the last tick.
fn frozen(
    options: &StreamOptions,
    session: Option<Session>,
    context: &Context,
) -> Result<(Prepared, String)> {
    let (decode, machine) = (&options.decode, (context.memory, context.level));
    let mut config = RealtimeConfig::default();
    let model = match (&session, &decode.encoding_model) {
        (Some(session), _) => {
            context.recorder.time("fit", || encode::model(decode, session, machine, None))?
        }
        (None, Some(path)) => encode::stored(decode, path, None)?,
        (None, None) => {
            return Err(Error::usage(
                "--likelihood kde: a stream of event records has nothing to fit a model to; give --encoding-model",
            ));
        }
    };
    let mut beat = beat(options, config.bin_seconds(), FINE)?;
    let axes = match (&session, &model.track) {
        (Some(session), _) => session.positions.axes,
        (None, Some(_)) => 2,
        (None, None) => model.axes(),
    };
    let mut replay = None;
    if let Some(session) = &session {
        config.clock = FINE;
        let rows = match options.ticks {
            Ticks::Usual => recording::rows(options, session)?,
            _ => Vec::new(),
        };
        let span = rows.first().copied().zip(rows.last().copied());
        let rates = (FINE, config.lfp_rate);
        let mut events = recording::replay(options, session, rates, (false, span), context)?;
        if let (Some((first, last)), Some(ticks)) = (span, rows.get(1..)) {
            events.ticks(ticks);
            let step = selection::median_step(&rows);
            let told = format!("at the end of {} rows from {first} to {last} s", ticks.len());
            beat = Beat { step: None, interval: step, told };
            config.spike_buffer = config.spike_buffer.max(recording::most_spikes(session, &rows));
        }
        replay = Some(events);
    }
    let settings = KdeSettings {
        clock: config.clock,
        step: beat.interval,
        spike_buffer: config.spike_buffer,
        credible_level: config.credible_level,
        credible_max: config.credible_max,
        memory: context.memory,
    };
    let (engine, bytes) = kde::engine(decode, &model, &settings, context.level)?;
    let shape = engine.shape();
    config.electrodes = model.trains.iter().filter_map(|train| train.name.parse().ok()).collect();
    let frozen = Some(Frozen { model, settings, engine: Some(engine), bytes });
    let Beat { step, interval, told } = beat;
    let (options, inputs, ripples) = (options.clone(), Vec::new(), None);
    Ok((Prepared { options, config, frozen, replay, ripples, inputs, shape, axes, step, interval }, told))
}

/// When ticks are made; `usual` seconds apart where nothing else is said.
fn beat(options: &StreamOptions, usual: f64, clock: f64) -> Result<Beat> {
    let beat = match (options.ticks, options.decode.time) {
        (Ticks::Every(seconds), _) => {
            Beat { step: Some(seconds), interval: seconds, told: format!("every {seconds} s") }
        }
        (Ticks::Records, _) => Beat { step: None, interval: usual, told: "where records say so".to_owned() },
        (Ticks::Usual, Some((start, stop, step))) => {
            let told = format!("from {start} to {stop} s every {step} s");
            Beat { step: None, interval: step, told }
        }
        (Ticks::Usual, None) => {
            let unless = if options.input == Input::Recording { "" } else { ", unless records say so" };
            Beat { step: Some(usual), interval: usual, told: format!("every {usual} s{unless}") }
        }
    };
    match beat.step {
        Some(step) if step * clock < 1.0 => {
            Err(Error::Usage(format!("--tick {step}: is less than a sample of the clock, {clock} a second")))
        }
        _ => Ok(beat),
    }
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

fn assemble(
    prepared: Prepared,
    ticks: String,
    warnings: Vec<String>,
    context: &Context,
) -> Result<StreamPlan> {
    let Prepared { options, config, frozen, replay, shape, .. } = &prepared;
    let engine = frozen.as_ref().map_or_else(|| engines::bytes(config), |frozen| frozen.bytes);
    let memory_bytes = engine + replay.as_ref().map_or(0, Replay::bytes);
    if memory_bytes > context.memory {
        let what = match frozen {
            None => {
                format!("{} electrodes of {} marks (encoder.bufsize)", config.electrodes.len(), config.marks)
            }
            Some(_) => "the frozen model beside the recording".into(),
        };
        return Err(Error::Memory { limit: context.memory, least: memory_bytes, what });
    }
    let events = replay.as_ref().map(|replay| {
        let [positions, spikes, field_potentials, _] = replay.counts();
        Events { positions, spikes, field_potentials }
    });
    let realtime = options.likelihood == Likelihood::Realtime;
    Ok(StreamPlan {
        input: options.decode.input.path.clone(),
        source: options.input,
        events,
        likelihood: options.likelihood,
        electrodes: config.electrodes.len(),
        states: shape.state_names.clone(),
        bins: shape.bins,
        clock: (realtime || replay.is_some()).then_some(config.clock),
        ticks,
        tick_s: prepared.interval,
        paced: options.paced,
        warm_up_s: options.warm_up,
        lfp: options.lfp.clone(),
        dedup: match (realtime, options.dedup) {
            (false, _) => "none are removed",
            (true, Dedup::Electrode) => "time and electrode",
            (true, Dedup::Peer) => "time alone, as the peer does",
        },
        config: realtime.then(|| config.clone()),
        hints: options.hints,
        record_bytes: Layout::new(shape, options.lfp.is_some()).size,
        form: Form::of(&options.decode.output),
        output: options.decode.output.clone(),
        memory_bytes,
        memory: context.memory,
        backend: context
            .seat
            .choose(&Fit::Not("--stream answers tick by tick, which the CPU does in microseconds".into()))?,
        level: context.level.name().to_owned(),
        warnings,
        prepared: Mutex::new(Some(prepared)),
    })
}

/// Facts of a stream's file, for the report; a pipe has none that stay.
pub fn facts(path: &Path, input: Input) -> Result<Vec<InputFacts>> {
    match input {
        Input::File => Ok(vec![InputFacts::of(path, &path.display().to_string(), &[], "event records")?]),
        _ => Ok(Vec::new()),
    }
}

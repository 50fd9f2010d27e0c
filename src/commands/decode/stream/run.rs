//! Runs a plan: opens what gives events, starts the writer, ticks, and tells how it went.
//!
//! The calling thread is the one that ticks; all memory is taken before the first event.

use super::bytes::{ByteSource, Input};
use super::event::Malformed;
use super::options::Likelihood;
use super::plan::StreamPlan;
use super::prepare::{self, Prepared};
use super::ring::ring;
use super::schedule::Schedule;
use super::source::{Replay, Source, World};
use super::ticking::{Manner, Ticking};
use super::told::Told;
use super::writer::{Form, Writer};
use super::{engines, hints};
use crate::commands::{Context, Failure, Outcome};
use crate::error::{Error, Result};
use crate::report::{Recorder, Work};
use std::time::Duration;

/// The recorder as the loop's world.
struct Machine<'a> {
    recorder: &'a Recorder,
}

impl World for Machine<'_> {
    fn now(&self) -> u64 {
        self.recorder.elapsed_ns()
    }
    fn sleep(&self, ns: u64) {
        std::thread::sleep(Duration::from_nanos(ns));
    }
    fn stopped(&self) -> bool {
        self.recorder.is_cancelled()
    }
    fn ticked(&self) {
        self.recorder.advance(1);
    }
}

/// Runs `plan`; its outputs appear whole, after a signal, too.
///
/// # Errors
/// The stream cannot be read or is none, or the output cannot be made. An output that fails later
/// is told in the outcome, so that the counts are kept.
pub fn run(plan: &StreamPlan, context: &Context) -> Result<Outcome> {
    let world = Machine { recorder: context.recorder };
    let taken = plan.prepared.lock().ok().and_then(|mut prepared| prepared.take());
    let mut prepared = taken.ok_or_else(|| Error::Failed("this plan ran already".into()))?;
    let mut open = Open::new(plan, &mut prepared, &world)?;
    let clock = open.clock(plan, &prepared, &world)?;
    let mut engine = engines::engine(&mut prepared, clock, context.level)?;
    let (producer, consumer) = ring(&prepared.shape);
    let ripple = plan.lfp.is_some();
    let writer = Writer::start(&plan.output, consumer, prepared.shape.clone(), ripple, clock)?;
    for refused in plan.hints.ask() {
        context.recorder.warn(refused);
    }
    let scheduling = hints::scheduling();
    let manner = Manner {
        clock,
        axes: prepared.axes,
        rank: prepared.config.rank,
        paced: plan.paced,
        // A pipe's reader is somebody who waits.
        patient: plan.source == Input::Recording && !plan.paced && plan.form != Form::Pipe,
        deadline: (prepared.interval * 1e9) as u64,
    };
    let schedule = Schedule::new(prepared.step.map(|step| step * clock), clock);
    let ripples = prepared.ripples.as_mut().map(|(detector, channel)| (detector, *channel));
    let mut ticking = Ticking::new(engine.as_mut(), ripples, producer, schedule, manner);
    let began = world.now();
    let ended = context.recorder.time("ticks", || ticking.run(open.source(), &world));
    let took = world.now().saturating_sub(began) as f64 * 1e-9;
    context.recorder.worked_here();
    let items = ticking.seen.ticks;
    context.recorder.count("ticks", Work { items, ..Work::default() });
    let mut told = Told::of(&ticking, scheduling);
    told.pace = (plan.source != Input::Recording && !plan.paced).then(|| ticking.stream_s() / took);
    drop(ticking);
    told.engine = engine.counts();
    told.written = context.recorder.time("write", || writer.join());
    told.malformed = open.finish();
    told.stopped = matches!(ended, Ok(true));
    told.warnings(plan).into_iter().for_each(|warning| context.recorder.warn(warning));
    let error = ended.err().or(told.written.error.take());
    outcome(plan, prepared, told, error)
}

/// What a run gives back. A run that failed in the end tells so without losing its counts.
fn outcome(plan: &StreamPlan, prepared: Prepared, told: Told, error: Option<Error>) -> Result<Outcome> {
    let path = &prepared.options.decode.input.path;
    let kept = told.written.records > 0 || error.is_none();
    let outputs = if kept { vec![plan.output.clone()] } else { Vec::new() };
    let failures: Vec<Failure> =
        error.into_iter().map(|error| Failure { input: path.display().to_string(), error }).collect();
    let inputs = match failures.is_empty() {
        true => [prepared.inputs, prepare::facts(path, plan.source)?].concat(),
        // With none the exit code is that of the failure.
        false => Vec::new(),
    };
    Ok(Outcome { inputs, outputs, counts: told.counts(), failures })
}

/// What gives events.
enum Open {
    Bytes(ByteSource),
    Replay(Replay),
}

impl Open {
    fn new(plan: &StreamPlan, prepared: &mut Prepared, world: &dyn World) -> Result<Self> {
        if let Some(replay) = prepared.replay.take() {
            return Ok(Open::Replay(replay));
        }
        let options = &prepared.options;
        let path = &options.decode.input.path;
        Ok(Open::Bytes(ByteSource::open(plan.source, path, options.idle, world)?))
    }

    /// The clock of the events, which is that of the engine.
    fn clock(&mut self, plan: &StreamPlan, prepared: &Prepared, world: &dyn World) -> Result<f64> {
        let expected = prepared.config.clock;
        let Open::Bytes(bytes) = self else { return Ok(expected) };
        let place = bytes.place();
        match bytes.clock(world)? {
            Some(clock) if clock == expected || plan.likelihood == Likelihood::Kde => Ok(clock),
            Some(clock) => Err(Error::data(
                place,
                format!("a clock of {clock} samples per second"),
                format!("{expected}"),
                "set sampling_rate.spikes in --realtime-config",
            )),
            // Nothing came, and nobody wants to wait any more: an output without records.
            None if world.stopped() => Ok(expected),
            None => Err(Error::data(
                place,
                "the end of the stream",
                "its header of 16 bytes",
                "did the program that writes it fail?",
            )),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Open::Bytes(bytes) => bytes,
            Open::Replay(replay) => replay,
        }
    }

    fn finish(&mut self) -> Malformed {
        match self {
            Open::Bytes(bytes) => bytes.finish(),
            Open::Replay(_) => Malformed::default(),
        }
    }
}

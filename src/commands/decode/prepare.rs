//! Options to [`Plan`]: reads the recording, fits or loads the encoding model, settles everything
//! that can fail early.

use super::assemble;
use super::budget::{Budget, Cuts};
use super::devices;
use super::encode;
use super::encoding::{EncodingModel, step_mismatch};
use super::mark_models::{Electrodes, MarkModels};
use super::options::{Likelihood, LogFloor, Options};
use super::part;
use super::plan::Plan;
use super::results::{ResultLayout, ResultState};
use super::selection::{self, DecodingSpikes, TimeSpan};
use super::session::{self, Session, SessionChoices};
use super::states::StateModel;
use super::walks;
use crate::backend::CpuLevel;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::kernels::hmm::{self, Chain};
use crate::report::Work;
use crate::shards;

/// What a run needs besides the plan's facts.
#[derive(Debug)]
pub struct Prepared {
    /// What was asked.
    pub options: Options,
    /// The recording.
    pub session: Session,
    /// The encoding model.
    pub model: EncodingModel,
    /// Mark models of the electrodes; none for sorted units.
    pub marks: MarkModels,
    /// Floor of each train's log intensity.
    pub floors: Vec<f64>,
    /// What decoding needs; none with `--fit-only`.
    pub decoding: Option<Decoding>,
}

/// Rows and states.
#[derive(Debug)]
pub struct Decoding {
    /// Decoding times, seconds.
    pub time: Vec<f64>,
    /// Median step of them.
    pub step: f64,
    /// Spikes of each train that are decoded.
    pub spikes: Vec<DecodingSpikes>,
    /// States.
    pub states: StateModel,
    /// States with the walk over the interior bins.
    pub chain: Chain,
}

impl Decoding {
    /// States as the result file has them.
    pub fn result_states(&self) -> Vec<ResultState> {
        let states = self.states.names.iter().zip(&self.states.likelihood);
        let state = |(name, likelihood): (&&str, &hmm::Likelihood)| ResultState {
            name: (*name).to_owned(),
            one_bin: *likelihood != hmm::Likelihood::NonLocal,
        };
        states.map(state).collect()
    }
}

impl Prepared {
    /// What tables of mark models are made from.
    pub fn electrodes(&self) -> Electrodes<'_> {
        Electrodes { model: &self.model, floors: &self.floors }
    }

    /// Rows and columns of the result.
    pub fn layout<'a>(&'a self, decoding: &'a Decoding, states: &'a [ResultState]) -> ResultLayout<'a> {
        let grid = &self.model.grid;
        ResultLayout {
            time: &decoding.time,
            states,
            axes: grid.axes,
            centers: &grid.centers,
            interior: &grid.interior,
        }
    }
}

/// Resolves `options` for the machine of `context`.
///
/// # Errors
/// The recording, graph, mask or model cannot be read or do not fit each other, or the memory is
/// too little.
pub fn plan(options: &Options, context: &Context) -> Result<Plan> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    pool.install(|| resolve(options, context))
}

fn resolve(options: &Options, context: &Context) -> Result<Plan> {
    let recorder = context.recorder;
    let session = recorder.time("read", || session::read(&options.input, &choices(options, context)))?;
    let read = Work { items: session.spikes() as u64, bytes_read: session.bytes(), ..Work::default() };
    recorder.count("read", read);
    let mut warnings = session.warnings.clone();
    let machine = (context.memory, context.level);
    let model = recorder.time("fit", || encode::model(options, &session, machine, Some(&options.output)))?;
    warnings.extend(model_warnings(&model, options));
    let floors = floors(&model, options.log_floor);
    let electrodes = Electrodes { model: &model, floors: &floors };
    let taken = session.bytes() + model.held_bytes() as u64;
    let marks = recorder.time("fit", || MarkModels::new(options, electrodes, taken, machine));
    let decoding = match options.fit_only {
        true => None,
        false => Some(decoding(options, &session, &model, context)?),
    };
    if let Some(decoding) = &decoding {
        warnings.extend(step_warning(options, &session, decoding));
        warnings.extend(no_spikes(&session, decoding));
    }
    let mut prepared = Prepared { options: options.clone(), session, model, marks, floors, decoding };
    let cuts = cut(&mut prepared, context)?;
    let electrodes = Electrodes { model: &prepared.model, floors: &prepared.floors };
    recorder.time("fit", || prepared.marks.settle(electrodes, &cuts.turns));
    let fit = devices::fit(&prepared, context.threads);
    let backend = match options.shard {
        Some(_) => context.seat.choose_for_part(&fit)?,
        None => context.seat.choose(&fit)?,
    };
    let run = part::run_name(&prepared.options, &prepared.session)?;
    let target = options.target()?;
    let done = match options.shard {
        Some(shard) if target.exists() && options.resume => {
            shards::is_done(&target, shard, &run, context.force)?
        }
        _ => false,
    };
    let mut plan = assemble::assemble(prepared, &cuts, (warnings, backend), context);
    (plan.run, plan.output, plan.done) = (run, target, done);
    Ok(plan)
}

/// Cuts the run; spikes that leave too little memory for the rest go into files, those that encode, too.
fn cut(prepared: &mut Prepared, context: &Context) -> Result<Cuts> {
    match Budget::of(prepared, context).cut() {
        Err(Error::Memory { .. }) if prepared.session.beside.is_none() => {}
        done => return done,
    }
    let output = prepared.options.output.clone();
    prepared.session.keep_beside(&output)?;
    prepared.model.keep_beside(&output)?;
    for spikes in prepared.decoding.iter_mut().flat_map(|decoding| &mut decoding.spikes) {
        spikes.rows = Column::keep(spikes.rows.to_vec(), Some(&output))?;
    }
    Budget::of(prepared, context).cut()
}

fn choices(options: &Options, context: &Context) -> SessionChoices {
    SessionChoices {
        likelihood: options.likelihood,
        position_series: options.position_series.clone(),
        features: options.features.clone(),
        fix_timestamps: options.fix_timestamps,
        drop_repeated_spikes: options.drop_repeated_spikes,
        position_weights: options.position_weights,
        memory: context.memory,
        beside: Some(options.output.clone()),
    }
}

/// Floor of each train's log intensity.
pub(super) fn floors(model: &EncodingModel, rule: LogFloor) -> Vec<f64> {
    (0..model.trains.len()).map(|train| floor(model, train, rule)).collect()
}

fn floor(model: &EncodingModel, train: usize, rule: LogFloor) -> f64 {
    match rule {
        LogFloor::Peer => super::encoding::LOG_EPS,
        LogFloor::Relative(nats) => {
            let ceiling = model.ln_ceiling(train);
            if ceiling.is_finite() { ceiling - nats } else { super::encoding::LOG_EPS }
        }
    }
}

fn model_warnings(model: &EncodingModel, options: &Options) -> Vec<String> {
    let mut warnings = Vec::new();
    let silent = model.silent_trains();
    if !silent.is_empty() {
        let what = if options.likelihood == Likelihood::Sorted { "unit" } else { "electrode" };
        warnings.push(format!(
            "{what} {}: no spikes encode; each of its spikes counts alike everywhere",
            silent.join(", ")
        ));
    }
    let outside = model.grid.count_outside(&model.samples);
    if outside > 0 {
        warnings.push(format!(
            "{outside} of {} positions that encode lie outside of the place grid; they encode all the same (--position-range)",
            model.samples.len() / model.axes().max(1)
        ));
    }
    let unvisited = model.unvisited_bins();
    if unvisited > 0 {
        warnings.push(format!(
            "{unvisited} interior bins have no occupancy; nothing is above the floor there (--interior, --position-range)"
        ));
    }
    warnings
}

/// Rates per sample over- or underweight bins without spikes where bins are not samples (spec 3.3).
fn step_warning(options: &Options, session: &Session, decoding: &Decoding) -> Option<String> {
    let (bins, samples) = step_mismatch(&decoding.time, &session.positions.time)?;
    (!options.rate_seconds).then(|| {
        format!(
            "decoding bins of {bins:.6} s and position samples of {samples:.6} s: rates are per sample, so time \
             without spikes counts {:.2} times what it should; --rate-units seconds mends it",
            samples / bins
        )
    })
}

/// A window of time that holds nothing is most likely a slip.
fn no_spikes(session: &Session, decoding: &Decoding) -> Option<String> {
    let (all, used) = (session.spikes(), decoding.spikes.iter().map(|d| d.rows.len()).sum::<usize>());
    let (first, last) = (decoding.time.first()?, decoding.time.last()?);
    (all > 0 && used == 0).then(|| {
        format!("none of {all} spikes lies between the first and last decoding time, {first} and {last} s; check --time")
    })
}

fn decoding(
    options: &Options,
    session: &Session,
    model: &EncodingModel,
    context: &Context,
) -> Result<Decoding> {
    let time = match (options.time, &session.time) {
        (Some((start, stop, step)), _) => TimeSpan { start, stop, step }.times()?,
        (None, Some(time)) => {
            selection::check_decoding_times(&session.place, time)?;
            time.clone()
        }
        (None, None) => selection::default_times(&session.positions, &session.place)?,
    };
    let beside = session.beside.as_deref();
    let spikes = session.trains.iter().map(|train| selection::decoding_spikes(&time, &train.times, beside));
    let spikes = spikes.collect::<Result<_>>()?;
    let (states, chain) = chain(options, model, context.level)?;
    Ok(Decoding { step: selection::median_step(&time), time, spikes, states, chain })
}

/// The states asked for, and their chain over the model's interior bins.
///
/// # Errors
/// Probabilities that do not fit the states.
pub(super) fn chain(
    options: &Options,
    model: &EncodingModel,
    level: CpuLevel,
) -> Result<(StateModel, Chain)> {
    let mut states = options.model.states();
    if let Some(matrix) = &options.discrete_transition {
        states = states.with_discrete(&matrix.concat())?;
    }
    if let Some(initial) = &options.initial {
        states = states.with_initial(initial)?;
    }
    let walk = walks::walk(model, options.movement_var, level);
    let chain = states.chain(walk);
    Ok((states, chain))
}

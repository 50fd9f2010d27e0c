//! Options to [`Plan`]: reads the recording, fits or loads the encoding model, settles everything
//! that can fail early.

use super::budget::{Budget, Cuts};
use super::devices;
use super::encode;
use super::encoding::{EncodingModel, step_mismatch};
use super::mark_models::{Electrodes, MarkModels};
use super::options::{Algorithm, Likelihood, LogFloor, Options};
use super::part;
use super::passes_chain;
use super::plan::{AlgorithmPlan, GridPlan, Plan, RecordingPlan, ShardPlan};
use super::results::{ResultLayout, ResultState};
use super::selection::{self, DecodingSpikes, TimeSpan};
use super::session::{self, Session, SessionChoices};
use super::states::StateModel;
use super::walks;
use crate::backend::{Backend, CpuLevel};
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::kernels::hmm::{self, Chain};
use crate::kernels::marks::{Choice, Method, Precision};
use crate::report::Work;
use crate::shards::{self, Shard};

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
    let model = recorder.time("fit", || encode::model(options, &session, machine))?;
    warnings.extend(model_warnings(&model, options));
    let floors = floors(&model, options.log_floor);
    let electrodes = Electrodes { model: &model, floors: &floors };
    let taken = session.bytes() + model.bytes() as u64;
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
    let mut plan = assemble(prepared, &cuts, (warnings, backend), context);
    (plan.run, plan.output, plan.done) = (run, target, done);
    Ok(plan)
}

/// Cuts the run; spikes that leave too little memory for the rest go into files.
fn cut(prepared: &mut Prepared, context: &Context) -> Result<Cuts> {
    match Budget::of(prepared, context).cut() {
        Err(Error::Memory { .. }) if prepared.session.beside.is_none() => {}
        done => return done,
    }
    let output = prepared.options.output.clone();
    prepared.session.keep_beside(&output)?;
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

fn assemble(
    prepared: Prepared,
    cuts: &Cuts,
    (warnings, backend): (Vec<String>, Backend),
    context: &Context,
) -> Plan {
    let Prepared { options, session, model, decoding, .. } = &prepared;
    let decoded = |count: fn(&DecodingSpikes) -> usize| {
        decoding.iter().flat_map(|d| &d.spikes).map(count).sum::<usize>()
    };
    Plan {
        model: options.model,
        likelihood: options.likelihood,
        precision: options.precision,
        recording: RecordingPlan {
            path: options.input.path.clone(),
            samples: [session.positions.samples(), model.samples.len() / model.axes().max(1)],
            axes: session.positions.axes,
            trains: session.trains.len(),
            encoding_spikes: model.trains.iter().map(|t| t.spikes(model.axes())).sum(),
            decoding_spikes: decoded(|d| d.rows.len()),
            spikes_outside: decoded(|d| d.outside),
        },
        grid: GridPlan {
            shape: model.grid.shape.clone(),
            interior: model.bins(),
            track: model.track.is_some(),
            position_std: model.position_std.clone(),
        },
        states: decoding.iter().flat_map(|d| &d.states.names).map(ToString::to_string).collect(),
        columns: decoding.as_ref().map_or(0, |d| d.chain.states().columns()),
        rows: decoding.as_ref().map_or(0, |d| d.time.len()),
        step: decoding.as_ref().map_or(f64::NAN, |d| d.step),
        algorithms: algorithms(&prepared.marks, &prepared.options),
        walk: decoding.as_ref().map_or(String::new(), |d| walks::describe(&d.chain, options.movement_var)),
        chain: decoding.as_ref().and_then(|d| chain_on(&backend, &d.chain)),
        save: options.save.clone(),
        run: String::new(),
        shard: decoding.as_ref().and_then(|d| {
            let part = |shard: Shard| ShardPlan { shard, rows: shard.items(d.time.len() as u64) };
            options.shard.map(part)
        }),
        done: false,
        chunk_rows: cuts.chunk_rows,
        checkpoint_rows: cuts.checkpoint_rows,
        held: cuts.held,
        turns: cuts.turns.clone(),
        flop: cuts.flop,
        memory_bytes: cuts.memory_bytes,
        output_bytes: cuts.output_bytes,
        output: options.output.clone(),
        threads: context.threads,
        backend,
        level: context.level.name().to_owned(),
        memory: context.memory,
        seed: options.seed,
        warnings,
        prepared,
    }
}

/// Where filter and smoother run, in words.
fn chain_on(backend: &Backend, chain: &Chain) -> Option<String> {
    let told = || match passes_chain::refusal(backend, chain) {
        None => "filter and smoother on the device, in float64".to_owned(),
        Some(why) => format!("filter and smoother on the CPU: {why}"),
    };
    backend.is_device().then(told)
}

/// Electrodes by the way that was chosen for them.
fn algorithms(marks: &MarkModels, options: &Options) -> Vec<AlgorithmPlan> {
    let mut plans: Vec<(Choice, AlgorithmPlan)> = Vec::new();
    for (choice, &observed) in marks.choices.iter().zip(&marks.observed) {
        let same = |(other, _): &&mut (Choice, AlgorithmPlan)| {
            other.method == choice.method && other.precision == choice.precision
        };
        match plans.iter_mut().find(same) {
            Some((_, plan)) => {
                plan.electrodes += 1;
                plan.bound = plan.bound.map(|bound| bound.max(choice.bound));
                plan.observed = plan.observed.max(observed);
            }
            None => plans.push((*choice, describe(choice, observed, options))),
        }
    }
    plans.into_iter().map(|(_, plan)| plan).collect()
}

fn describe(choice: &Choice, observed: f64, options: &Options) -> AlgorithmPlan {
    let precision = match choice.precision {
        Precision::F32 => "float32",
        Precision::F64 => "float64",
    };
    let method = match choice.method {
        Method::Direct => format!("direct product, {precision}"),
        Method::Moments { cell, terms_below } => {
            format!("cell moments, {precision}, cells of {cell:.3} position std, degree below {terms_below}")
        }
    };
    let sampled = matches!(options.algorithm, Algorithm::Observed(_));
    let among = match options.algorithm {
        Algorithm::Direct => "as asked",
        Algorithm::Exact if options.precision == super::options::Precision::F64 => {
            "double precision is the oracle"
        }
        _ if sampled => "the cheapest whose error on samples is small enough",
        _ => "the cheapest whose guarantee is good enough",
    };
    let why = format!("{among}: {:.3e} multiply-adds per spike", choice.cost);
    let bound = (!sampled).then_some(choice.bound);
    AlgorithmPlan { method, why, electrodes: 1, bound, observed }
}

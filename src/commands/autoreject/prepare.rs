//! Options and file headers -> [`Plan`]: opens every input, settles channels, grids, folds and
//! memory. Every check that can fail early fails here; of several inputs a bad one is noted and
//! the rest go on.

use super::channels::{self, ChannelKind, Group};
use super::epochs::{SLAB_STEP, slab_samples};
use super::folders::result_folders;
use super::options::{Method, Options};
use super::passes_device;
use super::passes_grid::grid_bytes;
use super::passes_sweep::{sweep_bytes, tile_width};
use super::plan::{GroupPlan, Plan, Refusal, ShardPlan, SubjectPlan};
use super::recording::{Recording, no_data_channel};
use super::repairs::Means;
use super::test_medians::TestMedians;
use super::votes;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::io::InputSpec;
use crate::kernels::spline::Spline;
use std::path::PathBuf;

/// Seed of local and global fits, unless given.
const SEED: u32 = 42;

/// The peer's seed of RANSAC (spec autoreject 10).
const RANSAC_SEED: u32 = 435_656;

/// Bytes kept for the program, buffers of files and results.
const OVERHEAD: u64 = 48 << 20;

/// One input, open.
pub struct Subject {
    /// Its file.
    pub recording: Recording,
    /// Fitted channels by type.
    pub groups: Vec<Group>,
    /// How each group is repaired; empty for `global`.
    pub means: Vec<Means>,
    /// Values of all groups that may be in memory at once.
    pub room: usize,
}

/// What a run needs besides the plan's plain data.
#[derive(Default)]
pub struct Prepared {
    /// Inputs that can be worked on, in the plan's order.
    pub subjects: Vec<Subject>,
    /// Why others cannot: file and error.
    pub refused: Vec<(PathBuf, Error)>,
    /// What was asked.
    pub options: Option<Options>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({} subjects)", self.subjects.len())
    }
}

/// The seed in force.
pub fn seed(options: &Options) -> u32 {
    options.seed.unwrap_or(if options.method == Method::Ransac { RANSAC_SEED } else { SEED })
}

/// Resolves what was asked against the files.
///
/// # Errors
/// What the command line alone shows; the error of a single input. Those of several are the run's to tell.
pub fn plan(options: &Options, context: &Context) -> Result<Plan> {
    let folders = result_folders(options)?;
    let mut warnings = Vec::new();
    let (mut subjects, mut plans, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let own = options.own();
    let inputs = options.inputs.iter().zip(folders).take(own.end).skip(own.start);
    for (input, folder) in inputs {
        let mut said = Vec::new();
        match subject(options, input, folder, context, &mut said) {
            Ok((subject, plan)) => {
                subjects.push(subject);
                plans.push(plan);
            }
            Err(error) => refused.push((input.path.clone(), error)),
        }
        warnings.extend(said);
    }
    if options.inputs.len() == 1 && !refused.is_empty() {
        return Err(refused.swap_remove(0).1);
    }
    let fit = passes_device::fit_of(options, &plans, context.threads);
    let backend = match options.shard {
        Some(_) => context.seat.choose_for_part(&fit)?,
        None => context.seat.choose(&fit)?,
    };
    let told = refused.iter().map(|(path, error)| Refusal { path: path.clone(), reason: error.to_string() });
    Ok(Plan {
        method: options.method,
        search: options.search,
        augment: options.augment,
        seed: seed(options),
        subjects: plans,
        refused: told.collect(),
        output: options.target()?,
        shard: options.shard.map(|shard| ShardPlan { shard, first: own.start, of: options.inputs.len() }),
        threads: context.threads,
        backend,
        level: context.level.name().into(),
        memory: context.memory,
        warnings,
        prepared: Prepared { subjects, refused, options: Some(options.clone()) },
    })
}

fn subject(
    options: &Options,
    input: &InputSpec,
    folder: PathBuf,
    context: &Context,
    warnings: &mut Vec<String>,
) -> Result<(Subject, SubjectPlan)> {
    let recording = Recording::open(input, &options.sources, warnings)?;
    let shape = [recording.epochs(), recording.list().len(), recording.samples()];
    let picks = picks(options, &recording);
    let groups = channels::groups(recording.list(), &picks);
    if groups.is_empty() {
        return Err(no_data_channel(recording.place()));
    }
    let total: usize = groups.iter().map(|g| g.picks.len()).sum();
    let grids = Grids::new(options, total).map_err(Error::within(recording.place()))?;
    check_epochs(options, &recording, grids.cv)?;
    let means = match options.method {
        Method::Global => Vec::new(),
        _ => {
            let plain = !options.augment && grids.never_repairs();
            let given = options.apply.is_some() || options.reject_log.is_some();
            let of = |group| match means(options, &recording, group, plain) {
                // A state or log may ask for no repair; where it does, it is refused when read.
                Err(_) if given => Ok(Means::Unchanged),
                found => found,
            };
            groups.iter().map(of).collect::<Result<_>>()?
        }
    };
    if options.method == Method::Local && !grids.never_repairs() {
        warnings.extend(groups.iter().filter_map(|group| never_repaired(recording.place(), group)));
    }
    let fixed =
        OVERHEAD + groups.iter().map(|g| scratch(options, shape, g, &grids, context)).max().unwrap_or(0);
    let values = [shape[0], total, shape[2]];
    // Of `decim` samples one is kept beside the epochs themselves.
    let (whole, thin) = if options.decim > 1 { (options.decim, 1) } else { (1, 0) };
    let least = fixed + 8 * (shape[0] * total * SLAB_STEP.min(shape[2]) * (whole + thin) / whole) as u64;
    if context.memory < least {
        let what = format!("{} samples of all epochs of {}", SLAB_STEP.min(shape[2]), recording.place());
        return Err(Error::Memory { limit: context.memory, least, what });
    }
    let room = ((context.memory - fixed) / 8) as usize / (whole + thin) * whole;
    let all: usize = values.iter().product();
    let held = all <= room;
    let passes = if held { 1 } else { shape[2].div_ceil(slab_samples(values, room)) };
    let plan = SubjectPlan {
        path: input.path.clone(),
        dataset: recording.info().path.clone(),
        folder,
        shape,
        stored: recording.info().stored.to_string(),
        groups: groups.iter().map(|g| group_plan(options, shape[0], g)).collect(),
        bads: recording.list().iter().filter(|c| c.bad).map(|c| c.name.clone()).collect(),
        consensus: grids.consensus,
        n_interpolate: grids.n_interpolate,
        cv: grids.cv,
        held,
        passes,
        unpacked: passes > 1 && recording.is_laborious(),
        flop: groups.iter().map(|g| flop(options, shape, g.picks.len())).sum(),
        memory: fixed + 8 * (if held { all } else { room } / whole * (whole + thin)) as u64,
    };
    Ok((Subject { recording, groups, means, room }, plan))
}

/// Grids and folds in force.
struct Grids {
    consensus: Vec<f64>,
    n_interpolate: Vec<i64>,
    cv: usize,
}

impl Grids {
    fn new(options: &Options, picks: usize) -> Result<Self> {
        let local =
            options.method == Method::Local && options.apply.is_none() && options.reject_log.is_none();
        let n_interpolate = match &options.n_interpolate {
            Some(given) => given.clone(),
            None if local => votes::default_n_interpolate(picks)?,
            None => Vec::new(),
        };
        let consensus = options.consensus.clone().unwrap_or_else(votes::default_consensus);
        let cv = options.cv.unwrap_or(if options.method == Method::Global { 5 } else { 10 });
        Ok(Grids { consensus, n_interpolate, cv })
    }

    /// True where no channel can ever be repaired.
    fn never_repairs(&self) -> bool {
        !self.n_interpolate.is_empty() && self.n_interpolate.iter().all(|&n| n == 0)
    }
}

/// Picks in force: a global threshold is for every type, eye movements included (spec 8).
fn picks(options: &Options, recording: &Recording) -> Vec<usize> {
    if options.method != Method::Global || !options.sources.picks.is_empty() {
        return recording.picks().to_vec();
    }
    let wanted = |(_, c): &(usize, &channels::Channel)| c.kind != ChannelKind::Other && !c.bad;
    recording.list().iter().enumerate().filter(wanted).map(|(at, _)| at).collect()
}

fn check_epochs(options: &Options, recording: &Recording, cv: usize) -> Result<()> {
    let n = recording.epochs();
    let fits = options.method != Method::Ransac && options.apply.is_none() && options.reject_log.is_none();
    if fits && n < cv {
        let (found, advice) = match n {
            1 => ("1 epoch".into(), "give more epochs".into()),
            _ => (format!("{n} epochs"), format!("give --cv {n} or fewer")),
        };
        let expected = format!("at least {cv}, one per fold");
        return Err(Error::data(recording.place(), found, expected, advice));
    }
    Ok(())
}

/// How a group is repaired; `plain` where nothing is ever predicted.
///
/// # Errors
/// It cannot be: EEG without positions, MEG, or a type that the method has no use for.
pub(super) fn means(options: &Options, recording: &Recording, group: &Group, plain: bool) -> Result<Means> {
    let place = recording.place();
    match group.kind {
        ChannelKind::Eeg | ChannelKind::Mag | ChannelKind::Grad if plain => Ok(Means::Unchanged),
        ChannelKind::Eeg => {
            let positions = channels::positions(place, recording.list(), &group.picks)?;
            Ok(Means::Spline(Spline::new(&positions).map_err(Error::within(place))?))
        }
        ChannelKind::Mag | ChannelKind::Grad => Err(Error::data(
            place,
            format!("{} {} channels", group.picks.len(), group.kind.name()),
            "EEG: repairing MEG needs a field mapping that nissl does not have",
            "pick the EEG with --picks eeg, take --method global, or give --no-augment --n-interpolate 0",
        )),
        _ if options.method == Method::Ransac => Err(Error::data(
            place,
            format!("{} channels", group.kind.name()),
            "EEG for --method ransac",
            "pick the EEG with --picks eeg",
        )),
        _ => Ok(Means::Unchanged),
    }
}

/// The warning due where a type can be labelled as repaired although nothing repairs it.
fn never_repaired(place: &str, group: &Group) -> Option<String> {
    let silent = !matches!(group.kind, ChannelKind::Eeg | ChannelKind::Mag | ChannelKind::Grad);
    silent.then(|| {
        format!(
            "{place}: {} {} channels are picked; no repair is known for this type, label 2 leaves their \
             samples as they are",
            group.picks.len(),
            group.kind.name()
        )
    })
}

fn group_plan(options: &Options, epochs: usize, group: &Group) -> GroupPlan {
    let predicted = options.augment && options.method == Method::Local;
    let rows = if predicted { 2 * epochs } else { epochs };
    GroupPlan { kind: group.kind, channels: group.picks.len(), tile_samples: tile_width(rows) }
}

/// Bytes of the largest stage of a group, epochs not counted.
fn scratch(options: &Options, [n, _, t]: [usize; 3], group: &Group, grids: &Grids, context: &Context) -> u64 {
    let c = group.picks.len();
    let shape = [n, c, t];
    let ptp = 8 * (n * c * 4) as u64;
    match options.method {
        Method::Local => {
            let sweep = sweep_bytes(shape, options.augment, 10, context.threads);
            let bins = (grids.consensus.len(), grids.n_interpolate.len());
            let grid = context.threads as u64 * grid_bytes(shape, grids.cv, bins.0, bins.1);
            // Lent by the sweep to the grid search.
            let few = TestMedians::are_few(n, grids.cv);
            let tests = if few { TestMedians::bytes(c, grids.cv, t) } else { 0 };
            ptp + tests + sweep.max(grid)
        }
        Method::Global => ptp + 2 * sweep_bytes(shape, false, grids.cv, context.threads),
        Method::Ransac => ptp + (context.threads * 50 * c * 32 * 8) as u64,
    }
}

/// Floating point operations of a group, about (spec autoreject 15).
fn flop(options: &Options, [n, _, t]: [usize; 3], c: usize) -> u64 {
    let (n, c, t) = (n as f64, c as f64, t as f64);
    let flop = match options.method {
        Method::Local if options.augment => {
            // The product twice, ten medians over a fifth of the rows, ten sweeps over the rest.
            4.0 * n * c * c * t + 10.0 * 0.4 * n * c * t * 30.0 + 10.0 * 1.6 * n * c * t * 5.0
        }
        Method::Local => 10.0 * 0.2 * n * c * t * 30.0 + 10.0 * 0.8 * n * c * t * 5.0,
        Method::Global => 2.0 * n * c * t * (30.0 + 5.0 * 4.0),
        Method::Ransac => 2.0 * t * c * (0.25 * c) * 50.0 * n + 50.0 * n * c * t * 20.0,
    };
    flop as u64
}

//! Runs a plan: one input after the other, each from file to folder. No arithmetic here.

use super::checkpoint::{Begin, Checkpoint, run_name};
use super::decision::Given;
use super::deliver::deliver;
use super::options::{Method, Options};
use super::part;
use super::plan::{Plan, SubjectPlan};
use super::prepare::Subject;
use super::work::{Picked, Work};
use crate::commands::{Context, Failure, InputFacts, Outcome};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What one input yields.
struct Yield {
    facts: InputFacts,
    outputs: Vec<PathBuf>,
    counts: Map<String, Value>,
}

/// Runs `plan`. Each file appears under its name only when it is whole; a bad input is told and
/// the rest go on.
///
/// # Errors
/// A file given besides the inputs cannot be used, the run was interrupted, or the only input
/// failed.
pub fn run(plan: &Plan, context: &Context) -> Result<Outcome> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    let Some(options) = &plan.prepared.options else {
        return Err(Error::Failed("the plan was not made here; plan again".into()));
    };
    let subjects = || plan.prepared.subjects.iter().zip(&plan.subjects);
    context.recorder.expect(plan.subjects.iter().map(|subject| walks(options, subject)).sum());
    let failures = plan.refusals();
    let run = part::begin(options, context.force)?;
    let mut outcome = Outcome { inputs: vec![], outputs: vec![], counts: Map::new(), failures };
    for (subject, subject_plan) in subjects() {
        let one = |given: &Given| {
            pool.install(|| {
                one(&Work { subject, plan: subject_plan, backend: &plan.backend, options, given, context })
            })
        };
        match Given::read(options, subject).and_then(|given| one(&given)) {
            Ok(done) => {
                outcome.inputs.push(done.facts);
                outcome.outputs.extend(done.outputs);
                add(&mut outcome.counts, done.counts);
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) if options.inputs.len() == 1 => return Err(error),
            Err(error) => {
                let input = subject_plan.path.display().to_string();
                outcome.failures.push(Failure { input, error });
            }
        }
    }
    part::end(plan, (options, run.as_deref()), &outcome.failures)?;
    Ok(outcome)
}

/// Epochs that progress counts: those of every walk over every group, and of writing.
fn walks(options: &Options, subject: &SubjectPlan) -> u64 {
    let given = options.thresholds.is_some();
    let each = match options.method {
        Method::Local if options.reject_log.is_some() => 0,
        Method::Local if options.apply.is_some() => 1,
        // Peak-to-peak, thresholds unless they are given, grid.
        Method::Local => 3 - usize::from(given),
        // Peak-to-peak twice, two sweeps.
        Method::Global => 4,
        Method::Ransac => 1,
    };
    (subject.shape[0] * (each * subject.groups.len() + 1)) as u64
}

fn one(work: &Work) -> Result<Yield> {
    let Subject { recording, groups, .. } = work.subject;
    let SubjectPlan { folder, .. } = work.plan;
    // Before the work: the file may be gone by its end, and its results right all the same.
    let facts = recording.facts()?;
    let run = run_name(work.subject, work.plan, work.options)?;
    let how = (work.options.resume, work.context.force);
    let mut checkpoint = match Checkpoint::begin(folder, &run, how)? {
        Begin::Run(checkpoint) => checkpoint,
        Begin::Done => {
            work.context.recorder.advance(walks(work.options, work.plan));
            tracing::info!("{}: this run is done already", folder.display());
            return Ok(Yield { facts, outputs: Vec::new(), counts: Map::new() });
        }
    };
    let sources: Vec<Picked> = groups.iter().map(|g| Picked::new(recording, &g.picks)).collect();
    let epochs = work.load(&sources)?;
    let decision = work.decide(&epochs, &mut checkpoint)?;
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let (outputs, counts) = deliver(work, &decision, &epochs, run)?;
    checkpoint.remove()?;
    Ok(Yield { facts, outputs, counts })
}

/// Counts of all inputs together.
fn add(all: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, count) in more {
        let sum = all.get(&name).and_then(Value::as_u64).unwrap_or(0) + count.as_u64().unwrap_or(0);
        all.insert(name, sum.into());
    }
}

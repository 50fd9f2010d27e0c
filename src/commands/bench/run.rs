//! Does what was asked: checks references, records a case, or times works and tells about them.

use super::compare::{self, Verdict};
use super::measure::{self, Bench, Spin};
use super::results::{self, BenchResult, Noise, WorkResult};
use super::workplace::{self, Workplace};
use super::{Answer, Options, against, ceilings, picture, plan, record, roofline, table, verify};
use crate::backend::Surroundings;
use crate::commands::Context;
use crate::error::{Error, ExitCode, Result};
use crate::report::Host;

/// A spread of the spins above this one is a noisy machine; likewise of most works.
const NOISY: f64 = 0.1;

/// Runs `options`.
///
/// # Errors
/// A result file cannot be read or is none, a baseline is of another machine, the work folder
/// cannot be used, a run of the program fails, or the bench was interrupted.
pub fn run(options: &Options, context: &Context) -> Result<Answer> {
    if options.verify.is_some() {
        return verify::run(options, context);
    }
    if options.record.is_some() {
        return record::run(options, context);
    }
    // A file that is no result is told before minutes of work.
    let peers = options.against.iter().map(|path| results::read(path)).collect::<Result<Vec<_>>>()?;
    let earlier = options.baseline.as_deref().map(results::read).transpose()?;
    if let (Some(earlier), None) = (&earlier, &options.from) {
        let here = Host::look(&Surroundings::of_this_process()).into();
        same_machine(options, &here, &earlier.host, context)?;
    }
    let own = match &options.from {
        Some(from) => results::read(from)?,
        None => timed(options, context)?,
    };
    if let (Some(earlier), Some(_)) = (&earlier, &options.from) {
        same_machine(options, &own.host, &earlier.host, context)?;
    }
    let mut text = table::render(&own, options.markdown);
    if !peers.is_empty() {
        text = text + "\n" + &against::table(&own, &peers, options.markdown);
    }
    let (mut failures, mut code) = (Vec::new(), ExitCode::Done);
    if let Some(earlier) = &earlier {
        let rows = compare::compare(&own, earlier, options.max_slowdown);
        if rows.is_empty() {
            let place = options.baseline.as_ref().map_or(String::new(), |path| path.display().to_string());
            let (found, advice) =
                ("no work that was timed now", "take a baseline of the same --size and --only");
            return Err(Error::data(place, found, "at least one, with as many threads", advice));
        }
        text = text + "\n" + &compare::table(&rows, options.max_slowdown).render(options.markdown);
        for row in rows.iter().filter(|row| row.verdict == Verdict::Slower) {
            failures.push(Error::Failed(row.line(options.max_slowdown)));
            code = ExitCode::Mismatch;
        }
    }
    picture::draw(options, &own)?;
    Ok(Answer { text, result: Some(own), failures, code })
}

/// Refuses a baseline of another machine, or warns of it where that is wanted.
fn same_machine(
    options: &Options,
    here: &results::HostFacts,
    there: &results::HostFacts,
    context: &Context,
) -> Result<()> {
    let Some(differs) = compare::strange(here, there) else { return Ok(()) };
    let place = options.baseline.as_ref().map_or(String::new(), |path| path.display().to_string());
    if options.other_machine {
        context
            .recorder
            .warn(format!("{place}: is of another machine ({differs}); times may differ for that"));
        return Ok(());
    }
    let advice = "give --other-machine to compare all the same";
    Err(Error::data(place, format!("a result of another machine ({differs})"), "one of this machine", advice))
}

/// Measures the machine and runs all works.
fn timed(options: &Options, context: &Context) -> Result<BenchResult> {
    let plan = plan(options, context)?;
    let host = Host::look(&Surroundings::of_this_process());
    if let Some(keep) = &options.keep {
        std::fs::create_dir_all(keep).map_err(Error::io(keep, "make"))?;
        workplace::room_for(keep, plan.disk)?;
    }
    let place = Workplace::make(options.work.as_deref(), plan.disk)?;
    let steps = plan.works.len() * plan.threads.len() * plan.backends.len();
    context.recorder.expect(steps as u64);
    let ceilings = ceilings::measure(&plan.threads, place.folder(), context)?;
    let pool = ceilings::pool(context.threads)?;
    let bench = Bench { options, plan: &plan, folder: place.folder(), context, pool: &pool };
    let mut spin = Spin::new(&bench);
    let mut works = Vec::new();
    for work in &plan.works {
        tracing::info!("{}: {}", work.name, work.about);
        let mut found = measure::work(&bench, work, &mut spin)?;
        for result in &mut found {
            let fitting = roofline::of_threads(&ceilings, result.threads);
            for stage in &mut result.stages {
                roofline::bind(stage, work.arithmetic(&stage.name), context.level.name(), &fitting);
            }
        }
        works.extend(found);
    }
    speed_up(&mut works);
    let noise = noise(spin.times(), &works);
    Ok(BenchResult {
        kind: results::KIND.into(),
        schema: results::SCHEMA,
        tool: concat!("nissl ", env!("CARGO_PKG_VERSION")).into(),
        argv: options.argv.clone(),
        size: options.size.name().into(),
        host: host.into(),
        backend: format!("{}/{}", plan.backends.join("+"), context.level.name()),
        ceilings,
        works,
        noise,
        warnings: context.recorder.warnings(),
    })
}

/// Fills in how much faster than with one thread.
fn speed_up(works: &mut [WorkResult]) {
    let alone: Vec<WorkResult> = works.iter().filter(|work| work.threads == 1).cloned().collect();
    for work in works.iter_mut().filter(|work| work.threads > 1 && work.wall_s > 0.0) {
        let one = alone.iter().find(|one| one.work == work.work && one.backend == work.backend);
        work.speedup = one.map(|one| one.wall_s / work.wall_s);
    }
}

/// Judges the machine by its spins, and by the works where most of them vary.
fn noise(spins: &[f64], works: &[WorkResult]) -> Noise {
    let median = measure::median(spins);
    let mut sorted = spins.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tenth = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(median);
    let spread = if median > 0.0 { tenth / median - 1.0 } else { 0.0 };
    let unsteady = works.iter().filter(|work| work.spread > NOISY).count();
    Noise { spread, noisy: spread > NOISY || 2 * unsteady > works.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_up_is_over_one_thread_of_the_same_work() {
        let work = |name: &str, threads, wall_s| WorkResult {
            work: name.into(),
            threads,
            wall_s,
            ..WorkResult::default()
        };
        let mut works = [work("a/a", 1, 3.0), work("a/a", 2, 1.5), work("a/b", 2, 1.0)];
        speed_up(&mut works);
        assert_eq!(works.map(|work| work.speedup), [None, Some(2.0), None]);
    }

    #[test]
    fn a_noisy_machine_is_told_by_its_spins_or_by_most_works() {
        let quiet = vec![1.0; 30];
        assert!(!noise(&quiet, &[]).noisy);
        let mut busy = quiet.clone();
        busy[..6].fill(1.5);
        assert!(noise(&busy, &[]).noisy && noise(&busy, &[]).spread > 0.4);
        // One hiccup is none.
        busy[1..6].fill(1.0);
        assert!(!noise(&busy, &[]).noisy);
        let work = |spread| WorkResult { spread, ..WorkResult::default() };
        assert!(noise(&quiet, &[work(0.3), work(0.2), work(0.0)]).noisy);
    }
}

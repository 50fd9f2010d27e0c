//! Runs works: inputs, warm-up, repeats, medians, and a fixed computation between them that tells
//! whether the machine was quiet.

use super::ceilings;
use super::child::{self, Run};
use super::inputs;
use super::plan::{Plan, Repeats};
use super::results::{StageResult, WorkResult};
use super::works::{CONFIG, INPUT, Job, OUTPUT, Work};
use super::{Options, keep};
use crate::backend::device::SET_UP as DEVICE_SET_UP;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::kernels::simd::peak::multiply_add_burst;
use rayon::ThreadPool;
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Seconds of a spin, about, and how many are done at a time: the best one counts, for what the
/// system cleans up after a run takes milliseconds and is no noise.
const SPIN_S: f64 = 0.004;
const SPINS: usize = 3;

/// Everything that runs of works need.
pub struct Bench<'a> {
    /// What was asked.
    pub options: &'a Options,
    /// What will run.
    pub plan: &'a Plan,
    /// Where inputs and outputs lie.
    pub folder: &'a Path,
    /// Machine, limits, and who listens.
    pub context: &'a Context<'a>,
    /// All threads, for making inputs and for spins.
    pub pool: &'a ThreadPool,
}

/// A fixed computation on all threads: how long it takes tells of others on the machine.
#[derive(Debug)]
pub struct Spin {
    rounds: usize,
    times: Vec<f64>,
}

impl Spin {
    /// Finds how much of it takes about as long as it should.
    pub fn new(bench: &Bench) -> Spin {
        let mut spin = Spin { rounds: 200_000, times: Vec::new() };
        spin.turn(bench);
        let took = spin.times.pop().unwrap_or(SPIN_S);
        spin.rounds = ((spin.rounds as f64 * SPIN_S / took) as usize).max(1);
        spin
    }

    /// Times it a few times and keeps the best.
    pub fn turn(&mut self, bench: &Bench) {
        let clock = bench.context.recorder;
        let once = |_| {
            let start = clock.elapsed_ns();
            bench.pool.broadcast(|_| black_box(multiply_add_burst(bench.context.level, self.rounds, 1.5)));
            (clock.elapsed_ns() - start).max(1) as f64 * 1e-9
        };
        self.times.push((0..SPINS).map(once).fold(f64::INFINITY, f64::min));
    }

    /// Times of all turns, seconds.
    pub fn times(&self) -> &[f64] {
        &self.times
    }
}

/// Runs one work with every number of threads and on every backend; its input is made before and
/// deleted after, or kept.
///
/// # Errors
/// The disk, a run that fails, or an interruption.
pub fn work(bench: &Bench, work: &Work, spin: &mut Spin) -> Result<Vec<WorkResult>> {
    let home = match &bench.options.keep {
        Some(keep) => keep.join(&work.name),
        None => bench.folder.join("input"),
    };
    std::fs::create_dir_all(&home).map_err(Error::io(&home, "make"))?;
    let input = bench.pool.install(|| inputs::make(&work.input, &home, bench.context))?;
    if bench.options.keep.is_some() {
        keep::describe(work, &home)?;
    }
    let mut results = Vec::new();
    for backend in &bench.plan.backends {
        for &threads in &bench.plan.threads {
            // One thread does it all the same, and no device reads files; once is enough.
            let alike = work.serial || (work.job == Job::Reading && backend != &bench.plan.backends[0]);
            if alike && !results.is_empty() {
                bench.context.recorder.advance(1);
                continue;
            }
            match repeated(bench, work, (&input, backend, threads), spin) {
                Ok((first, runs)) => {
                    let mut result = summary(work, threads, &runs);
                    result.first_call_s = first;
                    results.push(result);
                }
                Err(Error::Failed(why)) if why.contains(&format!("backend {backend} is not available")) => {
                    bench.context.recorder.warn(format!("{} is left out: {why}", work.name));
                }
                Err(error) => return Err(error),
            }
            bench.context.recorder.advance(1);
        }
    }
    if bench.options.keep.is_none() {
        std::fs::remove_dir_all(&home).map_err(Error::io(&home, "remove"))?;
    }
    Ok(results)
}

/// Runs after one of warm-up; a long one is run as it is, its input from the disk. Before them stands
/// what the very first run took to set devices up, if it used any.
fn repeated(
    bench: &Bench,
    work: &Work,
    how: (&Path, &str, usize),
    spin: &mut Spin,
) -> Result<(Option<f64>, Vec<Run>)> {
    let Repeats { least, most, seconds } = bench.plan.repeats_of(work);
    let pool = ceilings::pool(how.2)?;
    let mut first = None;
    if !work.long {
        first = Some(set_up(&once(bench, work, how, &pool)?));
    }
    let (mut runs, mut spent) = (Vec::new(), 0.0);
    while runs.len() < least || (runs.len() < most && spent < seconds) {
        spin.turn(bench);
        let run = once(bench, work, how, &pool)?;
        spent += run.wall_s;
        first.get_or_insert_with(|| set_up(&run));
        runs.push(run);
    }
    Ok((first.flatten(), runs))
}

/// What a run took to open devices and load their kernels.
fn set_up(run: &Run) -> Option<f64> {
    run.stages.iter().find(|stage| stage.name == DEVICE_SET_UP).map(|stage| stage.wall_s)
}

fn once(
    bench: &Bench,
    work: &Work,
    (input, backend, threads): (&Path, &str, usize),
    pool: &ThreadPool,
) -> Result<Run> {
    match &work.job {
        Job::Reading => super::reading::run(input, pool, bench.context),
        Job::Program(words) => {
            let place = bench.folder.join("output");
            std::fs::create_dir_all(&place).map_err(Error::io(&place, "make"))?;
            let report = place.join("report.json");
            let mut arguments = command_line(words, input, &place.join(work.output));
            let told = ["-q", "--progress", "none", "--backend", backend, "--threads", &threads.to_string()];
            arguments.extend(told.map(str::to_owned));
            arguments.extend(["--report".into(), report.display().to_string()]);
            if let Some(memory) = bench.options.memory {
                arguments.extend(["--memory".into(), memory.to_string()]);
            }
            let run = child::run(&bench.options.program, &arguments, &report, bench.context)?;
            // Not timed; the next run finds no output that it would have to replace.
            std::fs::remove_dir_all(&place).map_err(Error::io(&place, "remove"))?;
            Ok(run)
        }
    }
}

/// A work's command line on files.
pub fn command_line(words: &[String], input: &Path, output: &Path) -> Vec<String> {
    let config: PathBuf = input.parent().map(inputs::config).unwrap_or_default();
    let filled = |word: &String| match word.as_str() {
        INPUT => input.display().to_string(),
        OUTPUT => output.display().to_string(),
        CONFIG => config.display().to_string(),
        other => other.to_owned(),
    };
    words.iter().map(filled).collect()
}

/// The middle of an even or odd number of values; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(&value), 1) => value,
        (Some(&value), _) => (value + sorted[middle - 1]) / 2.0,
    }
}

/// Median deviation of values from their median, over the median.
pub fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    let apart: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    if middle > 0.0 { median(&apart) / middle } else { 0.0 }
}

/// A stage with the medians of its times over all runs.
fn usual(stage: StageResult, runs: &[Run]) -> StageResult {
    let same = || runs.iter().filter_map(|run| run.stages.iter().find(|other| other.name == stage.name));
    let walls: Vec<f64> = same().map(|stage| stage.wall_s).collect();
    let cpus: Vec<f64> = same().map(|stage| stage.cpu_s).collect();
    let wall_s = median(&walls);
    let rate = (stage.items > 0 && wall_s > 0.0).then(|| stage.items as f64 / wall_s);
    StageResult { wall_s, cpu_s: median(&cpus), spread: spread(&walls), rate, ..stage }
}

fn summary(work: &Work, threads: usize, runs: &[Run]) -> WorkResult {
    let times: Vec<f64> = runs.iter().map(|run| run.wall_s).collect();
    let wall_s = median(&times);
    // Counts, threads and latencies are those of the run nearest to the median.
    let typical = runs.iter().min_by(|a, b| (a.wall_s - wall_s).abs().total_cmp(&(b.wall_s - wall_s).abs()));
    let typical = typical.cloned().unwrap_or_default();
    let note = match work.job {
        Job::Reading => Some("reading through the library, in the bench's own process".into()),
        Job::Program(_) if work.serial => Some("one thread decodes, whatever --threads says".into()),
        Job::Program(_) if work.long && runs.len() == 1 => {
            Some("a single run, without warm-up: large inputs come from the disk".into())
        }
        Job::Program(_) => None,
    };
    WorkResult {
        work: work.name.clone(),
        command: work.group.name().into(),
        about: work.about.clone(),
        backend: typical.backend,
        threads,
        items: typical.latency.as_ref().map_or(work.items, |latency| latency.ticks),
        item: work.item.into(),
        wall_s,
        least_s: times.iter().copied().fold(f64::INFINITY, f64::min),
        most_s: times.iter().copied().fold(0.0, f64::max),
        spread: spread(&times),
        runs_s: times,
        cpu_s: typical.cpu_s,
        peak_rss: runs.iter().filter_map(|run| run.peak_rss).max(),
        workers: typical.workers,
        speedup: None,
        first_call_s: None,
        stages: typical.stages.into_iter().map(|stage| usual(stage, runs)).collect(),
        latency: typical.latency,
        note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_the_run_nearest_to_them() {
        assert_eq!((median(&[]), median(&[3.0]), median(&[4.0, 1.0, 2.0])), (0.0, 3.0, 2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let work =
            &super::super::works::of(super::super::options::Group::Io, super::super::options::Size::Quick)[0];
        let run =
            |wall_s, rss| Run { wall_s, peak_rss: Some(rss), cpu_s: Some(wall_s * 2.0), ..Run::default() };
        let found = summary(work, 2, &[run(3.0, 10), run(1.0, 30), run(2.0, 20)]);
        assert_eq!((found.wall_s, found.least_s, found.most_s), (2.0, 1.0, 3.0));
        assert_eq!((found.cpu_s, found.peak_rss), (Some(4.0), Some(30)));
        assert_eq!(found.runs_s, [3.0, 1.0, 2.0]);
    }

    #[test]
    fn places_are_filled_in() {
        let words: Vec<String> = ["decode", INPUT, "-o", OUTPUT, CONFIG].map(str::to_owned).to_vec();
        let filled = command_line(&words, Path::new("a b/in.h5"), Path::new("out.nc"));
        assert_eq!(filled, ["decode", "a b/in.h5", "-o", "out.nc", "a b/config.json"]);
    }
}

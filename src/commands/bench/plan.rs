//! Options and machine -> the works that will be run, on how many threads, how often.

use super::Options;
use super::options::{Size, ThreadCount};
use super::works::{self, Work};
use crate::backend::{self, Request};
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::units::format_bytes;
use serde::Serialize;
use std::fmt;

/// How often works are run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Repeats {
    /// Runs of each at least.
    pub least: usize,
    /// At most.
    pub most: usize,
    /// Between them, new ones are begun until so many seconds are spent.
    pub seconds: f64,
}

/// What will run.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// How large.
    pub size: Size,
    /// Works in the order in which they run.
    pub works: Vec<Work>,
    /// Numbers of threads, each once.
    pub threads: Vec<usize>,
    /// Backends, by name.
    pub backends: Vec<&'static str>,
    /// How often.
    pub repeats: Repeats,
    /// Bytes on disk at most at a time.
    pub disk: u64,
}

/// Makes the plan.
///
/// # Errors
/// No work has one of the names asked for, or a backend asked for by name is absent.
pub fn plan(options: &Options, context: &Context) -> Result<Plan> {
    let all = options.groups.iter().flat_map(|&group| works::of(group, options.size));
    let known: Vec<Work> = all.filter(|work| cfg!(feature = "hdf5") || !work.input.needs_hdf5()).collect();
    if !cfg!(feature = "hdf5") {
        let left_out =
            "works whose inputs are HDF5 are left out: this nissl was built without the feature hdf5";
        context.recorder.warn(left_out);
    }
    for wanted in &options.only {
        if !known.iter().any(|work| works::fits(wanted, &work.name)) {
            let names: Vec<&str> = known.iter().map(|work| work.name.as_str()).collect();
            return Err(Error::usage(format!(
                "--only {wanted}: no work of --size {} is called so; there are {}",
                options.size.name(),
                names.join(", ")
            )));
        }
    }
    let chosen = |work: &Work| {
        options.only.is_empty() || options.only.iter().any(|wanted| works::fits(wanted, &work.name))
    };
    let works: Vec<Work> = known.into_iter().filter(chosen).collect();
    let mut threads: Vec<usize> = Vec::new();
    for count in &options.threads {
        let count = match count {
            ThreadCount::Count(count) => *count,
            ThreadCount::All => context.threads,
        };
        if !threads.contains(&count) {
            threads.push(count);
        }
    }
    let kept: u64 = if options.keep.is_some() { works.iter().map(|w| w.input.bytes()).sum() } else { 0 };
    let disk = kept + works.iter().map(Work::disk).max().unwrap_or(0).max(128 << 20);
    let repeats = repeats(options);
    Ok(Plan { size: options.size, works, threads, backends: backends(options)?, repeats, disk })
}

impl Plan {
    /// How often `work` is run: a long one once, where nothing else is asked for.
    pub fn repeats_of(&self, work: &Work) -> Repeats {
        match self.repeats.least == self.repeats.most || !work.long {
            true => self.repeats,
            false => Repeats { least: 1, most: 1, seconds: 0.0 },
        }
    }
}

fn repeats(options: &Options) -> Repeats {
    match (options.repeat, options.size) {
        (Some(count), _) => Repeats { least: count, most: count, seconds: 0.0 },
        (None, Size::Quick) => Repeats { least: 3, most: 5, seconds: 0.5 },
        (None, Size::Standard) => Repeats { least: 3, most: 7, seconds: 5.0 },
        (None, Size::Full) => Repeats { least: 1, most: 5, seconds: 30.0 },
    }
}

/// The one asked for; under `auto` all that are here, but no device that is the CPU in disguise.
fn backends(options: &Options) -> Result<Vec<&'static str>> {
    let all = [("cpu", Request::Cpu), ("cuda", Request::Cuda), ("wgpu", Request::Wgpu)];
    if let Some((name, request)) = all.iter().find(|(name, _)| *name == options.backend) {
        backend::resolve(*request, None)?;
        return Ok(vec![name]);
    }
    let here = |request| {
        request == Request::Cpu || backend::resolve(request, None).is_ok_and(|seat| seat.has_hardware())
    };
    Ok(all.iter().filter(|(_, request)| here(*request)).map(|(name, _)| *name).collect())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        writeln!(f, "size       {}", self.size.name())?;
        writeln!(f, "threads    {}", listed(&self.threads))?;
        writeln!(f, "backends   {}", self.backends.join(", "))?;
        let Repeats { least, most, seconds } = self.repeats;
        match least == most {
            true => writeln!(f, "runs       {least} of each, after one of warm-up")?,
            false => writeln!(
                f,
                "runs       {least} to {most} of each (more while {seconds} s are not over) after one of warm-up; \
                 * one alone"
            )?,
        }
        writeln!(f, "disk       {} at most at a time", format_bytes(self.disk))?;
        writeln!(
            f,
            "ceilings   copy, multiply-adds f32 and f64 and exponentials per instruction set, file read"
        )?;
        let wide = self.works.iter().map(|work| work.name.len()).max().unwrap_or(0).max(4);
        writeln!(f, "\n{:<wide$}  {:>7}  {:>7}  {:>7}  shape", "work", "input", "output", "memory")?;
        for work in &self.works {
            let star = if work.long && self.repeats.least < self.repeats.most { " *" } else { "" };
            let [input, output, memory] = [work.input.bytes(), work.output_bytes, work.memory].map(size);
            writeln!(f, "{:<wide$}  {input:>7}  {output:>7}  {memory:>7}  {}{star}", work.name, work.about)?;
        }
        Ok(())
    }
}

/// Whole mebibytes from one on.
fn size(bytes: u64) -> String {
    match bytes {
        0 => "-".into(),
        small if small < 1 << 20 => format_bytes(small.next_multiple_of(1 << 10)),
        large => format_bytes(large.next_multiple_of(1 << 20)),
    }
}

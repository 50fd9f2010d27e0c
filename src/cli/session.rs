//! One run from options to report, the same for every command: limits, listener, plan, passes,
//! report, table.

use super::common::{LimitFlags, RunFlags};
use super::edge;
use super::signals::{self, Stop};
use crate::backend::{self, Backend, MemoryLimit, Surroundings, ThreadLimit, memory, threads};
use crate::commands::{Context, Failure, Outcome, ending};
use crate::error::{Error, ExitCode, Result};
use crate::io::atomic::{self, Beside};
use crate::io::kept;
use crate::report::progress::{Display, Listener};
use crate::report::{Ending, Host, Recorder, Report, SCHEMA, Threads, Versions, json, text};
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Options bound to a command's planning.
pub type MakePlan<P> = Box<dyn Fn(&Context) -> Result<P>>;

/// What a command brings to a run.
pub struct Job<P> {
    /// Its name.
    pub command: &'static str,
    /// What its progress counts.
    pub unit: &'static str,
    /// What its stages count.
    pub item: &'static str,
    /// Command line as typed.
    pub argv: Vec<OsString>,
    /// Files it reads.
    pub inputs: Vec<PathBuf>,
    /// Files it writes; the report lies beside the first.
    pub outputs: Vec<PathBuf>,
    /// The first output is a folder: the report lies in it.
    pub into_folder: bool,
    /// Replace existing files.
    pub force: bool,
    /// An output that the same run finished before is no error: there is nothing left to do.
    pub resume: bool,
    /// The run's name, by which it is known again: a hash of all that its results depend on.
    pub name: fn(&P) -> Option<&str>,
    /// Makes the plan.
    pub plan: MakePlan<P>,
    /// What the plan warns about.
    pub warnings: fn(&P) -> &[String],
    /// Inputs that the plan refuses while others might go on; true where none is left.
    pub refused: fn(&P) -> (bool, Vec<Failure>),
    /// Runs the plan.
    pub run: fn(&P, &Context) -> Result<Outcome>,
    /// What the run does when a signal asks it to stop.
    pub stop: Stop,
}

/// What a run was granted.
pub(super) struct Grant {
    pub(super) around: Surroundings,
    pub(super) backend: Backend,
    pub(super) threads: ThreadLimit,
    pub(super) memory: MemoryLimit,
}

/// Where the report goes.
enum ReportTo {
    Stdout,
    File(PathBuf),
}

/// Plans and runs `job` as `flags` ask.
///
/// # Errors
/// Whatever stops the plan or the run; a report asked for by name is written all the same.
pub fn carry_out<P: Serialize + fmt::Display>(job: &Job<P>, flags: &RunFlags) -> Result<ExitCode> {
    log_to_stderr(flags.tell.verbose);
    let report_to = report_target(job, flags)?;
    let recorder = Arc::new(Recorder::new());
    let grant = grant(&flags.limits, flags.threads, &recorder)?;
    let listener = Listener::start(flags.tell.display(), job.unit, Arc::clone(&recorder));
    let at_work = Arc::new(AtomicBool::new(false));
    signals::stop_as(Arc::clone(&recorder), job.stop, Arc::clone(&at_work));
    let context = Context {
        level: grant.backend.level,
        threads: grant.threads.count,
        memory: grant.memory.bytes,
        force: job.force,
        recorder: &recorder,
    };
    // After a signal every error is but its echo, unless the run goes on to its end all the same.
    let told = |error| match (job.stop, error) {
        (Stop::AtOnce, _) if recorder.is_cancelled() => Error::Interrupted,
        (Stop::Keeps, Error::Interrupted) if recorder.is_cancelled() => Error::Stopped,
        (_, error) => error,
    };
    let plan = (job.plan)(&context).map_err(told)?;
    at_work.store(true, Ordering::Release);
    for warning in (job.warnings)(&plan) {
        recorder.warn(warning.clone());
    }
    if flags.tell.dry_run {
        listener.finish();
        edge::print(plan.to_string().as_bytes())?;
        let (nothing, refused) = (job.refused)(&plan);
        tell(&refused);
        return Ok(ending(nothing, &refused));
    }
    if job.resume && !job.into_folder && is_done(job, &plan, &report_to)? {
        listener.finish();
        return Ok(ExitCode::Done);
    }
    let result = (job.run)(&plan, &context).map_err(told);
    listener.finish();
    let report = report(job, &plan, grant, &recorder, &result)?;
    match result {
        Ok(outcome) => {
            tell(&outcome.failures);
            let code = outcome.exit_code();
            // Nothing was done, or --resume found it done: an earlier report stays.
            if outcome.outputs.is_empty() {
                deliver_if_asked(&report, &report_to, flags)?;
                return Ok(code);
            }
            deliver(&report, &report_to)?;
            if !flags.tell.quiet && flags.tell.progress != Display::Json {
                // A closed stderr is no reason to fail a finished run.
                let _ = std::io::stderr().lock().write_all(text::table(&report, job.item).as_bytes());
            }
            Ok(code)
        }
        Err(error) => {
            deliver_if_asked(&report, &report_to, flags)?;
            Err(error)
        }
    }
}

/// A plan under the limits of `flags`, for those who only look.
///
/// # Errors
/// Whatever stops the plan.
pub fn plan_only<P>(flags: &RunFlags, force: bool, plan: impl FnOnce(&Context) -> Result<P>) -> Result<P> {
    let recorder = Recorder::new();
    let grant = grant(&flags.limits, flags.threads, &recorder)?;
    plan(&Context {
        level: grant.backend.level,
        threads: grant.threads.count,
        memory: grant.memory.bytes,
        force,
        recorder: &recorder,
    })
}

/// True where the output that is there is the one this run would write, as its report says.
///
/// # Errors
/// Another output is there, and may not be replaced.
fn is_done<P>(job: &Job<P>, plan: &P, report: &ReportTo) -> Result<bool> {
    let (Some(output), Some(name)) = (job.outputs.first(), (job.name)(plan)) else { return Ok(false) };
    if !output.exists() {
        return Ok(false);
    }
    let stored = match report {
        ReportTo::File(path) => path.clone(),
        ReportTo::Stdout => beside(output),
    };
    // A report older than the output is of an earlier one.
    let written = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let fresh = written(&stored) >= written(output);
    if fresh && json::finished_run(&stored).as_deref() == Some(name) {
        tracing::info!("{}: this run is done already", output.display());
        return Ok(true);
    }
    // The same run, stopped between the rename and its report, may put the same bytes there again.
    let unfinished = kept::place(output, name).exists();
    if job.force || unfinished { Ok(false) } else { Err(Error::OutputExists(output.clone())) }
}

fn tell(failures: &[Failure]) {
    for failure in failures {
        edge::say_error(&failure.error.to_string());
    }
}

/// Beside an output that does not exist nobody would look for a report.
fn deliver_if_asked(report: &Report, to: &ReportTo, flags: &RunFlags) -> Result<()> {
    if flags.report.is_some() { deliver(report, to) } else { Ok(()) }
}

/// Logs what is found and decided, where `-v` asks for it.
pub(super) fn log_to_stderr(verbose: u8) {
    if verbose == 0 {
        return;
    }
    let level = if verbose > 1 { tracing::Level::DEBUG } else { tracing::Level::INFO };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).without_time().with_target(false);
    // Set twice only when a test calls twice in one process.
    let _ = subscriber.with_ansi(false).with_writer(std::io::stderr).try_init();
}

/// Settles what a run may use, by flags and surroundings.
///
/// # Errors
/// A backend asked for by name is absent.
pub(super) fn grant(flags: &LimitFlags, threads: Option<usize>, recorder: &Recorder) -> Result<Grant> {
    let around = Surroundings::of_this_process();
    let backend = backend::resolve(flags.backend)?;
    let allowed = threads::allowed(&around);
    let threads = match threads {
        Some(count) => {
            if count > allowed.count {
                recorder.warn(format!(
                    "--threads {count}: only {} CPU(s) may be used here ({}); more threads merely share them",
                    allowed.count, allowed.why
                ));
            }
            ThreadLimit { count, why: "--threads".into() }
        }
        None => allowed,
    };
    let memory = match flags.memory {
        Some(bytes) => MemoryLimit { bytes, why: "--memory".into() },
        None => memory::allowed(&around),
    };
    tracing::info!("backend {} ({}): {}", backend.name, backend.level.name(), backend.why);
    tracing::info!("threads {}: {}", threads.count, threads.why);
    tracing::info!("memory {}: {}", crate::units::format_bytes(memory.bytes), memory.why);
    Ok(Grant { around, backend, threads, memory })
}

/// Settles where the report goes, before any work.
fn report_target<P>(job: &Job<P>, flags: &RunFlags) -> Result<ReportTo> {
    let path = match &flags.report {
        Some(path) if path.as_os_str() == "-" => return Ok(ReportTo::Stdout),
        Some(path) => path.clone(),
        None => {
            let output = job.outputs.first().map_or(Path::new("nissl"), PathBuf::as_path);
            match std::fs::metadata(output) {
                // Beside a device is no place for a file.
                Ok(found) if found.file_type().is_char_device() => PathBuf::from("/dev/null"),
                _ if job.into_folder => output.join("report.json"),
                _ => beside(output),
            }
        }
    };
    if let Some(taken) = job.inputs.iter().chain(&job.outputs).find(|p| atomic::same_file(p, &path)) {
        let message =
            format!("--report {}: is also {}; give another --report", path.display(), taken.display());
        return Err(Error::usage(message));
    }
    // An old report beside a new output is stale; one named by hand may be any file of the user's.
    if flags.report.is_some() {
        if !job.force && path.is_file() {
            return Err(Error::OutputExists(path));
        }
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made_by_the_run = job.into_folder && job.outputs.iter().any(|output| output == folder);
        if !made_by_the_run {
            std::fs::metadata(folder).map_err(Error::io(folder, "write the report into"))?;
        }
    }
    if path.is_dir() {
        return Err(Error::usage(format!("--report {}: is a folder, expected a file", path.display())));
    }
    Ok(ReportTo::File(path))
}

/// `OUT.report.json` for `OUT`.
fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".report.json");
    name.into()
}

fn report<P: Serialize>(
    job: &Job<P>,
    plan: &P,
    grant: Grant,
    recorder: &Recorder,
    result: &Result<Outcome>,
) -> Result<Report> {
    let to_json = |e: serde_json::Error| Error::Failed(format!("cannot write the report: {e}"));
    let (inputs, ending) = match result {
        Ok(outcome) => (serde_json::to_value(&outcome.inputs).map_err(to_json)?, done(outcome)),
        Err(error) => (serde_json::Value::Array(Vec::new()), failed(error)),
    };
    Ok(Report {
        schema: SCHEMA,
        versions: Versions::of_this_build(),
        command: job.command.into(),
        argv: job.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        directory: std::env::current_dir().unwrap_or_default(),
        plan: serde_json::to_value(plan).map_err(to_json)?,
        inputs,
        host: Host::look(&grant.around),
        backend: grant.backend,
        threads: Threads { limit: grant.threads, worked: recorder.workers() },
        memory: grant.memory,
        peak_rss: memory::peak_rss(&grant.around),
        wall_s: recorder.elapsed_s(),
        cpu_s: recorder.cpu_s(),
        stages: recorder.stages().into_iter().map(Into::into).collect(),
        warnings: recorder.warnings(),
        outcome: ending,
    })
}

fn done(outcome: &Outcome) -> Ending {
    let code = outcome.exit_code();
    Ending {
        status: match code {
            ExitCode::Done => "done",
            ExitCode::Partial => "partial",
            _ => "failed",
        },
        exit_code: code as u8,
        error: None,
        failures: outcome.failures.iter().map(|failure| failure.error.to_string()).collect(),
        outputs: outcome.outputs.clone(),
        counts: outcome.counts.clone(),
    }
}

fn failed(error: &Error) -> Ending {
    Ending {
        status: "failed",
        exit_code: error.exit_code() as u8,
        error: Some(error.to_string()),
        failures: Vec::new(),
        outputs: Vec::new(),
        counts: serde_json::Map::new(),
    }
}

fn deliver(report: &Report, to: &ReportTo) -> Result<()> {
    let text = json::render(report)?;
    match to {
        ReportTo::Stdout => edge::print(text.as_bytes()),
        // A device or pipe (/dev/null, a FIFO) is written to; a rename would put a file in its place.
        ReportTo::File(path) if path.exists() && !path.is_file() => {
            let file = std::fs::OpenOptions::new().write(true).open(path);
            file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(Error::io(path, "write"))
        }
        ReportTo::File(path) => {
            let mut file = Beside::create(path)?;
            file.file().write_all(text.as_bytes()).map_err(Error::io(path, "write"))?;
            file.finish()
        }
    }
}

//! One run from options to report, the same for every command: limits, listener, plan, passes,
//! report, table.

mod limits;
mod reporting;

use super::common::RunFlags;
use super::edge;
use super::signals::{self, Stop};
use crate::commands::{Context, Failure, Outcome, Planned, ending};
use crate::error::{Error, ExitCode, Result};
use crate::report::progress::{Display, Listener};
use crate::report::{Recorder, text};
use reporting::{deliver, deliver_if_asked, forget_kept, is_done, report, report_target};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use limits::{Grant, grant};

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
    /// Makes the plan.
    pub plan: MakePlan<P>,
    /// Runs the plan.
    pub run: fn(&P, &Context) -> Result<Outcome>,
    /// What the run does when a signal asks it to stop.
    pub stop: Stop,
}

/// Plans and runs `job` as `flags` ask.
///
/// # Errors
/// Whatever stops the plan or the run; a report asked for by name is written all the same.
pub fn carry_out<P: Planned>(job: &Job<P>, flags: &RunFlags) -> Result<ExitCode> {
    log_to_stderr(flags.tell.verbose);
    let report_to = report_target(job, flags)?;
    let recorder = Arc::new(Recorder::new());
    let grant = grant(&flags.limits, flags.threads, &recorder)?;
    let listener = Listener::start(flags.tell.display(), job.unit, Arc::clone(&recorder));
    let at_work = Arc::new(AtomicBool::new(false));
    signals::stop_as(Arc::clone(&recorder), job.stop, Arc::clone(&at_work), &job.inputs);
    let context = Context {
        level: grant.seat.level(),
        seat: &grant.seat,
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
    let backend = plan.backend();
    tracing::info!("backend {}: {}", backend.name, backend.why);
    for warning in plan.warnings() {
        recorder.warn(warning.clone());
    }
    if flags.tell.dry_run {
        listener.finish();
        edge::print(plan.to_string().as_bytes())?;
        let (nothing, refused) = plan.refused();
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
                forget_kept(job, &plan)?;
                return Ok(code);
            }
            deliver(&report, &report_to)?;
            forget_kept(job, &plan)?;
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
        level: grant.seat.level(),
        seat: &grant.seat,
        threads: grant.threads.count,
        memory: grant.memory.bytes,
        force,
        recorder: &recorder,
    })
}

fn tell(failures: &[Failure]) {
    for failure in failures {
        edge::say_error(&failure.error.to_string());
    }
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

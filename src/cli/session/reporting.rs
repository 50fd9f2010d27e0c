//! The report of a run: where it goes, what it tells, and what an earlier one told.

use super::{Grant, Job};
use crate::backend::memory;
use crate::cli::common::RunFlags;
use crate::cli::edge;
use crate::commands::{Outcome, Planned};
use crate::error::{Error, ExitCode, Result};
use crate::io::atomic::{self, Beside};
use crate::io::kept;
use crate::report::{Ending, Host, Recorder, Report, SCHEMA, Threads, Versions, json};
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Where the report goes.
pub(super) enum ReportTo {
    Stdout,
    File(PathBuf),
}

/// Settles where the report goes, before any work.
pub(super) fn report_target<P>(job: &Job<P>, flags: &RunFlags) -> Result<ReportTo> {
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

pub(super) fn report<P: Planned>(
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
        backend: plan.backend().clone(),
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

pub(super) fn deliver(report: &Report, to: &ReportTo) -> Result<()> {
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

/// True where the output that is there is the one this run would write, as its report says.
///
/// # Errors
/// Another output is there, and may not be replaced.
pub(super) fn is_done<P: Planned>(job: &Job<P>, plan: &P, report: &ReportTo) -> Result<bool> {
    let (Some(output), Some(name)) = (job.outputs.first(), plan.name()) else { return Ok(false) };
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
        forget_kept(job, plan)?;
        return Ok(true);
    }
    // The same run, stopped between the rename and its report, may put the same bytes there again.
    let unfinished = kept::place(output, name).exists();
    if job.force || unfinished { Ok(false) } else { Err(Error::OutputExists(output.clone())) }
}

/// Beside an output that does not exist nobody would look for a report.
pub(super) fn deliver_if_asked(report: &Report, to: &ReportTo, flags: &RunFlags) -> Result<()> {
    if flags.report.is_some() { deliver(report, to) } else { Ok(()) }
}

/// Takes away what the run kept: its output and the report are there.
///
/// # Errors
/// The file cannot be removed.
pub(super) fn forget_kept<P: Planned>(job: &Job<P>, plan: &P) -> Result<()> {
    match (job.outputs.first(), plan.name()) {
        (Some(output), Some(name)) => kept::forget(output, name),
        _ => Ok(()),
    }
}

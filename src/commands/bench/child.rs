//! One run of the program as a child process: timed from outside, told by its own report.

use super::results::{Latency, StageResult};
use crate::commands::Context;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often a request to stop is looked for while a child runs.
const LOOK: Duration = Duration::from_millis(20);

/// Variables that would change what a child does.
pub const VARIABLES: [&str; 4] = ["NISSL_THREADS", "NISSL_MEMORY", "NISSL_BACKEND", "NISSL_DEVICE_MEMORY"];

/// What one run was like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// From start to end of the process, s.
    pub wall_s: f64,
    /// CPU time of all its threads, s; unknown where nobody counted.
    pub cpu_s: Option<f64>,
    /// The most memory it held, bytes.
    pub peak_rss: Option<u64>,
    /// Threads that did a share of the work.
    pub workers: Option<usize>,
    /// What computed.
    pub backend: String,
    /// Its stages.
    pub stages: Vec<StageResult>,
    /// Of its ticks.
    pub latency: Option<Latency>,
}

/// What is read of the report of a run.
#[derive(Deserialize)]
struct Report {
    backend: Backend,
    threads: Threads,
    peak_rss: Option<u64>,
    cpu_s: f64,
    stages: Vec<StageResult>,
    outcome: Ended,
}

#[derive(Deserialize)]
struct Backend {
    name: String,
}

#[derive(Deserialize)]
struct Threads {
    worked: usize,
}

#[derive(Deserialize)]
struct Ended {
    counts: serde_json::Map<String, serde_json::Value>,
}

/// Runs `program` with `arguments`, which make it write its report to `report`.
///
/// # Errors
/// It cannot be started, fails (its own words are told), writes no report, or the bench was
/// interrupted; the child is stopped then.
pub fn run(program: &Path, arguments: &[String], report: &Path, context: &Context) -> Result<Run> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    tracing::debug!("{} {}", program.display(), arguments.join(" "));
    let start = context.recorder.elapsed_ns();
    let child = command.spawn().map_err(Error::io(program, "run"))?;
    let (child, said) = watched(child, context)?;
    let wall_s = (context.recorder.elapsed_ns() - start) as f64 * 1e-9;
    finish(child, program, arguments, &said)?;
    let place = report.display().to_string();
    let bytes = std::fs::read(report).map_err(Error::io(report, "read"))?;
    let told: Report = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(place, format!("a report with {e}"), "the report of a run", ""))?;
    Ok(Run {
        wall_s,
        cpu_s: Some(told.cpu_s),
        peak_rss: told.peak_rss,
        workers: Some(told.threads.worked),
        backend: told.backend.name,
        stages: told.stages,
        latency: latency(&told.outcome.counts),
    })
}

/// Waits until the child closes its stderr, which it does by ending; stops it when asked to.
pub fn watched(mut child: Child, context: &Context) -> Result<(Child, String)> {
    let (done, ended) = channel();
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.read_to_end(&mut said);
        }
        let _ = done.send(String::from_utf8_lossy(&said).into_owned());
    });
    loop {
        match ended.recv_timeout(LOOK) {
            Ok(said) => {
                let _ = reader.join();
                return Ok((child, said));
            }
            Err(RecvTimeoutError::Timeout) if context.recorder.is_cancelled() => {
                let _ = child.kill();
                let _ = child.wait();
                let _ = reader.join();
                return Err(Error::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::Failed("the thread that watches a run ended early".into()));
            }
        }
    }
}

fn finish(mut child: Child, program: &Path, arguments: &[String], said: &str) -> Result<()> {
    let status = child.wait().map_err(Error::io(program, "wait for"))?;
    if status.success() {
        return Ok(());
    }
    let line = last_words(said);
    let first: Vec<&str> = arguments.iter().take(2).map(String::as_str).collect();
    Err(Error::Failed(format!("nissl {} ... ended with {status}: {line}", first.join(" "))))
}

/// The last line that a child wrote to stderr, without what stands in front of every error.
pub fn last_words(said: &str) -> &str {
    let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim_start_matches("nissl: error: ")
}

/// The ticks of a stream, where there were any.
fn latency(counts: &serde_json::Map<String, serde_json::Value>) -> Option<Latency> {
    // A file that is replayed as fast as it can be read has its ticks wait for each other.
    let of = if counts.contains_key("latency_note") { "work" } else { "latency" };
    let found = counts.get(of)?;
    let number = |name: &str| found.get(name).and_then(serde_json::Value::as_f64);
    let count = |name: &str| found.get(name).and_then(serde_json::Value::as_u64);
    Some(Latency {
        of: of.into(),
        ticks: count("count")?,
        p50_s: number("p50_s")?,
        p99_s: number("p99_s")?,
        p999_s: number("p999_s")?,
        max_s: number("max_s")?,
        missed: count("missed").unwrap_or(0),
    })
}

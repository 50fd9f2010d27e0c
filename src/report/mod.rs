//! What a run tells about itself: the recorder of times and counts, progress, host, report.
//!
//! [`Report`] is the one record of a finished run; [`json`] writes and reads it back, [`text`]
//! makes the short table of it. [`progress`] listens to the recorder while the run goes on.

pub mod host;
pub mod json;
#[cfg(feature = "cli")]
pub mod progress;
pub mod recorder;
pub mod text;

pub use host::Host;
pub use recorder::{GRACE_S, Recorder, Stage, Work};

use crate::backend::{Backend, MemoryLimit, ThreadLimit};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Version of the report's layout; fields may be added under the same number.
pub const SCHEMA: u64 = 1;

/// Everything worth knowing about one run; written as JSON in this field order.
#[derive(Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u64,
    /// What made it.
    pub versions: Versions,
    /// `convolve`, ...
    pub command: String,
    /// Command line as typed, the program's name first.
    pub argv: Vec<String>,
    /// Folder in which the run was started: relative paths of `argv` are meant from there.
    pub directory: PathBuf,
    /// The resolved plan.
    pub plan: Value,
    /// Files read: path, shape, type, size, hash of a sample.
    pub inputs: Value,
    /// The machine.
    pub host: Host,
    /// What computed.
    pub backend: Backend,
    /// Threads.
    pub threads: Threads,
    /// The memory limit in force, and why.
    pub memory: MemoryLimit,
    /// The most memory the process held, mapped pages included, bytes; null where the system does not tell.
    pub peak_rss: Option<u64>,
    /// Time from start to end, seconds.
    pub wall_s: f64,
    /// CPU time of all threads, seconds.
    pub cpu_s: f64,
    /// Stages in the order in which they began.
    pub stages: Vec<TimedStage>,
    /// Warnings that were printed.
    pub warnings: Vec<String>,
    /// How it ended.
    pub outcome: Ending,
}

/// Versions of the program.
#[derive(Debug, Clone, Serialize)]
pub struct Versions {
    /// This package.
    pub nissl: &'static str,
    /// Processor architecture and system it was built for.
    pub target: String,
    /// Cargo features it was built with.
    pub features: Vec<&'static str>,
}

impl Versions {
    /// Those of this build.
    pub fn of_this_build() -> Self {
        let all = [
            ("cli", cfg!(feature = "cli")),
            ("hdf5", cfg!(feature = "hdf5")),
            ("plot", cfg!(feature = "plot")),
            ("wgpu", cfg!(feature = "wgpu")),
            ("cuda", cfg!(feature = "cuda")),
        ];
        Versions {
            nissl: env!("CARGO_PKG_VERSION"),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            features: all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect(),
        }
    }
}

/// Threads of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Threads {
    /// How many it could use, and why.
    #[serde(flatten)]
    pub limit: ThreadLimit,
    /// How many did a share of the work.
    pub worked: usize,
}

/// A stage with its rate.
#[derive(Debug, Clone, Serialize)]
pub struct TimedStage {
    /// Times and counts.
    #[serde(flatten)]
    pub stage: Stage,
    /// Items per second of wall time; null without items or time.
    pub rate: Option<f64>,
}

impl From<Stage> for TimedStage {
    fn from(stage: Stage) -> Self {
        let rate =
            (stage.work.items > 0 && stage.wall_s > 0.0).then(|| stage.work.items as f64 / stage.wall_s);
        TimedStage { stage, rate }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub struct Ending {
    /// `done`, `partial` (some of several inputs failed) or `failed`.
    pub status: &'static str,
    /// The process's exit code.
    pub exit_code: u8,
    /// The error line of a failed run.
    pub error: Option<String>,
    /// Of several inputs, the error lines of those that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// Files written.
    pub outputs: Vec<PathBuf>,
    /// Counts particular to the command.
    pub counts: Map<String, Value>,
}

#[cfg(test)]
pub(crate) mod sample {
    //! A report with every field set, for the tests of its views.

    use super::*;
    use crate::backend::CpuLevel;
    use serde_json::json;

    pub(crate) fn report() -> Report {
        let work = Work { items: 8_000_000, bytes_read: 64, bytes_written: 32, flop: 1000 };
        let stage = Stage { name: "compute".into(), wall_s: 2.0, cpu_s: 3.5, work };
        let slurm = [("SLURM_JOB_ID", "7".to_owned())].into();
        let cpu = "Some CPU".to_owned();
        Report {
            schema: SCHEMA,
            versions: Versions { nissl: "0.0.0", target: "x86_64-linux".into(), features: vec!["cli"] },
            command: "convolve".into(),
            argv: vec!["nissl".into(), "convolve".into()],
            directory: "/data".into(),
            plan: json!({"algorithm": {"name": "fft", "why": "many taps"}}),
            inputs: json!([{"path": "a.npy"}]),
            host: Host { cpu, level: CpuLevel::Avx2, cores_allowed: 2, ram: Some(4 << 30), slurm },
            backend: Backend::cpu(CpuLevel::Avx2, "asked for"),
            threads: Threads { limit: ThreadLimit { count: 2, why: "CPU affinity".into() }, worked: 1 },
            memory: MemoryLimit { bytes: 1 << 30, why: "--memory".into() },
            peak_rss: Some((90 << 20) + 1),
            wall_s: 4.0,
            cpu_s: 5.25,
            stages: vec![stage.into()],
            warnings: vec!["mind the gap".into()],
            outcome: Ending {
                status: "done",
                exit_code: 0,
                error: None,
                failures: Vec::new(),
                outputs: vec!["out.npy".into()],
                counts: Map::new(),
            },
        }
    }
}

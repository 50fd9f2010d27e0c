//! The result file (`"kind": "nissl-bench"`): times of works, written by `nissl bench` and by the
//! scripts that time other packages, read for `--baseline`, `--against` and `--from`.
//!
//! Times are seconds, sizes bytes, rates per second. Fields may be added under the same schema;
//! unknown ones are ignored.

use crate::error::{Error, Result};
use crate::report;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What the file calls itself.
pub const KIND: &str = "nissl-bench";

/// Version of the layout.
pub const SCHEMA: u64 = 1;

/// Larger files are no result of ours; the limit keeps a mistyped path from filling the memory.
const LARGEST: u64 = 64 << 20;

/// Everything one bench measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchResult {
    /// [`KIND`].
    pub kind: String,
    /// [`SCHEMA`].
    pub schema: u64,
    /// What was timed, with its version: `nissl 0.1.0`.
    pub tool: String,
    /// Command line as typed, the program's name first.
    #[serde(default)]
    pub argv: Vec<String>,
    /// `quick`, `standard` or `full`.
    #[serde(default)]
    pub size: String,
    /// The machine.
    pub host: HostFacts,
    /// What computed, with its instruction set: `cpu/avx512`.
    #[serde(default)]
    pub backend: String,
    /// What the machine can do at most; empty in the results of other packages.
    #[serde(default)]
    pub ceilings: Vec<Ceiling>,
    /// One for every work and number of threads.
    pub works: Vec<WorkResult>,
    /// How far the machine was from quiet.
    #[serde(default)]
    pub noise: Noise,
    /// What a reader should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The machine, as [`report::Host`] tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// The processor as it names itself.
    pub cpu: String,
    /// Best instruction set that kernels could use; empty where another package ran.
    pub level: String,
    /// CPUs the process may be scheduled on.
    pub cores_allowed: usize,
    /// RAM of the machine, bytes.
    pub ram: Option<u64>,
    /// SLURM's identifiers.
    pub slurm: BTreeMap<String, String>,
}

impl From<report::Host> for HostFacts {
    fn from(host: report::Host) -> Self {
        HostFacts {
            cpu: host.cpu,
            level: host.level.name().into(),
            cores_allowed: host.cores_allowed,
            ram: host.ram,
            slurm: host.slurm.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// The most the machine was seen to do of one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// `copy`, `fma f32 avx512`, `fma f64 avx512`, `exp avx512`, `file read`.
    pub name: String,
    /// `B/s`, `flop/s` or `exp/s`.
    pub unit: String,
    /// Threads that did it together.
    pub threads: usize,
    /// Of the unit.
    pub value: f64,
}

/// One work with one number of threads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkResult {
    /// Stable name, `command/shape`.
    pub work: String,
    /// `autoreject`, `convolve`, `decode`, `stream` or `io`.
    pub command: String,
    /// What it is, for people: shapes.
    pub about: String,
    /// What computed: `cpu`.
    pub backend: String,
    /// Threads it was given.
    pub threads: usize,
    /// Items (samples, cells, bins, ticks, bytes) of one run.
    pub items: u64,
    /// What an item is.
    pub item: String,
    /// Wall time of each run from start to end of the process, in order.
    pub runs_s: Vec<f64>,
    /// Their median.
    pub wall_s: f64,
    /// The fastest one.
    pub least_s: f64,
    /// The slowest one.
    pub most_s: f64,
    /// Median deviation of the runs from their median, over the median.
    pub spread: f64,
    /// CPU time of the median run, all threads; absent where unknown.
    pub cpu_s: Option<f64>,
    /// The most memory that any of the runs held, mapped pages included.
    pub peak_rss: Option<u64>,
    /// Distinct threads that did a share of the work.
    pub workers: Option<usize>,
    /// Wall time of the same work with one thread over this one's; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speedup: Option<f64>,
    /// Stages in the order in which they began; times are medians over the runs.
    pub stages: Vec<StageResult>,
    /// Opening a device and loading its kernels at the first call, when caches may be empty; absent
    /// on the CPU. The stage `device set-up` tells of the timed runs, whose times contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_call_s: Option<f64>,
    /// Of a stream only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// What a reader should know about the way it was measured.
    pub note: Option<String>,
}

/// One stage of a work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageResult {
    /// As in the report of the run.
    pub name: String,
    /// Wall time; stages overlap.
    pub wall_s: f64,
    /// CPU time.
    pub cpu_s: f64,
    /// Median deviation of the wall times from their median, over the median.
    pub spread: f64,
    /// Items done.
    pub items: u64,
    /// Bytes read from files or memory.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Floating point operations.
    pub flop: u64,
    /// Items per second.
    pub rate: Option<f64>,
    /// The ceiling that binds: the one of which the stage reaches the largest share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    /// That share, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// How long the ticks of a stream took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// What was taken: `latency`, from a tick's arrival to its record, or `work`, all that was computed
    /// for it, where a stream came faster than its clock.
    pub of: String,
    /// Ticks counted.
    pub ticks: u64,
    /// Half of them were faster.
    pub p50_s: f64,
    /// 99 of 100 were faster.
    pub p99_s: f64,
    /// 999 of 1000 were faster.
    pub p999_s: f64,
    /// The slowest one.
    pub max_s: f64,
    /// Ticks that took longer than their period.
    pub missed: u64,
}

/// How far the machine was from quiet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noise {
    /// Spread of a fixed computation timed between the runs: nine of ten took at most so much longer
    /// than the median, as a share of it.
    pub spread: f64,
    /// True above the limit from which results are not to be trusted.
    pub noisy: bool,
}

/// Reads a result file.
///
/// # Errors
/// The file cannot be read, is no result of a bench, or has a later layout.
pub fn read(path: &Path) -> Result<BenchResult> {
    let place = path.display().to_string();
    let expected = "a result of nissl bench --json, or of a script in benches/peers";
    let size = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    if size > LARGEST {
        return Err(Error::data(place, format!("a file of {size} bytes"), expected, ""));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| Error::data(&place, format!("text that is no JSON ({e})"), expected, ""))?;
    if value.get("kind").and_then(|kind| kind.as_str()) != Some(KIND) {
        return Err(Error::data(place, "JSON of another kind", expected, ""));
    }
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(SCHEMA) => {}
        other => {
            let found = other.map_or("no schema".into(), |schema| format!("schema {schema}"));
            return Err(Error::data(place, found, format!("schema {SCHEMA}"), "use the nissl that wrote it"));
        }
    }
    serde_json::from_value(value).map_err(|e| Error::data(place, format!("a result with {e}"), expected, ""))
}

/// The result as indented JSON with a line end.
///
/// # Errors
/// A number is not finite, which measured ones are not.
pub fn render(result: &BenchResult) -> Result<String> {
    let text = serde_json::to_string_pretty(result);
    text.map(|text| text + "\n").map_err(|e| Error::Failed(format!("cannot write the result: {e}")))
}

/// A result of nothing, for tests.
#[cfg(test)]
pub(super) fn empty() -> BenchResult {
    BenchResult {
        kind: KIND.into(),
        schema: SCHEMA,
        tool: "nissl 0.0.0".into(),
        argv: Vec::new(),
        size: "quick".into(),
        host: HostFacts::default(),
        backend: "cpu/avx2".into(),
        ceilings: Vec::new(),
        works: Vec::new(),
        noise: Noise::default(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests;

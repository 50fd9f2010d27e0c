//! The report as JSON, and the command line read back from one.

use super::{Report, SCHEMA};
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// Larger files are no report of ours; the limit keeps a mistyped path from filling the memory.
const LARGEST: u64 = 64 << 20;

/// The report as indented JSON with a line end.
///
/// # Errors
/// The report holds a map whose keys are no strings, which plans do not.
pub fn render(report: &Report) -> Result<String> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|e| Error::Failed(format!("cannot write the report: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// The command line of the run that wrote the report at `path`, the program's name first.
///
/// # Errors
/// The file cannot be read, is no report, or was written in a later layout.
pub fn command_line(path: &Path) -> Result<Vec<String>> {
    let size = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
    if size > LARGEST {
        return Err(not_a_report(path, format!("a file of {size} bytes")));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let report: Value = serde_json::from_slice(&bytes)
        .map_err(|e| not_a_report(path, format!("text that is no JSON ({e})")))?;
    match report.get("schema").and_then(Value::as_u64) {
        Some(SCHEMA) => {}
        Some(other) => {
            let found = format!("a report of schema {other}");
            let advice = "use the nissl that wrote it";
            return Err(Error::data(path.display().to_string(), found, format!("schema {SCHEMA}"), advice));
        }
        None => return Err(not_a_report(path, "JSON without a schema".into())),
    }
    let words = report.get("argv").and_then(Value::as_array);
    let words =
        words.and_then(|a| a.iter().map(|w| w.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
    words
        .filter(|w| w.len() > 1)
        .ok_or_else(|| not_a_report(path, "JSON without a command line (argv)".into()))
}

/// The name of the run that the report at `path` tells the good end of; none where it tells
/// something else, or is not there.
pub fn finished_run(path: &Path) -> Option<String> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > LARGEST {
        return None;
    }
    let report: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let done = report["outcome"]["status"] == "done";
    let plan = &report["plan"];
    // A merge tells the run that its parts were of.
    let name = plan["run"].as_str().or_else(|| plan["whole"]["run"].as_str());
    name.filter(|_| done).map(str::to_owned)
}

fn not_a_report(path: &Path, found: String) -> Error {
    let advice = "give the .report.json of an earlier run";
    Error::data(path.display().to_string(), found, "a report of nissl", advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// Scripts read these names: one that changes its meaning or goes asks for another [`SCHEMA`].
    #[test]
    fn the_layout_of_schema_1_stays_as_it_is() {
        insta::assert_snapshot!(render(&sample::report()).unwrap(), @r#"
        {
          "schema": 1,
          "versions": {
            "nissl": "0.0.0",
            "target": "x86_64-linux",
            "features": [
              "cli"
            ]
          },
          "command": "convolve",
          "argv": [
            "nissl",
            "convolve"
          ],
          "directory": "/data",
          "plan": {
            "algorithm": {
              "name": "fft",
              "why": "many taps"
            }
          },
          "inputs": [
            {
              "path": "a.npy"
            }
          ],
          "host": {
            "cpu": "Some CPU",
            "level": "avx2",
            "cores_allowed": 2,
            "ram": 4294967296,
            "slurm": {
              "SLURM_JOB_ID": "7"
            }
          },
          "backend": {
            "name": "cpu",
            "level": "avx2",
            "why": "asked for"
          },
          "threads": {
            "count": 2,
            "why": "CPU affinity",
            "worked": 1
          },
          "memory": {
            "bytes": 1073741824,
            "why": "--memory"
          },
          "peak_rss": 94371841,
          "wall_s": 4.0,
          "cpu_s": 5.25,
          "stages": [
            {
              "name": "compute",
              "wall_s": 2.0,
              "cpu_s": 3.5,
              "items": 8000000,
              "bytes_read": 64,
              "bytes_written": 32,
              "flop": 1000,
              "rate": 4000000.0
            }
          ],
          "warnings": [
            "mind the gap"
          ],
          "outcome": {
            "status": "done",
            "exit_code": 0,
            "error": null,
            "outputs": [
              "out.npy"
            ],
            "counts": {}
          }
        }
        "#);
    }

    #[test]
    fn the_command_line_is_read_back_and_anything_else_is_refused_as_bad_data() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            command_line(file.path())
        };
        let argv = read(r#"{"schema": 1, "argv": ["nissl", "convolve", "a b.npy"]}"#).unwrap();
        assert_eq!(argv, ["nissl", "convolve", "a b.npy"]);
        for bad in ["", "[1]", r#"{"schema": 2, "argv": ["nissl", "x"]}"#, r#"{"schema": 1, "argv": [1, 2]}"#]
        {
            let error = read(bad).unwrap_err();
            assert!(matches!(error, Error::Data { .. }), "{bad}: {error}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
        assert!(matches!(command_line(Path::new("/nowhere/r.json")), Err(Error::Io { .. })));
    }
}

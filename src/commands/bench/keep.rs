//! `--keep`: what a script needs to run another package on the same inputs.

use super::works::{CONFIG, Job, Work};
use crate::error::{Error, Result};
use serde_json::json;
use std::path::Path;

/// Writes `command.json` beside an input: the work's name, shapes and command line, with `{in}` and
/// `{out}` where the files come.
///
/// # Errors
/// The disk is full or fails.
pub fn describe(work: &Work, home: &Path) -> Result<()> {
    let (argv, config) = match &work.job {
        Job::Program(words) => (Some(words), words.iter().any(|word| word == CONFIG)),
        Job::Reading => (None, false),
    };
    let told = json!({
        "kind": "nissl-bench-input",
        "schema": 1,
        "work": work.name,
        "command": work.group.name(),
        "about": work.about,
        "input": work.input.file_name(),
        "config": config.then_some("config.json"),
        "shape": work.input,
        "argv": argv,
        "items": work.items,
        "item": work.item,
    });
    let path = home.join("command.json");
    std::fs::write(&path, format!("{told:#}\n")).map_err(Error::io(&path, "write"))
}

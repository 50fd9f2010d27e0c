//! A part of a run as a file: the results of some rows of every plane `[..., row, column]`, with
//! the part's identity as its label.

use super::plan::{Plan, ShardPlan};
use crate::error::{Error, Result};
use crate::io::{self, Writer};
use crate::shards::{Identity, Shard, read_label};
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a part says of itself.
pub fn identity(plan: &Plan, part: &ShardPlan, counts: &Map<String, Value>) -> Identity {
    let asked = &plan.prepared.options.asked;
    let details = json!({ "rows": [part.rows.start, part.rows.end], "counts": counts });
    Identity::new("convolve", &plan.run, part.shard, asked, details)
}

/// Labels a part under construction; whole runs have no label.
///
/// # Errors
/// The file cannot be written.
pub fn label(plan: &Plan, counts: &Map<String, Value>, writer: &mut dyn Writer) -> Result<()> {
    match &plan.shard {
        Some(part) => identity(plan, part, counts).label(writer),
        None => Ok(()),
    }
}

/// True where `path` is the part `shard` of the run `run`.
///
/// # Errors
/// Something else lies there and `force` was not given.
pub fn is_done(path: &Path, shard: Shard, run: &str, force: bool) -> Result<bool> {
    // A damaged or foreign file is somebody's: as without --resume.
    let found = io::open(path).and_then(|file| read_label(file.as_ref())).ok().flatten();
    match found {
        Some(identity) if identity.run == run && identity.shard == shard => Ok(true),
        _ if force => Ok(false),
        _ => Err(Error::OutputExists(path.to_owned())),
    }
}

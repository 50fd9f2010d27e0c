//! A part of a run as a file: the results of some rows of every plane `[..., row, column]`, with
//! the part's identity as its label.

use super::plan::{Plan, ShardPlan};
use crate::error::Result;
use crate::io::Writer;
use crate::shards::Identity;
use serde_json::{Map, Value, json};

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

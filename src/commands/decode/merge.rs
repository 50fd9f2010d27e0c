//! Puts the parts of a sharded run together: filter, smoother and all that follows run over the
//! likelihood that the parts hold, chunk after chunk, as one run would have.

use super::options::{Options, Precision};
use super::part::Opened;
use super::plan::Plan;
use crate::array::Dtype;
use crate::backend::Backend;
use crate::commands::{Context, Outcome, Planned};
use crate::error::{Error, Result};
use crate::shards::Part;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// What a merge will do.
#[derive(Debug, Serialize)]
pub struct MergePlan {
    /// The parts in their order.
    pub parts: Vec<PathBuf>,
    /// The run that the parts belong to.
    pub whole: Plan,
    #[serde(skip)]
    opened: Vec<Opened>,
}

impl Planned for MergePlan {
    fn name(&self) -> Option<&str> {
        Some(&self.whole.run)
    }

    fn backend(&self) -> &Backend {
        &self.whole.backend
    }

    fn warnings(&self) -> &[String] {
        &self.whole.warnings
    }
}

impl fmt::Display for MergePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "merge      {} parts of the likelihood", self.parts.len())?;
        self.whole.fmt(f)
    }
}

/// Plans the whole run of `options` and checks that `parts`, complete and in order, are its parts.
///
/// # Errors
/// What planning the run finds; a recording that changed since; parts of other shapes.
pub fn plan(options: &Options, parts: &[Part], context: &Context) -> Result<MergePlan> {
    let whole = super::plan(options, context)?;
    let Some(decoding) = &whole.prepared.decoding else {
        return Err(Error::usage("parts of --fit-only: there are none"));
    };
    let dtype = match options.precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    };
    // Sorted units have no mark models, and no floor.
    let counted = whole.prepared.marks.choices.len();
    let mut opened = Vec::new();
    for one in parts {
        if one.identity.run != whole.run {
            return Err(Error::data(
                one.path.display().to_string(),
                "a part of the same command on another recording",
                format!("one of {} as it is now", options.input.path.display()),
                "the recording, a file given beside it or the program changed since; run the shards again",
            ));
        }
        let columns = decoding.chain.row_width();
        opened.push(Opened::open(one, whole.rows as u64, (columns, dtype), counted)?);
    }
    Ok(MergePlan { parts: parts.iter().map(|one| one.path.clone()).collect(), whole, opened })
}

/// Runs `plan`; the output appears under its name only when it is whole.
///
/// # Errors
/// A part or the output cannot be read or written, or the run was interrupted.
pub fn run(plan: &MergePlan, context: &Context) -> Result<Outcome> {
    super::run::merge(&plan.whole, &plan.opened, context)
}

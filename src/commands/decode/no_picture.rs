//! Stands in for `picture` in a build without plots, where a plan never asks for one.

use super::results::ResultLayout;
use crate::array::Real;
use crate::error::{Error, Result};
use std::path::Path;

/// Nothing to draw.
#[derive(Debug)]
pub struct Picture;

impl Picture {
    /// Never asked for: the plan refuses `--plot` in this build.
    ///
    /// # Errors
    /// Always: this build draws nothing.
    pub fn new(_: &ResultLayout, _: &[Vec<f64>]) -> Result<Self> {
        Err(Error::Failed("this program was built without the plot feature".into()))
    }

    /// Looks away.
    pub fn add_rows<T: Real>(&mut self, _: usize, _: &[T]) {}

    /// Nothing is held.
    pub fn bytes(&self) -> u64 {
        0
    }

    /// Draws nothing.
    ///
    /// # Errors
    /// None.
    pub fn write(self, _: &Path, _: Option<(&[f64], &[f64])>, _: &str, _: &str) -> Result<()> {
        Ok(())
    }
}

//! Stands in for the picture in builds without the feature `plot`, whose command line refuses
//! `--plot` before a run.

use super::passes_smooth::Onlooker;
use super::prepare::{Decoding, Prepared};
use crate::error::Result;
use std::path::PathBuf;

/// Nothing to look at.
pub struct Picture;

impl Picture {
    /// Nothing.
    pub fn of(_: &Prepared, _: &Decoding) -> Self {
        Picture
    }

    /// Nobody looks on.
    pub fn onlooker(&mut self) -> Option<Onlooker<'_>> {
        None
    }

    /// Draws nothing.
    ///
    /// # Errors
    /// None.
    pub fn draw(self, _: &Prepared, _: &Decoding) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

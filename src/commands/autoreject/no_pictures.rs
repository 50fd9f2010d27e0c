//! Stands in for `pictures` in a build without plots.

use super::fitted::{FittedState, RejectLog};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// What there would be to draw.
#[derive(Debug, Clone, Copy, Default)]
pub struct FitPictures<'a> {
    /// Labels and bad epochs.
    pub log: Option<&'a RejectLog>,
    /// Thresholds and loss grids.
    pub state: Option<&'a FittedState>,
    /// Thresholds with the least loss, `[group][pick]`.
    pub optima: &'a [Vec<f64>],
}

/// Draws nothing: this build has no plots.
///
/// # Errors
/// None.
pub fn write_pictures(_: &Path, _: &FitPictures) -> Result<Vec<PathBuf>> {
    Ok(Vec::new())
}

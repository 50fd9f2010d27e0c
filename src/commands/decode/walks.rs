//! The random walk over a model's interior bins, and its most likely steps.

use super::encoding::EncodingModel;
use crate::backend::CpuLevel;
use crate::kernels::hmm::{Chain, Steps};
use crate::kernels::transition::{Form, Walk};

/// The walk of `variance` (length squared per time bin): along the graph where there is one.
pub fn walk(model: &EncodingModel, variance: f64, level: CpuLevel) -> Walk {
    match &model.track {
        Some(track) => Walk::over_distances(level, &track.distances(&model.grid), model.bins(), variance),
        None => {
            let centers = model.grid.axis_centers();
            let axes: Vec<&[f64]> = centers.iter().map(Vec::as_slice).collect();
            Walk::on_grid(level, &axes, &model.grid.interior_bins, variance)
        }
    }
}

/// The same for the most likely sequence.
pub fn steps(model: &EncodingModel, variance: f64, level: CpuLevel) -> Steps {
    match &model.track {
        Some(track) => Steps::over_distances(level, &track.distances(&model.grid), model.bins(), variance),
        None => {
            let centers = model.grid.axis_centers();
            let axes: Vec<&[f64]> = centers.iter().map(Vec::as_slice).collect();
            Steps::on_grid(level, &axes, &model.grid.interior_bins, variance)
        }
    }
}

/// Form and cost of the walk, for the plan.
pub fn describe(chain: &Chain, variance: f64) -> String {
    let form = match chain.transition().walk().form() {
        Form::Separable => "two banded products over the grid",
        Form::Line => "weights by distance along the line",
        Form::Rows => "banded rows",
    };
    let flop = 2 * chain.transition().multiply_adds();
    format!("random walk of variance {variance} per bin: {form}, {flop} flop a step")
}

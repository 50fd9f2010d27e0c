//! Flags that were given again beside a model file: they must say what the file says.

use super::super::encoding::{EncodingModel, Likelihood, RateUnits};
use super::super::grid::InteriorMask;
use super::super::track::TrackGraph;
use crate::error::{Error, Result};

/// What the command line says about the model; nothing where a flag was not typed.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--likelihood`.
    pub kind: Option<Likelihood>,
    /// `--bin-size`.
    pub bin_size: Option<Vec<f64>>,
    /// `--position-std`.
    pub position_std: Option<Vec<f64>>,
    /// `--waveform-std`.
    pub waveform_std: Option<Vec<f64>>,
    /// `--rate-units`: true for seconds.
    pub rate_seconds: Option<bool>,
    /// `--track-graph`.
    pub track: Option<TrackGraph>,
    /// `--interior`.
    pub interior: Option<InteriorMask>,
}

/// A flag, what it says, and what the file says.
type Difference = (&'static str, String, String);

impl Given {
    /// Compares with the model read from `place`.
    ///
    /// # Errors
    /// A flag that says something else, naming both values.
    pub fn check(&self, model: &EncodingModel, place: &str) -> Result<()> {
        let found = self.kinds(model).or_else(|| self.numbers(model)).or_else(|| self.places(model));
        match found {
            None => Ok(()),
            Some((flag, here, there)) => {
                let advice = format!("leave {flag} out, or fit the model again");
                Err(Error::data(place, format!("a model with {there}"), format!("{flag} {here}"), advice))
            }
        }
    }

    fn kinds(&self, model: &EncodingModel) -> Option<Difference> {
        if let Some(kind) = self.kind.filter(|kind| *kind != model.kind) {
            return Some(("--likelihood", kind.name().into(), model.kind.name().into()));
        }
        let seconds = matches!(model.rate_units, RateUnits::Seconds { .. });
        let name = |seconds: bool| if seconds { "seconds" } else { "samples" }.to_owned();
        let differs = self.rate_seconds.is_some_and(|given| given != seconds);
        differs.then(|| ("--rate-units", name(!seconds), name(seconds)))
    }

    fn numbers(&self, model: &EncodingModel) -> Option<Difference> {
        let axes = model.axes();
        let width = model.waveform_std.len().max(1);
        let numbers = [
            ("--bin-size", &self.bin_size, &model.bin_size, model.bin_size.len().max(1)),
            ("--position-std", &self.position_std, &model.position_std, axes),
            ("--waveform-std", &self.waveform_std, &model.waveform_std, width),
        ];
        for (flag, given, stored, length) in numbers {
            let Some(given) = given else { continue };
            // Sorted units have no marks, so their bandwidth says nothing.
            if flag == "--waveform-std" && model.kind == Likelihood::Sorted {
                continue;
            }
            if !same(given, stored, length) {
                return Some((flag, list(given), list(stored)));
            }
        }
        None
    }

    fn places(&self, model: &EncodingModel) -> Option<Difference> {
        if let Some(track) = self.track.as_ref().filter(|track| Some(*track) != model.track.as_ref()) {
            let stored = model.track.as_ref().map_or("no track graph".into(), TrackGraph::to_json);
            return Some(("--track-graph", track.to_json(), stored));
        }
        if let Some(mask) = &self.interior {
            let count = |interior: &[bool]| interior.iter().filter(|&&inside| inside).count();
            let there = format!("{} interior bins in {:?}", model.bins(), model.grid.shape);
            if mask.shape != model.grid.shape || mask.values != model.grid.interior {
                let here = format!("{} with {} in {:?}", mask.place, count(&mask.values), mask.shape);
                return Some(("--interior", here, there));
            }
        }
        None
    }
}

/// One number stands for as many as there are columns.
fn same(given: &[f64], stored: &[f64], length: usize) -> bool {
    let wide = |values: &[f64]| match values {
        [one] => vec![*one; length.max(given.len())],
        each => each.to_vec(),
    };
    wide(given) == wide(stored)
}

fn list(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(",")
}

//! The picture of a run: the posterior over time with the animal's path, gathered as rows stream by.

use super::options::{Likelihood, Model};
use super::passes_smooth::Onlooker;
use super::prepare::{Decoding, Prepared};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::kernels::hmm;
use crate::plot::{AnimalPath, PosteriorAxes, PosteriorPicture};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A posterior thinned to pixels, or nothing where no picture is asked.
pub struct Picture {
    inner: Option<(PathBuf, PosteriorPicture)>,
}

impl Picture {
    /// Ready to look on, if a picture is asked for.
    pub fn of(prepared: &Prepared, decoding: &Decoding) -> Self {
        let Some(path) = &prepared.options.plot else { return Picture { inner: None } };
        let names = decoding.states.names.iter().zip(&decoding.states.likelihood);
        let states: Vec<(&str, bool)> =
            names.map(|(name, takes)| (*name, *takes != hmm::Likelihood::NonLocal)).collect();
        let grid = &prepared.model.grid;
        let axes = PosteriorAxes {
            time: &decoding.time,
            states: &states,
            edges: &grid.edges,
            interior: &grid.interior,
        };
        Picture { inner: Some((path.clone(), PosteriorPicture::new(&axes))) }
    }

    /// Looks at blocks of rows.
    pub fn onlooker(&mut self) -> Option<Onlooker<'_>> {
        let (_, picture) = self.inner.as_mut()?;
        Some(Box::new(|first, rows| picture.add_rows(first, rows)))
    }

    /// Draws and writes the picture; its path, if one was asked for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn draw(self, prepared: &Prepared, decoding: &Decoding) -> Result<Option<PathBuf>> {
        let Some((path, picture)) = self.inner else { return Ok(None) };
        let positions = &prepared.session.positions;
        let linear = prepared.model.linearise(&positions.data, positions.axes)?;
        let animal = AnimalPath { time: &positions.time, positions: &linear };
        let unit = prepared.session.unit.as_deref().unwrap_or("");
        let figure = picture.finish(Some(&animal), unit, &caption(prepared, decoding));
        let bytes = if is_svg(&path) { figure.svg()?.into_bytes() } else { figure.png()? };
        let mut file = Beside::create(&path)?;
        file.file().write_all(&bytes).map_err(Error::io(&path, "write"))?;
        file.finish()?;
        Ok(Some(path))
    }
}

fn is_svg(path: &Path) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case("svg"))
}

fn caption(prepared: &Prepared, decoding: &Decoding) -> String {
    let options = &prepared.options;
    let model = match options.model {
        Model::Decoder => "One continuous state",
        Model::Contfrag => "Continuous and fragmented states",
        Model::Nonlocal => "Local, no-spike and non-local states",
        Model::NospikeContfrag => "No-spike, continuous and fragmented states",
    };
    let spikes = match options.likelihood {
        Likelihood::Clusterless => "unsorted spikes with marks",
        Likelihood::Sorted => "sorted units",
    };
    let step = decoding.step * 1e3;
    format!("{model}; {spikes}; time bins of {:.4} ms.", (step * 1e4).round() / 1e4)
}

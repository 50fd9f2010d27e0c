//! The picture of a run: the posterior over time, gathered as rows stream by.

use super::results::ResultLayout;
use crate::array::Real;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::plot::{AnimalPath, PosteriorAxes, PosteriorPicture};
use std::io::Write;
use std::path::Path;

/// A picture that is being gathered; it holds a few megabytes, whatever the number of rows.
#[derive(Debug)]
pub struct Picture(PosteriorPicture);

impl Picture {
    /// Nothing seen yet. `edges` are those of the place bins along every axis.
    ///
    /// # Errors
    /// A layout whose parts, or edges that, do not fit each other.
    pub fn new(layout: &ResultLayout, edges: &[Vec<f64>]) -> Result<Self> {
        layout.check()?;
        let bins: usize = edges.iter().map(|edges| edges.len().saturating_sub(1)).product();
        if edges.len() != layout.axes || bins != layout.interior.len() {
            return Err(Error::Failed(format!(
                "edges of {bins} bins over {} axes for a grid of {} over {}",
                edges.len(),
                layout.interior.len(),
                layout.axes
            )));
        }
        let states: Vec<(&str, bool)> =
            layout.states.iter().map(|state| (state.name.as_str(), state.one_bin)).collect();
        let (time, interior) = (layout.time, layout.interior);
        Ok(Picture(PosteriorPicture::new(&PosteriorAxes { time, states: &states, edges, interior })))
    }

    /// Looks at posterior rows, `[row][computing column]`; blocks in any order, each row once.
    pub fn add_rows<T: Real>(&mut self, first_row: usize, rows: &[T]) {
        self.0.add_rows(first_row, rows);
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// Draws and writes the picture, PNG by the extension, else SVG. `animal` is where it was, times
    /// and positions `[sample][axis]`, linearised where the grid is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(
        self,
        path: &Path,
        animal: Option<(&[f64], &[f64])>,
        unit: &str,
        caption: &str,
    ) -> Result<()> {
        let animal = animal.map(|(time, positions)| AnimalPath { time, positions });
        let figure = self.0.finish(animal.as_ref(), unit, caption);
        let png = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
        let bytes = if png { figure.png()? } else { figure.svg()?.into_bytes() };
        let mut file = Beside::create(path)?;
        file.file().write_all(&bytes).map_err(Error::io(path, "write"))?;
        file.finish()
    }
}

//! Finds the raster in the input file, with its axes, decoding and grid.

use super::cell_size::{self, Grid, GridAxis};
use super::options::Options;
use super::raster::{Decoding, Raster};
use crate::error::Result;
use crate::io::{self, StoredType};

/// The raster of the input, open.
pub struct Found {
    /// Its planes.
    pub raster: Raster,
}

impl Found {
    /// Cell size (x, y) of the grid, with the warnings that go with it.
    ///
    /// # Errors
    /// The file says something that cannot be a cell size.
    pub fn cell_size(&self, metric_radius: bool, warnings: &mut Vec<String>) -> Result<(f64, f64)> {
        let axis = |length| GridAxis { length, ..GridAxis::default() };
        let grid = Grid { x: axis(self.raster.width()), y: axis(self.raster.height()), ..Grid::default() };
        warnings.extend(cell_size::degrees_warning(&grid, metric_radius));
        let size = cell_size::cell_size(&grid)?;
        warnings.extend(size.warnings);
        Ok((size.x, size.y))
    }
}

/// Opens the input and settles which dataset and axes are meant.
pub fn locate(options: &Options, warnings: &mut Vec<String>) -> Result<Found> {
    let _ = warnings;
    let file = io::open(&options.input.path)?;
    let dataset = file.dataset(options.input.dataset.as_deref().unwrap_or(""))?;
    let place = options.input.to_string();
    let decoding = match dataset.info().stored {
        StoredType::Number(dtype, order) => Decoding::Plain(dtype, order),
        ref other => return Err(super::prepare::not_numbers(&place, other)),
    };
    let rank = dataset.info().shape.len();
    Ok(Found {
        raster: Raster::new(dataset, decoding, (rank.wrapping_sub(2), rank.wrapping_sub(1)), &place)?,
    })
}

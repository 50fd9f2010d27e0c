//! Finds the raster in the input file, with its axes, decoding and grid.

use super::cell_size::{self, Grid, GridAxis};
use super::options::Options;
use super::raster::{Decoding, Raster};
use crate::error::{Error, Result};
use crate::io::netcdf::{AxisFacts, CfDecoder, FoundRaster, RasterLayout, find_raster};
use crate::io::{self, StoredType};
use std::sync::Arc;

/// The raster of the input, open, with all that goes with it.
pub struct Found {
    /// Its planes.
    pub raster: Raster,
    /// What the file says of it.
    pub facts: FoundRaster,
}

impl Found {
    /// Dimensions, coordinates and attributes for the result.
    pub fn layout(&self) -> &RasterLayout {
        &self.facts.layout
    }

    /// Cell size (x, y) of the grid, with the warnings that go with it.
    ///
    /// # Errors
    /// The file says something that cannot be a cell size.
    pub fn cell_size(&self, warnings: &mut Vec<String>) -> Result<(f64, f64)> {
        self.with_grid(|grid| {
            let size = cell_size::cell_size(grid).map_err(|error| self.at_place(error))?;
            warnings.extend(size.warnings);
            Ok((size.x, size.y))
        })
    }

    /// The warning due where a radius in metres meets a grid in degrees.
    ///
    /// # Errors
    /// A coordinate cannot be read.
    pub fn degrees_warning(&self, metric_radius: bool) -> Result<Option<String>> {
        self.with_grid(|grid| Ok(cell_size::degrees_warning(grid, metric_radius)))
    }

    fn with_grid<R>(&self, use_grid: impl FnOnce(&Grid) -> Result<R>) -> Result<R> {
        let facts = self.facts.grid()?;
        let grid = Grid {
            x: axis(&facts.x),
            y: axis(&facts.y),
            res: facts.res.as_deref(),
            unit: facts.unit.as_deref(),
            geographic: facts.geographic,
        };
        use_grid(&grid)
    }

    /// Names the dataset in an error about one of its attributes.
    fn at_place(&self, error: Error) -> Error {
        match error {
            Error::Data { place, found, expected, advice } => {
                Error::Data { place: format!("{}, {place}", self.facts.place), found, expected, advice }
            }
            other => other,
        }
    }
}

fn axis(facts: &AxisFacts) -> GridAxis<'_> {
    GridAxis {
        length: facts.length as usize,
        coordinates: facts.coordinates.as_deref(),
        units: facts.units.as_deref(),
    }
}

/// Opens the input and settles which dataset, axes and decoding are meant.
///
/// # Errors
/// The file cannot be read, no dataset or several fit, or the one asked for is no raster of numbers.
pub fn locate(options: &Options, warnings: &mut Vec<String>) -> Result<Found> {
    let file = io::open(&options.input.path)?;
    let dims = options.dims.as_ref().map(|(y, x)| (y.as_str(), x.as_str()));
    let facts = find_raster(file.as_ref(), options.input.dataset.as_deref(), dims)?;
    warnings.extend(facts.warnings.iter().cloned());
    let StoredType::Number(dtype, order) = facts.dataset.info().stored else {
        return Err(Error::data(&facts.place, facts.dataset.info().stored.to_string(), "numbers", ""));
    };
    let decoding = if options.raw {
        Decoding::Plain(dtype, order)
    } else {
        let decoder = CfDecoder::new(dtype, order, &facts.attributes, &facts.place)?;
        warnings.extend(decoder.warnings().iter().cloned());
        Decoding::Cf(decoder)
    };
    let raster = Raster::new(Arc::clone(&facts.dataset), decoding, facts.axes, &facts.place)?;
    Ok(Found { raster, facts })
}

//! netCDF-4 on top of HDF5: CF decoding, dimensions, coordinates, georeferencing.
//!
//! [`cf`] decodes packed values, [`read`] finds the raster of a file with all that belongs to it,
//! [`mod@write`] makes a result file from which `xarray` gets dimensions, coordinates, attributes and
//! the reference system back; [`layout`] is what one hands to the other. Axes are named by their
//! dimensions, slowest first (spec convolve 7.2-7.4).

pub mod cf;
mod contents;
pub mod layout;
mod missing;
pub mod read;
pub mod scales;
pub mod write;

pub use cf::CfDecoder;
pub use layout::{RasterLayout, text_attribute};
pub use read::{AxisFacts, FoundRaster, GridFacts, find_raster};
pub use write::{OutVariable, create_raster_file};

#[cfg(test)]
mod tests;

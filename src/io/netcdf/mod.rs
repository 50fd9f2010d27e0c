//! netCDF-4 on top of HDF5: CF decoding, dimensions, coordinates, georeferencing.
//!
//! [`cf`] decodes packed values, [`read`] finds the raster of a file with all that belongs to it,
//! [`write`] makes a result file from which `xarray` gets dimensions, coordinates, attributes and
//! the reference system back. Axes are named by their dimensions, slowest first
//! (spec convolve 7.2-7.4).

pub mod cf;
mod missing;

pub use cf::CfDecoder;

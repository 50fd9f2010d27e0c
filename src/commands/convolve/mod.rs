//! `convolve`: focal convolution and focal statistics of rasters.
//!
//! Input: an N-D array whose last two axes are rows (y) and columns (x); every plane is treated
//! on its own. Output: the same axes (`--stat` puts an axis of statistics before y). Method and
//! numerics: correlation as `xarray-spatial` 0.10.20 defines it (spec convolve).

pub mod budget;
pub mod cell_size;
pub mod footprint;
pub mod kernel_spec;
pub mod options;
pub mod passes;
pub mod sink;

pub use crate::io::InputSpec;
pub use crate::kernels::window::Boundary;
pub use options::Options;

//! `convolve`: focal convolution and focal statistics of rasters.
//!
//! Input: an N-D array whose last two axes are rows (y) and columns (x); every plane is treated
//! on its own. Output: the same axes (`--stat` puts an axis of statistics before y). Method and
//! numerics: correlation as `xarray-spatial` 0.10.20 defines it (spec convolve).

mod bind;
pub mod budget;
pub mod cell_size;
mod device;
pub mod footprint;
mod job;
mod keeping;
mod kernel_file;
pub mod kernel_spec;
mod locate;
pub mod merge;
pub mod options;
mod part;
pub mod passes;
pub mod passes_device;
pub mod passes_stats;
#[cfg(feature = "plot")]
mod picture;
#[cfg(not(feature = "plot"))]
#[path = "no_picture.rs"]
mod picture;
pub mod plan;
mod prepare;
pub mod raster;
mod results;
mod run;
pub mod sink;
pub mod strips;
mod survey;

pub use crate::io::InputSpec;
pub use crate::kernels::window::Boundary;
pub use options::Options;
pub use plan::Plan;
pub use prepare::plan;
pub use run::run;

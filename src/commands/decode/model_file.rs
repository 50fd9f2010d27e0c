//! The encoding model as a file: what `--fit-only` writes and `--encoding-model` reads.
//!
//! HDF5, layout `nissl-decode-model-1`; every array is float64 in C order, positions are linearised,
//! P is the number of interior bins, n numbers of samples or spikes:
//!
//! | object | holds |
//! |---|---|
//! | root attributes `layout`, `kind`, `rate_units` | the layout's name; `clusterless` or `sorted`; `samples` or `seconds` |
//! | root attribute `sample_period` | s, with `rate_units` = `seconds` |
//! | root attributes `bin_size`, `position_std`, `waveform_std` | 1-D; the last one clusterless only |
//! | root attributes `axes`, `trains` | counts |
//! | `/grid/edges_0`, `/grid/edges_1`, ... | bin edges per axis |
//! | `/grid/interior` | truth values of the grid's shape |
//! | `/track_graph` | JSON text as `--track-graph` takes it; only with a track |
//! | `/samples` (n, axes), `/weights` (n) | position samples that encode; weights only where given |
//! | `/occupancy` (P), `/ground` (P) | density of the samples; summed rate |
//! | `/trains/<k>` with attributes `name`, `rate`, `spikes`, `width` | electrode or unit k = 0, 1, ... |
//! | `/trains/<k>/positions` (n, axes), `marks` (n, width), `weights` (n), `field` (P) | those it has; arrays without elements are left out |

mod contradiction;
#[cfg(test)]
mod tests;

mod read;
#[cfg(feature = "hdf5")]
mod write;

pub use contradiction::Given;
pub use read::read;
#[cfg(feature = "hdf5")]
pub use write::write;

/// Says that this program cannot write HDF5.
///
/// # Errors
/// Always.
#[cfg(not(feature = "hdf5"))]
pub fn write(_model: &super::encoding::EncodingModel, path: &std::path::Path) -> crate::error::Result<()> {
    let reason = "this program was built without the hdf5 feature";
    Err(crate::error::Error::Failed(format!("{}: cannot write HDF5: {reason}", path.display())))
}

/// Name of the layout, with its version.
pub const LAYOUT: &str = "nissl-decode-model-1";

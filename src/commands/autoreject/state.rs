//! The fitted state as the peer stores it: `autoreject.h5` in the layout of h5io.
//!
//! Each value is a dataset or group `key_NAME` whose attribute `TITLE` tells its kind. Thresholds
//! are SI units, losses `[consensus][n_interpolate][fold]` (spec autoreject 12).

mod read;
#[cfg(feature = "hdf5")]
mod write;

pub use read::read;
#[cfg(feature = "hdf5")]
pub use write::write;

/// Says that this program cannot write HDF5.
///
/// # Errors
/// Always.
#[cfg(not(feature = "hdf5"))]
pub fn write(_state: &super::fitted::FittedState, path: &std::path::Path) -> crate::error::Result<()> {
    let reason = "this program was built without the hdf5 feature";
    Err(crate::error::Error::Failed(format!("{}: cannot write HDF5: {reason}", path.display())))
}

/// The group that holds everything.
const ROOT: &str = "/autoreject";

/// A dictionary key as it stands in a path: h5io's spelling of a slash.
fn key(name: &str) -> String {
    format!("key_{}", name.replace('/', "{FWDSLASH}"))
}

//! The fitted state as the peer stores it: `autoreject.h5` in the layout of h5io.
//!
//! Each value is a dataset or group `key_NAME` whose attribute `TITLE` tells its kind. Thresholds
//! are SI units, losses `[consensus][n_interpolate][fold]` (spec autoreject 12).

mod read;
mod write;

pub use read::read;
pub use write::write;

/// The group that holds everything.
const ROOT: &str = "/autoreject";

/// A dictionary key as it stands in a path: h5io's spelling of a slash.
fn key(name: &str) -> String {
    format!("key_{}", name.replace('/', "{FWDSLASH}"))
}

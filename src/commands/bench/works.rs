//! The works of each size: what is made, what is run on it.

use super::options::{Group, Size};
use serde::Serialize;

/// One command line on one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// Stable name, `command/shape`.
    pub name: String,
    /// What it belongs to.
    pub group: Group,
    /// Shapes, for people.
    pub about: String,
}

/// All works of `group` at `size`.
pub fn of(_group: Group, _size: Size) -> Vec<Work> {
    Vec::new()
}

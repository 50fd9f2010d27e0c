//! The user's mask of interior bins: an array of truth values.

use crate::error::{Error, Result};
use crate::io::{self, Block, StoredType};
use std::path::Path;

/// Largest mask that is read, cells.
const MOST: u64 = 1 << 28;

/// Shape, values and place of the mask in `path`.
///
/// # Errors
/// The file cannot be read, or holds something else than truth values (or bytes that are 0 or 1).
pub fn read(path: &Path) -> Result<(Vec<usize>, Vec<bool>, String)> {
    let place = path.display().to_string();
    let file = io::open(path)?;
    let dataset = file.dataset("")?;
    let info = dataset.info();
    let expected = || "truth values of the grid's shape";
    let bytes = matches!(&info.stored, StoredType::Number(dtype, _) if dtype.size() == 1);
    if !(bytes || info.stored == StoredType::Bool) {
        return Err(Error::data(place, info.stored.to_string(), expected(), "store it as bool"));
    }
    let cells: u64 = info.shape.iter().fold(1, |all: u64, &n| all.saturating_mul(n));
    if cells > MOST {
        return Err(Error::data(place, format!("{cells} cells"), expected(), ""));
    }
    let block = Block { start: vec![0; info.shape.len()], count: info.shape.clone() };
    let mut values = vec![0; cells as usize];
    dataset.read_block(&block, &mut values)?;
    if let Some(at) = values.iter().position(|&value| value > 1) {
        let found = format!("{} at cell {at}", values[at]);
        return Err(Error::data(place, found, "0 or 1", ""));
    }
    let shape = info.shape.iter().map(|&n| n as usize).collect();
    Ok((shape, values.iter().map(|&value| value == 1).collect(), place))
}

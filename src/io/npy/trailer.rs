//! A label behind the array of an `.npy` file: text, its length (8 bytes, little-endian), a mark.
//!
//! numpy reads as many elements as the header promises and does not look further.

use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MARK: &[u8; 8] = b"\nNISSL\n\0";
/// Longer labels are damage.
const LONGEST: u64 = 64 << 20;

/// The bytes of a label.
pub(super) fn render(text: &str) -> Vec<u8> {
    [text.as_bytes(), &(text.len() as u64).to_le_bytes(), MARK].concat()
}

/// The label of a file whose array ends at `end`, if there is one.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: &File, path: &Path, end: u64) -> Result<Option<Vec<u8>>> {
    let length = file.metadata().map_err(Error::io(path, "read"))?.len();
    let Some(tail) = length.checked_sub(16).filter(|&at| at >= end) else { return Ok(None) };
    let (mut size, mut mark) = ([0; 8], [0; 8]);
    let fault = || Error::io(path, "read");
    file.read_exact_at(&mut size, tail).map_err(fault())?;
    file.read_exact_at(&mut mark, tail + 8).map_err(fault())?;
    let size = u64::from_le_bytes(size);
    if &mark != MARK || size > LONGEST || end.checked_add(size) != Some(tail) {
        return Ok(None);
    }
    let mut text = vec![0; size as usize];
    file.read_exact_at(&mut text, end).map_err(fault())?;
    Ok(Some(text))
}

//! Text and references: from stored elements to bytes and paths.

use super::heap::Budget;
use super::source::{DAMAGED, Source};
use super::types::TextForm;
use crate::error::{Error, Result};
use hdf5_reader::messages::datatype::StringPadding;

/// Texts of the elements in `bytes`.
pub(super) fn texts(source: &Source, bytes: &[u8], form: TextForm, place: &str) -> Result<Vec<Vec<u8>>> {
    match form {
        TextForm::Fixed(size, padding) => {
            Ok(bytes.chunks_exact(size.max(1)).map(|element| trimmed(element, padding).to_vec()).collect())
        }
        TextForm::Variable => {
            let mut budget = Budget::new(source);
            let size = 8 + usize::from(source.offset_size);
            let mut all = Vec::with_capacity(bytes.len() / size);
            for element in bytes.chunks_exact(size) {
                let mut text = source.variable(element, 1, &mut budget, place)?;
                // Some writers count the closing zero; C readers stop there, so do we.
                let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
                text.truncate(end);
                all.push(text);
            }
            Ok(all)
        }
    }
}

/// A fixed-length text without its padding.
fn trimmed(element: &[u8], padding: StringPadding) -> &[u8] {
    let end = match padding {
        StringPadding::NullTerminate => element.iter().position(|&b| b == 0),
        StringPadding::NullPad => Some(element.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1)),
        StringPadding::SpacePad => Some(element.iter().rposition(|&b| b != b' ').map_or(0, |i| i + 1)),
    };
    &element[..end.unwrap_or(element.len())]
}

/// Paths of the objects that the references in `bytes` point to; empty for the null reference.
pub(super) fn references(source: &Source, bytes: &[u8], place: &str) -> Result<Vec<String>> {
    let paths = source.paths()?;
    let size = usize::from(source.offset_size);
    let resolve = |(i, element): (usize, &[u8])| {
        let address = element.iter().rev().fold(0u64, |sum, &b| sum << 8 | u64::from(b));
        if address == 0 || source.is_undefined(address) {
            return Ok(String::new());
        }
        paths.get(&address).cloned().ok_or_else(|| {
            let found = format!("reference {i} to no object of the file ({address:#x})");
            Error::data(source.place(place), found, "a group or dataset", DAMAGED)
        })
    };
    bytes.chunks_exact(size).enumerate().map(resolve).collect()
}

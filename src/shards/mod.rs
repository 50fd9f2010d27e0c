//! Parts of a run: which items belong to shard I of N, what its part is called, what it says of
//! itself, and whether a set of parts is whole (design 5).
//!
//! Which items a shard has depends on the number of items and on I/N alone, so every machine of a
//! job array finds the same split.

mod gather;
mod identity;

pub use gather::{Part, array_list, gather};
pub use identity::{FOLDER_LABEL, Identity, Run, is_done, read_folder, read_label, write_folder};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A command line and where it was typed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// The words, the program's name first.
    pub argv: Vec<String>,
    /// The folder.
    pub directory: PathBuf,
}

/// More parts than any job array has elements.
pub const MOST: u64 = 1_000_000;

/// One part of a run: the `index`-th of `of`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').map(|(i, n)| (i.trim().parse(), n.trim().parse()));
        let Some((Ok(index), Ok(of))) = numbers else {
            return Err(Error::usage("expected I/N, such as 3/8: the third of eight parts"));
        };
        if of == 0 || of > MOST {
            return Err(Error::usage(format!("expected 1 to {MOST} parts, found {of}")));
        }
        if index == 0 || index > of {
            return Err(Error::usage(format!(
                "parts count from 1: expected 1/{of} to {of}/{of}, as --array=1-{of} gives them"
            )));
        }
        Ok(Shard { index, of })
    }
}

impl Shard {
    /// The items of this part when `items` are dealt out in order, as evenly as can be. Parts
    /// beyond the number of items are empty.
    pub fn items(self, items: u64) -> Range<u64> {
        let border = |part: u64| (u128::from(items) * u128::from(part) / u128::from(self.of)) as u64;
        border(self.index - 1)..border(self.index)
    }

    /// The rows of this part of a plane of `height` rows. Borders fall on multiples of `block`
    /// rows; on those of storage chunks of `chunk_rows` too, where every part has several of them.
    pub fn rows(self, height: u64, block: u64, chunk_rows: u64) -> Range<u64> {
        let block = block.max(1);
        let both = least_common_multiple(block, chunk_rows.max(1));
        let step = if height / both >= 4 * self.of { both } else { block };
        let steps = self.items(height.div_ceil(step));
        (steps.start * step).min(height)..(steps.end * step).min(height)
    }

    /// `NAME.shard-003-of-008.EXT` beside `output`; a folder's name has no extension.
    ///
    /// # Errors
    /// [`Error::Usage`] where `output` has no name to begin with.
    pub fn part_of(self, output: &Path, folder: bool) -> Result<PathBuf> {
        let (stem, extension) = name(output, folder)?;
        let width = self.of.to_string().len().max(3);
        let mut name = stem;
        name.push(format!(".shard-{:0width$}-of-{:0width$}", self.index, self.of));
        name.push(extension);
        Ok(output.with_file_name(name))
    }
}

/// The name of `output` in two: before the shard's number and after it (the dot included).
pub(crate) fn name(output: &Path, folder: bool) -> Result<(OsString, OsString)> {
    let whole = output.file_name().ok_or_else(|| {
        Error::usage(format!("-o {}: has no name that parts could be called after", output.display()))
    })?;
    if folder {
        return Ok((whole.to_owned(), OsString::new()));
    }
    let mut extension = OsString::new();
    if let Some(found) = output.extension() {
        extension.push(".");
        extension.push(found);
    }
    Ok((output.file_stem().unwrap_or(whole).to_owned(), extension))
}

/// The least number that both divide.
fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1)).saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_item_belongs_to_one_part(items in 0u64..10_000, of in 1u64..300) {
            let mut next = 0;
            for index in 1..=of {
                let range = Shard { index, of }.items(items);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.end - range.start <= items / of + 1);
                next = range.end;
            }
            prop_assert_eq!(next, items);
        }

        #[test]
        fn every_row_belongs_to_one_part_and_borders_stand_on_blocks(
            height in 0u64..5000, block in 1u64..200, chunk in 1u64..300, of in 1u64..50,
        ) {
            let mut next = 0;
            for index in 1..=of {
                let rows = Shard { index, of }.rows(height, block, chunk);
                prop_assert_eq!(rows.start, next);
                prop_assert!(rows.start.is_multiple_of(block) || rows.start == height);
                next = rows.end;
            }
            prop_assert_eq!(next, height);
        }
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!("3/8".parse::<Shard>().unwrap(), Shard { index: 3, of: 8 });
        for (bad, told) in [
            ("0/4", "--array=1-4"),
            ("5/4", "--array=1-4"),
            ("1/0", "parts"),
            ("x", "I/N"),
            ("1", "I/N"),
            ("-1/2", "I/N"),
        ] {
            let error = bad.parse::<Shard>().unwrap_err();
            assert!(matches!(&error, Error::Usage(text) if text.contains(told)), "{bad}: {error}");
        }
    }

    #[test]
    fn parts_are_called_after_the_output_and_sort_by_number() {
        let name = |index, of, output: &str, folder| {
            Shard { index, of }.part_of(Path::new(output), folder).unwrap().display().to_string()
        };
        assert_eq!(name(3, 8, "d/out.nc", false), "d/out.shard-003-of-008.nc");
        assert_eq!(name(12, 1200, "out.v2.npy", false), "out.v2.shard-0012-of-1200.npy");
        assert_eq!(name(1, 2, "d/cleaned.v2/", true), "d/cleaned.v2.shard-001-of-002");
        assert!(Shard { index: 1, of: 2 }.part_of(Path::new(".."), true).is_err());
    }
}

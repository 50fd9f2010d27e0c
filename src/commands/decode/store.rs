//! Rows of all time bins that a later walk needs again, in memory where they fit, else in a scratch
//! file beside the output.

use crate::error::{Error, Result};
use crate::io::scratch::ScratchFile;
use std::path::Path;

/// A value that can wait on disk.
pub trait Stored: Copy + Default + Send + Sync {
    /// Appends the values as little-endian bytes.
    fn push(values: &[Self], bytes: &mut Vec<u8>);
    /// Reads them back.
    fn read(bytes: &[u8], values: &mut [Self]);
}

macro_rules! stored {
    ($($kind:ty),*) => {$(
        impl Stored for $kind {
            fn push(values: &[Self], bytes: &mut Vec<u8>) {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            fn read(bytes: &[u8], values: &mut [Self]) {
                let cells = bytes.as_chunks::<{ size_of::<$kind>() }>().0;
                for (value, cell) in values.iter_mut().zip(cells) {
                    *value = <$kind>::from_le_bytes(*cell);
                }
            }
        }
    )*};
}
stored!(f32, f64, u32);

/// `[row, column]`, rows of equal length, written and read in any order.
#[derive(Debug)]
pub struct RowStore<T> {
    columns: usize,
    place: Place<T>,
}

#[derive(Debug)]
enum Place<T> {
    Memory(Vec<T>),
    File { file: ScratchFile, bytes: Vec<u8> },
}

impl<T: Stored> RowStore<T> {
    /// Room for `rows` rows of `columns` values: in memory, or on disk in the folder of `output`.
    ///
    /// # Errors
    /// The folder may not be written.
    pub fn new((rows, columns): (usize, usize), held: bool, output: &Path) -> Result<Self> {
        let place = match held {
            true => Place::Memory(vec![T::default(); rows * columns]),
            false => Place::File { file: ScratchFile::beside(output)?, bytes: Vec::new() },
        };
        Ok(RowStore { columns, place })
    }

    /// Keeps rows that begin at row `first`.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn write(&mut self, first: usize, rows: &[T]) -> Result<()> {
        let start = first * self.columns;
        match &mut self.place {
            Place::Memory(all) => match all.get_mut(start..start + rows.len()) {
                Some(place) => {
                    place.copy_from_slice(rows);
                    Ok(())
                }
                None => Err(never_kept(first)),
            },
            Place::File { file, bytes } => {
                bytes.clear();
                T::push(rows, bytes);
                file.write_at((start * size_of::<T>()) as u64, bytes)
            }
        }
    }

    /// Calls `look` with the rows `first .. first + count`, read into `scratch` where they are on disk.
    ///
    /// # Errors
    /// The disk fails, or what `look` says.
    pub fn with_rows<R>(
        &self,
        (first, count): (usize, usize),
        scratch: &mut Scratch<T>,
        look: impl FnOnce(&[T]) -> Result<R>,
    ) -> Result<R> {
        let (start, length) = (first * self.columns, count * self.columns);
        match &self.place {
            Place::Memory(all) => match all.get(start..start + length) {
                Some(rows) => look(rows),
                None => Err(never_kept(first)),
            },
            Place::File { file, .. } => {
                scratch.bytes.resize(length * size_of::<T>(), 0);
                scratch.values.resize(length, T::default());
                file.read_at((start * size_of::<T>()) as u64, &mut scratch.bytes)?;
                T::read(&scratch.bytes, &mut scratch.values);
                look(&scratch.values)
            }
        }
    }
}

fn never_kept(first: usize) -> Error {
    Error::Failed(format!("internal error: there is no room for rows from {first} on"))
}

/// Where rows from disk are put; one for each reader.
#[derive(Debug, Default)]
pub struct Scratch<T> {
    bytes: Vec<u8>,
    values: Vec<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_the_same_from_memory_and_disk() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<f32> = (0..35).map(|i| i as f32 - 3.5).collect();
        for held in [true, false] {
            let mut store = RowStore::new((7, 5), held, &folder.path().join("out.nc")).unwrap();
            store.write(3, &rows[15..]).unwrap();
            store.write(0, &rows[..15]).unwrap();
            let mut scratch = Scratch::default();
            for (first, count) in [(6, 1), (2, 3), (0, 7)] {
                let found = store.with_rows((first, count), &mut scratch, |r| Ok(r.to_vec())).unwrap();
                assert_eq!(found, rows[first * 5..(first + count) * 5]);
            }
            assert!(store.with_rows((5, 3), &mut scratch, |_| Ok(())).is_err());
        }
    }
}

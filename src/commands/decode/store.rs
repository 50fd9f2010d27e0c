//! Rows of all time bins that a later walk needs again, in memory where they fit, else in a scratch
//! file beside the output.

use crate::array::{ByteOrder, Dtype, Real};
use crate::error::{Error, Result};
use crate::io::scratch::ScratchFile;
use std::path::Path;

/// `[row, column]`, rows of equal length; written once, read in any order.
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

impl<T: Real> RowStore<T> {
    /// Room for `rows` rows of `columns` values in memory.
    pub fn in_memory(rows: usize, columns: usize) -> Self {
        RowStore { columns, place: Place::Memory(Vec::with_capacity(rows * columns)) }
    }

    /// The same on disk, in the folder of `output`.
    ///
    /// # Errors
    /// The folder may not be written.
    pub fn on_disk(columns: usize, output: &Path) -> Result<Self> {
        Ok(RowStore {
            columns,
            place: Place::File { file: ScratchFile::beside(output)?, bytes: Vec::new() },
        })
    }

    /// Appends rows that begin at row `first`; rows come in order.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn append(&mut self, first: usize, rows: &[T]) -> Result<()> {
        match &mut self.place {
            Place::Memory(all) => {
                debug_assert_eq!(all.len(), first * self.columns);
                all.extend_from_slice(rows);
                Ok(())
            }
            Place::File { file, bytes } => {
                bytes.clear();
                T::push_le(rows, bytes);
                file.write_at((first * self.columns * size_of::<T>()) as u64, bytes)
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
                None => Err(Error::Failed(format!("internal error: rows from {first} on were never kept"))),
            },
            Place::File { file, .. } => {
                scratch.bytes.resize(length * size_of::<T>(), 0);
                scratch.values.resize(length, T::default());
                file.read_at((start * size_of::<T>()) as u64, &mut scratch.bytes)?;
                let dtype = if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 };
                T::from_stored(&scratch.bytes, dtype, ByteOrder::Little, &mut scratch.values);
                look(&scratch.values)
            }
        }
    }
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
        let memory = RowStore::in_memory(7, 5);
        let disk = RowStore::on_disk(5, &folder.path().join("out.nc")).unwrap();
        for mut store in [memory, disk] {
            store.append(0, &rows[..15]).unwrap();
            store.append(3, &rows[15..]).unwrap();
            let mut scratch = Scratch::default();
            for (first, count) in [(6, 1), (2, 3), (0, 7)] {
                let found = store.with_rows((first, count), &mut scratch, |r| Ok(r.to_vec())).unwrap();
                assert_eq!(found, rows[first * 5..(first + count) * 5]);
            }
            assert!(store.with_rows((5, 3), &mut scratch, |_| Ok(())).is_err());
        }
    }
}

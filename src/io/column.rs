//! A column of values: in memory, or in a file without a name where there are too many.

use super::scratch::ScratchMap;
use crate::error::Result;
use bytemuck::Pod;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// Values that are used as a slice wherever they are.
pub enum Column<T> {
    /// In memory.
    Held(Vec<T>),
    /// In a file; what is touched is in memory until [`Column::release`].
    Mapped(Mapped<T>),
}

/// Values in a file, as many as were not cut off.
pub struct Mapped<T> {
    map: ScratchMap,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Column<T> {
    /// `count` zeros in a file beside `output`.
    ///
    /// # Errors
    /// The folder is not writable, or the disk too full.
    pub fn zeros_beside(output: &Path, count: usize) -> Result<Self> {
        let map = ScratchMap::beside(output, count.saturating_mul(size_of::<T>()))?;
        Ok(Column::Mapped(Mapped { map, length: count, element: PhantomData }))
    }

    /// `count` zeros: in a file beside `output` where one is named, else in memory.
    ///
    /// # Errors
    /// As [`Column::zeros_beside`].
    pub fn zeros(count: usize, output: Option<&Path>) -> Result<Self> {
        match output {
            Some(output) => Column::zeros_beside(output, count),
            None => Ok(Column::Held(vec![T::zeroed(); count])),
        }
    }

    /// `values` in a file beside `output`, where one is named.
    ///
    /// # Errors
    /// As [`Column::zeros_beside`].
    pub fn keep(values: Vec<T>, output: Option<&Path>) -> Result<Self> {
        let Some(output) = output else { return Ok(Column::Held(values)) };
        let mut column = Column::zeros_beside(output, values.len())?;
        column.copy_from_slice(&values);
        column.release();
        Ok(column)
    }

    /// Leaves out all values from number `length` on.
    pub fn truncate(&mut self, length: usize) {
        match self {
            Column::Held(values) => values.truncate(length),
            Column::Mapped(mapped) => mapped.length = mapped.length.min(length),
        }
    }

    /// Bytes that are in memory whatever happens.
    pub fn held_bytes(&self) -> usize {
        match self {
            Column::Held(values) => values.capacity() * size_of::<T>(),
            Column::Mapped(_) => 0,
        }
    }

    /// True where the values are in a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self, Column::Mapped(_))
    }

    /// Gives back the memory of what was touched of a file.
    pub fn release(&self) {
        if let Column::Mapped(mapped) = self {
            mapped.map.release();
        }
    }
}

impl<T: Pod> Deref for Column<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Column::Held(values) => values,
            Column::Mapped(mapped) => {
                let values = &mapped.map.bytes()[..mapped.length * size_of::<T>()];
                bytemuck::cast_slice(values)
            }
        }
    }
}

impl<T: Pod> DerefMut for Column<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Column::Held(values) => values,
            Column::Mapped(mapped) => {
                let values = &mut mapped.map.bytes_mut()[..mapped.length * size_of::<T>()];
                bytemuck::cast_slice_mut(values)
            }
        }
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Column::Held(Vec::new())
    }
}

impl<T> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        Column::Held(values)
    }
}

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Column::Held(values.into_iter().collect())
    }
}

impl<T: Pod> Clone for Column<T> {
    /// In memory.
    fn clone(&self) -> Self {
        Column::Held(self.to_vec())
    }
}

impl<T: Pod + PartialEq> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self[..], f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_in_memory_and_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.nc");
        let values: Vec<f64> = (0..100_000).map(f64::from).collect();
        let mut held = Column::keep(values.clone(), None).unwrap();
        let mut mapped = Column::keep(values, Some(&output)).unwrap();
        assert!(mapped.is_mapped() && !held.is_mapped());
        assert!(held == mapped && mapped.held_bytes() == 0 && held.held_bytes() == 800_000);
        for column in [&mut held, &mut mapped] {
            column[70_000] = -1.0;
            column.release();
            column.truncate(70_001);
            assert_eq!((column.len(), column[70_000], column[69_999]), (70_001, -1.0, 69_999.0));
        }
        assert_eq!(held.clone(), mapped.clone());
        assert!(Column::<u32>::zeros_beside(&output, 0).unwrap().is_empty());
    }
}

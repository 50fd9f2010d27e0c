//! Memory for large arrays: zeros straight from the system, on large pages where it has them.
//!
//! Recordings are some hundred megabytes to many gigabytes. On pages of 4 KiB filling them costs
//! as much as reading the file, and walks along epochs, which lie megabytes apart, miss the table
//! of pages at every row. Large pages (2 MiB) are asked for; a system without them gives small
//! ones, and nothing but the time changes.

use crate::error::{Error, Result};
use memmap2::{Mmap, MmapMut};

/// Values in memory of their own, on a page's boundary; zeros at first, given back when dropped.
#[derive(Debug)]
pub struct Pages {
    map: MmapMut,
    bytes: usize,
}

impl Pages {
    /// Room for `bytes` bytes. They count as used once they are written.
    ///
    /// # Errors
    /// The system refuses so much.
    pub fn of_bytes(bytes: usize) -> Result<Self> {
        let refused = |e| Error::Failed(format!("{bytes} bytes of memory were refused: {e}"));
        let map = MmapMut::map_anon(bytes.max(1)).map_err(refused)?;
        // A wish only: refused where large pages are switched off.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Pages { map, bytes })
    }

    /// Room for `count` float64 zeros.
    ///
    /// # Errors
    /// The system refuses so much.
    pub fn of_values(count: usize) -> Result<Self> {
        Pages::of_bytes(count.saturating_mul(size_of::<f64>()))
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map[..self.bytes]
    }

    /// All bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.map[..self.bytes]
    }

    /// As float64; bytes beyond the last whole value are left out.
    pub fn values(&self) -> &[f64] {
        bytemuck::cast_slice(&self.map[..self.bytes / 8 * 8])
    }

    /// As float64, to be changed.
    pub fn values_mut(&mut self) -> &mut [f64] {
        bytemuck::cast_slice_mut(&mut self.map[..self.bytes / 8 * 8])
    }
}

/// Values of a file as they lie there, mapped and never copied.
#[derive(Debug)]
pub struct Lent {
    map: Mmap,
}

impl Lent {
    /// Values of `map`, which begins with the first of them.
    pub fn new(map: Mmap) -> Self {
        Lent { map }
    }

    /// As float64 in the machine's byte order; nothing where they lie across the machine's words.
    pub fn values(&self) -> &[f64] {
        bytemuck::try_cast_slice(&self.map).unwrap_or_default()
    }

    /// Brings `bytes` of the file into memory, all at once; false where the system cannot, or
    /// the file not be read.
    pub fn bring(&self, bytes: std::ops::Range<usize>) -> bool {
        #[cfg(target_os = "linux")]
        return self.map.advise_range(memmap2::Advice::PopulateRead, bytes.start, bytes.len()).is_ok();
        #[cfg(not(target_os = "linux"))]
        return bytes.end <= self.map.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_as_zeros_and_keep_what_is_put_in() {
        let mut pages = Pages::of_values(700_001).unwrap();
        assert!(pages.values().iter().all(|&v| v == 0.0) && pages.values().len() == 700_001);
        pages.values_mut()[700_000] = 1.5;
        assert_eq!(pages.bytes()[700_000 * 8..], 1.5f64.to_ne_bytes());
        pages.bytes_mut()[..8].copy_from_slice(&2.5f64.to_ne_bytes());
        assert_eq!(pages.values()[0], 2.5);
        assert!(Pages::of_values(0).unwrap().values().is_empty());
        assert!(Pages::of_bytes(usize::MAX / 2).is_err());
    }
}

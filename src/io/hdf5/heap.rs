//! Global heaps: where the elements of variable length lie.
//!
//! An element in the dataset or attribute is a count (u32), the address of a heap and the index
//! of an object in it (u32).

use super::source::{DAMAGED, Source, lock};
use crate::error::{Error, Result};
use hdf5_reader::global_heap::GlobalHeapCollection;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of parsed heaps kept.
const CACHE_BYTES: usize = 16 << 20;

type Objects = HashMap<u16, Vec<u8>>;

/// Parsed heaps by address.
#[derive(Default)]
pub(super) struct HeapCache {
    bytes: usize,
    heaps: HashMap<u64, Arc<Objects>>,
}

/// How much one call may parse and hand out, so that elements that all point at one large object,
/// or that jump between heaps, end in an error instead of hours and gigabytes.
pub(super) struct Budget {
    parsed: u64,
    handed: u64,
}

impl Budget {
    pub fn new(source: &Source) -> Budget {
        Budget { parsed: source.len.saturating_mul(64).saturating_add(256 << 20), handed: 256 << 20 }
    }
}

impl Source {
    /// Bytes of one element whose stored form is `element`; `unit` is the size of one item.
    pub fn variable(&self, element: &[u8], unit: usize, budget: &mut Budget, place: &str) -> Result<Vec<u8>> {
        let fail =
            |found: String| Error::data(self.place(place), found, "a sound variable-length element", DAMAGED);
        let os = usize::from(self.offset_size);
        if element.len() < 8 + os {
            return Err(fail(format!("{} bytes", element.len())));
        }
        let number = |b: &[u8]| b.iter().rev().fold(0u64, |sum, &x| sum << 8 | u64::from(x));
        let (count, address, index) =
            (number(&element[..4]), number(&element[4..4 + os]), number(&element[4 + os..8 + os]));
        if count == 0 || address == 0 || self.is_undefined(address) {
            return Ok(Vec::new());
        }
        let len = count.saturating_mul(unit as u64);
        budget.handed =
            budget.handed.checked_sub(len).ok_or_else(|| fail("more than 256 MiB of text".to_owned()))?;
        let objects = self.heap(address, budget, place)?;
        let object = u16::try_from(index).ok().and_then(|i| objects.get(&i));
        let object = object.ok_or_else(|| fail(format!("no object {index} in the heap at {address:#x}")))?;
        let bytes = usize::try_from(len).ok().and_then(|n| object.get(..n));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| fail(format!("{len} bytes of an object of {}", object.len())))
    }

    fn heap(&self, address: u64, budget: &mut Budget, place: &str) -> Result<Arc<Objects>> {
        if let Some(heap) = lock(&self.heaps).heaps.get(&address) {
            return Ok(heap.clone());
        }
        let parsed = GlobalHeapCollection::parse_at_storage(
            self.storage.as_ref(),
            address,
            self.offset_size,
            self.length_size,
        )
        .map_err(self.damaged(place))?;
        let bytes: usize = parsed.objects.iter().map(|o| o.data.len() + 64).sum();
        budget.parsed = budget.parsed.checked_sub(bytes as u64 + 4096).ok_or_else(|| {
            Error::data(self.place(place), "elements that jump between heaps", "orderly heaps", DAMAGED)
        })?;
        let mut objects = Objects::new();
        for object in parsed.objects {
            objects.entry(object.index).or_insert(object.data);
        }
        let objects = Arc::new(objects);
        let mut cache = lock(&self.heaps);
        if cache.bytes.saturating_add(bytes) > CACHE_BYTES {
            *cache = HeapCache::default();
        }
        cache.bytes += bytes;
        cache.heaps.insert(address, objects.clone());
        Ok(objects)
    }
}

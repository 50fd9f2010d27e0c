//! Fixed and extensible arrays: the chunk indexes of new files without, or with one, unlimited axis.
//!
//! They are read here because `hdf5-reader` does not compare the checksums of their data blocks:
//! a damaged index then gave never-written chunks instead of an error.
//!
//! An element is the chunk's address, followed in filtered datasets by its size (as many bytes as
//! are left) and its filter mask. Elements count chunks; [`super::index`] knows their order.

use super::index::Location;
use super::source::Source;
use std::collections::HashSet;

/// Receives number and place of each chunk that is stored.
pub(super) type Take<'a> = &'a mut dyn FnMut(u64, Location) -> Result<(), String>;

/// A walk over one array.
struct Walk<'a, 'b> {
    source: &'a Source,
    filtered: bool,
    /// Bytes of an element.
    element: usize,
    take: Take<'b>,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |sum, &b| sum << 8 | u64::from(b))
}

/// Reads `len` bytes and the checksum after them, and compares.
fn block(source: &Source, address: u64, len: u64, what: &str) -> Result<Vec<u8>, String> {
    let whole = usize::try_from(len.saturating_add(4)).unwrap_or(usize::MAX);
    let bytes = source.storage.read_range(address, whole).map_err(|err| format!("{what}: {err}"))?;
    match bytes.split_last_chunk::<4>() {
        Some((body, sum)) if hdf5_reader::checksum::jenkins_lookup3(body) == u32::from_le_bytes(*sum) => {
            Ok(body.to_vec())
        }
        _ => Err(format!("{what}: its checksum does not match")),
    }
}

/// A block that begins with this signature and version 0.
fn signed(source: &Source, address: u64, len: u64, signature: &[u8; 4]) -> Result<Vec<u8>, String> {
    let what = String::from_utf8_lossy(signature);
    let bytes = block(source, address, len, &format!("chunk index block {what} at {address:#x}"))?;
    if !bytes.starts_with(signature) || bytes.get(4) != Some(&0) {
        return Err(format!("no chunk index block {what} at {address:#x}"));
    }
    Ok(bytes)
}

impl Walk<'_, '_> {
    fn sizes(&self) -> (usize, usize) {
        (usize::from(self.source.offset_size), usize::from(self.source.length_size))
    }

    /// Checks that elements hold what their class says.
    fn check_element(&self) -> Result<(), String> {
        let (os, _) = self.sizes();
        let fits =
            if self.filtered { (os + 5..=os + 12).contains(&self.element) } else { self.element == os };
        if fits { Ok(()) } else { Err(format!("chunk index elements of {} bytes", self.element)) }
    }

    /// Hands out elements that lie one after another, the first one being chunk `first`.
    fn elements(&mut self, first: u64, bytes: &[u8]) -> Result<(), String> {
        let (os, _) = self.sizes();
        for (i, element) in bytes.chunks_exact(self.element).enumerate() {
            let address = number(&element[..os]);
            if self.source.is_undefined(address) {
                continue;
            }
            let (mut size, mut mask) = (0, 0);
            if self.filtered {
                let (middle, last) = element[os..].split_at(self.element - os - 4);
                (size, mask) = (number(middle), number(last) as u32);
            }
            (self.take)(first.saturating_add(i as u64), Location { address, size, mask })?;
        }
        Ok(())
    }

    /// Hands out the elements of pages whose bit is set; the others were never written.
    fn pages(&mut self, pages: &Pages, written: &dyn Fn(u64) -> bool) -> Result<(), String> {
        let mut address = pages.address;
        for index in 0..pages.count.div_ceil(pages.size) {
            let left = pages.count - index * pages.size;
            let len = left.min(pages.size).saturating_mul(self.element as u64);
            if written(index) {
                let bytes = block(self.source, address, len, "page of the chunk index")?;
                self.elements(pages.first.saturating_add(index * pages.size), &bytes)?;
            }
            address = address.saturating_add(len).saturating_add(4);
        }
        Ok(())
    }
}

/// Elements cut into pages, each followed by its checksum.
struct Pages {
    /// Where the first page begins.
    address: u64,
    /// Number of the first element.
    first: u64,
    /// Elements in all.
    count: u64,
    /// Elements of a page.
    size: u64,
}

/// Bit of a bitmap, counted from the highest of each byte.
fn bit(bitmap: &[u8], at: u64) -> bool {
    bitmap.get((at / 8) as usize).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// Two to this power, as far as it can be counted.
fn power(bits: u8) -> Result<u64, String> {
    1u64.checked_shl(u32::from(bits)).ok_or_else(|| format!("2^{bits} elements in a chunk index"))
}

/// All chunks of a fixed array.
pub(super) fn fixed(source: &Source, address: u64, take: Take<'_>) -> Result<(), String> {
    let mut walk = Walk { source, filtered: false, element: 0, take };
    let (os, ls) = walk.sizes();
    let head = signed(source, address, (8 + ls + os) as u64, b"FAHD")?;
    (walk.filtered, walk.element) = (head[5] == 1, usize::from(head[6]));
    walk.check_element()?;
    let page = power(head[7])?;
    let (count, data) = (number(&head[8..8 + ls]), number(&head[8 + ls..]));
    if source.is_undefined(data) {
        return Ok(());
    }
    let prefix = (6 + os) as u64;
    if count <= page {
        let len = count.checked_mul(walk.element as u64).ok_or("a chunk index beyond counting")?;
        let bytes = signed(source, data, prefix.saturating_add(len), b"FADB")?;
        return walk.elements(0, &bytes[prefix as usize..]);
    }
    let bitmap = count.div_ceil(page).div_ceil(8);
    let bytes = signed(source, data, prefix + bitmap, b"FADB")?;
    let start = data.saturating_add(prefix + bitmap + 4);
    let pages = Pages { address: start, first: 0, count, size: page };
    walk.pages(&pages, &|index| bit(&bytes[prefix as usize..], index))
}

/// Facts of an extensible array's header, and what was met on the walk.
struct Extensible<'a, 'b> {
    walk: Walk<'a, 'b>,
    /// Address of the index block.
    address: u64,
    /// Elements in the index block itself.
    inline: u64,
    /// Elements of the smallest data block.
    least: u64,
    /// Data blocks that the index block points to itself, and the super blocks they make up.
    direct_blocks: u64,
    direct_supers: u32,
    supers: u32,
    page: u64,
    /// Bytes of a block offset.
    offset: u64,
    /// Addresses of data blocks met: one met twice would let a small file state many chunks.
    seen: HashSet<u64>,
}

/// Some data blocks of `size` elements each, the first one at `address` or named there.
#[derive(Clone, Copy)]
struct Data {
    address: u64,
    /// Number of the first element.
    first: u64,
    size: u64,
}

/// All chunks of an extensible array up to chunk number `end`.
pub(super) fn extensible(source: &Source, address: u64, end: u64, take: Take<'_>) -> Result<(), String> {
    let mut walk = Walk { source, filtered: false, element: 0, take };
    let (os, ls) = walk.sizes();
    let head = signed(source, address, (12 + 6 * ls + os) as u64, b"EAHD")?;
    (walk.filtered, walk.element) = (head[5] == 1, usize::from(head[6]));
    walk.check_element()?;
    let index = number(&head[12 + 6 * ls..]);
    if source.is_undefined(index) {
        return Ok(());
    }
    let (max_bits, least, pointers) = (head[7], head[9], head[10]);
    if !least.is_power_of_two() || !pointers.is_power_of_two() || max_bits > 64 {
        return Err("a chunk index header with sizes that are no powers of two".to_owned());
    }
    let supers = (1 + u32::from(max_bits)).saturating_sub(least.trailing_zeros());
    let mut array = Extensible {
        walk,
        address: index,
        inline: u64::from(head[8]),
        least: u64::from(least),
        direct_blocks: 2 * (u64::from(pointers) - 1),
        direct_supers: (2 * pointers.trailing_zeros()).min(supers),
        supers,
        page: power(head[11])?,
        offset: u64::from(max_bits).div_ceil(8),
        seen: HashSet::new(),
    };
    array.read(end)
}

impl Extensible<'_, '_> {
    fn read(&mut self, end: u64) -> Result<(), String> {
        let source = self.walk.source;
        let os = u64::from(source.offset_size);
        let inline = self.inline * self.walk.element as u64;
        let pointers = self.direct_blocks + u64::from(self.supers - self.direct_supers);
        let bytes = signed(source, self.address, 6 + os + inline + pointers * os, b"EAIB")?;
        let (elements, rest) = bytes[6 + os as usize..].split_at(inline as usize);
        self.walk.elements(0, elements)?;
        let mut addresses = rest.chunks_exact(os as usize).map(number);
        let mut first = self.inline;
        for level in 0..self.supers {
            if first >= end {
                break;
            }
            let blocks = 1u64 << (level / 2);
            let size = self.least.checked_shl(level.div_ceil(2)).filter(|&n| n >= self.least);
            let size = size.ok_or("a chunk index beyond counting")?;
            if level < self.direct_supers {
                for _ in 0..blocks {
                    let address = addresses.next().ok_or("a short index block")?;
                    self.data_block(Data { address, first, size }, &|_| true)?;
                    first = first.saturating_add(size);
                }
                continue;
            }
            let address = addresses.next().ok_or("a short index block")?;
            if !source.is_undefined(address) {
                self.super_block(Data { address, first, size }, blocks)?;
            }
            first = first.saturating_add(blocks.saturating_mul(size));
        }
        Ok(())
    }

    /// A block at `data.address` that points to so many data blocks.
    fn super_block(&mut self, data: Data, blocks: u64) -> Result<(), String> {
        let os = u64::from(self.walk.source.offset_size);
        let pages = if data.size > self.page { data.size / self.page } else { 0 };
        let bitmap = blocks.saturating_mul(pages.div_ceil(8));
        let prefix = 6 + os + self.offset;
        let len = prefix.saturating_add(bitmap).saturating_add(blocks.saturating_mul(os));
        let bytes = signed(self.walk.source, data.address, len, b"EASB")?;
        let (bitmap, addresses) = bytes[prefix as usize..].split_at(bitmap as usize);
        for (i, address) in addresses.chunks_exact(os as usize).map(number).enumerate() {
            // Bits are counted through all blocks, though each has whole bytes set aside.
            let written = |page| bit(bitmap, i as u64 * pages + page);
            let first = data.first.saturating_add((i as u64).saturating_mul(data.size));
            self.data_block(Data { address, first, size: data.size }, &written)?;
        }
        Ok(())
    }

    fn data_block(&mut self, data: Data, written: &dyn Fn(u64) -> bool) -> Result<(), String> {
        let source = self.walk.source;
        if source.is_undefined(data.address) {
            return Ok(());
        }
        if !self.seen.insert(data.address) {
            return Err(format!("a chunk index block met twice at {:#x}", data.address));
        }
        let prefix = 6 + u64::from(source.offset_size) + self.offset;
        if data.size <= self.page {
            let len = data.size.saturating_mul(self.walk.element as u64);
            let bytes = signed(source, data.address, prefix.saturating_add(len), b"EADB")?;
            return self.walk.elements(data.first, &bytes[prefix as usize..]);
        }
        signed(source, data.address, prefix, b"EADB")?;
        let address = data.address.saturating_add(prefix + 4);
        self.walk.pages(&Pages { address, first: data.first, count: data.size, size: self.page }, written)
    }
}

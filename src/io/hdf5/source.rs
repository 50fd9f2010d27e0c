//! The open file: bounded positioned reads, sizes of addresses, caches of small structures.

use super::header::Object;
use super::heap::HeapCache;
use super::links::Group;
use crate::error::{Error, Result};
use hdf5_reader::storage::{DynStorage, Storage, StorageBuffer};
use hdf5_reader::superblock::Superblock;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// No structure of a sound file (header, heap, index node) comes near this.
const STRUCTURE_LIMIT: usize = 128 << 20;
/// Parsed object headers kept, in bytes of their messages; more are parsed again.
const HEADER_CACHE_BYTES: u64 = 32 << 20;
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Reads structures from the file at addresses relative to the superblock.
struct Structures {
    file: Arc<File>,
    base: u64,
    len: u64,
}

impl Storage for Structures {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        let needed = len as u64;
        if len > STRUCTURE_LIMIT {
            return Err(hdf5_reader::error::Error::InvalidData(format!(
                "a structure of {len} bytes at {offset:#x}, more than the {STRUCTURE_LIMIT} accepted"
            )));
        }
        if offset.checked_add(needed).is_none_or(|end| end > self.len) {
            let available = self.len.saturating_sub(offset);
            return Err(hdf5_reader::error::Error::UnexpectedEof { offset, needed, available });
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, self.base + offset)?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

/// One open file.
pub(super) struct Source {
    pub path: PathBuf,
    pub file: Arc<File>,
    pub storage: DynStorage,
    /// Bytes before the superblock (a user block); every address counts from here.
    pub base: u64,
    /// Bytes from the superblock to the end.
    pub len: u64,
    /// Bytes of an address.
    pub offset_size: u8,
    /// Bytes of a length.
    pub length_size: u8,
    pub root: u64,
    pub groups: Mutex<HashMap<u64, Arc<Group>>>,
    pub heaps: Mutex<HeapCache>,
    objects: Mutex<(u64, HashMap<u64, Arc<Object>>)>,
    pub(super) paths: OnceLock<HashMap<u64, String>>,
}

/// A lock whose holder panicked still guards a cache whose entries are whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    pub fn open(path: &Path) -> Result<Source> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let meta = file.metadata().map_err(Error::io(path, "open"))?;
        if meta.is_dir() {
            return Err(Error::data(path.display().to_string(), "a folder", "an HDF5 file", ""));
        }
        let size = meta.len();
        let base = find_signature(path, &file, size)?;
        let file = Arc::new(file);
        let len = size - base;
        let storage: DynStorage = Arc::new(Structures { file: file.clone(), base, len });
        let superblock = Superblock::parse_from_storage(storage.as_ref())
            .map_err(|err| damaged(path.display().to_string(), &err))?;
        let sizes = [2, 4, 8];
        if !sizes.contains(&superblock.offset_size) || !sizes.contains(&superblock.length_size) {
            let found = format!(
                "addresses of {} and lengths of {} bytes",
                superblock.offset_size, superblock.length_size
            );
            return Err(Error::data(path.display().to_string(), found, "2, 4 or 8", DAMAGED));
        }
        check_length(path, &superblock, base, size)?;
        let root = superblock
            .root_object_header_address()
            .map_err(|err| damaged(path.display().to_string(), &err))?;
        Ok(Source {
            path: path.to_owned(),
            file,
            storage,
            base,
            len,
            offset_size: superblock.offset_size,
            length_size: superblock.length_size,
            root,
            groups: Mutex::default(),
            heaps: Mutex::default(),
            objects: Mutex::default(),
            paths: OnceLock::new(),
        })
    }

    /// `file:dataset`, as errors name it.
    pub fn place(&self, inner: &str) -> String {
        format!("{}:{inner}", self.path.display())
    }

    /// Wraps an error of the structure parsers.
    pub fn damaged(&self, inner: &str) -> impl Fn(hdf5_reader::error::Error) -> Error {
        let place = self.place(inner);
        move |err| damaged(place.clone(), &err)
    }

    /// The object at an address.
    pub fn object(&self, address: u64) -> Result<Arc<Object>> {
        if let Some(object) = lock(&self.objects).1.get(&address) {
            return Ok(object.clone());
        }
        let object = Arc::new(Object::read(self, address)?);
        let mut cache = lock(&self.objects);
        if cache.0 > HEADER_CACHE_BYTES {
            *cache = Default::default();
        }
        cache.0 += object.bytes;
        cache.1.insert(address, object.clone());
        Ok(object)
    }

    /// A header as `hdf5-reader` parses it whole, shared message table included.
    pub fn whole_header(&self, address: u64) -> Result<Arc<hdf5_reader::object_header::ObjectHeader>> {
        let options = hdf5_reader::OpenOptions::default().with_max_object_header_bytes(16 << 20);
        hdf5_reader::Hdf5File::from_storage_with_options(self.storage.clone(), options)
            .and_then(|file| file.get_or_parse_header(address))
            .map_err(self.damaged("shared message table"))
    }

    /// True for the address that stands for "nothing is stored".
    pub fn is_undefined(&self, address: u64) -> bool {
        hdf5_reader::io::Cursor::is_undefined_offset(address, self.offset_size)
    }

    /// Fills `out` from `address`, whose range the caller has checked with [`Source::holds`].
    pub fn read(&self, address: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, self.base.saturating_add(address)).map_err(Error::io(&self.path, "read"))
    }

    /// True when `size` bytes from `address` lie within the file.
    pub fn holds(&self, address: u64, size: u64) -> bool {
        address.checked_add(size).is_some_and(|end| end <= self.len)
    }
}

/// What to do about a damaged file.
pub(super) const DAMAGED: &str = "the file is damaged or incomplete; copy or write it again";

/// The parser's complaint as one of ours, on one line.
pub(super) fn damaged(place: String, err: &hdf5_reader::error::Error) -> Error {
    use hdf5_reader::error::Error as Inner;
    let text: String =
        err.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let advice = match err {
        Inner::UnsupportedDatatypeClass(_) | Inner::UnsupportedLayoutClass(_) => {
            "write it again in a plainer form (h5py, h5repack)"
        }
        _ => DAMAGED,
    };
    Error::data(place, text, "a sound HDF5 structure", advice)
}

/// The signature stands at 0, 512, 1024, 2048...: all but the first behind a user block.
fn find_signature(path: &Path, file: &File, size: u64) -> Result<u64> {
    let (mut start, mut first) = ([0; 8], [0; 8]);
    let mut offset = 0u64;
    let head = size.min(8) as usize;
    file.read_exact_at(&mut first[..head], 0).map_err(Error::io(path, "read"))?;
    while offset.saturating_add(8) <= size {
        file.read_exact_at(&mut start, offset).map_err(Error::io(path, "read"))?;
        if start == SIGNATURE {
            return Ok(offset);
        }
        if first.starts_with(b"CDF") && matches!(first[3], 1 | 2 | 5) {
            return Err(Error::data(
                path.display().to_string(),
                "a netCDF classic file",
                "netCDF-4 or HDF5",
                "convert it with `nccopy -k nc4 in.nc out.nc`",
            ));
        }
        offset = if offset == 0 { 512 } else { offset.saturating_mul(2) };
    }
    let found = match size {
        0 => "an empty file".to_owned(),
        _ if first.starts_with(b"\x89HDF") => "a truncated HDF5 file".to_owned(),
        _ => "no HDF5 signature".to_owned(),
    };
    Err(Error::data(
        path.display().to_string(),
        found,
        "an HDF5 or netCDF-4 file",
        "check the path and how it was written",
    ))
}

/// Compares the end that the superblock records with the file's own.
fn check_length(path: &Path, superblock: &Superblock, base: u64, size: u64) -> Result<()> {
    // The recorded end counts from the recorded base, which can differ from where the superblock
    // is when a user block was put before a finished file; libhdf5 compares the same way.
    let end = superblock.eof_address;
    if hdf5_reader::io::Cursor::is_undefined_offset(end, superblock.offset_size) || end <= size {
        return Ok(());
    }
    let stated = end.saturating_sub(base);
    Err(Error::data(
        path.display().to_string(),
        format!("a truncated file of {size} bytes"),
        format!("{stated} bytes or more, as its header says"),
        "copy it again; a file being written must be closed first",
    ))
}

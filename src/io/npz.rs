//! `.npz`: a zip archive of `.npy` members, stored or deflated.
//!
//! The `zip` crate reads the directory; members are then read by our own positions. A stored
//! member is a piece of the file: blocks come from it as from an `.npy` file. A deflated one is
//! inflated as a stream (`inflate`). Both are checked against their checksum whenever they are
//! read through from the front, and no length in the archive is believed before it was compared
//! with the bytes that are there.

mod inflate;
mod writer;

use super::block::ReadAt;
use super::npy::{self, FileRange, Header, MAX_HEADER, TextCode};
use super::{Attribute, Block, Container, Dataset, DatasetInfo, Entry, Format};
use crate::error::{Error, Result};
use inflate::{Checksum, Inflated};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zip::CompressionMethod;

pub use writer::NpzWriter;

/// Deflate cannot shrink more than this, so an array cannot be larger than its bytes times this.
const GREATEST_RATIO: u64 = 1032;
const SUFFIX: &[u8] = b".npy";

/// An open `.npz` file.
pub struct NpzFile {
    path: PathBuf,
    members: Vec<Arc<NpzArray>>,
}

/// One member.
struct NpzArray {
    place: String,
    info: DatasetInfo,
    text: Option<TextCode>,
    body: Body,
}

enum Body {
    Stored(FileRange, Checksum),
    Deflated(Box<Inflated>),
}

/// Where a member lies, from the archive's directory.
struct Place {
    name: String,
    method: CompressionMethod,
    start: u64,
    compressed: u64,
    size: u64,
    crc: u32,
}

impl NpzFile {
    /// Opens an archive and the headers of all its `.npy` members; other members are left alone.
    ///
    /// # Errors
    /// No zip archive, no `.npy` member, an encrypted or otherwise compressed member, or sizes
    /// that contradict each other.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let places = directory(path, &file)?;
        let mut members: Vec<Arc<NpzArray>> = Vec::new();
        for place in places {
            let array = NpzArray::open(path, &file, length, place)?;
            members.push(Arc::new(array));
        }
        if members.is_empty() {
            let advice = "save arrays with numpy.savez(path, name=array)";
            return Err(Error::data(path.display().to_string(), "no .npy member", "at least one", advice));
        }
        Ok(NpzFile { path: path.to_owned(), members })
    }
}

fn damaged(place: &str, found: impl Into<String>, expected: impl Into<String>) -> Error {
    Error::data(place, found, expected, "the archive is damaged; save it again")
}

/// The `.npy` members in the directory's order.
fn directory(path: &Path, file: &File) -> Result<Vec<Place>> {
    let bad = |e: zip::result::ZipError| match e {
        zip::result::ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io(path, "read")(e)
        }
        e => damaged(
            &path.display().to_string(),
            format!("a zip archive that does not open ({e})"),
            "an .npz file",
        ),
    };
    let own = file.try_clone().map_err(Error::io(path, "read"))?;
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(own)).map_err(bad)?;
    let mut places = Vec::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(bad)?;
        let raw = member.name_raw();
        let Some(stem) = raw.strip_suffix(SUFFIX) else { continue };
        let name = String::from_utf8_lossy(stem).into_owned();
        if member.encrypted() {
            let advice = "unpack it and save it again without a password";
            return Err(Error::data(
                format!("{}:{name}", path.display()),
                "an encrypted member",
                "a plain one",
                advice,
            ));
        }
        let Some(start) = member.data_start() else {
            return Err(damaged(&format!("{}:{name}", path.display()), "no data", "an array"));
        };
        places.push(Place {
            name,
            method: member.compression(),
            start,
            compressed: member.compressed_size(),
            size: member.size(),
            crc: member.crc32(),
        });
    }
    Ok(places)
}

impl NpzArray {
    fn open(path: &Path, file: &File, length: u64, place: Place) -> Result<Self> {
        let name = format!("{}:{}", path.display(), place.name);
        if place.start.checked_add(place.compressed).is_none_or(|end| end > length) {
            let found = format!("a member of {} bytes from byte {}", place.compressed, place.start);
            return Err(damaged(&name, found, format!("a file of more than {length} bytes")));
        }
        let file = file.try_clone().map_err(Error::io(path, "read"))?;
        let range = FileRange { file, base: place.start, path: path.to_owned() };
        match place.method {
            CompressionMethod::Stored => Self::stored(name, range, &place),
            CompressionMethod::Deflated => Self::deflated(name, range, &place),
            other => Err(Error::data(
                name,
                format!("compression {other:?}"),
                "none or deflate",
                "save it with numpy.savez or numpy.savez_compressed",
            )),
        }
    }

    fn stored(name: String, mut range: FileRange, place: &Place) -> Result<Self> {
        if place.size != place.compressed {
            let found = format!("a stored member of {} and {} bytes", place.size, place.compressed);
            return Err(damaged(&name, found, "one length"));
        }
        let mut front = vec![0; place.size.min(MAX_HEADER as u64) as usize];
        range.read_at(0, &mut front)?;
        let header = checked_header(&name, &front, place.size)?;
        let at = header.data_offset;
        let front = front.get(..at as usize).unwrap_or(&front);
        let checksum = Checksum::new(front, place.size - at, place.crc);
        range.base += at;
        let text = header.text;
        let info = npy::info_of(place.name.clone(), header);
        Ok(NpzArray { place: name, info, text, body: Body::Stored(range, checksum) })
    }

    fn deflated(name: String, range: FileRange, place: &Place) -> Result<Self> {
        if place.size / GREATEST_RATIO > place.compressed {
            let found = format!("{} bytes said to hold {}", place.compressed, place.size);
            return Err(damaged(&name, found, format!("at most {GREATEST_RATIO} times as much")));
        }
        let mut inflated = Inflated::new(name.clone(), range, place.compressed, place.size, place.crc);
        let front = inflated.front(place.size.min(MAX_HEADER as u64) as usize)?;
        let header = checked_header(&name, &front, place.size)?;
        inflated.skip_header(header.data_offset);
        let text = header.text;
        let info = npy::info_of(place.name.clone(), header);
        Ok(NpzArray { place: name, info, text, body: Body::Deflated(Box::new(inflated)) })
    }
}

/// Parses a member's header; its shape must promise exactly the bytes that the directory does.
fn checked_header(name: &str, front: &[u8], size: u64) -> Result<Header> {
    let header = npy::parse_header(name, front)?;
    let there = size.saturating_sub(header.data_offset);
    let bytes = npy::body_length(name, &header, there)?;
    if header.element != 0 && bytes != there {
        return Err(damaged(name, format!("{there} bytes of array data"), bytes.to_string()));
    }
    Ok(header)
}

impl ReadAt for NpzArray {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match &self.body {
            Body::Stored(range, checksum) => {
                range.read_at(offset, out)?;
                checksum.see(&self.place, offset, out)
            }
            Body::Deflated(inflated) => inflated.read_at(offset, out),
        }
    }
}

impl Container for NpzFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> Format {
        Format::Npz
    }

    fn list(&self) -> Result<Vec<Entry>> {
        Ok(self.members.iter().map(|member| Entry::Dataset(member.info.clone())).collect())
    }

    fn attributes(&self, _path: &str) -> Result<Vec<Attribute>> {
        Ok(Vec::new())
    }

    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>> {
        // As typed, and as the other containers spell paths.
        let wanted = path.strip_prefix('/').unwrap_or(path);
        let wanted = wanted.strip_suffix(".npy").unwrap_or(wanted);
        // Of two members of one name the last counts, as in numpy.
        let found = self.members.iter().rev().find(|m| m.info.path == path || m.info.path == wanted);
        match found {
            Some(member) => Ok(member.clone()),
            None => {
                let names: Vec<_> = self.members.iter().take(20).map(|m| m.info.path.as_str()).collect();
                Err(Error::data(
                    format!("{}:{path}", self.path.display()),
                    "no such member",
                    format!("one of {}", names.join(", ")),
                    "",
                ))
            }
        }
    }
}

impl Dataset for NpzArray {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn read_block(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        npy::read_block(&self.place, &self.info, self, block, out)
    }

    fn with_block(
        &self,
        block: &Block,
        scratch: &mut Vec<u8>,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        // Stored members are copied rather than mapped, so that their checksum is looked at.
        scratch.resize(super::block_bytes(&self.info, block), 0);
        self.read_block(block, scratch)?;
        use_bytes(scratch)
    }

    fn read_text(&self) -> Result<Vec<Vec<u8>>> {
        npy::read_text(&self.place, &self.info, self.text, self)
    }

    fn read_references(&self) -> Result<Vec<String>> {
        Err(npy::no_such_elements(&self.place, "references"))
    }

    fn fill_value(&self) -> Option<Vec<u8>> {
        None
    }
}

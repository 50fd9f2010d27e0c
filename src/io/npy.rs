//! `.npy`: one array, numpy's own format; reading by blocks and a streaming writer.
//!
//! Axes are slowest first, elements as stored; Fortran-order files are delivered in C order.
//! A block that is one contiguous run is lent straight from a memory map of just that run, so
//! that mapped pages never exceed one block; everything else is read by position into place.
//! Object arrays are named and refused, never unpickled. Spec: convolve.md 7.1, stack.md 2.
#![allow(unsafe_code)] // The memory map, which no safe interface offers.

mod header;
mod literal;
pub mod lost_end;
mod text;
mod trailer;
mod writer;

use super::block::{self, ReadAt, Runs};
use super::{Attribute, Block, Container, Dataset, DatasetInfo, Entry, Format, StoredType};
use crate::array::pages::Lent;
use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use header::{Header, MAX_HEADER, render_as};
pub(crate) use text::TextCode;
pub use writer::NpyWriter;
pub(crate) use writer::{Progress, le_header};

/// Runs shorter than this are copied: mapping costs a few microseconds.
const LEAST_MAP: usize = 64 << 10;

/// An open `.npy` file.
pub struct NpyFile {
    array: Arc<NpyArray>,
}

/// The array in an `.npy` file.
struct NpyArray {
    source: FileRange,
    info: DatasetInfo,
    element: usize,
    text: Option<TextCode>,
}

impl NpyFile {
    /// Opens a file and checks its header and length. A body longer than the shape says is
    /// taken as numpy takes it: the rest is not looked at.
    ///
    /// # Errors
    /// No `.npy` file, a header that numpy would refuse, or fewer bytes than the shape needs.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let mut front = vec![0; length.min(MAX_HEADER as u64) as usize];
        file.read_exact_at(&mut front, 0).map_err(Error::io(path, "read"))?;
        let place = path.display().to_string();
        let header = parse_header(&place, &front)?;
        body_length(&place, &header, length.saturating_sub(header.data_offset))?;
        let source = FileRange { file, base: header.data_offset, path: path.to_owned() };
        let (element, text) = (header.element, header.text);
        let info = info_of(String::new(), header);
        Ok(NpyFile { array: Arc::new(NpyArray { source, info, element, text }) })
    }
}

/// Parses a header, with the file (and member) named in errors.
pub(crate) fn parse_header(place: &str, front: &[u8]) -> Result<Header> {
    header::parse(front).map_err(|(found, expected)| {
        Error::data(place, found, expected, "the file is damaged or no .npy file; save it again")
    })
}

/// Bytes of the array's body, checked against what is there.
pub(crate) fn body_length(place: &str, header: &Header, there: u64) -> Result<u64> {
    let Some(bytes) = block::byte_length(&header.shape, header.element.max(1)) else {
        let found = format!("an array of shape {:?}", header.shape);
        return Err(Error::data(place, found, "one that fits in a file", "the header is damaged"));
    };
    // The length of types that are not read is unknown, and nothing is read of them.
    if header.element != 0 && bytes > there {
        return Err(Error::data(
            place,
            format!("{there} bytes of array data"),
            format!("{bytes} (shape {:?})", header.shape),
            "the file is truncated; copy or save it again",
        ));
    }
    Ok(bytes)
}

/// What a header says as a dataset's description.
pub(crate) fn info_of(path: String, header: Header) -> DatasetInfo {
    DatasetInfo {
        path,
        shape: header.shape,
        stored: header.stored,
        fortran: header.fortran,
        chunks: None,
        deflate: None,
        shuffle: false,
        unlimited: false,
    }
}

/// Reads a block of an array with the layout that `info` describes.
pub(crate) fn read_block(
    place: &str,
    info: &DatasetInfo,
    source: &dyn ReadAt,
    block: &Block,
    out: &mut [u8],
) -> Result<()> {
    readable(place, info)?;
    block::check(place, info, block, out.len())?;
    let element = block::element_size(&info.stored);
    if info.fortran {
        block::read_fortran(source, &info.shape, block, element, out)
    } else {
        block::read_rectangle(source, &info.shape, block, element, out)
    }
}

/// Refuses what has no blocks of numbers.
fn readable(place: &str, info: &DatasetInfo) -> Result<()> {
    match &info.stored {
        StoredType::Number(..) | StoredType::Bool => Ok(()),
        StoredType::Other(name) => Err(Error::data(
            place,
            format!("an array of {name}"),
            "numbers",
            "save it with numpy.save(path, array.astype(float))",
        )),
        StoredType::Text => {
            let advice = "save it with numpy.save(path, array.astype(float))";
            Err(Error::data(place, "an array of text", "numbers", advice))
        }
        StoredType::Reference => Err(Error::data(place, "an array of references", "numbers", "")),
    }
}

/// All elements of an array of text, as UTF-8 where it is Unicode.
pub(crate) fn read_text(
    place: &str,
    info: &DatasetInfo,
    code: Option<TextCode>,
    source: &dyn ReadAt,
) -> Result<Vec<Vec<u8>>> {
    match code {
        Some(code) => text::read(place, info, code, source),
        None => Err(no_such_elements(place, "text")),
    }
}

/// The answer to text or references asked of an array of numbers.
pub(crate) fn no_such_elements(place: &str, wanted: &str) -> Error {
    Error::data(place, "an array of numbers", wanted, "")
}

/// Part of a file, read by position; from several threads at once.
#[derive(Debug)]
pub(crate) struct FileRange {
    pub file: File,
    /// Where the range begins.
    pub base: u64,
    pub path: PathBuf,
}

impl ReadAt for FileRange {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, self.base + offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => shrunk(&self.path),
            _ => Error::io(&self.path, "read")(e),
        })
    }
}

fn shrunk(path: &Path) -> Error {
    Error::data(
        path.display().to_string(),
        "a file that became shorter while it was read",
        "the length it had when opened",
        "let its writer finish first",
    )
}

impl FileRange {
    /// Lends `length` bytes from `offset` on from a map made for this call; `None` where the
    /// file system cannot map.
    pub(crate) fn lend(
        &self,
        offset: u64,
        length: usize,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<()>> {
        match map_run(&self.file, &self.path, self.base + offset, (length, true))? {
            Some(map) => use_bytes(&map).map(Some),
            None => Ok(None),
        }
    }
}

/// Maps `length` bytes from `at` on, at once where `populate`; `None` where the file system cannot.
pub(crate) fn map_run(
    file: &File,
    path: &Path,
    at: u64,
    (length, populate): (usize, bool),
) -> Result<Option<memmap2::Mmap>> {
    let there = file.metadata().map_err(Error::io(path, "read"))?.len();
    if there < at.saturating_add(length as u64) {
        return Err(shrunk(path));
    }
    let mut options = memmap2::MmapOptions::new();
    options.offset(at).len(length);
    if populate {
        options.populate();
    }
    // SAFETY: the map is read-only, and the file was long enough a moment ago. Another process
    // that truncates the file while the map is held would end this one with SIGBUS, and one that
    // writes into it may show in the bytes: as for every reader that maps, inputs must stay as
    // they are while they are read (so says the manual).
    Ok(unsafe { options.map(file) }.ok())
}

/// Lends a block from a map where it is one run of a stored, uncompressed array.
pub(crate) fn lend_block(
    info: &DatasetInfo,
    range: &FileRange,
    block: &Block,
    use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Option<()>> {
    let size = super::block_bytes(info, block);
    let place = range.path.display().to_string();
    readable(&place, info)?;
    block::check(&place, info, block, size)?;
    if size < LEAST_MAP || (info.fortran && info.shape.len() > 1) {
        return Ok(None);
    }
    let runs = Runs::new(&info.shape, &block.start, &block.count, block::element_size(&info.stored));
    match runs.single() {
        Some(offset) => range.lend(offset, size, use_bytes),
        None => Ok(None),
    }
}

impl Container for NpyFile {
    fn path(&self) -> &Path {
        &self.array.source.path
    }

    fn format(&self) -> Format {
        Format::Npy
    }

    fn list(&self) -> Result<Vec<Entry>> {
        Ok(vec![Entry::Dataset(self.array.info.clone())])
    }

    fn attributes(&self, _path: &str) -> Result<Vec<Attribute>> {
        Ok(Vec::new())
    }

    fn label(&self) -> Result<Option<Vec<u8>>> {
        trailer::read(&self.array.source.file, self.path(), self.array.end())
    }

    fn dataset(&self, path: &str) -> Result<Arc<dyn Dataset>> {
        match path {
            "" | "/" => Ok(self.array.clone()),
            _ => Err(Error::data(
                format!("{}:{path}", self.path().display()),
                "an .npy file, which holds one array without a name",
                "no dataset after the colon",
                format!("give {} alone", self.path().display()),
            )),
        }
    }
}

impl NpyArray {
    /// Where the array ends in the file.
    fn end(&self) -> u64 {
        self.source.base + block::byte_length(&self.info.shape, self.element).unwrap_or(0)
    }

    fn place(&self) -> String {
        self.source.path.display().to_string()
    }
}

impl Dataset for NpyArray {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn read_block(&self, block: &Block, out: &mut [u8]) -> Result<()> {
        read_block(&self.place(), &self.info, &self.source, block, out)
    }

    fn with_block(
        &self,
        block: &Block,
        scratch: &mut Vec<u8>,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(done) = lend_block(&self.info, &self.source, block, use_bytes)? {
            return Ok(done);
        }
        scratch.resize(block.count.iter().product::<u64>() as usize * self.element, 0);
        self.read_block(block, scratch)?;
        use_bytes(scratch)
    }

    fn lend(&self) -> Result<Option<Lent>> {
        let bytes = block::byte_length(&self.info.shape, self.element).unwrap_or(0);
        if bytes == 0 || (self.info.fortran && self.info.shape.len() > 1) {
            return Ok(None);
        }
        let run = (usize::try_from(bytes).unwrap_or(usize::MAX), false);
        Ok(map_run(&self.source.file, &self.source.path, self.source.base, run)?.map(Lent::new))
    }

    fn read_text(&self) -> Result<Vec<Vec<u8>>> {
        read_text(&self.place(), &self.info, self.text, &self.source)
    }

    fn read_references(&self) -> Result<Vec<String>> {
        Err(no_such_elements(&self.place(), "references"))
    }

    fn fill_value(&self) -> Option<Vec<u8>> {
        None
    }
}

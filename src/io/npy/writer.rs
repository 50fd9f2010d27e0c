//! Streams one array into an `.npy` file: version 1, C order, little-endian.
//!
//! The bytes are those of `numpy.save` for the same array. The shape is known when the dataset is
//! made, so the header is written once and rows follow as they come.

use super::{header, trailer};
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::direct::{Direct, LEAST};
use crate::io::{Attribute, DatasetId, DatasetSpec, Writer, block};
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Small appends are gathered to this size; larger ones pass through.
const BUFFER: usize = 256 << 10;

/// How many bytes of a dataset were promised and how many came.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    place: String,
    promised: u64,
    came: u64,
}

impl Progress {
    /// A dataset of `shape`; `place` names it in errors.
    ///
    /// # Errors
    /// A shape whose bytes no file holds.
    pub(crate) fn new(place: String, spec: &DatasetSpec) -> Result<Self> {
        let Some(promised) = block::byte_length(&spec.shape, spec.dtype.size()) else {
            let found = format!("an array of shape {:?}", spec.shape);
            return Err(Error::data(place, found, "one that fits in a file", ""));
        };
        Ok(Progress { place, promised, came: 0 })
    }

    /// Counts bytes before they are written.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<()> {
        let came = self.came + bytes as u64;
        if came > self.promised {
            return Err(self.mismatch(came));
        }
        self.came = came;
        Ok(())
    }

    /// Names the array in errors.
    #[cfg(feature = "hdf5")]
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Bytes of the whole array.
    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    /// True as long as nothing came.
    pub(crate) fn is_untouched(&self) -> bool {
        self.came == 0
    }

    /// True once everything promised came.
    pub(crate) fn is_complete(&self) -> bool {
        self.came == self.promised
    }

    /// Checks at the end that nothing is missing.
    pub(crate) fn check_complete(&self) -> Result<()> {
        if self.is_complete() { Ok(()) } else { Err(self.mismatch(self.came)) }
    }

    fn mismatch(&self, came: u64) -> Error {
        Error::Failed(format!(
            "{}: {came} bytes were produced for an array of {} bytes; nothing was kept",
            self.place, self.promised
        ))
    }
}

/// The header bytes of a little-endian C-order array.
pub(crate) fn le_header(spec: &DatasetSpec) -> Vec<u8> {
    header::render(spec.dtype, &spec.shape)
}

/// Writer of one `.npy` file. It holds one array and nothing else: a second dataset, text,
/// groups and attributes are refused.
pub struct NpyWriter {
    path: PathBuf,
    file: Option<BufWriter<Sink>>,
    progress: Option<Progress>,
    direct: Option<Direct>,
    label: Option<Vec<u8>>,
}

/// [`Beside`] as a byte sink.
struct Sink(Beside);

impl Seek for Sink {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.file().seek(to)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.file().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl NpyWriter {
    /// Makes the temporary file beside `path`.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn create(path: &Path) -> Result<Self> {
        let sink = Sink(Beside::create(path)?);
        let file = Some(BufWriter::with_capacity(BUFFER, sink));
        Ok(NpyWriter { path: path.to_owned(), file, progress: None, direct: None, label: None })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(Error::io(&self.path, "write"))
    }

    fn refuse(&self, what: &str) -> Error {
        Error::Failed(format!(
            "{}: an .npy file holds one array of numbers and no {what}; name the output .h5 or .nc to keep it",
            self.path.display()
        ))
    }
}

impl Writer for NpyWriter {
    fn create(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        if self.progress.is_some() {
            return Err(self.refuse("second one"));
        }
        self.progress = Some(Progress::new(self.path.display().to_string(), spec)?);
        self.write(&le_header(spec))?;
        Ok(DatasetId(0))
    }

    fn append(&mut self, id: DatasetId, bytes: &[u8]) -> Result<()> {
        match &mut self.progress {
            Some(progress) if id.0 == 0 => progress.add(bytes.len())?,
            _ => return Err(self.refuse("second one")),
        }
        match &mut self.direct {
            Some(direct) => direct.append(bytes),
            None => self.write(bytes),
        }
    }

    fn only(&mut self, _id: DatasetId) -> Result<()> {
        let (Some(file), Some(progress)) = (&mut self.file, &self.progress) else { return Ok(()) };
        let large = progress.is_untouched() && progress.promised() >= LEAST;
        if large && self.direct.is_none() {
            file.flush().map_err(Error::io(&self.path, "write"))?;
            let beside = &mut file.get_mut().0;
            let header = beside.file().stream_position().map_err(Error::io(&self.path, "write"))?;
            let stretch = (header, progress.promised());
            self.direct = Some(Direct::new(&self.path, beside.temporary(), stretch)?);
        }
        Ok(())
    }

    fn create_text(&mut self, _path: &str, _shape: &[u64], _values: &[Vec<u8>]) -> Result<()> {
        Err(self.refuse("text"))
    }

    /// Behind the array, where numpy does not look.
    fn label(&mut self, text: &str) -> Result<()> {
        self.label = Some(trailer::render(text));
        Ok(())
    }

    fn create_group(&mut self, _path: &str) -> Result<()> {
        Err(self.refuse("groups"))
    }

    fn set_attribute(&mut self, _path: &str, _attribute: &Attribute) -> Result<()> {
        Err(self.refuse("attributes"))
    }

    fn attach_scale(&mut self, _dataset: &str, _axis: usize, _scale: &str) -> Result<()> {
        Err(self.refuse("dimension scales"))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        match &self.progress {
            Some(progress) => progress.check_complete()?,
            None => return Err(Error::Failed(format!("{}: no array was written", self.path.display()))),
        }
        if let Some(direct) = self.direct.take() {
            direct.finish()?;
        }
        if let (Some(label), Some(file)) = (self.label.take(), &mut self.file) {
            let ended = file.seek(std::io::SeekFrom::End(0)).and_then(|_| file.write_all(&label));
            ended.map_err(Error::io(&self.path, "write"))?;
        }
        let Some(file) = self.file.take() else { return Ok(()) };
        let sink = file.into_inner().map_err(|e| Error::io(&self.path, "write")(e.into_error()))?;
        sink.0.finish()
    }
}

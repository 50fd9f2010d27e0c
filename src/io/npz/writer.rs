//! Streams arrays into an `.npz` archive: members in the order they were made, fixed time stamps,
//! so that equal arrays give equal bytes.
//!
//! A zip archive takes one member at a time. The first unfinished member goes straight into it;
//! rows that come meanwhile for later members wait in files beside the output.

use crate::array::Dtype;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::npy::{Progress, TextCode, le_header, render_as};
use crate::io::{Attribute, DatasetId, DatasetSpec, Writer};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Members from this size on get the 64-bit size fields; a little below 4 GiB, because deflate
/// may make random bytes slightly longer.
const LARGE: u64 = (4 << 30) - (64 << 20);
const BUFFER: usize = 256 << 10;
/// Text is small and always deflated.
const TEXT_LEVEL: u32 = 6;

/// Writer of one `.npz` file. It holds arrays only: groups and attributes are refused.
pub struct NpzWriter {
    path: PathBuf,
    beside: Option<Beside>,
    zip: Option<ZipWriter<BufWriter<Archive>>>,
    failed: Arc<AtomicBool>,
    members: Vec<Member>,
    /// The member that goes straight into the archive; those before it are in.
    current: usize,
}

struct Member {
    name: String,
    options: SimpleFileOptions,
    header: Vec<u8>,
    progress: Progress,
    started: bool,
    /// Rows that came before this member's turn.
    waiting: Option<Beside>,
}

/// The file as the archive's sink. After the first failure it swallows all that comes: the `zip`
/// crate completes an archive when it is dropped and would complain on stderr a second time.
struct Archive {
    file: File,
    failed: Arc<AtomicBool>,
}

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.failed.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        self.file.write(bytes).inspect_err(|e| {
            if e.kind() != std::io::ErrorKind::Interrupted {
                self.failed.store(true, Ordering::Relaxed);
            }
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Archive {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for NpzWriter {
    fn drop(&mut self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

impl NpzWriter {
    /// Makes the temporary file beside `path`.
    ///
    /// # Errors
    /// The folder is missing or not writable.
    pub fn create(path: &Path) -> Result<Self> {
        let mut beside = Beside::create(path)?;
        let file = beside.file().try_clone().map_err(Error::io(path, "create"))?;
        let failed = Arc::new(AtomicBool::new(false));
        let archive = Archive { file, failed: failed.clone() };
        let zip = Some(ZipWriter::new(BufWriter::with_capacity(BUFFER, archive)));
        let path = path.to_owned();
        Ok(NpzWriter { path, beside: Some(beside), zip, failed, members: Vec::new(), current: 0 })
    }

    fn refuse(&self, what: &str) -> Error {
        Error::Failed(format!(
            "{}: an .npz file holds arrays and no {what}; name the output .h5 or .nc to keep it",
            self.path.display()
        ))
    }

    /// Makes a member of the bytes that `spec` promises, under a header of its own.
    fn add(&mut self, spec: &DatasetSpec, header: Vec<u8>) -> Result<DatasetId> {
        let name = spec.path.trim_start_matches('/').to_owned();
        if name.is_empty() || self.members.iter().any(|member| member.name == name) {
            let reason = if name.is_empty() { "a member without a name" } else { "two members of one name" };
            return Err(Error::Failed(format!("{}:{name}: {reason}", self.path.display())));
        }
        let progress = Progress::new(format!("{}:{name}", self.path.display()), spec)?;
        let bytes = progress.promised() + header.len() as u64;
        let (method, level) = match spec.deflate {
            Some(level) => (CompressionMethod::Deflated, Some(i64::from(level.clamp(1, 9)))),
            None => (CompressionMethod::Stored, None),
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .compression_level(level)
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644)
            .large_file(bytes >= LARGE);
        self.members.push(Member { name, options, header, progress, started: false, waiting: None });
        Ok(DatasetId(self.members.len() - 1))
    }

    /// Moves on while the first unfinished member has rows waiting or is complete.
    fn settle(&mut self) -> Result<()> {
        while let Some(member) = self.members.get_mut(self.current) {
            let Some(zip) = &mut self.zip else { return Ok(()) };
            member.start(zip, &self.path)?;
            if !member.progress.is_complete() {
                return Ok(());
            }
            self.current += 1;
        }
        Ok(())
    }
}

impl Member {
    /// Opens the member in the archive and pours in what waited.
    fn start(&mut self, zip: &mut ZipWriter<BufWriter<Archive>>, path: &Path) -> Result<()> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        zip.start_file(format!("{}.npy", self.name), self.options).map_err(|e| zip_error(path, e))?;
        zip.write_all(&self.header).map_err(Error::io(path, "write"))?;
        let Some(mut waiting) = self.waiting.take() else { return Ok(()) };
        waiting.file().seek(SeekFrom::Start(0)).map_err(Error::io(path, "read back"))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            match waiting.file().read(&mut buffer).map_err(Error::io(path, "read back"))? {
                0 => return Ok(()),
                n => zip.write_all(&buffer[..n]).map_err(Error::io(path, "write"))?,
            }
        }
    }
}

fn zip_error(path: &Path, error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(e) => Error::io(path, "write")(e),
        e => Error::Failed(format!("{}: cannot write: {e}", path.display())),
    }
}

impl Writer for NpzWriter {
    fn create(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        self.add(spec, le_header(spec))
    }

    fn append(&mut self, id: DatasetId, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.settle()?;
        let refused = self.refuse("dataset of that number");
        let Some(member) = self.members.get_mut(id.0) else { return Err(refused) };
        member.progress.add(bytes.len())?;
        if id.0 == self.current {
            let Some(zip) = &mut self.zip else { return Ok(()) };
            return zip.write_all(bytes).map_err(Error::io(&self.path, "write"));
        }
        let waiting = match &mut member.waiting {
            Some(waiting) => waiting,
            none => none.insert(Beside::create(&self.path)?),
        };
        waiting.file().write_all(bytes).map_err(Error::io(&self.path, "write"))
    }

    /// As numpy's array of Unicode: elements of four bytes a letter, as long as the longest.
    fn create_text(&mut self, path: &str, shape: &[u64], values: &[Vec<u8>]) -> Result<()> {
        if shape.iter().product::<u64>() != values.len() as u64 {
            let place = format!("{}:{path}", self.path.display());
            let expected = format!("those of shape {shape:?}");
            return Err(Error::data(place, format!("{} texts", values.len()), expected, ""));
        }
        let (code, bytes) = TextCode::encode(values);
        let spec = DatasetSpec {
            path: path.to_owned(),
            shape: vec![bytes.len() as u64],
            dtype: Dtype::U8,
            chunks: None,
            deflate: Some(TEXT_LEVEL),
            fill: None,
        };
        let id = self.add(&spec, render_as(&code.descr(), shape))?;
        self.append(id, &bytes)
    }

    fn create_truth(&mut self, spec: &DatasetSpec) -> Result<DatasetId> {
        if spec.dtype.size() != 1 {
            let place = format!("{}:{}", self.path.display(), spec.path);
            return Err(Error::data(place, format!("truth values as {}", spec.dtype.name()), "int8", ""));
        }
        self.add(spec, render_as("|b1", &spec.shape))
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
        self.members.iter().try_for_each(|member| member.progress.check_complete())?;
        self.settle()?;
        let (Some(zip), Some(beside)) = (self.zip.take(), self.beside.take()) else { return Ok(()) };
        let buffer = zip.finish().map_err(|e| zip_error(&self.path, e))?;
        buffer.into_inner().map_err(|e| Error::io(&self.path, "write")(e.into_error()))?;
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::Failed(format!(
                "{}: an earlier write failed; nothing was kept",
                self.path.display()
            )));
        }
        beside.finish()
    }
}

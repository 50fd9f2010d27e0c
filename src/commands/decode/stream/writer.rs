//! The thread that writes records: it may be as slow as it likes, the ticks do not wait for it.
//!
//! By the name of the output: `.npy` is an array of structured records, `.nc` netCDF-4 (made at the
//! end, from an unnamed file beside the output), anything else the records alone, one behind the
//! other. Files appear whole under their name at the end. A FIFO or device gets its records at
//! once; what its reader does not take in time is lost and counted.

use super::engine::{Shape, TickRecord};
use super::netcdf;
use super::record::Layout;
use super::ring::Consumer;
use crate::error::{Error, Result};
use crate::io::atomic::{self, Beside};
use crate::io::scratch::ScratchFile;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that are gathered before they are written.
const GATHERED: usize = 256 << 10;
/// Sleep of a writer without work.
const NAP: Duration = Duration::from_micros(500);
/// Naps that the end of a run waits for a reader that takes nothing: about two seconds.
const PATIENCE: u32 = 4000;
/// Digits kept free for the number of records in the header of an array file.
const DIGITS: usize = 20;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// netCDF-4.
    Netcdf,
    /// A numpy array of structured records.
    Npy,
    /// Records, one behind the other.
    Records,
    /// The same into a FIFO or device, as they come.
    Pipe,
}

impl Form {
    /// That of an output.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("nc" | "nc4") => Form::Netcdf,
            Some("npy") => Form::Npy,
            _ if is_pipe(path) => Form::Pipe,
            _ => Form::Records,
        }
    }

    /// As a plan calls it.
    pub fn name(self) -> &'static str {
        match self {
            Form::Netcdf => "netCDF-4",
            Form::Npy => "structured array of numpy",
            Form::Records => "packed records",
            Form::Pipe => "packed records into a pipe",
        }
    }
}

fn is_pipe(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|found| found.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device())
}

/// The rules of `-o`, checked before any work: those of all outputs, but a FIFO or device may take
/// packed records.
///
/// # Errors
/// As [`atomic::check_output`].
pub fn check_output<P: AsRef<Path>>(path: &Path, force: bool, inputs: &[P]) -> Result<()> {
    let input = inputs.iter().any(|input| atomic::same_file(path, input.as_ref()));
    if Form::of(path) == Form::Pipe && !input {
        return Ok(());
    }
    atomic::check_output(path, force, inputs)
}

/// What the thread leaves.
#[derive(Debug, Default)]
pub struct Written {
    /// Records in the output.
    pub records: u64,
    /// Records that were taken from the ring and could not be written.
    pub lost: u64,
    /// Why.
    pub error: Option<Error>,
}

/// A running writer.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Written>,
}

impl Writer {
    /// Makes the output and starts the thread; `clock` turns ticks into seconds.
    ///
    /// # Errors
    /// The output cannot be made, or the system gives no thread.
    pub fn start(path: &Path, consumer: Consumer, shape: Shape, ripple: bool, clock: f64) -> Result<Self> {
        let layout = Layout::new(&shape, ripple);
        let output = Output::create(path, &layout, &shape, clock)?;
        let work = Work {
            gathered: Vec::with_capacity(GATHERED + layout.size),
            record: TickRecord::new(&shape),
            consumer,
            layout,
            output,
            written: Written::default(),
        };
        let thread = std::thread::Builder::new().name("records".into()).spawn(move || work.run());
        let thread = thread.map_err(|e| Error::Failed(format!("cannot start the writing thread: {e}")))?;
        Ok(Writer { thread })
    }

    /// Waits until everything is written.
    pub fn join(self) -> Written {
        self.thread.join().unwrap_or_else(|_| Written {
            records: 0,
            lost: 0,
            error: Some(Error::Failed("the writing thread ended unexpectedly; nothing was kept".into())),
        })
    }
}

/// The thread's own.
struct Work {
    consumer: Consumer,
    layout: Layout,
    record: TickRecord,
    gathered: Vec<u8>,
    output: Output,
    written: Written,
}

impl Work {
    fn run(mut self) -> Written {
        loop {
            if self.consumer.pop(&mut self.record) {
                match self.written.error {
                    // Going on taking keeps the ring from filling: one error is enough.
                    Some(_) => self.written.lost += 1,
                    None => self.layout.pack(&self.record, &mut self.gathered),
                }
                if self.gathered.len() >= GATHERED {
                    self.put();
                }
            } else if self.consumer.is_over() {
                break;
            } else {
                if matches!(self.output, Output::Pipe { .. }) && !self.gathered.is_empty() {
                    self.put();
                }
                std::thread::sleep(NAP);
            }
        }
        self.put();
        if self.written.error.is_none()
            && let Err(error) = self.output.finish(self.written.records)
        {
            self.written.lost += self.written.records;
            self.written.records = 0;
            self.written.error = Some(error);
        }
        self.written
    }

    fn put(&mut self) {
        let size = self.layout.size.max(1);
        let records = (self.gathered.len() / size) as u64;
        let consumer = &self.consumer;
        let (done, error) = self.output.write(&self.gathered, &|| consumer.is_closed());
        let whole = (done / size) as u64;
        self.written.records += whole;
        self.written.lost += records - whole;
        self.written.error = self.written.error.take().or(error);
        self.gathered.clear();
    }
}

/// Where the bytes go.
enum Output {
    File {
        file: Beside,
        path: PathBuf,
        header: Option<Header>,
    },
    Netcdf {
        scratch: ScratchFile,
        at: u64,
        results: netcdf::Results,
    },
    /// `left` is true once its reader was given up.
    Pipe {
        pipe: OwnedFd,
        path: PathBuf,
        left: bool,
    },
}

/// The header of an array file, which is written again when the number of records is known.
struct Header {
    descr: String,
}

impl Header {
    /// Version 1, or 2 where it is long; of equal length for any number of records.
    fn bytes(&self, records: u64) -> Vec<u8> {
        let shape = format!("({records},)");
        let free = DIGITS + 3 - shape.len();
        let mut text = format!("{{'descr': {}, 'fortran_order': False, 'shape': {shape}, }}", self.descr);
        text.push_str(&" ".repeat(free));
        let length = |head: usize| (head + text.len() + 1).next_multiple_of(64) - head;
        let mut bytes = b"\x93NUMPY".to_vec();
        match u16::try_from(length(10)) {
            Ok(short) => {
                bytes.extend([1, 0]);
                bytes.extend(short.to_le_bytes());
            }
            Err(_) => {
                bytes.extend([2, 0]);
                bytes.extend((length(12) as u32).to_le_bytes());
            }
        }
        let padded = (bytes.len() + text.len() + 1).next_multiple_of(64) - bytes.len() - 1;
        text.push_str(&" ".repeat(padded - text.len()));
        text.push('\n');
        bytes.extend(text.as_bytes());
        bytes
    }
}

impl Output {
    fn create(path: &Path, layout: &Layout, shape: &Shape, clock: f64) -> Result<Self> {
        let form = Form::of(path);
        match form {
            Form::Netcdf => {
                let results = netcdf::Results {
                    path: path.to_owned(),
                    shape: shape.clone(),
                    layout: layout.clone(),
                    clock,
                };
                Ok(Output::Netcdf { scratch: ScratchFile::beside(path)?, at: 0, results })
            }
            Form::Pipe => {
                // For reading, too: to open a FIFO for writing alone would wait for its reader, and
                // records written while there is none would end the process.
                let fifo = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
                let access = if fifo { OFlags::RDWR } else { OFlags::WRONLY };
                let pipe = rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
                let pipe = pipe.map_err(|e| Error::io(path, "open")(e.into()))?;
                Ok(Output::Pipe { pipe, path: path.to_owned(), left: false })
            }
            Form::Npy | Form::Records => {
                let mut file = Beside::create(path)?;
                let header = (form == Form::Npy).then(|| Header { descr: layout.numpy() });
                if let Some(header) = &header {
                    file.file().write_all(&header.bytes(0)).map_err(Error::io(path, "write"))?;
                }
                Ok(Output::File { file, path: path.to_owned(), header })
            }
        }
    }

    /// Writes; how many bytes went, and why not more. `closing` tells that the run is over.
    fn write(&mut self, bytes: &[u8], closing: &dyn Fn() -> bool) -> (usize, Option<Error>) {
        let written = match self {
            Output::File { file, path, .. } => file.file().write_all(bytes).map_err(Error::io(path, "write")),
            Output::Netcdf { scratch, at, .. } => {
                let written = scratch.write_at(*at, bytes);
                *at += bytes.len() as u64;
                written
            }
            Output::Pipe { left: true, .. } => return (0, None),
            Output::Pipe { pipe, path, left } => {
                let (done, error) = write_pipe(pipe, path, bytes, closing);
                *left = done < bytes.len();
                return (done, error);
            }
        };
        match written {
            Ok(()) => (bytes.len(), None),
            // Nothing of a broken file is kept.
            Err(error) => (0, Some(error)),
        }
    }

    fn finish(self, records: u64) -> Result<()> {
        match self {
            Output::File { mut file, path, header } => {
                if let Some(header) = header {
                    let out = file.file();
                    let written = out.rewind().and_then(|()| out.write_all(&header.bytes(records)));
                    written.map_err(Error::io(&path, "write"))?;
                }
                file.finish()
            }
            Output::Netcdf { scratch, results, .. } => results.write(&scratch, records),
            Output::Pipe { .. } => Ok(()),
        }
    }
}

/// Writes to a pipe whose reader may take its time; at the end of the run, only for so long.
fn write_pipe(
    pipe: &OwnedFd,
    path: &Path,
    bytes: &[u8],
    closing: &dyn Fn() -> bool,
) -> (usize, Option<Error>) {
    let (mut done, mut waited) = (0, 0);
    while done < bytes.len() {
        match rustix::io::write(pipe, &bytes[done..]) {
            Ok(0) | Err(Errno::AGAIN) => {
                if closing() {
                    waited += 1;
                }
                if waited > PATIENCE {
                    // Told as a count: a reader that went away is no fault of the run.
                    return (done, None);
                }
                std::thread::sleep(NAP);
            }
            Ok(written) => (done, waited) = (done + written, 0),
            Err(Errno::INTR) => {}
            Err(error) => return (done, Some(Error::io(path, "write")(error.into()))),
        }
    }
    (done, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_length_and_end_at_64() {
        for fields in [1, 200, 4000] {
            let header = Header { descr: format!("[{}]", "('rank', '<i4'), ".repeat(fields)) };
            let (none, most) = (header.bytes(0), header.bytes(u64::MAX));
            assert_eq!((none.len(), none.len() % 64), (most.len(), 0));
            assert_eq!(none.last(), Some(&b'\n'));
            let start = if none[6] == 1 { 10 } else { 12 };
            assert_eq!(none[start], b'{');
        }
    }
}

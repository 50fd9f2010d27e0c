//! Where records go: a file that appears whole, netCDF-4 made at the end, or a pipe.

use super::{Form, NAP};
use crate::commands::decode::stream::engine::Shape;
use crate::commands::decode::stream::netcdf;
use crate::commands::decode::stream::record::Layout;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use crate::io::scratch::ScratchFile;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Naps that the end of a run waits for a reader that takes nothing: about two seconds.
const PATIENCE: u32 = 4000;
/// Digits kept free for the number of records in the header of an array file.
const DIGITS: usize = 20;

/// Where the bytes go.
pub(super) enum Output {
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
pub(super) struct Header {
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
    pub(super) fn create(path: &Path, layout: &Layout, shape: &Shape, clock: f64) -> Result<Self> {
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
    pub(super) fn write(&mut self, bytes: &[u8], closing: &dyn Fn() -> bool) -> (usize, Option<Error>) {
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

    pub(super) fn finish(self, records: u64) -> Result<()> {
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

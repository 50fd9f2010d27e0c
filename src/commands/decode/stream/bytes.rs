//! Events from standard input, a FIFO or a file that grows.
//!
//! One read after another into a buffer of fixed size. A read waits a moment at most, so that
//! signals are seen; the loop asks again.

use super::event::{EventReader, Kind, Malformed};
use super::source::{Next, Source, World};
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use std::fs::{File, Metadata};
use std::io::{Stdin, stdin};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Longest wait for bytes, nanoseconds.
const WAIT: u64 = 20_000_000;
/// Time between two looks at a file that does not grow.
const GROWTH: u64 = 1_000_000;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Records from standard input.
    StandardInput,
    /// Records from a FIFO (or a device).
    Fifo,
    /// Records from a file that may grow.
    File,
    /// A recorded session.
    Recording,
}

impl Input {
    /// Looks at `path`: a file of records begins as one, or is empty as yet.
    ///
    /// # Errors
    /// It is not there or cannot be read.
    pub fn of(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Input::StandardInput);
        }
        let metadata: Metadata = std::fs::metadata(path).map_err(Error::io(path, "open"))?;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_char_device() {
            return Ok(Input::Fifo);
        }
        if kind.is_dir() {
            return Ok(Input::Recording);
        }
        let mut first = [0; super::event::MAGIC.len()];
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let read = rustix::io::read(&file, &mut first).map_err(|e| Error::io(path, "read")(e.into()))?;
        match first[..read] == super::event::MAGIC[..read] {
            true => Ok(Input::File),
            false => Ok(Input::Recording),
        }
    }
}

/// What is read.
#[derive(Debug)]
enum From {
    Stdin(Stdin),
    Open(OwnedFd),
}

impl AsFd for From {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            From::Stdin(stdin) => stdin.as_fd(),
            From::Open(file) => file.as_fd(),
        }
    }
}

/// What a look for bytes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Bytes,
    None,
    End,
}

/// Events out of bytes.
#[derive(Debug)]
pub struct ByteSource {
    from: From,
    path: PathBuf,
    reader: EventReader,
    /// The end of a file is not that of the stream.
    grows: bool,
    /// Nanoseconds without growth after which it is.
    idle: Option<u64>,
    /// When bytes came last.
    came: u64,
    ended: bool,
}

impl ByteSource {
    /// Opens `input`; `idle` ends a file that did not grow for so many seconds.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(input: Input, path: &Path, idle: Option<f64>, world: &dyn World) -> Result<Self> {
        let from = match input {
            Input::StandardInput => From::Stdin(stdin()),
            // Without waiting for somebody to write: a signal may come first.
            _ => From::Open(
                rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
                    .map_err(|e| Error::io(path, "open")(e.into()))?,
            ),
        };
        Ok(ByteSource {
            from,
            path: if input == Input::StandardInput { "standard input".into() } else { path.to_owned() },
            reader: EventReader::default(),
            grows: input == Input::File,
            idle: idle.map(|seconds| (seconds * 1e9) as u64),
            came: world.now(),
            ended: false,
        })
    }

    /// What messages call it.
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Waits for the stream's header; its clock, samples per second. Nothing where the stream ends,
    /// or the world wants to, before it is whole.
    ///
    /// # Errors
    /// It cannot be read, or is no stream.
    pub fn clock(&mut self, world: &dyn World) -> Result<Option<f64>> {
        let place = self.place();
        loop {
            if let Some(clock) = self.reader.clock(&place)? {
                return Ok(Some(clock));
            }
            if world.stopped() || self.look(world)? == Found::End {
                return Ok(None);
            }
        }
    }

    /// What was wrong with the records, once the stream is over.
    pub fn finish(&mut self) -> Malformed {
        self.reader.close(self.ended);
        self.reader.malformed()
    }

    /// Looks for bytes, and waits a moment where there are none.
    fn look(&mut self, world: &dyn World) -> Result<Found> {
        if !self.grows {
            let wait = Timespec { tv_sec: 0, tv_nsec: WAIT as i64 };
            let mut fds = [PollFd::new(&self.from, PollFlags::IN)];
            match poll(&mut fds, Some(&wait)) {
                Ok(0) | Err(Errno::INTR) => return Ok(Found::None),
                Ok(_) => {}
                Err(error) => return Err(Error::io(&self.path, "read")(error.into())),
            }
        }
        match rustix::io::read(&self.from, self.reader.room()) {
            Ok(0) if !self.grows => Ok(Found::End),
            Ok(0) => {
                let waited = world.now().saturating_sub(self.came);
                if self.idle.is_some_and(|idle| waited >= idle) {
                    return Ok(Found::End);
                }
                world.sleep(GROWTH);
                Ok(Found::None)
            }
            Ok(bytes) => {
                self.reader.filled(bytes);
                self.came = world.now();
                Ok(Found::Bytes)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Found::None),
            Err(error) => Err(Error::io(&self.path, "read")(error.into())),
        }
    }
}

impl Source for ByteSource {
    fn next(&mut self, world: &dyn World) -> Result<Next<'_>> {
        if !self.reader.advance() {
            return match self.look(world)? {
                Found::End => Ok(Next::Over),
                // The loop comes back at once.
                Found::Bytes | Found::None => Ok(Next::Nothing),
            };
        }
        let event = self.reader.event();
        self.ended = event.kind == Kind::End;
        Ok(Next::Event(event, Some(self.came)))
    }
}

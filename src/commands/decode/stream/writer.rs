//! The thread that writes records: it may be as slow as it likes, the ticks do not wait for it.
//!
//! By the name of the output: `.npy` is an array of structured records, `.nc` netCDF-4 (made at the
//! end, from an unnamed file beside the output), anything else the records alone, one behind the
//! other. Files appear whole under their name at the end. A FIFO or device gets its records at
//! once; what its reader does not take in time is lost and counted.

mod output;

use super::engine::{Shape, TickRecord};
use super::record::Layout;
use super::ring::Consumer;
use crate::error::{Error, Result};
use crate::io::atomic;
use output::Output;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that are gathered before they are written.
const GATHERED: usize = 256 << 10;
/// Sleep of a writer without work.
const NAP: Duration = Duration::from_micros(500);

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

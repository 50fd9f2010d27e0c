//! Finds the datasets of a session and reads them within bounds.
//!
//! A dataset is taken only if the file can hold what its shape says and the caller's memory can
//! take it. Values become float64, C order.

use super::numbers::Numbers;
use super::session::Session;
use crate::array::{ByteOrder, Dtype};
use crate::commands::InputFacts;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::io::{Attribute, Block, Container, Dataset, Entry, StoredType};
use crate::units::format_bytes;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Spikes are held where the whole recording takes no more than one of so many parts of the memory: its
/// model, tables and the rows in work want the rest.
const SHARE: u64 = 4;

/// No filter in use packs more than about this much into a byte (deflate: 1032).
const MOST_PACKED: u64 = 1100;

/// Reads the datasets of one file, and counts what they take.
pub(super) struct Reader<'a> {
    /// The file.
    pub container: &'a dyn Container,
    /// Everything in it.
    pub entries: Vec<Entry>,
    /// What is odd but no obstacle.
    pub warnings: Vec<String>,
    /// Where spikes go that are too many for memory.
    pub beside: Option<&'a Path>,
    folder: bool,
    file_bytes: u64,
    memory: u64,
    taken: u64,
    used: RefCell<Vec<(String, Vec<u64>, String)>>,
}

impl<'a> Reader<'a> {
    /// Opens a file for arrays of at most `memory` bytes; spikes go beside the path where they are many.
    pub fn new(container: &'a dyn Container, (memory, beside): (u64, Option<&'a Path>)) -> Result<Self> {
        let path = container.path();
        let file_bytes = std::fs::metadata(path).map_err(Error::io(path, "open"))?.len();
        let entries = container.list()?;
        let (warnings, used) = (Vec::new(), RefCell::default());
        let folder = path.is_dir();
        let mut reader =
            Reader { container, entries, warnings, beside, folder, file_bytes, memory, taken: 0, used };
        if reader.whole() <= memory / SHARE {
            reader.beside = None;
        }
        Ok(reader)
    }

    /// `file:/dataset`, or the file of a folder.
    pub fn place(&self, path: &str) -> String {
        let path = path.trim_matches('/');
        match self.folder {
            true => self.file(path).display().to_string(),
            false => format!("{}:/{path}", self.container.path().display()),
        }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.container.path().join(format!("{path}.npy"))
    }

    /// True for a dataset that is there.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).is_ok_and(|found| found.is_some())
    }

    /// A dataset, `None` where nothing has this path.
    fn find(&self, path: &str) -> Result<Option<Arc<dyn Dataset>>> {
        let wanted = path.trim_matches('/');
        let listed = self.entries.iter().any(|entry| match entry {
            Entry::Dataset(info) => info.path.trim_matches('/') == wanted,
            // Of a folder: an array. Of HDF5: a dead link, whose own error says where it leads.
            Entry::Link(path, _) => path.trim_matches('/') == wanted,
            Entry::Group(_) => false,
        });
        if listed {
            return self.container.dataset(path).map(Some);
        }
        if self.folder {
            return Ok(None);
        }
        // Soft and second hard links are not in the list, and open all the same.
        Ok(self.container.dataset(path).ok())
    }

    /// A dataset of numbers, `None` where nothing has this path.
    ///
    /// # Errors
    /// It cannot be read, holds no numbers, or its shape is larger than the file could hold.
    pub fn numbers(&self, path: &str) -> Result<Option<Numbers>> {
        self.array(path, false)
    }

    fn array(&self, path: &str, truth: bool) -> Result<Option<Numbers>> {
        let Some(dataset) = self.find(path)? else { return Ok(None) };
        let place = self.place(path);
        let info = dataset.info();
        let (dtype, order) = match info.stored {
            StoredType::Number(dtype, order) => (dtype, order),
            StoredType::Bool if truth => (Dtype::U8, ByteOrder::Little),
            ref other => {
                let found = format!("elements of type {other}");
                return Err(Error::data(place, found, "numbers", "write it anew as float64"));
            }
        };
        let count = info.shape.iter().try_fold(dtype.size() as u64, |n, &length| n.checked_mul(length));
        let packed = if info.chunks.is_some() { MOST_PACKED } else { 1 };
        // The NPY reader compares shape and length itself.
        let most = match self.folder {
            true => u64::MAX,
            false => self.file_bytes.saturating_mul(packed).saturating_add(64),
        };
        if count.is_none_or(|bytes| bytes > most) && !info.shape.contains(&0) {
            let found = format!("shape {:?} of {}", info.shape, info.stored);
            let expected = format!("what a file of {} bytes can hold", self.file_bytes);
            return Err(Error::data(place, found, expected, "the file is damaged or was never filled"));
        }
        let facts = (path.to_owned(), info.shape.clone(), info.stored.to_string());
        self.used.borrow_mut().push(facts);
        let shape = info.shape.clone();
        Ok(Some(Numbers { dataset, place, dtype, order, shape }))
    }

    /// A dataset of numbers that must be there.
    pub fn require(&self, path: &str, advice: &str) -> Result<Numbers> {
        self.numbers(path)?.ok_or_else(|| Error::data(self.place(path), "no such dataset", "numbers", advice))
    }

    /// Counts bytes that are about to be allocated for `what`.
    ///
    /// # Errors
    /// Beyond the limit.
    pub fn take(&mut self, bytes: u64, what: &str) -> Result<()> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken <= self.memory {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "{}: with {what} the session takes {} and more, over --memory {}; all of it takes about {}, its \
             model and the rows in work come on top: give more than that",
            self.container.path().display(),
            format_bytes(self.taken),
            format_bytes(self.memory),
            format_bytes(self.whole().max(self.taken))
        )))
    }

    /// Bytes that positions, decoding times and spikes of the file would take, by their shapes.
    fn whole(&self) -> u64 {
        let held = |path: &str| {
            let groups = ["position", "electrodes", "units", "decode"];
            path.split('/').any(|part| groups.iter().any(|group| part.eq_ignore_ascii_case(group)))
        };
        let bytes = self.entries.iter().map(|entry| match entry {
            Entry::Dataset(info) if held(&info.path) => {
                info.shape.iter().fold(8, |n: u64, &l| n.saturating_mul(l))
            }
            // Of a folder: mostly float64, as long as the file.
            Entry::Link(path, file) if self.folder && held(path) => {
                std::fs::metadata(file).map_or(0, |facts| facts.len())
            }
            _ => 0,
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// Room for `count` values, counted.
    pub fn room(&mut self, count: u64, what: &str) -> Result<Vec<f64>> {
        self.take(count.saturating_mul(8), what)?;
        let mut room = Vec::new();
        let fits = usize::try_from(count).is_ok_and(|count| {
            let fits = room.try_reserve_exact(count).is_ok();
            if fits {
                room.resize(count, 0.0);
            }
            fits
        });
        if fits {
            return Ok(room);
        }
        Err(Error::Failed(format!("{}: no memory for {count} values of {what}", self.place("/"))))
    }

    /// Room for `count` values of spikes: in memory, counted, or in a file.
    pub fn column(&mut self, count: u64, what: &str) -> Result<Column<f64>> {
        match self.beside {
            Some(beside) => Column::zeros_beside(beside, usize::try_from(count).unwrap_or(usize::MAX)),
            None => self.room(count, what).map(Column::from),
        }
    }

    /// All values of a dataset of spikes, C order.
    pub fn spikes(&mut self, numbers: &Numbers) -> Result<Column<f64>> {
        let mut out = self.column(numbers.rows().saturating_mul(numbers.row()), &numbers.place)?;
        let mut at = 0;
        numbers.each_block(0..numbers.rows(), &mut |_, bytes| {
            let end = out.len().min(at + bytes.len() / numbers.dtype.size());
            numbers.convert(bytes, &mut out[at..end]);
            at = end;
            out.release();
            Ok(())
        })?;
        Ok(out)
    }

    /// All values of a dataset, C order.
    pub fn values(&mut self, numbers: &Numbers) -> Result<Vec<f64>> {
        let mut out = self.room(numbers.rows().saturating_mul(numbers.row()), &numbers.place)?;
        self.read_into(numbers, &mut out)?;
        Ok(out)
    }

    /// Reads all values into `out`, which has their number.
    pub fn read_into(&self, numbers: &Numbers, out: &mut [f64]) -> Result<()> {
        if numbers.shape.is_empty() {
            let block = Block { start: Vec::new(), count: Vec::new() };
            return numbers.dataset.with_block(&block, &mut Vec::new(), &mut |bytes| {
                numbers.convert(bytes, out);
                Ok(())
            });
        }
        let mut rest = out;
        numbers.each_block(0..numbers.rows(), &mut |_, bytes| {
            let count = (bytes.len() / numbers.dtype.size()).min(rest.len());
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(count);
            numbers.convert(bytes, head);
            rest = tail;
            Ok(())
        })
    }

    /// Times in seconds, one axis.
    pub fn times(&mut self, numbers: &Numbers) -> Result<Vec<f64>> {
        numbers.flat()?;
        let times = self.values(numbers)?;
        self.check_resolution(numbers, &times);
        Ok(times)
    }

    /// Spike times in seconds, one axis.
    pub fn spike_times(&mut self, numbers: &Numbers) -> Result<Column<f64>> {
        numbers.flat()?;
        let times = self.spikes(numbers)?;
        self.check_resolution(numbers, &times);
        times.release();
        Ok(times)
    }

    /// Absolute clock times lose milliseconds in float32, and integers may be clock samples.
    fn check_resolution(&mut self, numbers: &Numbers, times: &[f64]) {
        let place = &numbers.place;
        if numbers.dtype.is_integer() && !times.is_empty() {
            self.warnings.push(format!("{place}: times are {}, taken as seconds", numbers.dtype.name()));
        }
        let digits = match numbers.dtype {
            Dtype::F16 => 11,
            Dtype::F32 => 24,
            _ => return,
        };
        let largest = times.iter().filter(|t| t.is_finite()).fold(0.0f64, |most, t| most.max(t.abs()));
        // What the last digit of the largest time is worth.
        let step = 2f64.powf(largest.log2().floor()) * 2f64.powi(1 - digits);
        if step > 1e-4 {
            self.warnings.push(format!(
                "{place}: times are {} and only exact to {:.1} ms at {largest} s; write them as float64",
                numbers.dtype.name(),
                step * 1e3
            ));
        }
    }

    /// Truth values, one axis: bool, or integers 0 and 1.
    pub fn flags(&mut self, path: &str) -> Result<Option<Vec<bool>>> {
        let Some(numbers) = self.array(path, true)? else { return Ok(None) };
        numbers.flat()?;
        if !numbers.dtype.is_integer() {
            return Err(numbers.wrong(format!("elements of type {}", numbers.dtype.name()), "truth values"));
        }
        self.take(numbers.rows(), &numbers.place)?;
        let mut flags = Vec::new();
        let mut values = Vec::new();
        numbers.each_block(0..numbers.rows(), &mut |first, bytes| {
            values.clear();
            values.resize(bytes.len() / numbers.dtype.size(), 0.0);
            numbers.convert(bytes, &mut values);
            if let Some(at) = values.iter().position(|&v| v != 0.0 && v != 1.0) {
                let place = format!("{}, index {}", numbers.place, first as usize + at);
                return Err(Error::data(place, format!("{}", values[at]), "0 or 1", ""));
            }
            flags.extend(values.iter().map(|&v| v == 1.0));
            Ok(())
        })?;
        Ok(Some(flags))
    }

    /// The attributes of a group or dataset; none where they cannot be read.
    pub fn attributes(&self, path: &str) -> Vec<Attribute> {
        self.container.attributes(path).unwrap_or_default()
    }

    /// What was read, for the report: the file once, or each file of a folder.
    ///
    /// # Errors
    /// A file cannot be read any more.
    pub fn facts(&self, session: &Session) -> Result<Vec<InputFacts>> {
        if self.folder {
            let used = self.used.borrow();
            return used
                .iter()
                .map(|(path, shape, dtype)| {
                    let file = self.file(path.trim_matches('/'));
                    InputFacts::of(&file, &file.display().to_string(), shape, dtype)
                })
                .collect();
        }
        let positions = &session.positions;
        let used = self.used.borrow();
        let data = used.iter().find(|(path, _, _)| path.ends_with("data")).or(used.first());
        let dtype = data.map_or("", |(_, _, dtype)| dtype);
        let shape = [positions.samples() as u64, positions.axes as u64];
        let path = self.container.path();
        Ok(vec![InputFacts::of(path, &path.display().to_string(), &shape, dtype)?])
    }
}

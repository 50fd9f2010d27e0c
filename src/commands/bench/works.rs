//! The works of each size: what is made, what is run on it. Pure.
//!
//! A name stands for one shape for ever: results are compared by it.

mod autoreject;
mod convolve;
mod decode;
mod io;
mod stream;

use super::options::{Group, Size};
use super::synth::epochs::Epochs;
use super::synth::events::Events;
use super::synth::raster::Raster;
use super::synth::session::Session;
use serde::Serialize;

/// Stands for the input in a command line.
pub const INPUT: &str = "{in}";
/// Stands for the output.
pub const OUTPUT: &str = "{out}";
/// Stands for the set-up file of a stream.
pub const CONFIG: &str = "{config}";

/// How an array lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// NPY.
    Npy,
    /// HDF5, contiguous.
    Hdf5,
    /// HDF5 in chunks, shuffled and deflated.
    Hdf5Gzip,
}

/// What is made for a work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// EEG in HDF5.
    Epochs(Epochs),
    /// A raster.
    Raster(Raster, Storage),
    /// A recording session in HDF5.
    Session(Session),
    /// A file of event records and its set-up.
    Events(Events),
}

impl Input {
    /// Name of the file.
    pub fn file_name(&self) -> &'static str {
        match self {
            Input::Raster(_, Storage::Npy) => "input.npy",
            Input::Events(_) => "input.events",
            _ => "input.h5",
        }
    }

    /// True where it lies in an HDF5 file.
    pub fn needs_hdf5(&self) -> bool {
        self.file_name().ends_with(".h5")
    }

    /// Bytes of the file, about; deflated noise hardly shrinks.
    pub fn bytes(&self) -> u64 {
        match self {
            Input::Epochs(epochs) => 8 * epochs.values(),
            Input::Raster(raster, _) => raster.cells() * raster.width(),
            Input::Session(session) => session.bytes(),
            Input::Events(events) => events.bytes(),
        }
    }
}

/// What is timed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Job {
    /// A run of the program with this command line, the command first.
    Program(Vec<String>),
    /// Reading the whole array through the library, in this process.
    Reading,
}

/// Type in which a stage computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// float32.
    F32,
    /// float64.
    F64,
}

impl Arithmetic {
    /// `f32` or `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Arithmetic::F32 => "f32",
            Arithmetic::F64 => "f64",
        }
    }
}

/// One command line on one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// Stable name, `command/shape`.
    pub name: String,
    /// What it belongs to.
    pub group: Group,
    /// Shapes, for people.
    pub about: String,
    /// What is made for it.
    pub input: Input,
    /// What is run.
    pub job: Job,
    /// Name of the output: a file, or a folder where it has no extension.
    pub output: &'static str,
    /// Bytes of the output, about.
    pub output_bytes: u64,
    /// The most memory it should take, bytes, about; more with more threads.
    pub memory: u64,
    /// Items of one run.
    pub items: u64,
    /// What an item is.
    pub item: &'static str,
    /// Stages that compute in float32; all others do in float64.
    pub single: &'static [&'static str],
    /// One thread does it, whatever it is given.
    pub serial: bool,
    /// One run takes a minute or more: it is run once, without warm-up.
    pub long: bool,
}

impl Work {
    /// The type in which a stage computes.
    pub fn arithmetic(&self, stage: &str) -> Arithmetic {
        if self.single.contains(&stage) { Arithmetic::F32 } else { Arithmetic::F64 }
    }

    /// Bytes on disk while it runs.
    pub fn disk(&self) -> u64 {
        self.input.bytes() + self.output_bytes
    }
}

/// All works of `group` at `size`.
pub fn of(group: Group, size: Size) -> Vec<Work> {
    match group {
        Group::Autoreject => autoreject::works(size),
        Group::Convolve => convolve::works(size),
        Group::Decode => decode::works(size),
        Group::Stream => stream::works(size),
        Group::Io => io::works(size),
    }
}

/// Words of a command line.
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// True where `name` fits `pattern`, in which `*` stands for any part.
pub fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => {
            let Some(after) = name.strip_prefix(head) else { return false };
            (0..=after.len()).filter(|&at| after.is_char_boundary(at)).any(|at| fits(rest, &after[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(size: Size) -> Vec<Work> {
        Group::ALL.into_iter().flat_map(|group| of(group, size)).collect()
    }

    #[test]
    fn a_name_stands_for_one_shape_in_all_sizes() {
        let mut known: Vec<Work> = Vec::new();
        for size in [Size::Quick, Size::Standard, Size::Full] {
            let works = all(size);
            for work in &works {
                assert_eq!(works.iter().filter(|w| w.name == work.name).count(), 1, "{} twice", work.name);
                match known.iter().find(|known| known.name == work.name) {
                    Some(known) => assert_eq!(known, work),
                    None => known.push(work.clone()),
                }
                assert!(work.name.starts_with(&format!("{}/", work.group.name())), "{}", work.name);
                assert!(work.items > 0 && work.input.bytes() > 0 && work.memory > 0, "{}", work.name);
            }
        }
        assert!(Group::ALL.iter().all(|&group| !of(group, Size::Quick).is_empty()));
    }

    #[test]
    fn full_has_what_labs_wait_for() {
        let full = all(Size::Full);
        let epochs = full.iter().filter(|w| w.group == Group::Autoreject).count();
        assert_eq!(epochs, 14, "13 shapes and the large one");
        for name in [
            "autoreject/large_128ch",
            "convolve/dense15_2000",
            "convolve/dense15_20000_f32",
            "decode/tiny",
            "decode/medium",
            "decode/large",
            "decode/realistic",
            "decode/production_arena",
            "stream/electrodes32_50k",
        ] {
            assert!(full.iter().any(|w| w.name == name), "{name}");
        }
    }

    #[test]
    fn stars_stand_for_any_part() {
        for (pattern, name) in
            [("a/b", "a/b"), ("*", "a/b"), ("a/*", "a/b"), ("*b", "a/b"), ("a*c*e", "abcde"), ("a/b*", "a/b")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "a/b"), ("b*", "a/b"), ("a*c", "a/b"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}

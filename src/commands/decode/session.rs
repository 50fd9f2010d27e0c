//! A recording session: where the animal was, what was fired, and when to decode.
//!
//! Times are float64 seconds, positions `[sample][axis]` in the file's length unit, marks
//! `[spike][feature]`. Read from NWB, from HDF5 of layout `decode-inputs-1`, or from a folder of
//! `.npy` with the same tree (spec decode 1, 6.2); what section 11 says of bad input holds here.
//!
//! Memory: [`Session::bytes`] for the result, and beside it at most 8 MiB, or one row of chunks
//! (stored, and decoded once more) where the storage has larger ones. Putting unsorted spikes in
//! order takes 16 bytes for each spike of one electrode at a time. Spikes that would take much of the
//! memory lie in files without a name ([`SessionChoices::beside`]) and come to memory where they are
//! used; positions and decoding times are always held.

use super::options::Likelihood;
use super::reading::Reader;
use super::tree::Folder;
use super::{condition, nwb, simple};
use crate::commands::InputFacts;
use crate::error::{Error, Result};
use crate::io::column::Column;
use crate::io::{self, AttributeValue, Container, Format, InputSpec};
use std::path::{Path, PathBuf};

/// The value of the root attribute `layout` of an HDF5 file of ours.
pub(super) const LAYOUT: &str = "decode-inputs-1";

/// Where the animal was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Positions {
    /// Seconds, strictly increasing, one for each sample.
    pub time: Vec<f64>,
    /// Coordinates `[sample][axis]`; NaN where the animal was not seen, never infinite.
    pub data: Vec<f64>,
    /// Axes of a sample: 1 or 2.
    pub axes: usize,
    /// Which samples may encode; none where the file does not say.
    pub is_encoding: Option<Vec<bool>>,
    /// Weight of each sample, 0 or more; none where they are not asked for (all alike).
    pub weights: Option<Vec<f64>>,
}

impl Positions {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.time.len()
    }

    /// The coordinates of one sample.
    pub fn sample(&self, index: usize) -> &[f64] {
        self.data.get(index * self.axes..(index + 1) * self.axes).unwrap_or_default()
    }
}

/// The spikes of one electrode, or of one sorted unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpikeTrain {
    /// Its number in the file, as text: `0`, `1`, ... equal in all three formats.
    pub name: String,
    /// What messages call it: `electrode 3`, `unit 3`, with the group's name where NWB has one.
    pub label: String,
    /// Seconds, finite and ascending; equal times occur.
    pub times: Column<f64>,
    /// Finite features `[spike][feature]`; empty for sorted units.
    pub marks: Column<f64>,
    /// Features of a spike; 0 for sorted units.
    pub width: usize,
}

impl SpikeTrain {
    /// Gives back the memory of what was touched of spikes in a file.
    pub fn release(&self) {
        self.times.release();
        self.marks.release();
    }
}

/// What was mended while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SessionCounts {
    /// Spikes left out because their time or a feature is NaN or infinite.
    pub dropped_spikes: u64,
    /// Spikes left out because another of the same train has their time; only when asked for.
    pub repeated_spikes: u64,
    /// Trains whose spikes had to be put in order.
    pub unsorted_trains: u64,
    /// Position samples left out by [`SessionChoices::fix_timestamps`].
    pub dropped_positions: u64,
    /// Position samples with a coordinate that is NaN or infinite.
    pub missing_positions: u64,
}

/// All that a decoding run knows of a recording.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The file or folder, for messages.
    pub place: String,
    /// Where the animal was.
    pub positions: Positions,
    /// Electrodes (clusterless) or units (sorted), in the file's order.
    pub trains: Vec<SpikeTrain>,
    /// Decoding times in seconds, strictly increasing, where the file has them.
    pub time: Option<Vec<f64>>,
    /// Length unit of positions, where the file says.
    pub unit: Option<String>,
    /// What was mended.
    pub counts: SessionCounts,
    /// What is odd but no obstacle, one line each.
    pub warnings: Vec<String>,
    /// The file, or the files of a folder, for the report.
    pub inputs: Vec<InputFacts>,
    /// Where spikes lie in files beside: what belongs to them goes there, too.
    pub beside: Option<PathBuf>,
}

impl Session {
    /// Bytes of memory that the arrays take.
    pub fn bytes(&self) -> u64 {
        let spikes: usize = self.trains.iter().map(|t| t.times.held_bytes() + t.marks.held_bytes()).sum();
        let positions = self.positions.time.capacity() + self.positions.data.capacity();
        let time = self.time.as_ref().map_or(0, Vec::capacity);
        let mask = self.positions.is_encoding.as_ref().map_or(0, Vec::capacity);
        let weights = self.positions.weights.as_ref().map_or(0, Vec::capacity);
        ((positions + weights + time) * 8 + mask + spikes) as u64
    }

    /// Moves spikes that are held into files beside `output`.
    ///
    /// # Errors
    /// The folder is not writable, or the disk too full.
    pub fn keep_beside(&mut self, output: &Path) -> Result<()> {
        for train in &mut self.trains {
            for column in [&mut train.times, &mut train.marks] {
                *column = Column::keep(std::mem::take(column).to_vec(), Some(output))?;
            }
        }
        self.beside = Some(output.to_owned());
        Ok(())
    }

    /// Number of spikes of all trains.
    pub fn spikes(&self) -> usize {
        self.trains.iter().map(|train| train.times.len()).sum()
    }
}

/// What of a file is read, and how hard it is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionChoices {
    /// Electrodes with features, or sorted units.
    pub likelihood: Likelihood,
    /// `--position-series`: SpatialSeries of an NWB file by name, `container/name` or full path;
    /// several follow each other in time. Empty: the only one.
    pub position_series: Vec<String>,
    /// `--features`: columns of an NWB units table, put side by side in this order. Empty:
    /// `waveform_features`, else the only one that fits.
    pub features: Vec<String>,
    /// `--fix-timestamps`: leave out position samples that are not later than the one kept before.
    pub fix_timestamps: bool,
    /// Leave out spikes at exactly the time of the one before in the same train.
    pub drop_repeated_spikes: bool,
    /// Weigh position samples as the file says (sorted units).
    pub position_weights: bool,
    /// Bytes that the arrays may take.
    pub memory: u64,
    /// A file in whose folder spikes may lie while they are worked on, where they would take more than a
    /// quarter of `memory`; none: all are held.
    pub beside: Option<PathBuf>,
}

impl Default for SessionChoices {
    fn default() -> Self {
        SessionChoices {
            likelihood: Likelihood::default(),
            position_series: Vec::new(),
            features: Vec::new(),
            fix_timestamps: false,
            drop_repeated_spikes: false,
            position_weights: false,
            memory: u64::MAX,
            beside: None,
        }
    }
}

/// Reads a session. `FILE:/GROUP` names a group that holds the layout, or `FILE:/DATASET` the
/// position data; in NWB, `FILE:/SERIES` names a SpatialSeries.
///
/// Decompression uses the rayon pool the caller is in.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read, [`Error::Usage`] for choices that the format
/// does not have, [`Error::Failed`] for more than `choices.memory`; all else that section 11 of
/// the spec calls an error is [`Error::Data`], naming dataset and index or electrode.
pub fn read(input: &InputSpec, choices: &SessionChoices) -> Result<Session> {
    let container: Box<dyn Container> = match Folder::holds(&input.path) {
        true => Box::new(Folder::open(&input.path)?),
        false => io::open(&input.path)?,
    };
    let mut reader = Reader::new(container.as_ref(), (choices.memory, choices.beside.as_deref()))?;
    let named = input.dataset.as_deref();
    let mut session = match kind(container.as_ref(), named)? {
        Kind::Tree => simple::read(&mut reader, named, choices)?,
        Kind::Nwb => nwb::read(&mut reader, named, choices)?,
    };
    session.place = input.path.display().to_string();
    session.beside = reader.beside.map(Path::to_owned);
    condition::settle(&mut session, choices);
    session.inputs = reader.facts(&session)?;
    Ok(session)
}

enum Kind {
    /// The layout `decode-inputs-1`, in HDF5 or in a folder.
    Tree,
    Nwb,
}

/// Tells the layout by the attributes of the root, or of the group that is named.
fn kind(container: &dyn Container, named: Option<&str>) -> Result<Kind> {
    let place = container.path().display().to_string();
    if container.path().is_dir() {
        return Ok(Kind::Tree);
    }
    if container.format() != Format::Hdf5 {
        let found = match container.format() {
            Format::Npy => "one array in NPY format",
            _ => "an archive of arrays in NPZ format",
        };
        let advice = "give the folder that holds position/time.npy";
        return Err(Error::data(place, found, EXPECTED, advice));
    }
    let mut roots = vec!["/"];
    roots.extend(named);
    for root in roots {
        for attribute in container.attributes(root).unwrap_or_default() {
            let AttributeValue::Text(values) = &attribute.value else { continue };
            let text = String::from_utf8_lossy(values.first().map_or(&[][..], |v| v));
            match attribute.name.as_str() {
                "layout" if text == LAYOUT => return Ok(Kind::Tree),
                "layout" => {
                    let found = format!("layout '{text}'");
                    return Err(Error::data(format!("{place}:{root}"), found, format!("'{LAYOUT}'"), ""));
                }
                "nwb_version" => return Ok(Kind::Nwb),
                _ => {}
            }
        }
    }
    let advice = format!("if its tree is right, set it: h5py.File(name, 'a').attrs['layout'] = '{LAYOUT}'");
    Err(Error::data(place, "neither a root attribute layout nor nwb_version", EXPECTED, advice))
}

const EXPECTED: &str = "NWB, HDF5 of layout decode-inputs-1, or a folder of .npy";

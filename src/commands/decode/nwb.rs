//! Spikes and features in an NWB file: the units table (spec decode 6.2).
//!
//! One row of `/units` is one electrode (clusterless) or one unit (sorted). `spike_times` is flat,
//! `spike_times_index` holds the end of each row. Features: see [`super::ragged`].

use super::numbers::Numbers;
use super::options::Likelihood;
use super::ragged::{self, Column};
use super::reading::Reader;
use super::series;
use super::session::{Session, SessionChoices, SpikeTrain};
use crate::error::{Error, Result};
use crate::io::Entry;

const UNITS: &str = "/units";
/// The column that is taken where it is there and none is named.
const USUAL: &str = "waveform_features";
/// Columns of NWB's own that may have a value for each spike and are no features.
const NOT_FEATURES: [&str; 5] =
    ["spike_times", "electrodes", "obs_intervals", "waveforms", "electrode_group"];

/// Reads a session; `named` is its SpatialSeries.
pub(super) fn read(reader: &mut Reader, named: Option<&str>, choices: &SessionChoices) -> Result<Session> {
    if choices.position_weights {
        return Err(Error::usage(
            "--position-weights: NWB files hold none; the simple layout does (position/weights)",
        ));
    }
    let (positions, unit, dropped) = series::read(reader, named, choices)?;
    let mut session = Session { positions, unit, ..Session::default() };
    session.counts.dropped_positions = dropped;
    let spikes = spikes(reader)?;
    let ends = ragged::ends(reader, &format!("{UNITS}/spike_times_index"), spikes.rows())?;
    session.trains = trains(reader, choices.likelihood, &ends);
    ragged::allocate(reader, &ends, &mut session.trains)?;
    ragged::fill(&spikes, &ends, &mut |unit, first, bytes| {
        let Some(train) = session.trains.get_mut(unit) else { return Ok(()) };
        let count = bytes.len() / spikes.dtype.size();
        spikes.convert(bytes, train.times.get_mut(first..first + count).unwrap_or_default());
        train.release();
        Ok(())
    })?;
    if choices.likelihood == Likelihood::Clusterless {
        let names = columns(reader, &choices.features, ends.len() as u64, spikes.rows())?;
        let columns: Result<Vec<Column>> =
            names.iter().map(|name| Column::open(reader, UNITS, name, &ends, &session.trains)).collect();
        ragged::read_columns(reader, &columns?, &mut session.trains)?;
    } else if !choices.features.is_empty() {
        return Err(Error::usage(
            "--features: sorted units have none; leave it out or drop --likelihood sorted",
        ));
    }
    session.warnings = std::mem::take(&mut reader.warnings);
    Ok(session)
}

/// The flat spike times, of at least one unit.
fn spikes(reader: &Reader) -> Result<Numbers> {
    let advice = "decoding needs the units table of an NWB file, one row an electrode";
    let spikes = reader.require(&format!("{UNITS}/spike_times"), advice)?;
    spikes.flat()?;
    Ok(spikes)
}

/// One train a row, still empty, each with its number and label.
fn trains(reader: &mut Reader, likelihood: Likelihood, ends: &[u64]) -> Vec<SpikeTrain> {
    let groups = groups(reader, ends.len()).unwrap_or_default();
    let kind = if likelihood == Likelihood::Sorted { "unit" } else { "electrode" };
    let train = |index: usize| {
        let group = groups.get(index).map_or(String::new(), |group| format!(" ({group})"));
        let (name, label) = (index.to_string(), format!("{kind} {index}{group}"));
        SpikeTrain { name, label, ..SpikeTrain::default() }
    };
    (0..ends.len()).map(train).collect()
}

/// The group of each row's first electrode; only for messages, so that any oddity means none.
fn groups(reader: &mut Reader, rows: usize) -> Option<Vec<String>> {
    let electrodes = reader.numbers(&format!("{UNITS}/electrodes")).ok()??;
    electrodes.flat().ok()?;
    let ends = ragged::ends(reader, &format!("{UNITS}/electrodes_index"), electrodes.rows()).ok()?;
    let electrodes = reader.values(&electrodes).ok()?;
    let table = "/general/extracellular_ephys/electrodes/group_name";
    let names = reader.container.dataset(table).ok()?.read_text().ok()?;
    let first = |row: usize| {
        let begin = row.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
        let electrode = (begin < *ends.get(row)?).then(|| electrodes.get(begin as usize))??;
        let name = names.get(*electrode as usize)?;
        Some(String::from_utf8_lossy(name).into_owned())
    };
    (0..rows).map(first).collect()
}

/// Names of the columns to read: those asked for, else the obvious one.
fn columns(reader: &Reader, asked: &[String], units: u64, spikes: u64) -> Result<Vec<String>> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    // Whether or not it fits: what is wrong with it is worth knowing.
    if reader.has(&format!("{UNITS}/{USUAL}")) {
        return Ok(vec![USUAL.to_owned()]);
    }
    let fit = fitting(reader, units, spikes);
    let place = reader.place(UNITS);
    match &fit[..] {
        [only] => Ok(vec![only.clone()]),
        [] => {
            let advice = "name columns with --features, or decode sorted units: --likelihood sorted";
            Err(Error::data(place, "no column of values for each spike", "features of spikes", advice))
        }
        several => {
            let found = format!("several columns of values for each spike: {}", several.join(", "));
            let advice = "name those to use: --features NAME[,...]";
            Err(Error::data(place, found, "one column of features", advice))
        }
    }
}

/// Columns whose shape fits the spikes, in the file's order of names.
fn fitting(reader: &Reader, units: u64, spikes: u64) -> Vec<String> {
    let shape = |path: &str| {
        reader.entries.iter().find_map(|entry| match entry {
            Entry::Dataset(info) if info.path == path => Some(info.shape.clone()),
            _ => None,
        })
    };
    let fits = |name: &str| {
        let [index, doubly, rows] =
            ["_index", "_index_index", ""].map(|end| shape(&format!("{UNITS}/{name}{end}")));
        let (Some(index), Some(rows)) = (index, rows) else { return false };
        match doubly {
            Some(_) => index == [spikes] && rows.len() == 1,
            None => index == [units] && rows.first() == Some(&spikes) && rows.len() <= 2,
        }
    };
    let names = reader.entries.iter().filter_map(|entry| match entry {
        Entry::Dataset(info) => info.path.strip_prefix("/units/"),
        _ => None,
    });
    // The inner index of a doubly ragged column looks like a column of its own.
    let wanted = |name: &&str| !NOT_FEATURES.contains(name) && !name.ends_with("_index") && fits(name);
    names.filter(wanted).map(str::to_owned).collect()
}

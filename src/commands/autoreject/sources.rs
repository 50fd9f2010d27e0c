//! Names, types, positions and bad marks of channels, from the input and from files beside it.
//!
//! What the input itself says comes first; `--montage`, then `--electrodes` and `--channels` lay
//! theirs over it, channel by channel. Positions are metres, head frame (spec autoreject 1, 12).

use super::channels::{Channel, ChannelKind};
use super::montage;
use super::options::ChannelSources;
use super::placing::{lay_montage, lay_positions};
use super::tsv::Table;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Longest table or JSON file read: a line per channel needs a thousandth of it.
const MOST_TEXT: u64 = 16 << 20;

/// What the input says of its channels; `None` where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Stated {
    pub names: Option<Vec<String>>,
    pub kinds: Option<Vec<ChannelKind>>,
    pub positions: Option<Vec<Option<[f64; 3]>>>,
    pub bads: Vec<String>,
}

/// Puts the channels of a recording of `count` channels together; `place` is the input.
///
/// # Errors
/// A file that cannot be read or does not fit the recording, two channels of one name, a bad
/// mark on no channel, or an unknown montage.
pub(super) fn channels(
    place: &str,
    count: usize,
    stated: Stated,
    sources: &ChannelSources,
    warnings: &mut Vec<String>,
) -> Result<Vec<Channel>> {
    let given = Given::read(sources)?;
    let named = stated.names.is_some();
    let names = match stated.names {
        Some(names) => names,
        None => given.names(place, count, warnings)?,
    };
    no_twins(place, &names)?;
    if stated.kinds.is_none() && given.channels.is_none() {
        warnings.push(format!("{place}: no channel types; all are taken as eeg (--channels gives them)"));
    }
    let kinds = stated.kinds.unwrap_or_else(|| vec![ChannelKind::Eeg; count]);
    let positions = stated.positions.unwrap_or_else(|| vec![None; count]);
    let parts = names.into_iter().zip(kinds).zip(positions);
    let mut channels: Vec<Channel> =
        parts.map(|((name, kind), position)| Channel { name, kind, position, bad: false }).collect();
    for name in &stated.bads {
        match channels.iter_mut().find(|channel| channel.name == *name) {
            Some(channel) => channel.bad = true,
            None => {
                let found = format!("the bad channel '{name}'");
                return Err(Error::data(place, found, "names of its channels", "mend the list of bads"));
            }
        }
    }
    if let Some(table) = &given.channels {
        lay_types(table, named, place, &mut channels)?;
    }
    if let Some(electrodes) = &given.montage {
        lay_montage(electrodes, sources, place, &mut channels, warnings)?;
    }
    if let Some((table, path)) = &given.electrodes {
        lay_positions(table, path, place, &mut channels, warnings)?;
    }
    Ok(channels)
}

/// The files and tables that flags name.
struct Given {
    channels: Option<Table>,
    electrodes: Option<(Table, PathBuf)>,
    montage: Option<Vec<montage::Electrode>>,
}

impl Given {
    fn read(sources: &ChannelSources) -> Result<Given> {
        let table = |path: &PathBuf| Table::parse(&path.display().to_string(), &read_text(path)?);
        Ok(Given {
            channels: sources.channels.as_ref().map(table).transpose()?,
            electrodes: match &sources.electrodes {
                Some(path) => Some((table(path)?, path.clone())),
                None => None,
            },
            montage: sources.montage.as_deref().map(montage::electrodes).transpose()?,
        })
    }

    /// Names for an input that has none: from the first source with as many rows as it has channels.
    fn names(&self, place: &str, count: usize, warnings: &mut Vec<String>) -> Result<Vec<String>> {
        let tables = self.channels.iter().chain(self.electrodes.iter().map(|(table, _)| table));
        for table in tables {
            if table.len() == count {
                let column = table.required("name")?;
                return (0..count).map(|row| Ok(table.text(row, column)?.to_owned())).collect();
            }
        }
        if let Some(table) = &self.channels {
            let found = format!("{} channels", table.len());
            let expected = format!("the {count} of {place}");
            return Err(Error::data(table.place(), found, expected, "one row per channel, in their order"));
        }
        if let Some((table, _)) = &self.electrodes {
            let found = format!("{} electrodes for the {count} channels of {place}", table.len());
            let advice = "name all channels with --channels";
            return Err(Error::data(table.place(), found, "one row per channel, in their order", advice));
        }
        match &self.montage {
            Some(electrodes) if electrodes.len() == count => {
                warnings.push(format!(
                    "{place}: no channel names; taken from the montage, in its order (--channels gives them)"
                ));
                Ok(electrodes.iter().map(|electrode| electrode.name.to_owned()).collect())
            }
            Some(electrodes) => {
                let found = format!("{count} channels without names");
                let expected = format!("names, or the {} channels of the montage", electrodes.len());
                Err(Error::data(place, found, expected, "give --channels"))
            }
            None => {
                warnings.push(format!(
                    "{place}: no channel names and positions; channels are called EEG001, EEG002, ... \
                     (--channels, --electrodes and --montage give them)"
                ));
                Ok((1..=count).map(|number| format!("EEG{number:03}")).collect())
            }
        }
    }
}

/// Reads a small text file.
///
/// # Errors
/// It cannot be read, is far too long, or is no UTF-8.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let found = std::fs::metadata(path).map_err(Error::io(path, "open"))?;
    let place = path.display().to_string();
    if !found.is_file() {
        return Err(Error::data(place, "a folder or device", "a text file", ""));
    }
    if found.len() > MOST_TEXT {
        return Err(Error::data(place, format!("{} bytes", found.len()), "a small text file", ""));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::data(place, "bytes that are no text", "UTF-8 text", "save it as UTF-8"))
}

fn no_twins(place: &str, names: &[String]) -> Result<()> {
    let mut seen = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::data(format!("{place}, channel {at}"), "an empty name", "a name", ""));
        }
        if let Some(first) = seen.insert(name, at) {
            let found = format!("'{name}' for the channels {first} and {at}");
            return Err(Error::data(place, found, "a name of its own for each channel", "rename one"));
        }
    }
    Ok(())
}

/// Types and bad marks of a BIDS `channels.tsv`; by name where the input has names (`named`),
/// else row by row. Rows about other channels are left alone.
fn lay_types(table: &Table, named: bool, place: &str, channels: &mut [Channel]) -> Result<()> {
    let name = table.required("name")?;
    let (kind, status) = (table.column("type"), table.column("status"));
    let at: HashMap<String, usize> =
        channels.iter().enumerate().map(|(at, channel)| (channel.name.clone(), at)).collect();
    let mut found = 0;
    for row in 0..table.len() {
        let Some(channel) = at.get(table.text(row, name)?).and_then(|&at| channels.get_mut(at)) else {
            continue;
        };
        found += 1;
        if let Some(kind) = kind {
            channel.kind = ChannelKind::parse(table.cell(row, kind).unwrap_or("n/a"));
        }
        if let Some(status) = status.and_then(|status| table.cell(row, status)) {
            channel.bad |= status.eq_ignore_ascii_case("bad");
        }
    }
    if named && found < channels.len() {
        let missing = channels
            .iter()
            .find(|channel| (0..table.len()).all(|row| table.cell(row, name) != Some(channel.name.as_str())));
        let found = format!("no row '{}'", missing.map_or("", |channel| channel.name.as_str()));
        let expected = format!("one for each channel of {place}");
        return Err(Error::data(table.place(), found, expected, "add it"));
    }
    Ok(())
}

//! Positions laid over the channels of a recording: of a built-in montage, or of a BIDS
//! `electrodes.tsv` with the `coordsystem.json` beside it. Metres, head frame (spec autoreject 12).

use super::channels::{Channel, ChannelKind};
use super::montage;
use super::options::ChannelSources;
use super::sources::read_text;
use super::tsv::Table;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// No head is larger, metres; millimetres and centimetres taken for metres are.
const LARGEST_HEAD: f64 = 1.0;
/// Names listed in one message.
const LISTED: usize = 8;

/// Positions of a built-in montage, for the EEG channels that it knows by name.
pub(super) fn lay_montage(
    electrodes: &[montage::Electrode],
    sources: &ChannelSources,
    place: &str,
    channels: &mut [Channel],
    warnings: &mut Vec<String>,
) -> Result<()> {
    let name = sources.montage.as_deref().unwrap_or_default();
    let mut strangers = Vec::new();
    let mut known = 0;
    for channel in channels.iter_mut().filter(|channel| channel.kind == ChannelKind::Eeg) {
        match montage::find(electrodes, &channel.name) {
            Some(electrode) => {
                channel.position = Some(electrode.position);
                known += 1;
            }
            None => strangers.push(channel.name.as_str()),
        }
    }
    if strangers.is_empty() {
        return Ok(());
    }
    let listed = strangers.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if known == 0 {
        let found = format!("EEG channels {listed}, none of which is in the montage {name}");
        let advice = "give another --montage, --electrodes, or names with --channels";
        return Err(Error::data(place, found, "names of its electrodes", advice));
    }
    let more = if strangers.len() > LISTED { ", ..." } else { "" };
    warnings.push(format!("{place}: not in the montage {name}, no position from it: {listed}{more}"));
    Ok(())
}

/// Positions of a BIDS `electrodes.tsv`, in the unit that its `coordsystem.json` names.
pub(super) fn lay_positions(
    table: &Table,
    path: &Path,
    place: &str,
    channels: &mut [Channel],
    warnings: &mut Vec<String>,
) -> Result<()> {
    let (name, unit) = (table.required("name")?, coordinate_unit(path, warnings)?);
    let axes = [table.required("x")?, table.required("y")?, table.required("z")?];
    let mut found = 0;
    let mut farthest = 0f64;
    for row in 0..table.len() {
        let wanted = table.text(row, name)?;
        let Some(channel) = channels.iter_mut().find(|channel| channel.name == wanted) else { continue };
        found += 1;
        let [x, y, z] = axes;
        let position = [table.number(row, x)?, table.number(row, y)?, table.number(row, z)?];
        channel.position = match position {
            [Some(x), Some(y), Some(z)] => Some([x * unit, y * unit, z * unit]),
            _ => None,
        };
        farthest = channel.position.iter().flatten().fold(farthest, |far, v| far.max(v.abs()));
    }
    if found == 0 {
        let expected = format!("names of the channels of {place}");
        return Err(Error::data(table.place(), "no row of any channel", expected, ""));
    }
    if farthest > LARGEST_HEAD {
        let found = format!("a coordinate of {farthest} m");
        let advice = "state EEGCoordinateUnits (mm, cm or m) in a coordsystem.json beside it";
        return Err(Error::data(table.place(), found, "positions on a head", advice));
    }
    Ok(())
}

/// Metres in one unit of the positions: from the `coordsystem.json` of the same BIDS name, else
/// from the only one in the folder, else metres.
fn coordinate_unit(electrodes: &Path, warnings: &mut Vec<String>) -> Result<f64> {
    let Some(path) = coordinate_file(electrodes) else { return Ok(1.0) };
    let place = path.display().to_string();
    let text = read_text(&path)?;
    let json: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Error::data(&place, format!("no JSON ({e})"), "a BIDS coordsystem.json", ""))?;
    let key = "EEGCoordinateUnits";
    match json.get(key).and_then(serde_json::Value::as_str) {
        Some("m") => Ok(1.0),
        Some("cm") => Ok(0.01),
        Some("mm") => Ok(0.001),
        Some(other) if other != "n/a" => {
            Err(Error::data(format!("{place}, {key}"), format!("'{other}'"), "m, cm or mm", ""))
        }
        _ => {
            warnings.push(format!("{place}: no {key}; positions are taken as metres"));
            Ok(1.0)
        }
    }
}

/// The `coordsystem.json` that belongs to `electrodes`, if there is one.
pub(super) fn coordinate_file(electrodes: &Path) -> Option<PathBuf> {
    let name = electrodes.file_name()?.to_str()?;
    let named = electrodes.with_file_name(name.replace("electrodes.tsv", "coordsystem.json"));
    if named.is_file() && named != electrodes {
        return Some(named);
    }
    let folder = electrodes.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let mut found = entries.flatten().map(|entry| entry.path()).filter(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with("coordsystem.json"))
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

//! Which dataset of a file is the epochs, and whether it can be.

use crate::array::{ByteOrder, Dtype};
use crate::error::{Error, Result};
use crate::io::{DatasetInfo, Entry, StoredType};
use std::path::Path;

/// Where epochs stand in an HDF5 file of ours.
const USUAL: &str = "epochs/data";
/// Datasets listed in one message.
const LISTED: usize = 12;

/// MNE's own format is not read; says how to get from it to one that is.
pub(super) fn refuse_fif(path: &Path) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !(name.ends_with(".fif") || name.ends_with(".fif.gz")) {
        return Ok(());
    }
    // Looked for first: a mistyped name deserves its own message.
    std::fs::metadata(path).map_err(Error::io(path, "open"))?;
    let shown = path.display();
    let advice = format!(
        "convert it: python -c \"import mne, h5py; e = mne.read_epochs('{shown}'); \
         g = h5py.File('epochs.h5', 'w').create_group('epochs'); g['data'] = e.get_data(); \
         g['ch_names'] = e.ch_names; g['ch_types'] = e.get_channel_types(); \
         g['ch_pos'] = [c['loc'][:3] for c in e.info['chs']]; g['sfreq'] = e.info['sfreq']; \
         g['tmin'] = e.tmin; g['bads'] = e.info['bads']\""
    );
    Err(Error::data(shown.to_string(), "a FIF file", "HDF5, NPY or NPZ", advice))
}

/// The path as typed, or the array `data` inside it where it is a group.
pub(super) fn inside_group(named: &str, entries: &[Entry]) -> String {
    let trimmed = named.trim_matches('/');
    let is_group =
        entries.iter().any(|e| matches!(e, Entry::Group(path) if path.trim_matches('/') == trimmed));
    if is_group { format!("{named}/data") } else { named.to_owned() }
}

/// The dataset that must be meant where none is named.
pub(super) fn obvious(file: &Path, entries: &[Entry]) -> Result<String> {
    let numbers: Vec<&DatasetInfo> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Dataset(info) if matches!(info.stored, StoredType::Number(..)) => Some(info),
            _ => None,
        })
        .collect();
    if let Some(usual) = numbers.iter().find(|info| info.path.trim_matches('/') == USUAL) {
        return Ok(usual.path.clone());
    }
    // A file of one array is that array, whatever it looks like.
    if let [Entry::Dataset(only)] = entries {
        return Ok(only.path.clone());
    }
    let fit: Vec<&DatasetInfo> = numbers.iter().copied().filter(|info| info.shape.len() == 3).collect();
    if let [one] = fit[..] {
        return Ok(one.path.clone());
    }
    let (listed, found) = if fit.is_empty() {
        (&numbers, "no array of 3 axes [epoch, channel, sample]")
    } else {
        (&fit, "several arrays of 3 axes")
    };
    let names: Vec<String> =
        listed.iter().take(LISTED).map(|info| format!("{} {:?}", info.path, info.shape)).collect();
    let more = if listed.len() > LISTED { ", ..." } else { "" };
    let place = file.display().to_string();
    let found =
        if names.is_empty() { found.to_owned() } else { format!("{found}: {}{more}", names.join(", ")) };
    Err(Error::data(&place, found, "one array of epochs", format!("name it: {place}:PATH")))
}

pub(super) fn place_of(file: &Path, dataset: &str) -> String {
    match dataset.trim_matches('/') {
        "" => file.display().to_string(),
        _ => format!("{}:{dataset}", file.display()),
    }
}

pub(super) fn numbers_of(place: &str, info: &DatasetInfo) -> Result<(Dtype, ByteOrder)> {
    match info.stored {
        StoredType::Number(dtype, order) => Ok((dtype, order)),
        ref other => {
            let advice = "save the epochs as float64 or float32";
            Err(Error::data(place, format!("elements of type {other}"), "numbers", advice))
        }
    }
}

pub(super) fn shape_of(place: &str, info: &DatasetInfo) -> Result<[usize; 3]> {
    let expected = "3 axes [epoch, channel, sample], none of them empty";
    let found = || format!("shape {:?}", info.shape);
    let [epochs, channels, samples] = info.shape[..] else {
        let found = format!("{} axes, {}", info.shape.len(), found());
        return Err(Error::data(place, found, expected, "name another dataset, or reshape it"));
    };
    let shape = [epochs, channels, samples].map(|n| usize::try_from(n).unwrap_or(0));
    if shape.contains(&0) {
        return Err(Error::data(place, found(), expected, "name another dataset"));
    }
    // So that products of the three can be formed anywhere below.
    if shape.iter().try_fold(8usize, |bytes, &n| bytes.checked_mul(n)).is_none_or(|n| n > isize::MAX as usize)
    {
        return Err(Error::data(place, found(), "data that fit in an address space", ""));
    }
    Ok(shape)
}

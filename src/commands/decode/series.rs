//! The animal's position in an NWB file: SpatialSeries (spec decode 6.2).
//!
//! `data` (n) or (n, k) times `conversion` plus `offset` is the position in `unit`; times are
//! `timestamps`, or `starting_time` and its `rate`.

use super::condition;
use super::numbers::{Numbers, number_of, text_of};
use super::reading::Reader;
use super::session::{Positions, SessionChoices};
use crate::error::{Error, Result};
use crate::io::Entry;

/// Where NWB keeps what the animal did.
const BEHAVIOR: &str = "/processing/behavior/";
/// Series listed in one message.
const LISTED: usize = 12;

/// Axes of position data: 1 for (n) and (n, 1), 2 for (n, 2).
pub(super) fn axes_of(data: &Numbers) -> Result<usize> {
    match data.shape[..] {
        [_] | [_, 1] => Ok(1),
        [_, 2] => Ok(2),
        _ => {
            let expected = "(n), (n, 1) or (n, 2): samples, and x or x and y of each";
            Err(data.wrong(format!("shape {:?}", data.shape), expected))
        }
    }
}

/// Refuses position data of another length than their times.
pub(super) fn check_count(data: &Numbers, times: u64, place: &str) -> Result<()> {
    if data.rows() == times {
        return Ok(());
    }
    Err(data.wrong(format!("{} samples", data.rows()), format!("{times}, as many as {place}")))
}

/// Positions of the chosen series, one after the other; their unit; samples left out.
pub(super) fn read(
    reader: &mut Reader,
    named: Option<&str>,
    choices: &SessionChoices,
) -> Result<(Positions, Option<String>, u64)> {
    let chosen = choose(reader, named, &choices.position_series)?;
    let mut all: Option<(Positions, Option<String>)> = None;
    let mut place = String::new();
    for path in chosen {
        let (next, unit) = one(reader, &path)?;
        place = reader.place(&path);
        match &mut all {
            None => all = Some((next, unit)),
            Some((positions, first)) if positions.axes == next.axes && *first == unit => {
                positions.time.extend(next.time);
                positions.data.extend(next.data);
            }
            Some((positions, first)) => {
                let name = |axes: usize, unit: &Option<String>| {
                    format!("{axes} axes in {}", unit.as_deref().unwrap_or("no unit"))
                };
                let expected = format!("{} as in the series before", name(positions.axes, first));
                return Err(Error::data(place, name(next.axes, &unit), expected, ""));
            }
        }
    }
    let (mut positions, unit) = all.unwrap_or_default();
    let dropped = condition::settle_samples(&place, &mut positions, choices.fix_timestamps)?;
    Ok((positions, unit, dropped))
}

/// Paths of the series to read.
fn choose(reader: &Reader, named: Option<&str>, names: &[String]) -> Result<Vec<String>> {
    if let Some(path) = named {
        if !names.is_empty() {
            return Err(Error::usage(format!("--position-series: the input names a series already, {path}")));
        }
        let path = path.trim_end_matches('/');
        return Ok(vec![path.strip_suffix("/data").unwrap_or(path).to_owned()]);
    }
    let behavior = spatial(reader, BEHAVIOR);
    if names.is_empty() {
        return match &behavior[..] {
            [only] => Ok(vec![only.clone()]),
            [] => Err(none(reader)),
            several => {
                let found = format!("several SpatialSeries: {}", listed(several));
                let advice = "name one: --position-series NAME";
                Err(Error::data(reader.place(BEHAVIOR), found, "one position", advice))
            }
        };
    }
    names.iter().map(|name| by_name(reader, &behavior, name)).collect()
}

/// The series of this name: its last part, its container and last part, or the whole path.
fn by_name(reader: &Reader, behavior: &[String], name: &str) -> Result<String> {
    if name.starts_with('/') {
        return Ok(name.trim_end_matches('/').to_owned());
    }
    let ending = format!("/{name}");
    let fit: Vec<String> = behavior.iter().filter(|path| path.ends_with(&ending)).cloned().collect();
    match &fit[..] {
        [only] => Ok(only.clone()),
        [] => {
            let found = match behavior {
                [] => format!("no SpatialSeries named {name}"),
                some => format!("no SpatialSeries named {name}, but {}", listed(some)),
            };
            Err(Error::data(reader.place(BEHAVIOR), found, "one of this name", "check --position-series"))
        }
        several => {
            let found = format!("several SpatialSeries named {name}: {}", listed(several));
            let advice = "name it with its container: --position-series CONTAINER/NAME";
            Err(Error::data(reader.place(BEHAVIOR), found, "one of this name", advice))
        }
    }
}

/// Groups below `parent` whose neurodata_type is SpatialSeries.
fn spatial(reader: &Reader, parent: &str) -> Vec<String> {
    let groups = reader.entries.iter().filter_map(|entry| match entry {
        Entry::Group(path) if path.starts_with(parent) => Some(path),
        _ => None,
    });
    let is_series = |path: &&String| {
        text_of(&reader.attributes(path), "neurodata_type").as_deref() == Some("SpatialSeries")
    };
    groups.filter(is_series).cloned().collect()
}

fn none(reader: &Reader) -> Error {
    let elsewhere = spatial(reader, "/");
    let advice = match &elsewhere[..] {
        [] => "a session needs the animal's position as a SpatialSeries".to_owned(),
        some => format!("name one that lies elsewhere, --position-series PATH: {}", listed(some)),
    };
    Error::data(reader.place(BEHAVIOR), "no SpatialSeries", "the animal's position", advice)
}

fn listed(paths: &[String]) -> String {
    let names: Vec<&str> = paths.iter().take(LISTED).map(String::as_str).collect();
    let more = if paths.len() > LISTED { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}

/// One series, and its unit.
fn one(reader: &mut Reader, path: &str) -> Result<(Positions, Option<String>)> {
    let advice = "name a SpatialSeries";
    let data = reader.require(&format!("{path}/data"), advice)?;
    let axes = axes_of(&data)?;
    let time = match reader.numbers(&format!("{path}/timestamps"))? {
        Some(times) => {
            times.flat()?;
            check_count(&data, times.rows(), &times.place)?;
            reader.times(&times)?
        }
        None => regular(reader, path, data.rows())?,
    };
    let mut values = reader.values(&data)?;
    let attributes = reader.attributes(&format!("{path}/data"));
    let conversion = number_of(&attributes, "conversion").unwrap_or(1.0);
    let offset = number_of(&attributes, "offset").unwrap_or(0.0);
    if !(conversion.is_finite() && conversion != 0.0 && offset.is_finite()) {
        let found = format!("conversion {conversion}, offset {offset}");
        return Err(data.wrong(found, "finite attributes, conversion not 0"));
    }
    // The file's own bits where there is nothing to convert.
    if conversion != 1.0 || offset != 0.0 {
        values.iter_mut().for_each(|value| *value = *value * conversion + offset);
    }
    Ok((Positions { time, data: values, axes, ..Positions::default() }, text_of(&attributes, "unit")))
}

/// Times of samples taken at a steady rate.
fn regular(reader: &mut Reader, path: &str, samples: u64) -> Result<Vec<f64>> {
    let inner = format!("{path}/starting_time");
    let advice = "a SpatialSeries has timestamps, or starting_time with its rate";
    let Some(start) = reader.numbers(&inner)? else {
        return Err(Error::data(reader.place(path), "neither timestamps nor starting_time", "times", advice));
    };
    let mut first = [0.0];
    if start.rows().saturating_mul(start.row()) != 1 {
        return Err(start.wrong(format!("shape {:?}", start.shape), "one number"));
    }
    reader.read_into(&start, &mut first)?;
    let rate = number_of(&reader.attributes(&inner), "rate");
    let Some(rate) = rate.filter(|rate| rate.is_finite() && *rate > 0.0) else {
        let found = rate.map_or("no attribute rate".to_owned(), |rate| format!("rate {rate}"));
        return Err(Error::data(start.place, found, "a positive number of hertz", advice));
    };
    let mut time = reader.room(samples, "position times")?;
    for (index, value) in time.iter_mut().enumerate() {
        *value = first[0] + index as f64 / rate;
    }
    Ok(time)
}

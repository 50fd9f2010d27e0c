//! The layout `decode-inputs-1`, in an HDF5 file or as a folder of `.npy` (spec decode 6.2).
//!
//! `position/time` (n), `position/data` (n) or (n, k), `position/is_encoding` and `weights` (n, optional),
//! `decode/time` (T, optional), `electrodes/<k>/spike_times` (n_e) and `features` (n_e, D),
//! `units/<k>/spike_times`. Seconds; positions and features in any unit.

use super::condition;
use super::numbers::Numbers;
use super::options::Likelihood;
use super::reading::Reader;
use super::series::{axes_of, check_count};
use super::session::{Positions, Session, SessionChoices, SpikeTrain};
use crate::error::{Error, Result};
use crate::io::Entry;

/// Reads a session; `named` is the group that holds the layout, or the position data.
pub(super) fn read(reader: &mut Reader, named: Option<&str>, choices: &SessionChoices) -> Result<Session> {
    let nwb_only = [
        ("--position-series", &choices.position_series, "name the position data, FILE:/DATASET"),
        ("--features", &choices.features, "the layout has one array of features an electrode"),
    ];
    for (flag, values, advice) in nwb_only {
        if !values.is_empty() {
            return Err(Error::usage(format!(
                "{flag}: only NWB files have several to choose from; {advice}"
            )));
        }
    }
    let named = named.map_or(String::new(), |name| name.trim_matches('/').to_owned());
    let is_data = !named.is_empty() && reader.has(&named);
    let root = match &named {
        _ if is_data || named.is_empty() => String::new(),
        group => format!("{group}/"),
    };
    let data = if is_data { named } else { format!("{root}position/data") };
    let (positions, dropped) = positions(reader, &root, &data, choices)?;
    let time = reader.numbers(&format!("{root}decode/time"))?;
    let time = time.map(|numbers| -> Result<Vec<f64>> {
        let time = reader.times(&numbers)?;
        condition::check_decoding_times(&numbers.place, &time)?;
        Ok(time)
    });
    let mut session = Session { positions, time: time.transpose()?, ..Session::default() };
    session.counts.dropped_positions = dropped;
    session.trains = trains(reader, &root, choices.likelihood)?;
    session.warnings = std::mem::take(&mut reader.warnings);
    Ok(session)
}

/// Position samples, and how many were left out to mend their times.
fn positions(
    reader: &mut Reader,
    root: &str,
    data: &str,
    choices: &SessionChoices,
) -> Result<(Positions, u64)> {
    let advice = "a session needs the animal's position: seconds in position/time and coordinates in \
                  position/data";
    let times = reader.require(&format!("{root}position/time"), advice)?;
    let data = reader.require(data, advice)?;
    let axes = axes_of(&data)?;
    times.flat()?;
    check_count(&data, times.rows(), &times.place)?;
    let time = reader.times(&times)?;
    let path = format!("{root}position/is_encoding");
    let is_encoding = reader.flags(&path)?;
    if let Some(flags) = is_encoding.as_ref().filter(|flags| flags.len() != time.len()) {
        let (found, expected) =
            (format!("{} values", flags.len()), format!("{}, one per sample", time.len()));
        return Err(Error::data(
            reader.place(&path),
            found,
            expected,
            format!("compare with {}", times.place),
        ));
    }
    let weights = match choices.position_weights {
        true => Some(weights(reader, &format!("{root}position/weights"), &times)?),
        false => None,
    };
    let mut positions = Positions { time, data: reader.values(&data)?, axes, is_encoding, weights };
    let dropped = condition::settle_samples(&times.place, &mut positions, choices.fix_timestamps)?;
    Ok((positions, dropped))
}

/// One weight for each position sample.
fn weights(reader: &mut Reader, path: &str, times: &Numbers) -> Result<Vec<f64>> {
    let numbers = reader.require(path, "--position-weights asks for one weight per position sample")?;
    numbers.flat()?;
    check_count(&numbers, times.rows(), &times.place)?;
    let weights = reader.values(&numbers)?;
    let wrong = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0));
    match wrong {
        Some(at) => {
            let place = format!("{}, index {at}", numbers.place);
            Err(Error::data(place, weights[at].to_string(), "a weight of 0 or more", "0 leaves a sample out"))
        }
        None => Ok(weights),
    }
}

/// The numbered groups under `parent`, ascending.
fn numbered(reader: &Reader, parent: &str) -> Vec<String> {
    let prefix = format!("{parent}/");
    let mut found: Vec<(u64, String)> = Vec::new();
    for entry in &reader.entries {
        let Entry::Group(path) = entry else { continue };
        let Some(name) = path.trim_start_matches('/').strip_prefix(&prefix) else { continue };
        // `+1` would parse too.
        if name.bytes().all(|b| b.is_ascii_digit()) {
            found.extend(name.parse().ok().map(|number: u64| (number, name.to_owned())));
        }
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

fn trains(reader: &mut Reader, root: &str, likelihood: Likelihood) -> Result<Vec<SpikeTrain>> {
    let units = numbered(reader, &format!("{root}units"));
    let electrodes = numbered(reader, &format!("{root}electrodes"));
    let sorted = likelihood == Likelihood::Sorted;
    let (folder, kind, names) = match sorted && !units.is_empty() {
        true => ("units", "unit", units),
        false => ("electrodes", "electrode", electrodes.clone()),
    };
    if names.is_empty() {
        let advice = match reader.entries.iter().any(|e| matches!(e, Entry::Group(p) if p.contains("units/")))
        {
            true => "it has sorted units: give --likelihood sorted",
            false => "write spike_times and features of each electrode to electrodes/0, electrodes/1, ...",
        };
        let place = reader.place(&format!("{root}electrodes"));
        return Err(Error::data(place, "no electrode", "at least one", advice));
    }
    let mut trains = Vec::new();
    for name in names {
        let path = format!("{root}{folder}/{name}");
        let label = format!("{kind} {name}");
        trains.push(train(reader, &path, SpikeTrain { name, label, ..SpikeTrain::default() }, !sorted)?);
    }
    Ok(trains)
}

fn train(reader: &mut Reader, path: &str, mut train: SpikeTrain, marked: bool) -> Result<SpikeTrain> {
    let times = reader.require(&format!("{path}/spike_times"), "each electrode or unit has spike_times")?;
    train.times = reader.spike_times(&times)?;
    if !marked {
        return Ok(train);
    }
    let advice = "clusterless decoding needs features; --likelihood sorted does without";
    let features = reader.require(&format!("{path}/features"), advice)?;
    train.width = width_of(&features, &train)?;
    train.marks = reader.spikes(&features)?;
    Ok(train)
}

/// Features of a spike, where there are as many rows as spikes.
fn width_of(features: &Numbers, train: &SpikeTrain) -> Result<usize> {
    let width = match features.shape[..] {
        [_] => 1,
        [_, width] => width,
        _ => {
            let found = format!("shape {:?} for {}", features.shape, train.label);
            return Err(features.wrong(found, "2 axes [spike, feature]"));
        }
    };
    if features.rows() != train.times.len() as u64 {
        let found = format!("{} rows for {}", features.rows(), train.label);
        return Err(features.wrong(found, format!("{}, one per spike time", train.times.len())));
    }
    features.features(width, &train.label)
}

//! `summary.json`: what was chosen and done, in a form that scripts read; and thresholds read
//! back from it or from a plain table of names and thresholds (design 1).
//!
//! Thresholds and limits are in the data's unit, so that they can be given again by
//! `--thresholds`; losses are in SI units. Indices count from 0. Infinite numbers are `null`, and
//! so is every field that the method does not have.

use super::global::ValidationCurve;
use super::options::{Method, ThresholdSearch};
use super::picks;
use super::recording::Recording;
use super::sources::read_text;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::io::Write;
use std::path::Path;

/// Names listed in one message.
const LISTED: usize = 8;

/// Values by name, in an order of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        Named(items.into_iter().collect())
    }
}

/// What `summary.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Version of these fields.
    pub schema: u32,
    /// Hash of all that the results depend on: input, channels, options, version.
    pub run: String,
    /// `local`, `global` or `ransac`.
    pub method: Method,
    /// File and dataset.
    pub input: String,
    /// Seed in force.
    pub seed: u32,
    /// What one unit of the data is in volts.
    pub unit: f64,
    /// Epochs of the input.
    pub epochs: usize,
    /// Names of the fitted channels.
    pub picks: Vec<String>,
    /// Names of the channels marked bad beforehand.
    pub bads: Vec<String>,
    /// Chosen consensus share by type.
    pub consensus: Option<Named<f64>>,
    /// Chosen number of channels to repair by type.
    pub n_interpolate: Option<Named<i64>>,
    /// Grid of consensus shares.
    pub consensus_grid: Option<Vec<f64>>,
    /// Grid of numbers of channels to repair.
    pub n_interpolate_grid: Option<Vec<i64>>,
    /// Peak-to-peak threshold by channel, data's unit.
    pub thresholds: Option<Named<f64>>,
    /// Loss by type, `[consensus][n_interpolate]`, mean over folds, SI units.
    pub loss: Option<Named<Vec<Vec<f64>>>>,
    /// Peak-to-peak limit by type, data's unit (`global`).
    pub reject: Option<Named<f64>>,
    /// Channels repaired in all epochs (`ransac`).
    pub bad_channels: Option<Vec<String>>,
    /// Dropped epochs.
    pub bad_epochs: Vec<usize>,
    /// Kept epochs: where each epoch of the cleaned file stood in the input.
    pub selection: Vec<usize>,
    /// Repaired (epoch, channel).
    pub interpolated: Vec<(usize, String)>,
    /// Metres from each of [`Summary::interpolated`] in a kept epoch to its nearest source, in
    /// their order; null where there is no source.
    pub nearest_source: Vec<f64>,
    /// Repairs in kept epochs whose nearest source is itself bad and not repaired.
    pub leaning_repairs: usize,
    /// Kept epochs without any source: their repaired channels are zeros.
    pub sourceless_epochs: usize,
    /// How the thresholds were searched: `bayesian`, `random` or `exact`.
    pub threshold_search: Option<ThresholdSearch>,
    /// Threshold of least loss by channel, data's unit.
    pub optimum: Option<Named<f64>>,
    /// How far the loss of the chosen threshold is above the least one, by channel, as a share.
    pub excess_loss: Option<Named<f64>>,
    /// Losses over evenly spaced thresholds by type (`global`).
    pub validation_curve: Option<Named<ValidationCurve>>,
}

impl Summary {
    /// The fields that any method has; the rest is `null` or empty.
    pub fn new(method: Method, seed: u32, recording: &Recording) -> Summary {
        let name = |&pick: &usize| recording.list()[pick].name.clone();
        Summary {
            schema: 1,
            run: String::new(),
            method,
            input: recording.place().to_owned(),
            seed,
            unit: recording.unit(),
            epochs: recording.epochs(),
            picks: recording.picks().iter().map(name).collect(),
            bads: recording.list().iter().filter(|c| c.bad).map(|c| c.name.clone()).collect(),
            consensus: None,
            n_interpolate: None,
            consensus_grid: None,
            n_interpolate_grid: None,
            thresholds: None,
            loss: None,
            reject: None,
            bad_channels: None,
            bad_epochs: Vec::new(),
            selection: Vec::new(),
            interpolated: Vec::new(),
            nearest_source: Vec::new(),
            leaning_repairs: 0,
            sourceless_epochs: 0,
            threshold_search: None,
            optimum: None,
            excess_loss: None,
            validation_curve: None,
        }
    }

    /// Writes it to `path`: a field a line, arrays on one line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Layout::default());
        self.serialize(&mut serializer)
            .map_err(|e| Error::Failed(format!("{}: cannot write: {e}", path.display())))?;
        text.push(b'\n');
        let mut beside = Beside::create(path)?;
        beside.file().write_all(&text).map_err(Error::io(path, "write"))?;
        beside.finish()
    }
}

/// The mean over folds of a loss `[consensus][n_interpolate][fold]`, as [`Summary::loss`] has it.
pub fn mean_loss(loss: &[f64], n_interpolate: usize, folds: usize) -> Vec<Vec<f64>> {
    let mean = |folds: &[f64]| folds.iter().sum::<f64>() / folds.len() as f64;
    let rows = loss.chunks_exact((n_interpolate * folds).max(1));
    rows.map(|row| row.chunks_exact(folds.max(1)).map(mean).collect()).collect()
}

/// A threshold in SI units as a number of the data's unit that, where there is one, gives the
/// very same threshold when it is read back.
pub fn in_unit(threshold: f64, scale: f64) -> f64 {
    let near = threshold / scale;
    let candidates = [near, near.next_up(), near.next_down()];
    candidates.into_iter().find(|&value| value * scale == threshold).unwrap_or(near)
}

/// Reads the thresholds of `picks` (channels of `recording`) from a `summary.json` or from an
/// object of names and thresholds, in their order and in SI units.
///
/// # Errors
/// The file is neither; a name is of no channel; a pick has no threshold, or one that is no
/// positive number.
pub fn read_thresholds(path: &Path, recording: &Recording, picks: &[usize]) -> Result<Vec<f64>> {
    let place = path.display().to_string();
    let text = read_text(path)?;
    let expected = "an object of channel names and thresholds, or a summary.json";
    let json: Value = serde_json::from_str(&text)
        .map_err(|e| Error::data(&place, format!("no JSON ({e})"), expected, ""))?;
    let table = match json.get("thresholds") {
        Some(Value::Null) => {
            let advice = "only a local fit has thresholds by channel";
            return Err(Error::data(&place, "a summary without thresholds", expected, advice));
        }
        // A number is the threshold of a channel of that name.
        Some(table) if !table.is_number() => table,
        _ => &json,
    };
    let Some(table) = table.as_object() else {
        return Err(Error::data(&place, "something else", expected, ""));
    };
    let channels = recording.list();
    if let Some(stranger) = table.keys().find(|name| channels.iter().all(|c| c.name != **name)) {
        let advice = picks::suggestion(stranger, channels);
        let found = format!("a threshold for '{stranger}'");
        return Err(Error::data(&place, found, format!("names of {}", recording.place()), advice));
    }
    let absent: Vec<&str> =
        picks.iter().map(|&p| channels[p].name.as_str()).filter(|name| !table.contains_key(*name)).collect();
    if !absent.is_empty() {
        let more = if absent.len() > LISTED { ", ..." } else { "" };
        let listed = absent.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let expected = "one for every picked channel";
        let advice = "add them, or leave the channels out with --bads";
        return Err(Error::data(&place, format!("no threshold for {listed}{more}"), expected, advice));
    }
    let threshold = |&pick: &usize| {
        let name = &channels[pick].name;
        let value = table.get(name).unwrap_or(&Value::Null);
        match value.as_f64() {
            Some(number) if number.is_finite() && number > 0.0 => Ok(number * recording.scale(pick)),
            _ => {
                let place = format!("{place}, channel {name}");
                Err(Error::data(place, value.to_string(), "a positive number", ""))
            }
        }
    };
    picks.iter().map(threshold).collect()
}

/// JSON with objects spread over lines and arrays on one.
#[derive(Default)]
struct Layout {
    objects: PrettyFormatter<'static>,
}

impl Formatter for Layout {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.objects.begin_object(writer)
    }
    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.objects.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        self.objects.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.objects.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.objects.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_in_the_datas_unit_read_back_as_they_were() {
        let mut same = 0;
        for step in 1..=1000 {
            let stored = f64::from(step) * 0.123_456_789;
            let threshold = stored * 1e-6;
            same += usize::from(in_unit(threshold, 1e-6) * 1e-6 == threshold);
            assert_eq!(in_unit(threshold, 1.0), threshold);
        }
        assert_eq!(same, 1000);
    }

    #[test]
    fn losses_are_averaged_over_folds_and_stay_infinite() {
        let loss = [1.0, 3.0, 2.0, f64::INFINITY, 5.0, 5.0, 0.0, 1.0];
        assert_eq!(mean_loss(&loss, 2, 2), [[2.0, f64::INFINITY], [5.0, 0.5]]);
        assert!(mean_loss(&[], 2, 2).is_empty());
    }
}

//! The reject log as the peer stores it: an `.npz` of `ch_names`, `bad_epochs` and `labels`.
//!
//! `labels` is `[epoch][channel]` over all channels of the recording: 0 good, 1 bad, 2 repaired,
//! NaN not picked (spec autoreject 12).

use super::channels::Group;
use super::fitted::RejectLog;
use super::recording::Recording;
use super::repairs::REPAIRED;
use crate::array::{Dtype, Real, to_f64};
use crate::error::{Error, Result};
use crate::io::npz::NpzWriter;
use crate::io::{self, Block, Container, Dataset, DatasetSpec, StoredType, Writer};
use std::path::Path;
use std::sync::Arc;

/// Deflate level of numpy's `savez_compressed`.
const LEVEL: u32 = 6;

/// Writes `log` to `path`, as `numpy.savez_compressed` would.
///
/// # Errors
/// The file cannot be written, or labels and marks do not fit the channels.
pub fn write(log: &RejectLog, path: &Path) -> Result<()> {
    let (epochs, channels) = (log.bad_epochs.len(), log.ch_names.len());
    if log.labels.len() != epochs * channels {
        return Err(Error::Failed(format!(
            "{}: {} labels for {epochs} epochs of {channels} channels",
            path.display(),
            log.labels.len()
        )));
    }
    let spec = |name: &str, shape: &[usize], dtype| DatasetSpec {
        path: name.to_owned(),
        shape: shape.iter().map(|&n| n as u64).collect(),
        dtype,
        chunks: None,
        deflate: Some(LEVEL),
        fill: None,
    };
    let mut writer = Box::new(NpzWriter::create(path)?);
    let names: Vec<Vec<u8>> = log.ch_names.iter().map(|name| name.as_bytes().to_vec()).collect();
    writer.create_text("ch_names", &[channels as u64], &names)?;
    let marks = writer.create_truth(&spec("bad_epochs", &[epochs], Dtype::I8))?;
    let bytes: Vec<u8> = log.bad_epochs.iter().map(|&bad| bad.into()).collect();
    writer.append(marks, &bytes)?;
    let labels = writer.create(&spec("labels", &[epochs, channels], Dtype::F64))?;
    let mut bytes = Vec::new();
    f64::push_le(&log.labels, &mut bytes);
    writer.append(labels, &bytes)?;
    writer.finish()
}

/// Reads a reject log, perhaps edited by hand, for `recording`.
///
/// # Errors
/// No such log, or one of other channels, another number of epochs, or labels that mean nothing.
pub fn read(path: &Path, recording: &Recording) -> Result<RejectLog> {
    let file = File { container: io::open(path)?, recording };
    let (epochs, channels) = (recording.epochs(), recording.channels());
    let ch_names = file.names()?;
    let marks = file.numbers("bad_epochs", &[epochs])?;
    for (epoch, &mark) in marks.iter().enumerate() {
        if mark != 0.0 && mark != 1.0 {
            let place = format!("{}, epoch {epoch}", file.place("bad_epochs"));
            return Err(Error::data(place, format!("{mark}"), "True or False", ""));
        }
    }
    let labels = file.numbers("labels", &[epochs, channels])?;
    for (at, &label) in labels.iter().enumerate() {
        if !(label.is_nan() || [0.0, 1.0, 2.0].contains(&label)) {
            let place = format!(
                "{}, epoch {}, channel {}",
                file.place("labels"),
                at / channels,
                ch_names[at % channels]
            );
            let expected = "0 (good), 1 (bad), 2 (repaired) or NaN (not picked)";
            return Err(Error::data(place, format!("{label}"), expected, ""));
        }
    }
    Ok(RejectLog { ch_names, bad_epochs: marks.iter().map(|&mark| mark == 1.0).collect(), labels })
}

/// Demands that what `log`, read from `path`, would have repaired is picked, and that repairs
/// take no channel for a source of which the log says nothing. The peer demands labels on the
/// picks and on nothing else; marks without consequence are let pass here.
///
/// # Errors
/// Names the epoch and channel of a repair that would not be made, or the channel without labels.
pub fn check_picks(log: &RejectLog, path: &Path, groups: &[Group]) -> Result<()> {
    let channels = log.ch_names.len();
    let place = |what: String| format!("{}:labels, {what}", path.display());
    let repaired = |at: usize| log.labels[at] == f64::from(REPAIRED);
    let picked = |pick: usize| groups.iter().any(|group| group.picks.contains(&pick));
    if let Some(at) = (0..log.labels.len()).find(|&at| repaired(at) && !picked(at % channels)) {
        let (epoch, name) = (at / channels, &log.ch_names[at % channels]);
        return Err(Error::data(
            place(format!("epoch {epoch}, channel {name}")),
            "label 2 (repaired) on a channel that is not picked",
            "0, 1 or NaN there",
            format!("pick it by name with --picks, or set its label to 1; {UNPICKED}"),
        ));
    }
    for group in groups {
        let column = |pick: usize| (pick..log.labels.len()).step_by(channels.max(1));
        let repairs = group.picks.iter().any(|&pick| column(pick).any(repaired));
        let unknown = |&&pick: &&usize| column(pick).all(|at| log.labels[at].is_nan());
        if let Some(&pick) = group.picks.iter().find(unknown).filter(|_| repairs) {
            return Err(Error::data(
                place(format!("channel {}", log.ch_names[pick])),
                "NaN (not picked) in every epoch",
                "0, 1 or 2: the channel is picked, and others would be repaired from it",
                "give the --picks and --bads of the run that made the log",
            ));
        }
    }
    Ok(())
}

/// Why a channel may not be picked.
const UNPICKED: &str = "by default channels marked bad and types that are not data are left out";

struct File<'a> {
    container: Box<dyn Container>,
    recording: &'a Recording,
}

impl File<'_> {
    fn place(&self, name: &str) -> String {
        format!("{}:{name}", self.container.path().display())
    }

    fn dataset(&self, name: &str) -> Result<Arc<dyn Dataset>> {
        self.container.dataset(name).map_err(|error| match error {
            Error::Data { place, found, .. } => {
                let expected = "a reject log: ch_names, bad_epochs and labels";
                Error::data(place, found, expected, "save one with numpy.savez(path, ch_names=..., ...)")
            }
            other => other,
        })
    }

    fn names(&self) -> Result<Vec<String>> {
        let dataset = self.dataset("ch_names")?;
        let info = dataset.info();
        let channels = self.recording.channels();
        if info.stored != StoredType::Text {
            let advice = "save them as numpy.array(names, dtype=str)";
            let found = format!("elements of type {}", info.stored);
            return Err(Error::data(self.place("ch_names"), found, "text", advice));
        }
        self.check_shape("ch_names", &info.shape, &[channels])?;
        let texts = dataset.read_text()?;
        let names: Vec<String> =
            texts.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let differs =
            names.iter().zip(self.recording.list()).position(|(name, channel)| *name != channel.name);
        if let Some(at) = differs {
            let place = format!("{}, channel {at}", self.place("ch_names"));
            let expected = format!("'{}' as in {}", self.recording.list()[at].name, self.recording.place());
            let advice = "the log is of another recording";
            return Err(Error::data(place, format!("'{}'", names[at]), expected, advice));
        }
        Ok(names)
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let dataset = self.dataset(name)?;
        let info = dataset.info();
        self.check_shape(name, &info.shape, shape)?;
        let (dtype, order) = match info.stored {
            StoredType::Number(dtype, order) => (dtype, order),
            StoredType::Bool => (Dtype::U8, crate::array::ByteOrder::NATIVE),
            ref other => {
                let found = format!("elements of type {other}");
                return Err(Error::data(self.place(name), found, "numbers or truth values", ""));
            }
        };
        let mut values = vec![0.0; shape.iter().product()];
        let mut bytes = vec![0; values.len() * dtype.size()];
        dataset.read_block(&Block { start: vec![0; shape.len()], count: info.shape.clone() }, &mut bytes)?;
        to_f64(&bytes, dtype, order, &mut values);
        Ok(values)
    }

    fn check_shape(&self, name: &str, found: &[u64], wanted: &[usize]) -> Result<()> {
        if found.iter().map(|&n| usize::try_from(n).ok()).eq(wanted.iter().map(|&n| Some(n))) {
            return Ok(());
        }
        let expected = format!("{wanted:?} as in {}", self.recording.place());
        let advice = "the log is of another recording";
        Err(Error::data(self.place(name), format!("shape {found:?}"), expected, advice))
    }
}

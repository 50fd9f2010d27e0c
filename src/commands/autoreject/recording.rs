//! A file of epochs: found, described, and read block by block.
//!
//! Data lie `[epoch, channel, sample]`; [`Recording::read`] gives SI units (volt, tesla, tesla
//! per metre, molar) in float64. Layout: HDF5 `/epochs/data` with `ch_names`, `ch_types`,
//! `ch_pos`, `sfreq`, `tmin` and `bads` beside it, or an array named by path with its fellows
//! beside it, or NPY with BIDS tables (spec autoreject 1, 12).

use super::channels::{Channel, ChannelKind};
use super::fellows::Fellows;
use super::options::ChannelSources;
use super::reading::{Epochs, Fault, Request};
use super::{locate, picks, reading, sources};
use crate::array::pages::Lent;
use crate::array::{ByteOrder, Dtype};
use crate::commands::InputFacts;
use crate::error::{Error, Result};
use crate::io::{self, Container, Dataset, DatasetInfo, Format, InputSpec};
use std::ops::Range;
use std::sync::Arc;

/// A larger median peak-to-peak of scalp EEG, volts, means that the data are not in volts.
const LARGEST_EEG: f64 = 0.01;

/// An open recording.
pub struct Recording {
    container: Box<dyn Container>,
    dataset: Arc<dyn Dataset>,
    place: String,
    numbers: (Dtype, ByteOrder),
    shape: [usize; 3],
    channels: Vec<Channel>,
    picks: Vec<usize>,
    sfreq: Option<f64>,
    tmin: f64,
    unit: f64,
}

impl Recording {
    /// Opens `input` and settles its dataset, channels and picks; what is odd but no obstacle
    /// goes to `warnings`.
    ///
    /// # Errors
    /// The file cannot be read; no array or several could be the epochs; it has not three axes,
    /// or an empty one, or no plain numbers; names, types or positions do not fit it. A pick or
    /// bad mark on no channel is [`Error::Usage`].
    pub fn open(
        input: &InputSpec,
        sources: &ChannelSources,
        warnings: &mut Vec<String>,
    ) -> Result<Recording> {
        locate::refuse_fif(&input.path)?;
        if !(sources.unit.is_finite() && sources.unit > 0.0) {
            return Err(Error::usage(format!("--unit {}: a positive number is needed", sources.unit)));
        }
        let container = io::open(&input.path)?;
        let entries = container.list()?;
        let path = match &input.dataset {
            Some(named) => locate::inside_group(named, &entries),
            None => locate::obvious(&input.path, &entries)?,
        };
        let dataset = container.dataset(&path)?;
        let place = locate::place_of(&input.path, &path);
        let numbers = locate::numbers_of(&place, dataset.info())?;
        let shape = locate::shape_of(&place, dataset.info())?;
        let fellows = Fellows { container: container.as_ref(), entries: &entries, dataset: &path };
        let stated = fellows.channels(shape[1])?;
        let sfreq = rate(&place, fellows.number("sfreq")?, sources.sfreq, warnings)?;
        let tmin = fellows.number("tmin")?.unwrap_or(0.0);
        let mut channels = sources::channels(&place, shape[1], stated, sources, warnings)?;
        picks::mark_bads(&sources.bads, &mut channels)?;
        let picks = picked(&place, sources, &channels)?;
        let unit = sources.unit;
        Ok(Recording { container, dataset, place, numbers, shape, channels, picks, sfreq, tmin, unit })
    }

    /// Number of epochs.
    pub fn epochs(&self) -> usize {
        self.shape[0]
    }

    /// Number of channels, picked or not.
    pub fn channels(&self) -> usize {
        self.shape[1]
    }

    /// Samples of one epoch.
    pub fn samples(&self) -> usize {
        self.shape[2]
    }

    /// All channels, in the file's order.
    pub fn list(&self) -> &[Channel] {
        &self.channels
    }

    /// The channels that are fitted, ascending; none where only eye movements could be.
    pub fn picks(&self) -> &[usize] {
        &self.picks
    }

    /// Sampling rate in hertz, where it is known.
    pub fn sfreq(&self) -> Option<f64> {
        self.sfreq
    }

    /// Time of the first sample in seconds; 0 where the file does not say.
    pub fn tmin(&self) -> f64 {
        self.tmin
    }

    /// File and dataset, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Shape, type and storage of the data.
    pub fn info(&self) -> &DatasetInfo {
        self.dataset.info()
    }

    /// What one stored unit of voltage is in volts: 1e-6 for microvolts.
    pub fn unit(&self) -> f64 {
        self.unit
    }

    /// What one stored unit of a channel is in SI units: [`Recording::unit`] for voltages, else 1.
    pub fn scale(&self, channel: usize) -> f64 {
        let voltage = self.channels.get(channel).is_some_and(|channel| {
            matches!(
                channel.kind,
                ChannelKind::Eeg | ChannelKind::Eog | ChannelKind::Ecog | ChannelKind::Seeg
            )
        });
        if voltage { self.unit } else { 1.0 }
    }

    /// The file as the report lists it.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn facts(&self) -> Result<InputFacts> {
        let info = self.info();
        InputFacts::of(self.container.path(), &self.place, &info.shape, &info.stored.to_string())
    }

    /// Reads samples of some channels as SI float64 into `out`, `[epoch][pick][sample]`.
    ///
    /// `picks` are channels in any order. Works in parallel on the rayon pool it is called in;
    /// beside `out` it needs at most 32 MiB (or one chunk) and half a MiB a worker.
    ///
    /// # Errors
    /// The file cannot be read, or a sample is NaN or infinite: the first one is named by epoch,
    /// channel and sample.
    pub fn read(
        &self,
        epochs: Range<usize>,
        picks: &[usize],
        samples: Range<usize>,
        out: &mut [f64],
    ) -> Result<()> {
        let inside = epochs.end <= self.epochs()
            && samples.end <= self.samples()
            && picks.iter().all(|&pick| pick < self.channels());
        if !inside || out.len() != epochs.len() * picks.len() * samples.len() {
            return Err(Error::Failed(format!(
                "{}: epochs {epochs:?}, {} channels and samples {samples:?} do not fit {:?} or {} values",
                self.place,
                picks.len(),
                self.shape,
                out.len()
            )));
        }
        let scales: Vec<f64> = picks.iter().map(|&pick| self.scale(pick)).collect();
        let request = Request { epochs, picks, scales: &scales, samples };
        self.stored().read(&request, out).map_err(|fault| match fault {
            Fault::Failed(error) => error,
            Fault::NotFinite(at) => {
                let name = picks.get(at.pick).map_or("", |&pick| self.channels[pick].name.as_str());
                let place =
                    format!("{}, epoch {}, channel {name}, sample {}", self.place, at.epoch, at.sample);
                let advice = "drop the epoch, or leave the channel out with --bads";
                Error::data(place, "NaN or infinity", "finite samples in all picked channels", advice)
            }
        })
    }

    /// All samples of `picks`, `[epoch][pick][sample]`, as they lie in the file: where these are
    /// all its channels, stored as float64 in SI units, and every one is finite.
    ///
    /// # Errors
    /// The file became shorter.
    pub fn lend(&self, picks: &[usize]) -> Result<Option<Lent>> {
        let here = if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };
        let all = picks.len() == self.channels() && picks.iter().enumerate().all(|(at, &pick)| at == pick);
        let plain = self.numbers == (Dtype::F64, here) && picks.iter().all(|&pick| self.scale(pick) == 1.0);
        if !all || !plain || self.stored().serial {
            return Ok(None);
        }
        // What is not finite is found again, and named, by reading.
        Ok(self.dataset.lend()?.filter(reading::brought_and_finite))
    }

    /// The warning due where EEG of this median peak-to-peak (volts, over epochs and channels)
    /// cannot be in volts.
    pub fn unit_warning(&self, median_ptp: f64) -> Option<String> {
        (median_ptp > LARGEST_EEG).then(|| {
            format!(
                "{}: the median peak-to-peak of EEG is {median_ptp:.3e} V, over 10 mV; \
                 data in microvolts need --unit uV",
                self.place
            )
        })
    }

    pub(super) fn container(&self) -> &dyn Container {
        self.container.as_ref()
    }

    pub(super) fn dataset(&self) -> &dyn Dataset {
        self.dataset.as_ref()
    }

    /// Element type and byte order as stored.
    pub(super) fn numbers(&self) -> (Dtype, ByteOrder) {
        self.numbers
    }

    /// True where any stretch of samples is decoded from whole blocks of the storage.
    pub fn is_laborious(&self) -> bool {
        self.stored().serial
    }

    pub(super) fn stored(&self) -> Epochs<'_> {
        let info = self.dataset.info();
        let serial = info.fortran || info.chunks.is_some() || self.container.format() == Format::Npz;
        Epochs { dataset: self.dataset.as_ref(), dtype: self.numbers.0, order: self.numbers.1, serial }
    }
}

/// The file's sampling rate, or else the one given.
fn rate(
    place: &str,
    stated: Option<f64>,
    given: Option<f64>,
    warnings: &mut Vec<String>,
) -> Result<Option<f64>> {
    let sound = |rate: f64| rate.is_finite() && rate > 0.0;
    if let Some(given) = given.filter(|&rate| !sound(rate)) {
        return Err(Error::usage(format!("--sfreq {given}: a positive number of hertz is needed")));
    }
    match stated {
        Some(rate) if !sound(rate) => {
            Err(Error::data(format!("{place}, sfreq"), format!("{rate}"), "a positive number of hertz", ""))
        }
        Some(rate) => {
            if let Some(given) = given.filter(|&given| given != rate) {
                warnings.push(format!("{place}: states {rate} Hz itself; --sfreq {given} is not used"));
            }
            Ok(Some(rate))
        }
        None => Ok(given),
    }
}

/// Nothing in the recording at `place` can be picked.
pub(super) fn no_data_channel(place: &str) -> Error {
    let expected = "at least one of mag, grad, eeg, hbo, hbr, ecog or seeg";
    Error::data(place, "no good data channel", expected, "check --channels and --bads")
}

fn picked(place: &str, sources: &ChannelSources, channels: &[Channel]) -> Result<Vec<usize>> {
    if sources.picks.is_empty() {
        let picks = picks::default_picks(channels);
        // Eye movements alone have a global threshold; the other methods refuse them.
        let eyes = channels.iter().any(|channel| channel.kind == ChannelKind::Eog && !channel.bad);
        return if picks.is_empty() && !eyes { Err(no_data_channel(place)) } else { Ok(picks) };
    }
    let picks = picks::named_picks(&sources.picks, channels)?;
    if let Some(other) = picks.iter().map(|&pick| &channels[pick]).find(|c| c.kind == ChannelKind::Other) {
        return Err(Error::usage(format!(
            "--picks: channel {} is of type misc, which cannot be fitted; give its type with --channels",
            other.name
        )));
    }
    if picks.is_empty() {
        return Err(Error::usage(
            "--picks: all channels of these types are marked bad; name them one by one",
        ));
    }
    Ok(picks)
}

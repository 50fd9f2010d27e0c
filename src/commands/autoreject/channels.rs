//! Channels of a recording: names, types, positions, and which are fitted (spec autoreject 1).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Type of a channel, by the names MNE and BIDS use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Magnetometer, tesla.
    Mag,
    /// Planar gradiometer, tesla per metre.
    Grad,
    /// Scalp electrode, volt.
    Eeg,
    /// Eye movements, volt.
    Eog,
    /// Oxyhaemoglobin, molar.
    Hbo,
    /// Deoxyhaemoglobin, molar.
    Hbr,
    /// Electrode on the cortex, volt.
    Ecog,
    /// Electrode in the brain, volt.
    Seeg,
    /// Anything else (ecg, emg, stim, misc, ...): passed through.
    Other,
}

impl ChannelKind {
    /// Types that may be fitted, in the order the global threshold takes them.
    pub const ALL: [ChannelKind; 8] = [
        ChannelKind::Mag,
        ChannelKind::Grad,
        ChannelKind::Eeg,
        ChannelKind::Eog,
        ChannelKind::Hbo,
        ChannelKind::Hbr,
        ChannelKind::Ecog,
        ChannelKind::Seeg,
    ];

    /// The type called `name` (any case; BIDS spellings included).
    pub fn parse(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "mag" | "megmag" => ChannelKind::Mag,
            "grad" | "meggradplanar" => ChannelKind::Grad,
            "eeg" => ChannelKind::Eeg,
            "eog" | "heog" | "veog" => ChannelKind::Eog,
            "hbo" => ChannelKind::Hbo,
            "hbr" => ChannelKind::Hbr,
            "ecog" => ChannelKind::Ecog,
            "seeg" => ChannelKind::Seeg,
            _ => ChannelKind::Other,
        }
    }

    /// The name MNE uses.
    pub fn name(self) -> &'static str {
        match self {
            ChannelKind::Mag => "mag",
            ChannelKind::Grad => "grad",
            ChannelKind::Eeg => "eeg",
            ChannelKind::Eog => "eog",
            ChannelKind::Hbo => "hbo",
            ChannelKind::Hbr => "hbr",
            ChannelKind::Ecog => "ecog",
            ChannelKind::Seeg => "seeg",
            ChannelKind::Other => "misc",
        }
    }

    /// True for magnetometers and gradiometers.
    pub fn is_meg(self) -> bool {
        matches!(self, ChannelKind::Mag | ChannelKind::Grad)
    }

    /// True for what is picked by default: all but eye movements and the unknown.
    pub fn is_data(self) -> bool {
        !matches!(self, ChannelKind::Eog | ChannelKind::Other)
    }
}

/// One channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name, unique in the recording.
    pub name: String,
    /// Its type.
    pub kind: ChannelKind,
    /// (x, y, z) in metres, head frame, exactly as stored; None where the input has none.
    pub position: Option<[f64; 3]>,
    /// Marked as bad by the user or the input.
    pub bad: bool,
}

/// The picks of one type, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The type.
    pub kind: ChannelKind,
    /// Indices into the recording's channels.
    pub picks: Vec<usize>,
}

/// Groups `picks` by type in order of first appearance (spec autoreject 1).
pub fn groups(channels: &[Channel], picks: &[usize]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for &pick in picks {
        let kind = channels[pick].kind;
        match groups.iter_mut().find(|g| g.kind == kind) {
            Some(group) => group.picks.push(pick),
            None => groups.push(Group { kind, picks: vec![pick] }),
        }
    }
    groups
}

/// Positions of `picks`, all finite and not all near zero (spec autoreject 1).
///
/// # Errors
/// Names the first channel without a usable position, or says that all are zero.
pub fn positions(place: &str, channels: &[Channel], picks: &[usize]) -> Result<Vec<[f64; 3]>> {
    let advice = "give --electrodes or --montage, or --no-augment with --n-interpolate 0";
    let mut found = Vec::with_capacity(picks.len());
    for &pick in picks {
        let channel = &channels[pick];
        let shown = match channel.position {
            Some(p) if p.iter().all(|v| v.is_finite()) => {
                found.push(p);
                continue;
            }
            Some(p) => format!("position {p:?}"),
            None => "no position".into(),
        };
        let place = format!("{place}, channel {}", channel.name);
        return Err(Error::data(place, shown, "x, y, z in metres", advice));
    }
    let zeros = found.iter().filter(|p| p.iter().all(|v| v.abs() < 1e-8)).count();
    if zeros > 1 || (zeros == 1 && found.len() == 1) {
        let shown = format!("{zeros} channels at the origin");
        return Err(Error::data(place, shown, "a position for each channel", advice));
    }
    Ok(found)
}

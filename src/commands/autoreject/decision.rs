//! What is decided on one input, and what files besides it say (spec autoreject 9.4).

use super::channels::{self, ChannelKind};
use super::fit::Fit;
use super::fitted::{FittedState, RejectLog};
use super::global::GlobalFit;
use super::options::Options;
use super::prepare::{self, Subject};
use super::recording::Recording;
use super::repairs::{Means, REPAIRED, Repairs};
use super::summary::read_thresholds;
use super::{reject_log, state};
use crate::error::Result;
use std::path::PathBuf;

/// What was decided on one input.
pub struct Decision {
    /// Labels and bad epochs.
    pub log: RejectLog,
    /// Per group: the repairs of each epoch.
    pub repairs: Vec<Repairs>,
    /// The fit, where there was one.
    pub state: Option<FittedState>,
    /// Per group, how its thresholds were found.
    pub fits: Vec<Fit>,
    /// Global thresholds by type.
    pub global: Vec<(ChannelKind, GlobalFit)>,
    /// Channels found bad by RANSAC.
    pub bad_channels: Vec<String>,
}

/// What files besides the input say.
#[derive(Default)]
pub struct Given {
    /// Thresholds per group (`--thresholds`), SI units.
    pub thresholds: Option<Vec<Vec<f64>>>,
    /// A state fitted before (`--apply`).
    pub state: Option<FittedState>,
    /// A reject log edited by hand (`--reject-log`).
    pub log: Option<RejectLog>,
}

impl Given {
    /// Reads the files that `options` name, for one input.
    ///
    /// # Errors
    /// A file cannot be read or does not fit the recording.
    pub fn read(options: &Options, subject: &Subject) -> Result<Self> {
        let recording = &subject.recording;
        let thresholds = |path: &PathBuf| {
            let of_group = |g: &channels::Group| read_thresholds(path, recording, &g.picks);
            subject.groups.iter().map(of_group).collect()
        };
        let log = |path: &PathBuf| {
            let log = reject_log::read(path, recording)?;
            reject_log::check_picks(&log, path, &subject.groups).map(|()| log)
        };
        let given = Given {
            thresholds: options.thresholds.as_ref().map(thresholds).transpose()?,
            state: options.apply.as_ref().map(|path| state::read(path, recording)).transpose()?,
            log: options.reject_log.as_ref().map(log).transpose()?,
        };
        for (group, means) in subject.groups.iter().zip(&subject.means) {
            if matches!(means, Means::Unchanged) && given.repairs(group) {
                prepare::means(options, recording, group, false)?;
            }
        }
        Ok(given)
    }

    /// True where the state or the log may repair channels of `group`.
    fn repairs(&self, group: &channels::Group) -> bool {
        let by_state = |state: &FittedState| {
            state.groups.iter().any(|fitted| fitted.kind == group.kind && fitted.n_interpolate > 0)
        };
        let by_log = |log: &RejectLog| {
            let mut rows = log.labels.chunks_exact(log.ch_names.len().max(1));
            rows.any(|row| group.picks.iter().any(|&pick| row[pick] == f64::from(REPAIRED)))
        };
        self.state.as_ref().is_some_and(by_state) || self.log.as_ref().is_some_and(by_log)
    }
}

impl Decision {
    pub(super) fn new(recording: &Recording) -> Self {
        let (n, c) = (recording.epochs(), recording.channels());
        let ch_names = recording.list().iter().map(|c| c.name.clone()).collect();
        let log = RejectLog { ch_names, bad_epochs: vec![false; n], labels: vec![f64::NAN; n * c] };
        let (repairs, fits, global, bad_channels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Decision { log, repairs, state: None, fits, global, bad_channels }
    }

    /// Puts the labels of a group's picks where they belong.
    pub(super) fn label(&mut self, picks: &[usize], labels: &[u8]) {
        let channels = self.log.ch_names.len();
        for (epoch, labels) in labels.chunks_exact(picks.len().max(1)).enumerate() {
            for (&pick, &label) in picks.iter().zip(labels) {
                self.log.labels[epoch * channels + pick] = f64::from(label);
            }
        }
    }

    /// Epochs that are kept, by their index in the input.
    pub fn kept(&self) -> Vec<usize> {
        (0..self.log.bad_epochs.len()).filter(|&epoch| !self.log.bad_epochs[epoch]).collect()
    }
}

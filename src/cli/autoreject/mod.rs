//! `nissl autoreject`: arguments to [`Options`].

mod check;
mod jobs;
mod values;

use super::common::{Listed, OutputFlags, RunFlags, ShardFlags, names, one_of};
use crate::commands::autoreject::Options;
use crate::commands::autoreject::options::{ChannelSources, Method, ThresholdSearch};
use crate::error::Result;
use crate::shards::Asked;
use clap::Args;
use std::path::PathBuf;
use values::{METHODS, SEARCHES, at_least, channel_counts, sampling_rate, shares, unit};

const EXAMPLES: &str = "\
Examples:
  Find and repair bad channels and epochs, with the peer's answers:
    nissl autoreject epochs.h5 -o cleaned
  Every subject of a study; a bad file does not stop the others (exit 4 tells of it):
    nissl autoreject data/sub-*/epochs.h5 -o cleaned --threshold-search exact
  Epochs in a NumPy file, microvolts, with BIDS side files:
    nissl autoreject epochs.npy -o cleaned --unit uV --channels channels.tsv --electrodes electrodes.tsv
  Standard electrode names without positions, a smaller grid:
    nissl autoreject epochs.npy -o cleaned --channels channels.tsv --montage standard_1020 \\
      --n-interpolate 1,4,8 --consensus 0.1:0.5:5
  Clean other epochs of the same channels with a state fitted before, by nissl or by the peer:
    nissl autoreject run2.h5 -o cleaned2 --apply cleaned/autoreject.h5
  Apply a reject log that was edited by hand:
    nissl autoreject epochs.h5 -o cleaned3 --reject-log edited.npz
  One threshold per channel type, eye movements among them:
    nissl autoreject epochs.h5 -o dropped --method global --picks eeg,eog --decim 2
  What would a run on the cluster do, and with how much memory?
    nissl autoreject large.npy -o out --channels channels.tsv --montage biosemi128 --memory 8G --dry-run";

/// Find and repair bad channels and epochs of EEG and MEG recordings
///
/// Epochs are [epoch, channel, sample], in volt or tesla unless --unit says otherwise: HDF5 with
/// /epochs/data and its fellows, or .npy with --channels. Writes into the output folder: cleaned
/// epochs in the input's format, reject_log.npz and autoreject.h5 (both for autoreject's own
/// readers), summary.json, report.json, and pictures of reject log, thresholds and loss (SVG and
/// PNG). Several inputs get a folder each. Numbers are those of autoreject 0.5.1.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "nissl autoreject <EPOCHS>... --output <DIR> [FLAGS]"
)]
pub struct AutorejectArgs {
    /// Epochs files, or FILE:DATASET
    #[arg(value_name = "EPOCHS", required = true)]
    epochs: Vec<String>,

    #[command(flatten)]
    to: OutputFlags,

    /// What to do: local repairs channels and drops epochs by a vote, global drops epochs over one
    /// threshold per channel type, ransac repairs channels that the others do not predict
    #[arg(
        long,
        value_name = "NAME",
        default_value = "local",
        value_parser = one_of(METHODS),
        help_heading = "Method"
    )]
    method: Method,

    /// How thresholds are found: bayesian is the peer's search, random its other one, exact the
    /// least loss of all candidates [default: bayesian]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = one_of(SEARCHES),
        conflicts_with_all = ["thresholds", "apply", "reject_log"],
        help_heading = "Method"
    )]
    threshold_search: Option<ThresholdSearch>,

    /// Numbers of channels that may be repaired in an epoch, tried in this order [default: 1,4,32,
    /// the last at most one less than the channels]
    #[arg(
        long,
        value_name = "LIST",
        value_parser = channel_counts,
        conflicts_with_all = ["apply", "reject_log"],
        help_heading = "Method"
    )]
    n_interpolate: Option<Listed<i64>>,

    /// Shares of bad channels from which on an epoch is dropped: START:STOP:COUNT, evenly spaced,
    /// or a list [default: 0:1:11]
    #[arg(
        long,
        value_name = "GRID",
        value_parser = shares,
        conflicts_with_all = ["apply", "reject_log"],
        help_heading = "Method"
    )]
    consensus: Option<Listed<f64>>,

    /// Folds of the cross-validation over epochs, 2 or more [default: 10; 5 for global]
    #[arg(
        long,
        value_name = "N",
        value_parser = at_least(2),
        conflicts_with_all = ["apply", "reject_log"],
        help_heading = "Method"
    )]
    cv: Option<usize>,

    /// Keep every N-th sample, the one at time 0 among them; global only [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least(1), help_heading = "Method")]
    decim: Option<usize>,

    /// Leave epochs predicted from the other channels out of the threshold search; needs no
    /// positions
    #[arg(long, conflicts_with_all = ["thresholds", "apply", "reject_log"], help_heading = "Method")]
    no_augment: bool,

    /// Votes start anew for every entry of --n-interpolate; the peer carries repaired channels from
    /// one to the next
    #[arg(long, conflicts_with_all = ["apply", "reject_log"], help_heading = "Method")]
    fresh_labels: bool,

    /// Also drop epochs with more bad channels than may be repaired
    #[arg(long, conflicts_with = "reject_log", help_heading = "Method")]
    drop_unrepaired: bool,

    /// Seed of all that is drawn at random, 0 to 4294967295 [default: 42; 435656 for ransac]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32),
        conflicts_with_all = ["apply", "reject_log"],
        help_heading = "Method"
    )]
    seed: Option<u32>,

    /// Thresholds to use instead of a search, in the data's unit: JSON that maps channel names to
    /// numbers, or a summary.json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["apply", "reject_log"], help_heading = "Instead of fitting")]
    thresholds: Option<PathBuf>,

    /// State fitted before (autoreject.h5 of nissl or of the peer): votes, repairs, drops, no fit
    #[arg(long, value_name = "FILE", conflicts_with = "reject_log", help_heading = "Instead of fitting")]
    apply: Option<PathBuf>,

    /// Reject log (.npz), perhaps edited by hand: repairs and drops as it says
    #[arg(long, value_name = "FILE", help_heading = "Instead of fitting")]
    reject_log: Option<PathBuf>,

    /// Channels to work on: names or types by commas [default: data channels that are not bad]
    #[arg(long, value_name = "LIST", value_parser = names, help_heading = "Input")]
    picks: Option<Listed<String>>,

    /// Channels to mark as bad besides those of the input: names or types by commas [default: none]
    #[arg(long, value_name = "LIST", value_parser = names, help_heading = "Input")]
    bads: Option<Listed<String>>,

    /// Names, types and status of the channels: BIDS channels.tsv
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    channels: Option<PathBuf>,

    /// Positions of the channels: BIDS electrodes.tsv, metres unless coordsystem.json beside it
    /// says otherwise
    #[arg(long, value_name = "FILE", conflicts_with = "montage", help_heading = "Input")]
    electrodes: Option<PathBuf>,

    /// Positions by standard names, such as standard_1020, standard_1005, biosemi64
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    montage: Option<String>,

    /// Unit of the stored numbers: V, mV, uV, nV, T, nT, pT, fT, T/m, pT/cm, fT/cm, M, mM, uM; the
    /// cleaned epochs keep it [default: the SI unit]
    #[arg(long, value_name = "UNIT", value_parser = unit, help_heading = "Input")]
    unit: Option<f64>,

    /// Sampling rate, hertz [default: from the file]
    #[arg(long, value_name = "HZ", value_parser = sampling_rate, help_heading = "Input")]
    sfreq: Option<f64>,

    /// Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the
    /// input is stored; none for decode]
    #[arg(
        long,
        value_name = "LEVEL",
        value_parser = clap::value_parser!(u32).range(1..=9),
        help_heading = "Output"
    )]
    compress: Option<u32>,

    #[command(flatten)]
    parts: ShardFlags,

    #[command(flatten)]
    run: RunFlags,
}

impl AutorejectArgs {
    /// What was asked, as plain data; refuses what the command line alone shows to be wrong and
    /// clap cannot tell.
    fn options(&self) -> Result<Options> {
        self.check_method()?;
        let values = |listed: &Option<Listed<String>>| listed.clone().map_or(Vec::new(), |l| l.0);
        let inputs = self.epochs.iter().map(|text| text.parse()).collect::<Result<_>>()?;
        let options = Options {
            inputs,
            output: self.to.output.clone(),
            method: self.method,
            search: self.threshold_search.unwrap_or_default(),
            n_interpolate: self.n_interpolate.clone().map(|l| l.0),
            consensus: self.consensus.clone().map(|l| l.0),
            cv: self.cv,
            decim: self.decim.unwrap_or(1),
            sources: ChannelSources {
                channels: self.channels.clone(),
                electrodes: self.electrodes.clone(),
                montage: self.montage.clone(),
                sfreq: self.sfreq,
                picks: values(&self.picks),
                bads: values(&self.bads),
                unit: self.unit.unwrap_or(1.0),
            },
            augment: !self.no_augment,
            thresholds: self.thresholds.clone(),
            apply: self.apply.clone(),
            reject_log: self.reject_log.clone(),
            fresh_labels: self.fresh_labels,
            drop_unrepaired: self.drop_unrepaired,
            seed: self.seed,
            compress: self.compress,
            resume: self.parts.again.resume,
            shard: self.parts.part(),
            asked: Asked::default(),
        };
        check::options(&options)?;
        Ok(options)
    }
}

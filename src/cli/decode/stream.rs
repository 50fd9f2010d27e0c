//! Flags of `decode --stream`.

use super::values::{Tells, positive, ticks};
use super::{DecodeArgs, check};
use crate::cli::common::one_of;
use crate::cli::session::{self, Job};
use crate::cli::signals::Stop;
use crate::commands::decode::stream::bytes::Input;
use crate::commands::decode::stream::hints::Hints;
use crate::commands::decode::stream::options::{Dedup, Likelihood, StreamOptions, Ticks};
use crate::commands::decode::{self, Options};
use crate::error::{Error, ExitCode, Result};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

const DEDUPS: [(&str, Dedup); 2] = [("electrode", Dedup::Electrode), ("peer", Dedup::Peer)];

/// What belongs to the tick mode alone.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stream")]
pub struct StreamFlags {
    /// Decode tick by tick, from events as they come
    #[arg(
        long,
        conflicts_with_all = [
            "save",
            "plot",
            "compress",
            "fit_only",
            "seed",
            "drop_repeated_spikes",
            "position_weights",
            "shard",
            "resume"
        ]
    )]
    stream: bool,

    /// Set-up of the realtime likelihood: JSON with the keys of realtime_decoder [default: one state,
    /// 41 bins, marks of 4 channels, 50000 of each electrode]
    #[arg(long, value_name = "FILE", requires = "stream")]
    realtime_config: Option<PathBuf>,

    /// Seconds of stream time from tick to tick, from the first event on; records is only where tick
    /// records say so [default: the time bin, 0.006, until the first tick record; kde: the decoding
    /// times]
    #[arg(long, value_name = "SECONDS|records", value_parser = ticks, requires = "stream")]
    tick: Option<Ticks>,

    /// Hold events back until their time has come by the clock
    #[arg(long, requires = "stream")]
    paced: bool,

    /// Go through the first seconds of the stream at full speed, without timing their ticks: marks are
    /// learned, records written [default: 100 ticks are not timed, --paced holds all back]
    #[arg(long, value_name = "SECONDS", value_parser = positive, requires = "stream")]
    warm_up: Option<f64>,

    /// Which spikes count as one: electrode is equal time and electrode (the first stays), peer is
    /// equal time (of two the first stays, of more none) [default: electrode]
    #[arg(long, value_name = "RULE", value_parser = one_of(DEDUPS), requires = "stream")]
    dedup: Option<Dedup>,

    /// Look for ripples in this field potential: a dataset of the recording (DATASET,CHANNEL where it
    /// has several), or a channel of the event records
    #[arg(long, value_name = "DATASET", requires = "stream")]
    lfp: Option<String>,

    /// End a file of event records that did not grow for so long [default: wait for its end record]
    #[arg(long, value_name = "SECONDS", value_parser = positive, requires = "stream")]
    stream_idle: Option<f64>,

    /// Real-time priority of the ticking thread (SCHED_FIFO), 1 to 99; a warning where not allowed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99), requires = "stream")]
    realtime_priority: Option<u8>,

    /// Core that the ticking thread runs on, counted from 0; a warning where not allowed
    #[arg(long, value_name = "N", requires = "stream")]
    pin_core: Option<usize>,

    /// Keep all memory resident; a warning where not allowed
    #[arg(long, requires = "stream")]
    lock_memory: bool,
}

impl StreamFlags {
    /// True with `--stream`.
    pub(super) fn on(&self) -> bool {
        self.stream
    }

    /// What was asked, beside what both modes share.
    ///
    /// # Errors
    /// The input is not there.
    fn options(&self, decode: Options, likelihood: Likelihood) -> Result<StreamOptions> {
        Ok(StreamOptions {
            input: Input::of(&decode.input.path)?,
            decode,
            likelihood,
            config: self.realtime_config.clone(),
            ticks: self.tick.unwrap_or_default(),
            paced: self.paced,
            warm_up: self.warm_up,
            idle: self.stream_idle,
            lfp: self.lfp.clone(),
            dedup: self.dedup.unwrap_or_default(),
            hints: Hints {
                priority: self.realtime_priority,
                core: self.pin_core,
                lock_memory: self.lock_memory,
            },
        })
    }
}

impl DecodeArgs {
    /// Runs the command with `--stream`.
    pub(super) fn tick_by_tick(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        let likelihood = match self.likelihood {
            None => Likelihood::Realtime,
            Some(Tells::Stream(likelihood)) => likelihood,
            Some(Tells::Whole(_)) => {
                return Err(Error::usage("--stream goes with --likelihood realtime or kde"));
            }
        };
        let options = self.stream.options(self.options()?, likelihood)?;
        check::stream(&options, self.to.force)?;
        let inputs = check::files_read(&options.decode).into_iter().chain(options.config.clone()).collect();
        let job = Job {
            command: "decode",
            unit: "ticks",
            item: "ticks",
            argv,
            inputs,
            outputs: vec![options.decode.output.clone()],
            into_folder: false,
            force: self.to.force,
            resume: false,
            plan: Box::new(move |context| decode::stream::plan(&options, context)),
            run: decode::stream::run,
            stop: Stop::Closes,
        };
        session::carry_out(&job, &self.run)
    }
}

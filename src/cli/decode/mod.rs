//! `nissl decode`: arguments to [`Options`].

mod check;
mod jobs;
mod stream;
mod values;

use super::common::{Listed, OutputFlags, RunFlags, ShardFlags, names, one_of, picture};
use crate::commands::decode::Options;
use crate::commands::decode::options::{Interior, Likelihood, LogFloor, Model, Precision, Save};
use crate::error::{Error, Result};
use crate::shards::Asked;
use clap::Args;
use std::path::PathBuf;
use values::{
    ALGORITHMS, Intervals, LIKELIHOODS, MODELS, Matrix, PRECISIONS, RATE_UNITS, Tells, Way, interior,
    intervals, log_floor, matrix, positive, positives, probabilities, ranges, saves, time,
};

const EXAMPLES: &str = "\
Examples:
  Posterior of position of a whole NWB session, with a picture:
    nissl decode session.nwb -o posterior.nc --encode-interval 0:600 --time 600:1200:0.002 --plot laps.png
  Replay: which events are continuous, which fragmented? Also the most likely positions:
    nissl decode session.h5 -o replay.nc --model contfrag --save filter,map,hpd
  A W track: position along the graph, random walk around its corners:
    nissl decode session.h5 -o posterior.nc --track-graph wtrack.json --movement-var 6
  Sorted units instead of marks:
    nissl decode session.nwb -o posterior.nc --likelihood sorted
  Fit once, decode many:
    nissl decode session.nwb --fit-only -o model.h5
    nissl decode session.nwb -o night.nc --encoding-model model.h5 --time 4000:9000:0.002
  What would it do, and with how much memory?
    nissl decode session.nwb -o posterior.nc --memory 8G --dry-run
  Tick by tick: a rig's events through a pipe, at their own pace, until its end or Ctrl-C:
    rig-events | nissl decode --stream - -o ticks.npy --realtime-config rig.json --realtime-priority 50
  The same of a recording, held to its own time, with ripples looked for beside:
    nissl decode --stream session.nwb -o ticks.nc --paced --lfp /acquisition/lfp/data";

/// Decode position from spikes: clusterless marks or sorted units
///
/// Fits kernel densities of position and waveform features to the encoding part of the recording,
/// then gives the posterior of position (and of the model's states) for every time bin: filter and
/// smoother of non_local_detector. Reads NWB, HDF5 (/position, /electrodes or /units, /decode) and
/// folders of .npy with the same tree; writes netCDF-4 that xarray opens. Lengths are in the unit of
/// the positions, features in the unit of the marks, times in seconds.
///
/// Sums over encoding spikes: --algorithm exact, the default, takes the cheapest way whose error of a
/// spike's log intensity is at most 2e-6 nats, direct the plain product, approx what --tol (guaranteed)
/// or --tol-observed (sampled) allows; --dry-run tells what was taken and why.
///
/// With --stream every tick (6 ms) gives a posterior as the events come: a recording is replayed, or
/// event records are read from standard input, a FIFO or a growing file. Records are little-endian:
/// first NISSLEV1 and the clock as f64 (samples per second), then for each event u8 kind (1 position,
/// 2 spike, 3 tick, 4 field potential, 5 end), u8 0, u16 electrode or channel, u16 D, u16 0, i64 time
/// in samples, f32 x D (position: coordinates, then speed if known; spike: its mark; field potential:
/// one value); examples/write_events.py writes them. SIGINT or SIGTERM ends a stream: what was
/// decoded is written whole, and the exit code is 0. Output by name: .nc for xarray, .npy an array of
/// structured records, else the packed records alone (i4 rank, i8 tick, lower, upper, f8 posterior
/// (state, bin), f8 likelihood (bin), f8 speed, i4 credible bins of both, i4 x 10 sharp electrodes,
/// i4 x 10 their bins, i4 spikes; with --lfp u1 ripple), which may go into a FIFO.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DecodeArgs {
    /// Recording: .nwb, .h5, or a folder of .npy; with --stream also -, a FIFO, or a file of event
    /// records
    #[arg(value_name = "SESSION")]
    session: String,

    #[command(flatten)]
    to: OutputFlags,

    /// States and movement: decoder (one random walk), contfrag (continuous, fragmented), nonlocal
    /// (local, no-spike, non-local continuous and fragmented), nospike-contfrag
    #[arg(long, value_name = "MODEL", default_value = "decoder", value_parser = one_of(MODELS), help_heading = "Model")]
    model: Model,

    /// What the spikes tell: clusterless is their waveform features, sorted the unit they belong to;
    /// with --stream, realtime learns marks on the way and kde takes a frozen model [default:
    /// clusterless; with --stream realtime]
    #[arg(long, value_name = "KIND", value_parser = one_of(LIKELIHOODS), help_heading = "Model")]
    likelihood: Option<Tells>,

    /// Standard deviation of the position kernel, for all axes or one for each [default: 6]
    #[arg(long, value_name = "LENGTH[,...]", value_parser = positives, help_heading = "Model")]
    position_std: Option<Listed<f64>>,

    /// Standard deviation of the mark kernel, for all features or one for each [default: 24]
    #[arg(long, value_name = "SIZE[,...]", value_parser = positives, help_heading = "Model")]
    waveform_std: Option<Listed<f64>>,

    /// Side of a place bin, for all axes or one for each [default: 2]
    #[arg(long, value_name = "LENGTH[,...]", value_parser = positives, help_heading = "Model")]
    bin_size: Option<Listed<f64>>,

    /// Ends of the place grid, LOW:HIGH for each axis [default: those of the positions]
    #[arg(
        long,
        value_name = "LOW:HIGH[,...]",
        value_parser = ranges,
        allow_hyphen_values = true,
        conflicts_with = "track_graph",
        help_heading = "Model"
    )]
    position_range: Option<Intervals>,

    /// Which bins take part: visited (closed over gaps), all, or FILE.npy, truth values of the
    /// grid's shape
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "visited",
        value_parser = interior,
        help_heading = "Model"
    )]
    interior: Interior,

    /// Track graph (JSON: node_positions, edges, edge_order, edge_spacing); positions are projected
    /// on it
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    track_graph: Option<PathBuf>,

    /// Variance of the random walk per time bin, length squared
    #[arg(long, value_name = "VAR", default_value = "6", value_parser = positive, help_heading = "Model")]
    movement_var: f64,

    /// Probabilities of going from state to state per time bin: rows by ;, such as
    /// "0.98 0.02; 0.02 0.98", or the diagonal alone [default: the model's]
    #[arg(long, value_name = "MATRIX", value_parser = matrix, help_heading = "Model")]
    discrete_transition: Option<Matrix>,

    /// Probabilities of the states at the start, by commas [default: the model's]
    #[arg(long, value_name = "LIST", value_parser = probabilities, help_heading = "Model")]
    initial: Option<Listed<f64>>,

    /// Rate of the no-spike state, hertz
    #[arg(long, value_name = "HZ", default_value = "1e-10", value_parser = positive, help_heading = "Model")]
    no_spike_rate: f64,

    /// Nats taken from non-local positions where the animal is; nonlocal only [default: 0]
    #[arg(long, value_name = "NATS", value_parser = positive, help_heading = "Model")]
    position_penalty: Option<f64>,

    /// Distance over which the penalty falls off [default: 1]
    #[arg(long, value_name = "LENGTH", value_parser = positive, requires = "position_penalty", help_heading = "Model")]
    penalty_std: Option<f64>,

    /// Where a spike's intensity stops falling: peer is 1e-15 in units of the mark space, relative:N
    /// is N nats under the electrode's greatest (34.5 does what the peer means)
    #[arg(long, value_name = "RULE", default_value = "peer", value_parser = log_floor, help_heading = "Model")]
    log_floor: LogFloor,

    /// Unit of the rates: samples takes decoding bins as long as position samples, as the peer does;
    /// seconds does not
    #[arg(long, value_name = "UNIT", default_value = "samples", value_parser = one_of(RATE_UNITS), help_heading = "Model")]
    rate_units: bool,

    /// How to compute [default: the fastest way that keeps the answers]
    #[arg(long, value_name = "NAME", value_parser = one_of(ALGORITHMS), help_heading = "Method")]
    algorithm: Option<Way>,

    /// With --algorithm approx: largest error of a spike's log intensity, nats, guaranteed
    #[arg(long, value_name = "NATS", value_parser = positive, conflicts_with = "tol_observed", help_heading = "Method")]
    tol: Option<f64>,

    /// With --algorithm approx: the same on 1000 samples only, not guaranteed
    #[arg(long, value_name = "NATS", value_parser = positive, help_heading = "Method")]
    tol_observed: Option<f64>,

    /// Element type of the likelihood; f64 takes the direct product unless --algorithm approx is given
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = one_of(PRECISIONS), help_heading = "Method")]
    precision: Precision,

    /// Seed of all that is drawn at random, 0 to 4294967295 [default: 42; 435656 for ransac]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32), help_heading = "Method")]
    seed: Option<u32>,

    /// Decoding times START:STOP:STEP, seconds, STOP excluded [default: the file's, else the range
    /// of the positions in their median steps]
    #[arg(long, value_name = "A:B:STEP", value_parser = time, allow_hyphen_values = true, help_heading = "Input")]
    time: Option<(f64, f64, f64)>,

    /// Encoding intervals START:STOP, seconds, both ends included [default: the file's mask, else
    /// all]
    #[arg(
        long,
        value_name = "A:B[,...]",
        value_parser = intervals,
        allow_hyphen_values = true,
        conflicts_with = "encoding_model",
        help_heading = "Input"
    )]
    encode_interval: Option<Intervals>,

    /// Encoding model written by --fit-only, instead of a fit
    #[arg(long, value_name = "FILE", conflicts_with = "fit_only", help_heading = "Input")]
    encoding_model: Option<PathBuf>,

    /// Position series of an NWB file, by name or path; several, by commas, follow each other in time
    /// [default: the only one]
    #[arg(long, value_name = "LIST", value_parser = names, help_heading = "Input")]
    position_series: Option<Listed<String>>,

    /// Columns of an NWB units table that are the marks, by commas, in order [default: the only one
    /// that can be]
    #[arg(long, value_name = "LIST", value_parser = names, help_heading = "Input")]
    features: Option<Listed<String>>,

    /// Keep the first of position samples whose time stamps repeat or step back
    #[arg(long, help_heading = "Input")]
    fix_timestamps: bool,

    /// Count spikes of one electrode or unit at exactly the same time once; the peer counts each
    #[arg(long, help_heading = "Input")]
    drop_repeated_spikes: bool,

    /// Weigh position samples by position/weights (one of 0 or more for each sample), and spikes by
    /// the weight at their time; --likelihood sorted only
    #[arg(long, help_heading = "Input")]
    position_weights: bool,

    /// Fit the encoding model, write it to -o and stop
    #[arg(long, conflicts_with_all = ["save", "plot", "compress", "shard", "resume"], help_heading = "Output")]
    fit_only: bool,

    /// What to write besides the acausal posterior: filter, predictive, loglik, map, mean, hpd,
    /// viterbi, by commas
    #[arg(long, value_name = "LIST", value_parser = saves, help_heading = "Output")]
    save: Option<Listed<Save>>,

    /// Picture of the result (.svg or .png): beside the input, with the animal's path, or times by
    /// stage and thread
    #[arg(long, value_name = "FILE", value_parser = picture, help_heading = "Output")]
    plot: Option<PathBuf>,

    /// Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the
    /// input is stored; none for decode]
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u32).range(1..=9), help_heading = "Output")]
    compress: Option<u32>,

    #[command(flatten)]
    stream: stream::StreamFlags,

    #[command(flatten)]
    parts: ShardFlags,

    #[command(flatten)]
    run: RunFlags,
}

impl DecodeArgs {
    /// What was asked, as plain data.
    fn options(&self) -> Result<Options> {
        let listed = |values: &Option<Listed<f64>>| values.clone().map(|l| l.0);
        Ok(Options {
            input: self.session.parse()?,
            output: self.to.output.clone(),
            model: self.model,
            likelihood: match self.likelihood {
                Some(Tells::Whole(likelihood)) => likelihood,
                Some(Tells::Stream(_)) if !self.stream.on() => {
                    return Err(Error::usage("--likelihood realtime and kde go with --stream"));
                }
                _ => Likelihood::Clusterless,
            },
            position_std: listed(&self.position_std),
            waveform_std: listed(&self.waveform_std),
            bin_size: listed(&self.bin_size),
            position_range: self.position_range.clone().map(|l| l.0),
            movement_var: self.movement_var,
            time: self.time,
            encode: self.encode_interval.clone().map(|l| l.0),
            track_graph: self.track_graph.clone(),
            interior: self.interior.clone(),
            log_floor: self.log_floor,
            rate_seconds: self.rate_units,
            no_spike_rate: self.no_spike_rate,
            discrete_transition: self.discrete_transition.clone().map(|m| m.0),
            initial: listed(&self.initial),
            position_penalty: (self.position_penalty.unwrap_or(0.0), self.penalty_std.unwrap_or(1.0)),
            save: self.save.clone().map_or(Vec::new(), |l| l.0),
            algorithm: check::algorithm(self.algorithm, self.tol, self.tol_observed)?,
            precision: self.precision,
            fit_only: self.fit_only,
            encoding_model: self.encoding_model.clone(),
            position_series: self.position_series.clone().map_or(Vec::new(), |l| l.0),
            features: self.features.clone().map_or(Vec::new(), |l| l.0),
            fix_timestamps: self.fix_timestamps,
            plot: self.plot.clone(),
            compress: self.compress,
            seed: u64::from(self.seed.unwrap_or(42)),
            drop_repeated_spikes: self.drop_repeated_spikes,
            position_weights: self.position_weights,
            shard: self.parts.part(),
            resume: self.parts.again.resume,
            asked: Asked::default(),
        })
    }
}

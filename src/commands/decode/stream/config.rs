//! How the `realtime` likelihood is set up: JSON with the peer's keys (spec decode 8.1).
//!
//! Keys that are not there take the defaults; a bad value, or a name that no section has, is
//! refused by its key. Sections of the peer's that concern processes, screens and hardware are
//! passed over: [`RealtimeConfig::ignored`] names those that nobody knows.
//! Lengths are in the unit of the positions, times in samples of the spike clock.

use super::json::Section;
use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// Most bins, marks of an electrode, and so on: what memory is sized by must not be absurd.
const MOST_BINS: usize = 10_000;
const MOST_MARKS: usize = 50_000_000;
const MOST_STATES: usize = 64;
/// Channels of an electrode at most.
pub const MOST_CHANNELS: usize = 64;

/// What decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// One state, uniform movement.
    Decoder,
    /// Several states, each with its own movement.
    Classifier,
}

/// How positions move from one state into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// They stay.
    Identity,
    /// A Gaussian walk along the arms.
    RandomWalk,
    /// Anywhere.
    Uniform,
}

/// Place bins of a track of arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bins {
    /// Lower edge of the first bin.
    pub lower: f64,
    /// Upper edge of the last bin.
    pub upper: f64,
    /// Number of bins.
    pub count: usize,
    /// First and last bin of each arm, both included, in order; other bins are gaps.
    pub arms: Vec<[usize; 2]>,
}

/// Kernel of the marks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarkKernel {
    /// Standard deviation, unit of the marks.
    pub std: f64,
    /// Demand marks nearby.
    pub use_filter: bool,
    /// Nearby is strictly within so many standard deviations in each channel.
    pub n_std: f64,
    /// Marks nearby that are demanded.
    pub n_marks_min: usize,
}

/// States and how they follow each other; used by [`Algorithm::Classifier`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classifier {
    /// Names of the states.
    pub states: Vec<String>,
    /// Probability that a state stays; the rest is shared evenly.
    pub diagonal: f64,
    /// Movement `[from][to]`.
    pub movement: Vec<Vec<Movement>>,
    /// Length of a bin, centimetres.
    pub cm_per_bin: f64,
    /// Standard deviation of the random walk, centimetres.
    pub gaussian_std: f64,
}

/// Everything that the `realtime` likelihood is set up by; defaults are those of spec 8.1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RealtimeConfig {
    /// What decodes.
    pub algorithm: Algorithm,
    /// Number of the decoder, as records carry it.
    pub rank: i32,
    /// Electrodes in order; empty: those of the recording.
    pub electrodes: Vec<u16>,
    /// Samples of the spike clock per second.
    pub clock: f64,
    /// Samples of the local field potential per second.
    pub lfp_rate: f64,
    /// Train no marks and no occupancy.
    pub frozen: bool,
    /// Place bins.
    pub bins: Bins,
    /// Marks without a channel above this are passed over.
    pub spike_amplitude: f64,
    /// Channels of a mark.
    pub mark_dim: usize,
    /// Marks kept of each electrode.
    pub marks: usize,
    /// Speed from which on the animal trains.
    pub velocity_threshold: f64,
    /// Channels farther than this from the one of the greatest value are zeroed where an electrode
    /// has more than twice as many and one; None: never.
    pub channel_distance: Option<usize>,
    /// Channels that are zeroed, for electrodes that have such.
    pub dead_channels: Vec<(u16, Vec<usize>)>,
    /// Kernel of the marks.
    pub kernel: MarkKernel,
    /// Spikes that wait for their tick.
    pub spike_buffer: usize,
    /// Samples of a time bin.
    pub bin_samples: i64,
    /// Samples that a tick lies behind its newest spike.
    pub delay_samples: i64,
    /// Credible share.
    pub credible_level: f64,
    /// Spikes of at most so many credible bins are named in a record.
    pub credible_max: i32,
    /// States of the classifier.
    pub classifier: Classifier,
    /// Sections of the file that nobody knows, for a warning.
    pub ignored: Vec<String>,
}

impl Default for Bins {
    fn default() -> Self {
        Bins { lower: 0.0, upper: 41.0, count: 41, arms: vec![[0, 8], [13, 24], [29, 40]] }
    }
}

impl Default for Classifier {
    fn default() -> Self {
        use Movement::{Identity, RandomWalk, Uniform};
        Classifier {
            states: ["stationary", "continuous", "fragmented"].map(String::from).to_vec(),
            diagonal: 0.98,
            movement: vec![
                vec![Identity, RandomWalk, Uniform],
                vec![Identity, RandomWalk, Uniform],
                vec![Uniform, Uniform, Uniform],
            ],
            cm_per_bin: 5.0,
            gaussian_std: 6.0,
        }
    }
}

impl Default for RealtimeConfig {
    fn default() -> Self {
        RealtimeConfig {
            algorithm: Algorithm::Decoder,
            rank: 1,
            electrodes: Vec::new(),
            clock: 30_000.0,
            lfp_rate: 1500.0,
            frozen: false,
            bins: Bins::default(),
            spike_amplitude: 100.0,
            mark_dim: 4,
            marks: 50_000,
            velocity_threshold: 10.0,
            channel_distance: None,
            dead_channels: Vec::new(),
            kernel: MarkKernel { std: 20.0, use_filter: true, n_std: 1.0, n_marks_min: 10 },
            spike_buffer: 2000,
            bin_samples: 180,
            delay_samples: 180,
            credible_level: 0.5,
            credible_max: 5,
            classifier: Classifier::default(),
            ignored: Vec::new(),
        }
    }
}

/// Sections of the peer's file that do not concern the decoding.
const PASSED_OVER: &[&str] = &[
    "datasource",
    "rank",
    "rank_settings",
    "kinematics",
    "display",
    "ripples",
    "stimulation",
    "stim_decider",
    "mua",
    "trodes",
    "trodes_network",
    "files",
    "preprocess",
    "gui",
    "num_setup_messages",
    "cloud",
    "server_address",
    "clusterless_estimator",
];

impl RealtimeConfig {
    /// Reads the text of `place`, a file.
    ///
    /// # Errors
    /// [`Error::Data`] that names the key, what was found and what was expected.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let root: Value = serde_json::from_str(text)
            .map_err(|e| Error::data(place, format!("no JSON: {e}"), "a JSON object", ""))?;
        let mut root = Section::root(place, &root)?;
        let mut config = RealtimeConfig::default();
        config.algorithm = root.choice(
            "algorithm",
            config.algorithm,
            &[("clusterless_decoder", Algorithm::Decoder), ("clusterless_classifier", Algorithm::Classifier)],
        )?;
        config.frozen = root.flag("frozen_model", config.frozen)?;
        if root.flag("preloaded_model", false)? {
            return Err(root.bad("preloaded_model", "true", "false: there is no stored model to go on from"));
        }
        config.assignment(&mut root)?;
        root.within("sampling_rate", |section| config.rates(section))?;
        root.within("encoder", |section| config.encoder(section))?;
        root.within("decoder", |section| config.decoder(section))?;
        root.within("clusterless_decoder", |section| {
            section.pass_over(&["state_labels"]);
            // Rows are normalised, so that any size of it means the same uniform movement.
            section.positive("transmat_bias", 1.0).map(drop)
        })?;
        root.within("clusterless_classifier", |section| config.classifier.read(section))?;
        root.within("cred_interval", |section| {
            config.credible_level = section.number("val", config.credible_level, (0.0, 1.0))?;
            config.credible_max =
                section.whole("max_num", config.credible_max as usize, (0, MOST_BINS))? as i32;
            Ok(())
        })?;
        root.pass_over(PASSED_OVER);
        config.ignored = root.rest();
        Ok(config)
    }

    /// The one decoder and its electrodes.
    fn assignment(&mut self, root: &mut Section) -> Result<()> {
        let Some(found) = root.take("decoder_assignment") else { return Ok(()) };
        let bad = |found: &Value| {
            let expected = "one decoder with its electrodes, such as {\"1\": [1, 2, 3]}";
            root.bad("decoder_assignment", &short(found), expected)
        };
        let decoders = found.as_object().filter(|all| all.len() == 1).ok_or_else(|| bad(found))?;
        let (rank, electrodes) = decoders.iter().next().ok_or_else(|| bad(found))?;
        self.rank = rank.parse().ok().filter(|rank| *rank >= 0).ok_or_else(|| bad(found))?;
        let number = |one: &Value| one.as_u64().and_then(|n| u16::try_from(n).ok());
        let electrodes = electrodes.as_array().map(|all| all.iter().map(number).collect::<Option<Vec<_>>>());
        self.electrodes = electrodes.flatten().ok_or_else(|| bad(found))?;
        match (1..self.electrodes.len()).find(|&at| self.electrodes[..at].contains(&self.electrodes[at])) {
            None => Ok(()),
            Some(at) => {
                let found = format!("electrode {} twice", self.electrodes[at]);
                Err(root.bad("decoder_assignment", &found, "each electrode once"))
            }
        }
    }

    fn rates(&mut self, section: &mut Section) -> Result<()> {
        self.clock = section.positive("spikes", self.clock)?;
        self.lfp_rate = section.positive("lfp", self.lfp_rate)?;
        section.positive("position", 30.0).map(drop)
    }

    fn encoder(&mut self, section: &mut Section) -> Result<()> {
        self.spike_amplitude = section.number("spk_amp", self.spike_amplitude, (f64::MIN, f64::MAX))?;
        self.mark_dim = section.whole("mark_dim", self.mark_dim, (1, MOST_CHANNELS))?;
        self.marks = section.whole("bufsize", self.marks, (1, MOST_MARKS))?;
        self.velocity_threshold = section.number("vel_thresh", self.velocity_threshold, (0.0, f64::MAX))?;
        if section.has("use_channel_dist_from_max_amp") {
            let distance = section.whole("use_channel_dist_from_max_amp", 0, (0, MOST_CHANNELS))?;
            self.channel_distance = Some(distance);
        }
        section.pass_over(&["timings_bufsize", "num_pos_points"]);
        let bins = &mut self.bins;
        section.within("position", |position| bins.read(position))?;
        let kernel = &mut self.kernel;
        section.within("mark_kernel", |marks| kernel.read(marks))?;
        self.dead_channels = dead_channels(section, self.mark_dim)?;
        Ok(())
    }

    fn decoder(&mut self, section: &mut Section) -> Result<()> {
        self.spike_buffer = section.whole("bufsize", self.spike_buffer, (1, MOST_MARKS))?;
        let slots = super::engine::SLOTS;
        if section.whole("cred_int_bufsize", slots, (1, MOST_BINS))? != slots {
            let expected = format!("{slots}: a record has so many slots");
            return Err(section.bad("cred_int_bufsize", "another number", &expected));
        }
        section.pass_over(&["timings_bufsize", "num_pos_points"]);
        let (bin, delay) = (&mut self.bin_samples, &mut self.delay_samples);
        section.within("time_bin", |time| {
            *bin = time.whole("samples", *bin as usize, (1, u32::MAX as usize))? as i64;
            *delay = time.whole("delay_samples", *delay as usize, (0, u32::MAX as usize))? as i64;
            Ok(())
        })
    }

    /// Length of a time bin, seconds.
    pub fn bin_seconds(&self) -> f64 {
        self.bin_samples as f64 / self.clock
    }
}

impl Bins {
    fn read(&mut self, section: &mut Section) -> Result<()> {
        let given = ["lower", "upper", "num_bins"].iter().any(|key| section.has(key));
        self.lower = section.number("lower", self.lower, (f64::MIN, f64::MAX))?;
        self.upper = section.number("upper", self.upper, (f64::MIN, f64::MAX))?;
        self.count = section.whole("num_bins", self.count, (1, MOST_BINS))?;
        let length = self.upper - self.lower;
        if !(length > 0.0 && length.is_finite()) {
            let found = format!("{} with lower {}", self.upper, self.lower);
            return Err(section.bad("upper", &found, "a number above lower"));
        }
        section.pass_over(&["arm_ids"]);
        match section.take("arm_coords") {
            Some(found) => self.arms = self.read_arms(found, section)?,
            // The arms of the defaults belong to the bins of the defaults.
            None if given => self.arms = vec![[0, self.count - 1]],
            None => {}
        }
        Ok(())
    }

    fn read_arms(&self, found: &Value, section: &Section) -> Result<Vec<[usize; 2]>> {
        let expected = format!("first and last bin of each arm, rising, below num_bins {}", self.count);
        let bad = || section.bad("arm_coords", &short(found), &expected);
        let arms: Vec<[usize; 2]> = serde_json::from_value(found.clone()).map_err(|_| bad())?;
        let within = arms.iter().all(|&[first, last]| first <= last && last < self.count);
        let apart = arms.windows(2).all(|two| two[0][1] < two[1][0]);
        if arms.is_empty() || !within || !apart { Err(bad()) } else { Ok(arms) }
    }

    /// Width of a bin.
    pub fn delta(&self) -> f64 {
        (self.upper - self.lower) / self.count as f64
    }

    /// Centres of the bins.
    pub fn centers(&self) -> Vec<f64> {
        let delta = self.delta();
        (0..self.count).map(|bin| self.lower + (bin as f64 + 0.5) * delta).collect()
    }
}

impl MarkKernel {
    fn read(&mut self, section: &mut Section) -> Result<()> {
        if section.number("mean", 0.0, (f64::MIN, f64::MAX))? != 0.0 {
            return Err(section.bad("mean", "another number", "0: the kernel lies on the mark"));
        }
        self.std = section.positive("std", self.std)?;
        self.use_filter = section.flag("use_filter", self.use_filter)?;
        self.n_std = section.positive("n_std", self.n_std)?;
        self.n_marks_min = section.whole("n_marks_min", self.n_marks_min, (0, MOST_MARKS))?;
        Ok(())
    }
}

impl Classifier {
    fn read(&mut self, section: &mut Section) -> Result<()> {
        if let Some(found) = section.take("state_labels") {
            let names: Option<Vec<String>> = serde_json::from_value(found.clone()).ok();
            let distinct = |names: &Vec<String>| {
                (1..=MOST_STATES).contains(&names.len())
                    && (1..names.len()).all(|at| !names[..at].contains(&names[at]))
            };
            self.states = names.filter(distinct).ok_or_else(|| {
                section.bad("state_labels", &short(found), "names that differ, at least one")
            })?;
        }
        let diagonal = &mut self.diagonal;
        section.within("discrete_transition", |discrete| {
            discrete.pass_only("type", "strong_diagonal")?;
            *diagonal = discrete.number("diagonal", *diagonal, (0.0, 1.0))?;
            Ok(())
        })?;
        let mut movement = None;
        let (cm, std) = (&mut self.cm_per_bin, &mut self.gaussian_std);
        section.within("continuous_transition", |continuous| {
            *cm = continuous.positive("cm_per_bin", *cm)?;
            *std = continuous.positive("gaussian_std", *std)?;
            if let Some(found) = continuous.take("type") {
                movement = Some(movements(found).ok_or_else(|| {
                    let expected = "rows of identity, random_walk or uniform, a row per state";
                    continuous.bad("type", &short(found), expected)
                })?);
            }
            Ok(())
        })?;
        self.movement = movement.unwrap_or_else(|| std::mem::take(&mut self.movement));
        let states = self.states.len();
        if self.movement.len() != states || self.movement.iter().any(|row| row.len() != states) {
            let expected = format!("{states} rows of {states}, as many as state_labels");
            let found = format!("{} row(s)", self.movement.len());
            return Err(section.bad("continuous_transition.type", &found, &expected));
        }
        Ok(())
    }
}

fn movements(found: &Value) -> Option<Vec<Vec<Movement>>> {
    let one = |name: &Value| match name.as_str()? {
        "identity" => Some(Movement::Identity),
        "random_walk" => Some(Movement::RandomWalk),
        "uniform" => Some(Movement::Uniform),
        _ => None,
    };
    found.as_array()?.iter().map(|row| row.as_array()?.iter().map(one).collect()).collect()
}

/// Electrode to its dead channels.
fn dead_channels(section: &mut Section, channels: usize) -> Result<Vec<(u16, Vec<usize>)>> {
    let Some(found) = section.take("dead_channels") else { return Ok(Vec::new()) };
    let expected = format!("electrodes with lists of channels below {channels}, such as {{\"3\": [0, 2]}}");
    let bad = || section.bad("dead_channels", &short(found), &expected);
    let all = found.as_object().ok_or_else(bad)?;
    let one = |(electrode, dead): (&String, &Value)| {
        let dead: Vec<usize> = serde_json::from_value(dead.clone()).ok()?;
        let known = dead.iter().all(|&channel| channel < channels);
        known.then_some(())?;
        Some((electrode.parse().ok()?, dead))
    };
    all.iter().map(one).collect::<Option<Vec<_>>>().ok_or_else(bad)
}

/// A value as text, cut where it is long.
fn short(value: &Value) -> String {
    super::json::short(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        RealtimeConfig::from_json(text, "c.json").unwrap_err().to_string()
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let config = RealtimeConfig::from_json("{}", "c.json").unwrap();
        assert_eq!(config, RealtimeConfig::default());
        assert_eq!(config.bin_seconds(), 0.006);
        assert_eq!(config.bins.centers()[40], 40.5);
    }

    #[test]
    fn the_peers_files_are_read() {
        for (folder, algorithm, electrodes) in
            [("realtime", Algorithm::Decoder, 4), ("realtime_classifier", Algorithm::Classifier, 3)]
        {
            let path = format!("{}/fixtures/decode/{folder}/config.json", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap();
            let config = RealtimeConfig::from_json(&text, &path).unwrap();
            assert_eq!((config.algorithm, config.electrodes.len()), (algorithm, electrodes));
            assert_eq!((config.marks, config.channel_distance, config.rank), (500, Some(2), 1));
            assert_eq!(config.ignored, [""; 0]);
            let expected = RealtimeConfig {
                marks: 500,
                algorithm,
                electrodes: config.electrodes.clone(),
                channel_distance: Some(2),
                ..RealtimeConfig::default()
            };
            assert_eq!(config, expected);
        }
    }

    #[test]
    fn bad_values_are_refused_by_key() {
        for (text, key) in [
            ("[]", "an object"),
            ("{", "JSON"),
            ("{\"algorithm\": \"x\"}", "algorithm"),
            ("{\"preloaded_model\": true}", "preloaded_model"),
            ("{\"encoder\": 3}", "encoder"),
            ("{\"encoder\": {\"bufsize\": 0}}", "encoder.bufsize"),
            ("{\"encoder\": {\"bufsize\": 1e30}}", "encoder.bufsize"),
            ("{\"encoder\": {\"bufsize\": 2.5}}", "encoder.bufsize"),
            ("{\"encoder\": {\"bufsiz\": 5}}", "encoder.bufsiz"),
            ("{\"encoder\": {\"mark_kernel\": {\"std\": 0}}}", "encoder.mark_kernel.std"),
            ("{\"encoder\": {\"mark_kernel\": {\"std\": \"20\"}}}", "encoder.mark_kernel.std"),
            ("{\"encoder\": {\"mark_kernel\": {\"mean\": 1}}}", "encoder.mark_kernel.mean"),
            ("{\"encoder\": {\"position\": {\"upper\": -1}}}", "encoder.position.upper"),
            ("{\"encoder\": {\"position\": {\"arm_coords\": [[3, 1]]}}}", "encoder.position.arm_coords"),
            ("{\"encoder\": {\"position\": {\"arm_coords\": [[0, 41]]}}}", "encoder.position.arm_coords"),
            ("{\"encoder\": {\"dead_channels\": {\"1\": [4]}}}", "encoder.dead_channels"),
            ("{\"decoder\": {\"cred_int_bufsize\": 9}}", "decoder.cred_int_bufsize"),
            ("{\"decoder\": {\"time_bin\": {\"samples\": 0}}}", "decoder.time_bin.samples"),
            ("{\"decoder_assignment\": {\"1\": [1, 1]}}", "decoder_assignment"),
            ("{\"decoder_assignment\": {\"1\": [1], \"2\": [2]}}", "decoder_assignment"),
            ("{\"decoder_assignment\": {\"1\": [70000]}}", "decoder_assignment"),
            ("{\"clusterless_classifier\": {\"state_labels\": [\"a\"]}}", "clusterless_classifier"),
            (
                "{\"clusterless_classifier\": {\"discrete_transition\": {\"type\": [\"x\"]}}}",
                "discrete_transition.type",
            ),
            ("{\"cred_interval\": {\"val\": 2}}", "cred_interval.val"),
            ("{\"sampling_rate\": {\"spikes\": -1}}", "sampling_rate.spikes"),
        ] {
            let message = refused(text);
            assert!(message.contains(key) && message.starts_with("c.json"), "{text}: {message}");
            assert_eq!(message.lines().count(), 1);
        }
    }

    #[test]
    fn strange_sections_are_told_and_arms_follow_the_bins() {
        let text = "{\"lamp\": {\"on\": 1}, \"encoder\": {\"position\": {\"num_bins\": 20, \"upper\": 10}}}";
        let config = RealtimeConfig::from_json(text, "c.json").unwrap();
        assert_eq!(config.ignored, ["lamp"]);
        assert_eq!((config.bins.arms.as_slice(), config.bins.delta()), (&[[0, 19]][..], 0.5));
    }
}

//! Reading the set-up from JSON, key by key.

use super::{Algorithm, Bins, Classifier, MOST_CHANNELS, MarkKernel, Movement, RealtimeConfig};
use crate::commands::decode::stream::engine::SLOTS;
use crate::commands::decode::stream::json::{Section, short};
use crate::error::{Error, Result};
use serde_json::Value;

/// Most bins, marks of an electrode, and so on: what memory is sized by must not be absurd.
const MOST_BINS: usize = 10_000;
const MOST_MARKS: usize = 50_000_000;
const MOST_STATES: usize = 64;
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
        if section.whole("cred_int_bufsize", SLOTS, (1, MOST_BINS))? != SLOTS {
            let expected = format!("{SLOTS}: a record has so many slots");
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

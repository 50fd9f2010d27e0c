//! Reading the state, ours or the peer's.

use super::super::channels::ChannelKind;
use super::super::fitted::{Fitted, FittedState};
use super::super::recording::Recording;
use super::{ROOT, key};
use crate::array::{ByteOrder, Dtype, to_f64};
use crate::error::{Error, Result};
use crate::io::{self, Block, Container, Entry, StoredType};
use std::collections::HashMap;
use std::path::Path;

/// Values of one entry read at most; the largest is the loss of a type.
const MOST_VALUES: u64 = 16 << 20;
/// The seed where the peer was given none.
const NO_SEED: u32 = 42;

/// Reads a state for `recording`, whose channels must be those it was fitted on.
///
/// # Errors
/// No such state, an incomplete one, or one of other channels.
pub fn read(path: &Path, recording: &Recording) -> Result<FittedState> {
    let container = io::open(path)?;
    let mut entries = HashMap::new();
    for entry in container.list()? {
        match entry {
            Entry::Group(path) => entries.insert(path, None),
            Entry::Dataset(info) => entries.insert(info.path.clone(), Some(info.shape)),
            Entry::Link(..) => None,
        };
    }
    let stored = Stored { container, entries, place: path.display().to_string() };
    if !stored.entries.contains_key(ROOT) {
        let found = "no group 'autoreject'";
        return Err(Error::data(stored.place, found, "a state saved by autoreject or nissl", ""));
    }
    let consensus = stored.numbers("consensus")?;
    let n_interpolate = stored.integers("n_interpolate")?;
    let cv = stored.index("cv")?;
    let picks = stored
        .integers("picks_")?
        .into_iter()
        .map(|pick| stored.pick(pick, recording))
        .collect::<Result<Vec<_>>>()?;
    let grid = [consensus.len(), n_interpolate.len(), cv];
    let mut groups = stored
        .keys("consensus_")
        .into_iter()
        .map(|kind| stored.one_type(&kind, grid, recording))
        .collect::<Result<Vec<Fitted>>>()?;
    groups.sort_by_key(|fitted| fitted.picks.first().copied());
    let mut together: Vec<usize> = groups.iter().flat_map(|fitted| fitted.picks.iter().copied()).collect();
    together.sort_unstable();
    if together != picks {
        let found = format!("{} picks, {} of them with a type", picks.len(), together.len());
        return Err(Error::data(stored.place_of("picks_"), found, "the picks of its types", DAMAGED));
    }
    Ok(FittedState {
        consensus,
        n_interpolate,
        cv,
        seed: stored.seed()?,
        thresh_method: stored.text("thresh_method")?,
        picks,
        groups,
    })
}

const DAMAGED: &str = "the state is damaged; fit again";

struct Stored {
    container: Box<dyn Container>,
    /// Paths with the shape of a dataset, or none of a group.
    entries: HashMap<String, Option<Vec<u64>>>,
    place: String,
}

impl Stored {
    fn path(&self, names: &str) -> String {
        let keys: Vec<String> = names.split('\n').map(key).collect();
        format!("{ROOT}/{}", keys.join("/"))
    }

    fn place_of(&self, names: &str) -> String {
        format!("{}:{}", self.place, self.path(names))
    }

    /// Numbers of one entry, whose dictionary keys stand in `names`, a line each; an array, or a
    /// list of single numbers.
    fn numbers(&self, names: &str) -> Result<Vec<f64>> {
        let path = self.path(names);
        match self.entries.get(&path) {
            Some(Some(_)) => self.dataset(&path),
            Some(None) => {
                let mut values = Vec::new();
                loop {
                    let item = format!("{path}/idx_{}", values.len());
                    if !self.entries.contains_key(&item) {
                        return Ok(values);
                    }
                    let found = self.dataset(&item)?;
                    let &[value] = &found[..] else {
                        let found = format!("{} values", found.len());
                        return Err(Error::data(format!("{}:{item}", self.place), found, "one", DAMAGED));
                    };
                    values.push(value);
                }
            }
            None => Err(Error::data(format!("{}:{path}", self.place), "nothing", "a fitted state", DAMAGED)),
        }
    }

    fn dataset(&self, path: &str) -> Result<Vec<f64>> {
        let dataset = self.container.dataset(path)?;
        let info = dataset.info();
        let place = || format!("{}:{path}", self.place);
        let (dtype, order) = match info.stored {
            StoredType::Number(dtype, order) => (dtype, order),
            StoredType::Bool => (Dtype::U8, ByteOrder::NATIVE),
            ref other => {
                return Err(Error::data(place(), format!("elements of type {other}"), "numbers", DAMAGED));
            }
        };
        let count = info.shape.iter().try_fold(1u64, |count, &n| count.checked_mul(n));
        let Some(count) = count.filter(|&count| count <= MOST_VALUES) else {
            return Err(Error::data(place(), format!("shape {:?}", info.shape), "a smaller array", DAMAGED));
        };
        let mut bytes = vec![0; count as usize * dtype.size()];
        dataset
            .read_block(&Block { start: vec![0; info.shape.len()], count: info.shape.clone() }, &mut bytes)?;
        let mut values = vec![0.0; count as usize];
        to_f64(&bytes, dtype, order, &mut values);
        Ok(values)
    }

    fn integers(&self, names: &str) -> Result<Vec<i64>> {
        let whole = |value: f64| {
            // Grids and picks are small; what float64 cannot hold exactly is none of them.
            if value.fract() == 0.0 && value.abs() < 1e15 {
                return Ok(value as i64);
            }
            Err(Error::data(self.place_of(names), format!("{value}"), "whole numbers", DAMAGED))
        };
        self.numbers(names)?.into_iter().map(whole).collect()
    }

    fn number(&self, names: &str) -> Result<f64> {
        match self.numbers(names)?[..] {
            [value] => Ok(value),
            ref found => {
                Err(Error::data(self.place_of(names), format!("{} values", found.len()), "one", DAMAGED))
            }
        }
    }

    fn index(&self, names: &str) -> Result<usize> {
        match self.integers(names)?[..] {
            [value] if value >= 0 => Ok(value as usize),
            ref found => Err(Error::data(self.place_of(names), format!("{found:?}"), "a count", DAMAGED)),
        }
    }

    fn text(&self, names: &str) -> Result<String> {
        let bytes = self.integers(names)?.into_iter().map(|byte| u8::try_from(byte).ok());
        let text = bytes.collect::<Option<Vec<u8>>>().and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| Error::data(self.place_of(names), "bytes that are no text", "text", DAMAGED))
    }

    /// The seed; the peer stores `False` where it was given none.
    fn seed(&self) -> Result<u32> {
        let names = "random_state";
        let dataset = self.container.dataset(&self.path(names))?;
        if dataset.info().stored == StoredType::Bool {
            return Ok(NO_SEED);
        }
        let value = self.integers(names)?;
        match value[..] {
            [seed] if (0..=i64::from(u32::MAX)).contains(&seed) => Ok(seed as u32),
            _ => Err(Error::data(self.place_of(names), format!("{value:?}"), "0..4294967295", DAMAGED)),
        }
    }

    /// Keys of a dictionary, sorted.
    fn keys(&self, names: &str) -> Vec<String> {
        let lead = format!("{}/key_", self.path(names));
        let below = self.entries.keys().filter_map(|path| path.strip_prefix(&lead));
        let mut keys: Vec<String> =
            below.filter(|rest| !rest.contains('/')).map(|key| key.replace("{FWDSLASH}", "/")).collect();
        keys.sort();
        keys
    }

    fn pick(&self, pick: i64, recording: &Recording) -> Result<usize> {
        usize::try_from(pick).ok().filter(|&pick| pick < recording.channels()).ok_or_else(|| {
            let expected = format!("one of the {} channels of {}", recording.channels(), recording.place());
            let advice = "the state was fitted on another recording";
            Error::data(self.place_of("picks_"), format!("channel {pick}"), expected, advice)
        })
    }

    fn one_type(&self, kind: &str, grid: [usize; 3], recording: &Recording) -> Result<Fitted> {
        let names = |entry: &str| format!("{entry}\n{kind}");
        let picks = self.integers(&format!("local_reject_\n{kind}\npicks"))?;
        let mut picks = picks.into_iter().map(|p| self.pick(p, recording)).collect::<Result<Vec<_>>>()?;
        picks.sort_unstable();
        let (mut labels, mut thresholds) = (Vec::new(), Vec::new());
        for &pick in &picks {
            let channel = &recording.list()[pick];
            let entry = format!("threshes_\n{}", channel.name);
            if !self.entries.contains_key(&self.path(&entry)) || channel.kind != ChannelKind::parse(kind) {
                let found = format!("no {} threshold of channel '{}'", kind, channel.name);
                let expected = format!("one for each pick of {}", recording.place());
                let advice = "the state was fitted on other channels; fit again";
                return Err(Error::data(self.place_of("threshes_"), found, expected, advice));
            }
            labels.push(channel.name.clone());
            thresholds.push(self.number(&entry)?);
        }
        let loss = self.numbers(&names("loss_"))?;
        if loss.len() != grid.iter().product::<usize>() {
            let found = format!("{} losses", loss.len());
            return Err(Error::data(
                self.place_of(&names("loss_")),
                found,
                format!("those of a grid {grid:?}"),
                DAMAGED,
            ));
        }
        let n_interpolate = self.index(&names("n_interpolate_"))? as i64;
        let consensus = self.number(&names("consensus_"))?;
        Ok(Fitted {
            kind: ChannelKind::parse(kind),
            picks,
            names: labels,
            thresholds,
            consensus,
            n_interpolate,
            loss,
        })
    }
}

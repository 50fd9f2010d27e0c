//! What stands beside the epochs in their file: names, types, positions, rate, bad marks.

use super::channels::ChannelKind;
use super::sources::Stated;
use crate::array::to_f64;
use crate::error::{Error, Result};
use crate::io::{Block, Container, Dataset, Entry, StoredType};
use std::sync::Arc;

/// Values of a fellow read at most; positions of a million channels would fit.
const MOST_VALUES: u64 = 4 << 20;

/// The datasets beside one.
pub(super) struct Fellows<'a> {
    pub container: &'a dyn Container,
    pub entries: &'a [Entry],
    /// The dataset whose fellows they are.
    pub dataset: &'a str,
}

impl Fellows<'_> {
    /// All that the file says of its `count` channels.
    pub fn channels(&self, count: usize) -> Result<Stated> {
        let one_each = |what: &str, found: usize| {
            if found == count {
                return Ok(());
            }
            let expected = format!("{count}, one per channel");
            Err(Error::data(self.place(what), format!("{found} values"), expected, "write it anew"))
        };
        let names = self.texts("ch_names")?;
        if let Some(names) = &names {
            one_each("ch_names", names.len())?;
        }
        let kinds = self.texts("ch_types")?;
        if let Some(kinds) = &kinds {
            one_each("ch_types", kinds.len())?;
        }
        Ok(Stated {
            names,
            kinds: kinds.map(|kinds| kinds.iter().map(|kind| ChannelKind::parse(kind)).collect()),
            positions: self.positions(count)?,
            bads: self.texts("bads")?.unwrap_or_default(),
        })
    }

    /// A single number, where there is one of this name.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        let Some((shape, values)) = self.numbers(name)? else { return Ok(None) };
        match values[..] {
            [value] => Ok(Some(value)),
            _ => Err(Error::data(self.place(name), format!("shape {shape:?}"), "one number", "")),
        }
    }

    fn positions(&self, count: usize) -> Result<Option<Vec<Option<[f64; 3]>>>> {
        let Some((shape, values)) = self.numbers("ch_pos")? else { return Ok(None) };
        if shape != [count as u64, 3] {
            let expected = format!("[{count}, 3]: x, y, z in metres for each channel");
            return Err(Error::data(self.place("ch_pos"), format!("shape {shape:?}"), expected, ""));
        }
        let (rows, _) = values.as_chunks::<3>();
        // Channels without a place have NaN in all three.
        let place = |row: &[f64; 3]| (!row.iter().all(|v| v.is_nan())).then_some(*row);
        Ok(Some(rows.iter().map(place).collect()))
    }

    fn place(&self, name: &str) -> String {
        format!("{}:{}", self.container.path().display(), self.path(name))
    }

    fn path(&self, name: &str) -> String {
        match self.dataset.trim_end_matches('/').rsplit_once('/') {
            Some((group, _)) => format!("{group}/{name}"),
            None => name.to_owned(),
        }
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn Dataset>>> {
        let path = self.path(name);
        let trimmed = path.trim_matches('/');
        let listed = self
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::Dataset(info) if info.path.trim_matches('/') == trimmed));
        if listed {
            return self.container.dataset(&path).map(Some);
        }
        // Soft and second hard links are not in the list, and open all the same.
        Ok(self.container.dataset(&path).ok())
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(dataset) = self.find(name)? else { return Ok(None) };
        let info = dataset.info();
        // h5py writes an empty list as an empty array of numbers.
        if info.shape.contains(&0) {
            return Ok(Some(Vec::new()));
        }
        if info.stored != StoredType::Text {
            let found = format!("elements of type {}", info.stored);
            return Err(Error::data(self.place(name), found, "text", ""));
        }
        let texts = dataset.read_text()?;
        Ok(Some(texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()))
    }

    fn numbers(&self, name: &str) -> Result<Option<(Vec<u64>, Vec<f64>)>> {
        let Some(dataset) = self.find(name)? else { return Ok(None) };
        let info = dataset.info();
        let StoredType::Number(dtype, order) = info.stored else {
            let found = format!("elements of type {}", info.stored);
            return Err(Error::data(self.place(name), found, "numbers", ""));
        };
        let count = info.shape.iter().try_fold(1u64, |count, &n| count.checked_mul(n));
        let Some(count) = count.filter(|&count| count <= MOST_VALUES) else {
            return Err(Error::data(
                self.place(name),
                format!("shape {:?}", info.shape),
                "a small array",
                "",
            ));
        };
        let mut bytes = vec![0; count as usize * dtype.size()];
        dataset
            .read_block(&Block { start: vec![0; info.shape.len()], count: info.shape.clone() }, &mut bytes)?;
        let mut values = vec![0.0; count as usize];
        to_f64(&bytes, dtype, order, &mut values);
        Ok(Some((info.shape.clone(), values)))
    }
}

//! Sections of a JSON file, read key by key so that a bad one can be named.

use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// One object of the file, and which of its keys were read.
pub(super) struct Section<'a> {
    place: &'a str,
    /// Dotted, with a point behind it; empty for the root.
    path: String,
    entries: &'a Map<String, Value>,
    read: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(place: &'a str, value: &'a Value) -> Result<Self> {
        let entries =
            value.as_object().ok_or_else(|| Error::data(place, short(value), "an object of sections", ""))?;
        Ok(Section { place, path: String::new(), entries, read: Vec::new() })
    }

    /// What to say of `key`.
    pub(super) fn bad(&self, key: &str, found: &str, expected: &str) -> Error {
        Error::data(format!("{}, {}{key}", self.place, self.path), found, expected, "")
    }

    /// True where `key` is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of `key`, which counts as read.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.read.push(key);
        self.entries.get(key)
    }

    /// Keys that may be there and say nothing here.
    pub(super) fn pass_over(&mut self, keys: &[&'static str]) {
        self.read.extend(keys);
    }

    /// Reads a section inside of this one, if it is there, and refuses what it left unread.
    pub(super) fn within(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'a>) -> Result<()>,
    ) -> Result<()> {
        let Some(value) = self.take(key) else { return Ok(()) };
        let entries = value.as_object().ok_or_else(|| self.bad(key, &short(value), "an object"))?;
        let path = format!("{}{key}.", self.path);
        let mut inner = Section { place: self.place, path, entries, read: Vec::new() };
        read(&mut inner)?;
        match inner.rest().first() {
            None => Ok(()),
            Some(strange) => {
                let expected = format!("one of {}", inner.read.join(", "));
                Err(inner.bad(strange, "a key that this section does not have", &expected))
            }
        }
    }

    /// Keys that nobody read.
    pub(super) fn rest(&self) -> Vec<String> {
        self.entries.keys().filter(|key| !self.read.contains(&key.as_str())).cloned().collect()
    }

    /// A finite number from `low` to `high`, both included.
    pub(super) fn number(&mut self, key: &'static str, default: f64, (low, high): (f64, f64)) -> Result<f64> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let number = value.as_f64().filter(|number| (low..=high).contains(number));
        let expected = || match (low, high) {
            (f64::MIN, f64::MAX) => "a number".to_owned(),
            (low, f64::MAX) => format!("a number of at least {low}"),
            (low, high) => format!("a number from {low} to {high}"),
        };
        number.ok_or_else(|| self.bad(key, &short(value), &expected()))
    }

    /// A finite number above 0.
    pub(super) fn positive(&mut self, key: &'static str, default: f64) -> Result<f64> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let number = value.as_f64().filter(|number| *number > 0.0 && number.is_finite());
        number.ok_or_else(|| self.bad(key, &short(value), "a number above 0"))
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        default: usize,
        (low, high): (usize, usize),
    ) -> Result<usize> {
        let Some(value) = self.take(key) else { return Ok(default) };
        // Python writes 50000.0 for a number that went through a division.
        let float =
            || value.as_f64().filter(|f| f.fract() == 0.0 && (0.0..9e15).contains(f)).map(|f| f as u64);
        let number = value.as_u64().or_else(float).and_then(|n| usize::try_from(n).ok());
        let number = number.filter(|n| (low..=high).contains(n));
        number.ok_or_else(|| self.bad(key, &short(value), &format!("a whole number from {low} to {high}")))
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.bad(key, &short(value), "true or false"))
    }

    /// One of some names.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        table: &[(&str, T)],
    ) -> Result<T> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let found = table.iter().find(|(name, _)| value.as_str() == Some(name));
        found.map(|(_, one)| *one).ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            self.bad(key, &short(value), &names.join(" or "))
        })
    }

    /// Refuses every value but `only`, alone or as a list of one.
    pub(super) fn pass_only(&mut self, key: &'static str, only: &str) -> Result<()> {
        let Some(value) = self.take(key) else { return Ok(()) };
        let one = match value.as_array().map(Vec::as_slice) {
            Some([one]) => one,
            _ => value,
        };
        if one.as_str() == Some(only) { Ok(()) } else { Err(self.bad(key, &short(value), only)) }
    }
}

/// A value as text, cut where it is long.
pub(super) fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

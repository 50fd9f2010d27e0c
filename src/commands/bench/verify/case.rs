//! `case.json`: what is run, and what must come of it (pure; fixtures/README.md tells the layout).
//!
//! A file holds `cases`, a list, and may hold `lists` that cases are repeated over
//! (`expand`); other fields beside these are for readers. Inside a case nothing
//! unknown is let through: a misspelt tolerance would be no tolerance.

use super::expand;
use super::steps::Step;
use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A case as written: its runs are told in one row while all agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name as written, with its braces.
    pub name: String,
    /// One run, or one for every combination of the rows of `each`.
    pub runs: Vec<Case>,
}

/// One command line and what it must give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique in its file.
    pub name: String,
    /// What it checks, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Words of the command line, `nissl` left out. `{case}` is the folder of the file, `{out}` an
    /// empty folder, and `{name}` an entry of `inputs`.
    pub command: Vec<String>,
    /// The exit code it must have.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exit: u8,
    /// Large inputs that lie elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Referenced>,
    /// What must come out.
    #[serde(default)]
    pub expect: Vec<Expect>,
}

/// A file (or folder) that is not stored with the case, and the check that it is still the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referenced {
    /// Where it lies; relative to the case's folder.
    pub path: String,
    /// Its size; of all files in a folder.
    pub bytes: u64,
    /// SHA-256 of its bytes; in a folder of the names, sizes and bytes of its files, in order.
    pub sha256: String,
}

/// One thing that must come out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// A file in `{out}`: `out.npy`, `out.nc:/acausal_posterior`, `log.npz:labels`, `summary.json`.
    /// `report.json` is the run's report.
    pub output: String,
    /// Of a JSON file, the value at this place: `/consensus/eeg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is taken from it before it is compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub take: Vec<Step>,
    /// The stored reference, written like `output`, beside the case file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Its place in a JSON file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_pointer: Option<String>,
    /// What is taken from the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_take: Vec<Step>,
    /// In place of a file: the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub equals: Option<Value>,
    /// What `null` in JSON stands for where it is compared with numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<Null>,
    /// Allowed difference, times the magnitude of the expected value.
    #[serde(default, skip_serializing_if = "is_none")]
    pub rtol: f64,
    /// Allowed difference, added to the relative one.
    #[serde(default, skip_serializing_if = "is_none")]
    pub atol: f64,
    /// Allowed difference, times the largest finite magnitude of the reference, added too.
    #[serde(default, skip_serializing_if = "is_none")]
    pub of_largest: f64,
    /// In place of these three, a rule that gives each cell its own tolerance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// So many cells may differ by more (ties that fall either way).
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub may_differ: usize,
    /// Cells (indices after `take`) that are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Vec<usize>>,
    /// The element types must be equal, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_type: bool,
    /// Why the tolerance is what it is, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Expect {
    /// The tolerance in words: `0`, `1e-9 rel`, `1e-4 + 3e-6 rel`, `rounding`.
    pub fn allowed(&self) -> String {
        if self.rule.is_some() {
            return "rounding".into();
        }
        let told = [(self.atol, ""), (self.rtol, " rel"), (self.of_largest, " of largest")];
        let told = told.iter().filter(|(value, _)| *value > 0.0).map(|(value, of)| format!("{value:e}{of}"));
        let told = told.collect::<Vec<_>>().join(" + ");
        if told.is_empty() { "0".into() } else { told }
    }
}

/// What null stands for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Null {
    /// Positive infinity.
    Inf,
    /// Not a number.
    Nan,
}

impl Null {
    /// As a number.
    pub fn value(self) -> f64 {
        match self {
            Null::Inf => f64::INFINITY,
            Null::Nan => f64::NAN,
        }
    }
}

/// Tolerances by rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Tiers T1 and T2 of fixtures/README.md.
    Focal(Focal),
}

/// A convolution whose rounding bounds the difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// The raster, beside the case file.
    pub raster: String,
    /// The kernel.
    pub kernel: String,
    /// `nan`, `nearest`, `reflect`, `wrap` or `reflect101`.
    pub boundary: String,
    /// The peer rounded each product to float32.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rounded_products: bool,
}

fn is_zero(code: &u8) -> bool {
    *code == 0
}

fn is_none(tolerance: &f64) -> bool {
    *tolerance == 0.0
}

fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}

/// `"equals": null` is a value, too.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a case file; `file` names it in messages.
///
/// # Errors
/// [`Error::Data`] with the file and the place in it (`/cases/2/expect/0`).
pub fn parse(text: &str, file: &str) -> Result<Vec<Family>> {
    let root: Value = serde_json::from_str(text)
        .map_err(|e| Error::data(file, format!("text that is no JSON ({e})"), "a case file", ""))?;
    let lists = match root.get("lists") {
        None => Map::new(),
        Some(Value::Object(lists)) => lists.clone(),
        Some(_) => return Err(Error::data(format!("{file}, /lists"), "no object", "lists by name", "")),
    };
    let cases = root.get("cases").and_then(Value::as_array).filter(|cases| !cases.is_empty());
    let advice = "see fixtures/README.md, or make one with nissl bench --record";
    let cases = cases.ok_or_else(|| Error::data(file, "no cases", "a list \"cases\"", advice))?;
    let mut families: Vec<Family> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let place = format!("{file}, /cases/{at}");
        let name = case.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let runs = expand::expand(case, &lists, &place)?;
        let runs = runs.into_iter().map(|run| read(run, &place)).collect::<Result<Vec<_>>>()?;
        families.push(Family { name, runs });
    }
    distinct(&families, file)?;
    Ok(families)
}

fn distinct(families: &[Family], file: &str) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    match families.iter().flat_map(|f| &f.runs).find(|run| !names.insert(run.name.as_str())) {
        Some(twice) => {
            let found = format!("the name '{}' twice", twice.name);
            Err(Error::data(format!("{file}, /cases"), found, "names that tell cases apart", ""))
        }
        None => Ok(()),
    }
}

/// One run; what serde says of a part gets the part's place.
fn read(mut value: Value, place: &str) -> Result<Case> {
    let expects = value.as_object_mut().and_then(|object| object.remove("expect"));
    let mut case: Case = typed(value, place)?;
    let place = format!("{place}/expect");
    match expects {
        None => {}
        Some(Value::Array(expects)) => {
            for (at, expect) in expects.into_iter().enumerate() {
                let place = format!("{place}/{at}");
                let expect: Expect = typed(expect, &place)?;
                check_expect(&expect)
                    .map_err(|(found, expected)| Error::data(&place, found, expected, ""))?;
                case.expect.push(expect);
            }
        }
        Some(_) => return Err(Error::data(place, "no list", "a list of what must come out", "")),
    }
    check(&case)
        .map_err(|(found, expected)| Error::data(place.trim_end_matches("/expect"), found, expected, ""))?;
    Ok(case)
}

fn typed<T: for<'de> Deserialize<'de>>(value: Value, place: &str) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|e| Error::data(place, e.to_string(), "the fields of fixtures/README.md", ""))
}

/// What is wrong: found, and expected.
type Wrong = (String, &'static str);

const COMMANDS: [&str; 3] = ["autoreject", "convolve", "decode"];

fn check(case: &Case) -> Result<(), Wrong> {
    if case.name.trim().is_empty() {
        return Err(("a case without a name".into(), "a name"));
    }
    let first = case.command.first().map_or("", String::as_str);
    if !COMMANDS.contains(&first) {
        return Err((format!("the command '{first}'"), "autoreject, convolve or decode"));
    }
    let known = |name: &str| name == "case" || name == "out" || case.inputs.contains_key(name);
    for word in &case.command {
        if let Some(name) = expand::names(word).find(|name| !known(name)) {
            return Err((format!("{{{name}}} in '{word}'"), "{case}, {out}, or a name of /inputs"));
        }
    }
    if let Some(output) = output_of(&case.command)
        && !output.starts_with("{out}/")
    {
        return Err((format!("the output {output}"), "an output in {out}/, which is a temporary folder"));
    }
    // A run that only has to end is a check of its exit code alone.
    if case.expect.is_empty() && case.exit == 0 {
        return Err(("nothing expected".into(), "at least one entry of \"expect\""));
    }
    Ok(())
}

/// The value of `-o` or `--output`, if any.
pub fn output_of(command: &[String]) -> Option<&str> {
    let mut words = command.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--output" => return words.next().map(String::as_str),
            "--" => return None,
            word if word.starts_with("--output=") => return word.strip_prefix("--output="),
            word if word.starts_with("-o") && !word.starts_with("--") => return word.strip_prefix("-o"),
            _ => {}
        }
    }
    None
}

fn check_expect(expect: &Expect) -> Result<(), Wrong> {
    for (name, tolerance) in [("rtol", expect.rtol), ("atol", expect.atol), ("of_largest", expect.of_largest)]
    {
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            return Err((format!("{name} {tolerance}"), "a number from 0 up"));
        }
        if expect.rule.is_some() && tolerance != 0.0 {
            return Err((format!("{name} beside a rule"), "one of the two"));
        }
    }
    if expect.expected.is_some() == expect.equals.is_some() {
        return Err((
            "both or neither of them".into(),
            "either \"expected\" (a file) or \"equals\" (a value)",
        ));
    }
    let is_json = |name: &str| name.ends_with(".json");
    if expect.pointer.is_some() && !is_json(&expect.output) {
        return Err((format!("a pointer into {}", expect.output), "a pointer into a .json file"));
    }
    if expect.expected_pointer.is_some() && !expect.expected.as_deref().is_some_and(is_json) {
        return Err(("an expected_pointer without a .json file".into(), "\"expected\": \"FILE.json\""));
    }
    let escapes = |path: &str| path.starts_with('/') || path.split('/').any(|part| part == "..");
    if escapes(&expect.output) {
        return Err((format!("the output {}", expect.output), "a file in {out}, without .."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

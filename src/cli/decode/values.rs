//! Values of `decode`'s flags: how each is typed, and what is said when it is not.

use crate::cli::common::{Listed, distinct, list};
use crate::commands::decode::options::{Interior, Likelihood, LogFloor, Model, Precision, Save};
use crate::commands::decode::stream::options::{Likelihood as StreamLikelihood, Ticks};
use crate::error::{Error, Result};
use std::path::PathBuf;

/// `--model`.
pub const MODELS: [(&str, Model); 4] = [
    ("decoder", Model::Decoder),
    ("contfrag", Model::Contfrag),
    ("nonlocal", Model::Nonlocal),
    ("nospike-contfrag", Model::NospikeContfrag),
];

/// `--likelihood`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tells {
    /// Of a whole recording.
    Whole(Likelihood),
    /// Tick by tick.
    Stream(StreamLikelihood),
}

/// `--likelihood`.
pub const LIKELIHOODS: [(&str, Tells); 4] = [
    ("clusterless", Tells::Whole(Likelihood::Clusterless)),
    ("sorted", Tells::Whole(Likelihood::Sorted)),
    ("realtime", Tells::Stream(StreamLikelihood::Realtime)),
    ("kde", Tells::Stream(StreamLikelihood::Kde)),
];

/// `--algorithm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    /// The cheapest within the default guarantee.
    Exact,
    /// The plain product.
    Direct,
    /// What a tolerance allows.
    Approx,
}

/// `--algorithm`.
pub const ALGORITHMS: [(&str, Way); 3] =
    [("exact", Way::Exact), ("direct", Way::Direct), ("approx", Way::Approx)];

/// `--precision`.
pub const PRECISIONS: [(&str, Precision); 2] = [("f32", Precision::F32), ("f64", Precision::F64)];

/// `--rate-units`: true for seconds.
pub const RATE_UNITS: [(&str, bool); 2] = [("samples", false), ("seconds", true)];

const SAVES: [(&str, Save); 7] = [
    ("filter", Save::Filter),
    ("predictive", Save::Predictive),
    ("loglik", Save::Loglik),
    ("map", Save::Map),
    ("mean", Save::Mean),
    ("hpd", Save::Hpd),
    ("viterbi", Save::Viterbi),
];

/// Intervals as one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals(pub Vec<(f64, f64)>);

/// `--discrete-transition`: rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix(pub Vec<Vec<f64>>);

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64> {
    number(text)
        .filter(|&value| value > 0.0)
        .ok_or_else(|| Error::usage(format!("'{text}': expected a number above 0")))
}

/// `--tick`: seconds, or `records`.
pub fn ticks(text: &str) -> Result<Ticks> {
    match text.trim() {
        "records" => Ok(Ticks::Records),
        other => positive(other).map(Ticks::Every).map_err(|_| {
            Error::usage(format!("'{other}': expected seconds above 0, such as 0.006, or records"))
        }),
    }
}

/// Numbers above 0, by commas.
pub fn positives(text: &str) -> Result<Listed<f64>> {
    list(text, positive).map(Listed)
}

/// Probabilities, by commas.
pub fn probabilities(text: &str) -> Result<Listed<f64>> {
    let one = |part: &str| {
        number(part)
            .filter(|value| (0.0..=1.0).contains(value))
            .ok_or_else(|| Error::usage(format!("'{part}' is no probability; expected numbers from 0 to 1")))
    };
    list(text, one).map(Listed)
}

/// Rows by semicolons, numbers by blanks or commas; a single row is the diagonal.
pub fn matrix(text: &str) -> Result<Matrix> {
    let rows = text.trim().trim_end_matches(';').split(';');
    let rows = rows.map(|row| {
        let words = row.split([' ', ',', '\t']).filter(|word| !word.is_empty());
        words.map(|word| probabilities(word).map(|Listed(values)| values)).collect::<Result<Vec<_>>>()
    });
    let rows: Vec<Vec<f64>> = rows.map(|row| row.map(|r| r.concat())).collect::<Result<_>>()?;
    let square = |row: &Vec<f64>| row.len() == rows.len();
    if rows.iter().all(square) || (rows.len() == 1 && !rows[0].is_empty()) {
        return Ok(Matrix(rows));
    }
    Err(Error::usage(format!(
        "'{text}': expected a square matrix such as \"0.98 0.02; 0.02 0.98\", or its diagonal \"0.98 0.98\""
    )))
}

fn pair(part: &str) -> Result<(f64, f64)> {
    match part.split_once(':').map(|(a, b)| (number(a), number(b))) {
        Some((Some(a), Some(b))) if a < b => Ok((a, b)),
        _ => Err(Error::usage(format!("'{part}': expected two numbers LOW:HIGH, the second one greater"))),
    }
}

/// `--encode-interval`: in order and apart, so that no sample is meant twice.
pub fn intervals(text: &str) -> Result<Intervals> {
    let found = list(text, pair)?;
    match found.windows(2).find(|two| two[1].0 <= two[0].1) {
        Some(two) => Err(Error::usage(format!(
            "{}:{} does not come after {}:{}; expected intervals in order that do not touch",
            two[1].0, two[1].1, two[0].0, two[0].1
        ))),
        None => Ok(Intervals(found)),
    }
}

/// `--position-range`: one per axis.
pub fn ranges(text: &str) -> Result<Intervals> {
    list(text, pair).map(Intervals)
}

/// `--time`.
pub fn time(text: &str) -> Result<(f64, f64, f64)> {
    let parts: Vec<Option<f64>> = text.split(':').map(number).collect();
    match parts[..] {
        [Some(start), Some(stop), Some(step)] if stop > start && step > 0.0 => Ok((start, stop, step)),
        _ => Err(Error::usage(format!(
            "'{text}': expected START:STOP:STEP in seconds, STOP after START, STEP above 0, such as 600:1200:0.002"
        ))),
    }
}

/// `--interior`.
pub fn interior(text: &str) -> Result<Interior> {
    match text {
        "visited" => Ok(Interior::Visited),
        "all" => Ok(Interior::All),
        file if file.to_ascii_lowercase().ends_with(".npy") => Ok(Interior::File(PathBuf::from(file))),
        _ => Err(Error::usage(format!("'{text}': expected visited, all, or a file name that ends in .npy"))),
    }
}

/// `--log-floor`.
pub fn log_floor(text: &str) -> Result<LogFloor> {
    let expected = || Error::usage(format!("'{text}': expected peer, or relative:N such as relative:34.5"));
    match text.strip_prefix("relative:") {
        None if text == "peer" => Ok(LogFloor::Peer),
        None => Err(expected()),
        Some(nats) => number(nats)
            .filter(|&n| n > 0.0 && n <= 600.0)
            .map(LogFloor::Relative)
            .ok_or_else(|| Error::usage(format!("'{nats}': expected nats above 0 and up to 600"))),
    }
}

/// `--save`.
pub fn saves(text: &str) -> Result<Listed<Save>> {
    let one = |part: &str| match SAVES.iter().find(|(name, _)| *name == part) {
        Some(&(_, save)) => Ok(Named(part.to_owned(), save)),
        None => {
            let names = SAVES.map(|(name, _)| name).join(", ");
            Err(Error::usage(format!("'{part}' is nothing that can be saved; expected {names}")))
        }
    };
    distinct(list(text, one)?).map(|Listed(found)| Listed(found.into_iter().map(|n| n.1).collect()))
}

/// A value that is printed by its name.
#[derive(PartialEq)]
struct Named<T>(String, T);

impl<T> std::fmt::Display for Named<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_intervals_run_forwards() {
        assert_eq!(time("600:1200:0.002").unwrap(), (600.0, 1200.0, 0.002));
        assert_eq!(intervals("0:1,2.5:3").unwrap().0, [(0.0, 1.0), (2.5, 3.0)]);
        assert_eq!(ranges("-5:5,0:80").unwrap().0, [(-5.0, 5.0), (0.0, 80.0)]);
        for bad in ["", "1:2", "2:1:0.1", "1:2:0", "1:2:x", "1:nan:1"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        for bad in ["", "1", "2:1", "0:1,1:2", "0:5,1:2", "0:inf"] {
            assert!(intervals(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_transition_matrix_is_square() {
        assert_eq!(matrix("0.98 0.02; 0.02 0.98").unwrap().0, [vec![0.98, 0.02], vec![0.02, 0.98]]);
        assert_eq!(matrix("1").unwrap().0, [vec![1.0]]);
        assert_eq!(matrix("0.98, 0.98").unwrap().0, [vec![0.98, 0.98]]);
        for bad in ["", "1 0; 0", "2 0; 0 1", "a", "1 0; 0 1; 0 0"] {
            assert!(matrix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn floors_masks_and_what_is_saved_go_by_name() {
        assert_eq!(log_floor("relative:34.5").unwrap(), LogFloor::Relative(34.5));
        assert_eq!(interior("mask.npy").unwrap(), Interior::File("mask.npy".into()));
        assert_eq!(saves("map,hpd").unwrap().0, [Save::Map, Save::Hpd]);
        assert!(log_floor("relative:-1").is_err() && log_floor("none").is_err());
        assert!(interior("mask.csv").is_err());
        let twice = saves("map,map").unwrap_err().to_string();
        assert!(twice.contains("'map' is there twice"), "{twice}");
    }
}

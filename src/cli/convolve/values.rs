//! Values of the flags of `nissl convolve`: from text, and the names they go by.

use crate::cli::common::list;
use crate::commands::convolve::Boundary;
use crate::commands::convolve::options::{Algorithm, DtypeChoice, NanRule, Statistic};
use crate::error::{Error, Result};

/// `--stat`, as one value: given twice, it is refused instead of joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics(pub Vec<Statistic>);

/// `--exclude`, as one value.
#[derive(Debug, Clone)]
pub struct Exclusions(pub Vec<f64>);

/// `--algorithm`, with auto.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// The plan chooses.
    Auto,
    /// This one or an error.
    Forced(Algorithm),
}

impl Choice {
    /// The only one that `--exact` goes with.
    pub const DIRECT: Choice = Choice::Forced(Algorithm::Direct);

    /// The algorithm that was asked for, if any.
    pub fn forced(self) -> Option<Algorithm> {
        match self {
            Choice::Auto => None,
            Choice::Forced(algorithm) => Some(algorithm),
        }
    }
}

/// `--nan`.
pub const NAN_RULES: [(&str, NanRule); 3] =
    [("propagate", NanRule::Propagate), ("footprint", NanRule::Footprint), ("ignore", NanRule::Ignore)];

/// `--dtype`.
pub const DTYPES: [(&str, DtypeChoice); 3] =
    [("auto", DtypeChoice::Auto), ("f32", DtypeChoice::F32), ("f64", DtypeChoice::F64)];

/// `--algorithm`.
pub const ALGORITHMS: [(&str, Choice); 5] = [
    ("auto", Choice::Auto),
    ("direct", Choice::Forced(Algorithm::Direct)),
    ("separable", Choice::Forced(Algorithm::Separable)),
    ("runs", Choice::Forced(Algorithm::Runs)),
    ("fft", Choice::Forced(Algorithm::Fft)),
];

/// In the peer's default order, which `all` stands for.
const STATISTICS: [(&str, Statistic); 8] = [
    ("mean", Statistic::Mean),
    ("max", Statistic::Max),
    ("min", Statistic::Min),
    ("range", Statistic::Range),
    ("std", Statistic::Std),
    ("var", Statistic::Var),
    ("sum", Statistic::Sum),
    ("variety", Statistic::Variety),
];

/// `--boundary`.
pub fn boundary(text: &str) -> Result<Boundary> {
    match text {
        "nan" => Ok(Boundary::Nan),
        "nearest" => Ok(Boundary::Nearest),
        "reflect" => Ok(Boundary::Reflect),
        "wrap" => Ok(Boundary::Wrap),
        "reflect101" => Ok(Boundary::Reflect101),
        _ => match text.strip_prefix("constant:").map(str::parse) {
            Some(Ok(value)) => Ok(Boundary::Constant(value)),
            Some(Err(_)) => Err(Error::usage("constant: takes a number, such as constant:0")),
            None => Err(Error::usage("expected nan, nearest, reflect, wrap, reflect101 or constant:V")),
        },
    }
}

/// `--cell-size`: (x, y), map units.
pub fn cell_size(text: &str) -> Result<(f64, f64)> {
    let length = |part: &str| match part.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(Error::usage(format!(
            "'{part}' is not a length above 0; expected X or X,Y such as 30 or 74,93"
        ))),
    };
    match list(text, length)?[..] {
        [both] => Ok((both, both)),
        [x, y] => Ok((x, y)),
        _ => Err(Error::usage("expected one or two lengths, X or X,Y")),
    }
}

/// `--stat`.
pub fn statistics(text: &str) -> Result<Statistics> {
    if text == "all" {
        return Ok(Statistics(STATISTICS.map(|(_, statistic)| statistic).to_vec()));
    }
    let named = |part: &str| match STATISTICS.iter().find(|(name, _)| *name == part) {
        Some(&(_, statistic)) => Ok(statistic),
        None => {
            let names = STATISTICS.map(|(name, _)| name).join(", ");
            Err(Error::usage(format!("'{part}' is no statistic; expected {names}, or all")))
        }
    };
    let found = list(text, named)?;
    match (1..found.len()).find(|&at| found[..at].contains(&found[at])) {
        Some(at) => Err(Error::usage(format!("'{}' is there twice", statistic_name(found[at])))),
        None => Ok(Statistics(found)),
    }
}

/// The name of `statistic` on the command line.
pub fn statistic_name(statistic: Statistic) -> &'static str {
    STATISTICS.iter().find(|&&(_, s)| s == statistic).map_or("", |&(name, _)| name)
}

/// `--exclude`.
pub fn exclusions(text: &str) -> Result<Exclusions> {
    if text == "none" {
        return Ok(Exclusions(Vec::new()));
    }
    let number = |part: &str| {
        part.parse()
            .map_err(|_| Error::usage(format!("'{part}' is no number; expected numbers and nan, or none")))
    };
    list(text, number).map(Exclusions)
}

/// `--dims`: (rows, columns).
pub fn axis_names(text: &str) -> Result<(String, String)> {
    match &list(text, |part| Ok(part.to_owned()))?[..] {
        [y, x] if y != x => Ok((y.clone(), x.clone())),
        _ => Err(Error::usage("expected the names of two axes, rows first, such as lat,lon")),
    }
}

/// The name of `algorithm` on the command line.
pub fn algorithm_name(algorithm: Algorithm) -> &'static str {
    ALGORITHMS.iter().find(|&&(_, c)| c == Choice::Forced(algorithm)).map_or("", |&(name, _)| name)
}

/// The rule as the command line takes it.
pub fn boundary_name(boundary: Boundary) -> String {
    match boundary {
        Boundary::Nan => "nan".into(),
        Boundary::Nearest => "nearest".into(),
        Boundary::Reflect => "reflect".into(),
        Boundary::Wrap => "wrap".into(),
        Boundary::Reflect101 => "reflect101".into(),
        Boundary::Constant(value) => format!("constant:{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_read_back_as_they_are_named() {
        for text in ["nan", "nearest", "reflect", "wrap", "reflect101", "constant:-0.5"] {
            assert_eq!(boundary_name(boundary(text).unwrap()), text);
        }
        for bad in ["mirror", "constant", "constant:", "constant:x", ""] {
            assert!(boundary(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_length_serves_both_directions() {
        assert_eq!(cell_size("30").unwrap(), (30.0, 30.0));
        assert_eq!(cell_size("74, 93.5").unwrap(), (74.0, 93.5));
        for bad in ["0", "-1", "nan", "inf", "1,2,3", "1,", ""] {
            assert!(cell_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn statistics_keep_their_order_and_are_there_once() {
        assert_eq!(statistics("max,mean").unwrap().0, [Statistic::Max, Statistic::Mean]);
        assert_eq!(statistics("all").unwrap().0.len(), 8);
        for bad in ["median", "mean,mean", "mean,,max", ""] {
            assert!(statistics(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exclusions_are_numbers_nan_or_none() {
        let Exclusions(values) = exclusions("nan,-3,1e3").unwrap();
        assert!(values[0].is_nan() && values[1..] == [-3.0, 1000.0]);
        assert!(exclusions("none").unwrap().0.is_empty());
        assert!(exclusions("x").is_err());
    }

    #[test]
    fn axes_are_two_different_names() {
        assert_eq!(axis_names("lat,lon").unwrap(), ("lat".into(), "lon".into()));
        assert!(axis_names("y").is_err() && axis_names("y,y").is_err());
    }
}

//! Values of `bench`'s flags: how each is typed, and what is said when it is not.

use crate::cli::common::{Listed, list, thread_count};
use crate::commands::bench::options::{Group, Size, ThreadCount};
use crate::error::{Error, Result};

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// One command.
    One(Group),
    /// Everything.
    All,
}

/// The first argument.
pub const WHAT: [(&str, What); 6] = [
    ("autoreject", What::One(Group::Autoreject)),
    ("convolve", What::One(Group::Convolve)),
    ("decode", What::One(Group::Decode)),
    ("stream", What::One(Group::Stream)),
    ("io", What::One(Group::Io)),
    ("all", What::All),
];

/// `--size`.
pub const SIZES: [(&str, Size); 3] =
    [("quick", Size::Quick), ("standard", Size::Standard), ("full", Size::Full)];

/// `--threads`.
///
/// # Errors
/// A part that is neither a number of threads nor `all`, or one that is there twice.
pub fn threads(text: &str) -> Result<Listed<ThreadCount>> {
    let one = |part: &str| match part {
        "all" => Ok(ThreadCount::All),
        number => thread_count(number).map(ThreadCount::Count).map_err(|_| {
            Error::usage(format!("'{number}': expected numbers of threads by commas, or all, such as 1,all"))
        }),
    };
    let found = list(text, one)?;
    match (1..found.len()).find(|&at| found[..at].contains(&found[at])) {
        Some(_) => Err(Error::usage(format!("'{text}': a number of threads is there twice"))),
        None => Ok(Listed(found)),
    }
}

/// `--max-slowdown`.
///
/// # Errors
/// No number of at least 1.
pub fn slowdown(text: &str) -> Result<f64> {
    let number = text.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value >= 1.0);
    number.ok_or_else(|| Error::usage(format!("'{text}': expected a ratio of at least 1, such as 1.2")))
}

/// `--repeat`.
///
/// # Errors
/// No whole number from 1 to 1000.
pub fn repeat(text: &str) -> Result<usize> {
    let number = text.trim().parse().ok().filter(|count| (1..=1000).contains(count));
    number.ok_or_else(|| Error::usage(format!("'{text}': expected a whole number from 1 to 1000")))
}

/// `--rtol`, `--atol`.
///
/// # Errors
/// No finite number, or a negative one.
pub fn tolerance(text: &str) -> Result<f64> {
    let number = text.trim().parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
    number.ok_or_else(|| Error::usage(format!("'{text}': expected a number of at least 0, such as 1e-9")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_numbers_and_all() {
        let found = threads("1,2,all").unwrap().0;
        assert_eq!(found, [ThreadCount::Count(1), ThreadCount::Count(2), ThreadCount::All]);
        for bad in ["", "0", "1,1", "all,all", "1,", "x", "4000"] {
            assert!(threads(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ratios_and_counts_have_their_limits() {
        assert_eq!((slowdown("1.2").unwrap(), repeat("3").unwrap(), tolerance("0").unwrap()), (1.2, 3, 0.0));
        for bad in ["", "0.5", "nan", "inf", "x"] {
            assert!(slowdown(bad).is_err(), "{bad}");
        }
        for bad in ["0", "-1", "1.5", "1001"] {
            assert!(repeat(bad).is_err(), "{bad}");
        }
        assert!(tolerance("-1").is_err() && tolerance("inf").is_err());
    }
}

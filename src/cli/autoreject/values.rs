//! Values of `autoreject`'s flags: how each is typed, and what is said when it is not.

use crate::cli::common::{LONGEST, Listed, distinct, list};
use crate::commands::autoreject::options::{Method, ThresholdSearch};
use crate::error::{Error, Result};

/// `--method`.
pub const METHODS: [(&str, Method); 3] =
    [("local", Method::Local), ("global", Method::Global), ("ransac", Method::Ransac)];

/// `--threshold-search`.
pub const SEARCHES: [(&str, ThresholdSearch); 3] = [
    ("bayesian", ThresholdSearch::Bayesian),
    ("random", ThresholdSearch::Random),
    ("exact", ThresholdSearch::Exact),
];

/// What one stored unit is in SI units. The upper case of M decides between milli and molar.
const UNITS: [(&str, f64); 16] = [
    ("V", 1.0),
    ("mV", 1e-3),
    ("uV", 1e-6),
    ("\u{b5}V", 1e-6),
    ("\u{3bc}V", 1e-6),
    ("nV", 1e-9),
    ("T", 1.0),
    ("nT", 1e-9),
    ("pT", 1e-12),
    ("fT", 1e-15),
    ("T/m", 1.0),
    ("pT/cm", 1e-10),
    ("fT/cm", 1e-13),
    ("M", 1.0),
    ("mM", 1e-3),
    ("uM", 1e-6),
];

/// `--n-interpolate`: numbers of channels, in the order given.
pub fn channel_counts(text: &str) -> Result<Listed<i64>> {
    let count = |part: &str| match part.parse::<i64>() {
        Ok(count) if (0..=1_000_000).contains(&count) => Ok(count),
        _ => Err(Error::usage(format!("'{part}' is no number of channels; expected a list such as 1,4,32"))),
    };
    distinct(list(text, count)?)
}

/// `--consensus`: shares of channels, as `START:STOP:COUNT` or a list.
pub fn shares(text: &str) -> Result<Listed<f64>> {
    let bad = |part: &str| {
        Error::usage(format!(
            "'{part}' is no share of the channels; expected START:STOP:COUNT such as 0:1:11, or a list such as \
             0.1,0.3,0.5, all from 0 to 1"
        ))
    };
    let share = |part: &str| match part.trim().parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(bad(part)),
    };
    let values = match text.split(':').collect::<Vec<_>>()[..] {
        [start, stop, count] => {
            let length = count.trim().parse::<usize>().ok().filter(|n| (1..=LONGEST).contains(n));
            let length = length.ok_or_else(|| {
                Error::usage(format!(
                    "'{count}' is no number of values; expected 1 to {LONGEST}, as in 0:1:11"
                ))
            })?;
            evenly(share(start)?, share(stop)?, length)
        }
        [_] => list(text, share)?,
        _ => return Err(bad(text)),
    };
    distinct(values)
}

/// `count` values from `start` to `stop`, bit for bit as numpy's `linspace` gives them: the step
/// is rounded once, and the last value is `stop` itself.
fn evenly(start: f64, stop: f64, count: usize) -> Vec<f64> {
    let step = (stop - start) / count.saturating_sub(1).max(1) as f64;
    let mut values: Vec<f64> = (0..count).map(|i| i as f64 * step + start).collect();
    if let Some(last) = values.last_mut().filter(|_| count > 1) {
        *last = stop;
    }
    values
}

/// `--unit`: what one stored unit is in SI units.
pub fn unit(text: &str) -> Result<f64> {
    match UNITS.iter().find(|(name, _)| *name == text.trim()) {
        Some(&(_, factor)) => Ok(factor),
        None => {
            let ascii = UNITS.iter().map(|(name, _)| *name).filter(|name| name.is_ascii());
            let known = ascii.collect::<Vec<_>>().join(", ");
            Err(Error::usage(format!(
                "'{text}' is no unit; expected one of {known} (mind upper and lower case)"
            )))
        }
    }
}

/// `--sfreq`.
pub fn sampling_rate(text: &str) -> Result<f64> {
    match text.trim().parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err(Error::usage(format!("'{text}' is no sampling rate; expected hertz above 0, such as 250"))),
    }
}

/// A whole number from `least` up to a limit that no recording reaches.
pub fn at_least(least: usize) -> impl Fn(&str) -> Result<usize> + Clone {
    move |text| match text.trim().parse::<usize>() {
        Ok(count) if (least..=1_000_000_000).contains(&count) => Ok(count),
        _ => Err(Error::usage(format!("expected a whole number from {least} on"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_consensus_has_the_bits_of_numpy() {
        let Listed(values) = shares("0:1:11").unwrap();
        let expected: [f64; 11] = [
            0.0,
            0.1,
            0.2,
            0.30000000000000004,
            0.4,
            0.5,
            0.6000000000000001,
            0.7000000000000001,
            0.8,
            0.9,
            1.0,
        ];
        assert!(values.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{values:?}");
        assert_eq!(values.len(), 11);
    }

    #[test]
    fn grids_run_from_start_to_stop() {
        assert_eq!(shares("0.2:0.8:2").unwrap().0, [0.2, 0.8]);
        assert_eq!(shares("0.5:1:1").unwrap().0, [0.5]);
        assert_eq!(shares("1:0:3").unwrap().0, [1.0, 0.5, 0.0]);
        assert_eq!(shares("0.1, 0.3").unwrap().0, [0.1, 0.3]);
        for bad in ["", "0:1", "0:1:0", "0:1:11:2", "0:2:5", "-0.1", "nan", "0.5,0.5", "0:1:1001", "a"] {
            assert!(shares(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn channel_counts_keep_their_order_for_labels_are_carried_along() {
        assert_eq!(channel_counts("4,1,32").unwrap().0, [4, 1, 32]);
        for bad in ["", "1,,4", "-1", "1.5", "4,4", "a"] {
            assert!(channel_counts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn units_are_those_of_signals_in_their_own_case() {
        assert_eq!(unit("uV").unwrap(), 1e-6);
        assert_eq!(unit("\u{b5}V").unwrap(), 1e-6);
        assert_eq!(unit("fT/cm").unwrap(), 1e-13);
        assert_eq!(unit("V").unwrap(), 1.0);
        for bad in ["UV", "MV", "volt", "", "m"] {
            let message = unit(bad).unwrap_err().to_string();
            assert!(message.contains("fT/cm"), "{message}");
        }
    }

    #[test]
    fn rates_and_counts_are_above_their_least() {
        assert_eq!(sampling_rate("512").unwrap(), 512.0);
        assert!(["0", "-1", "inf", "nan", "x"].iter().all(|bad| sampling_rate(bad).is_err()));
        assert_eq!(at_least(2)("10").unwrap(), 10);
        assert!(["1", "-2", "2.5", ""].iter().all(|bad| at_least(2)(bad).is_err()));
    }
}

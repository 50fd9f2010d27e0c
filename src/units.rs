//! Quantities with units: memory sizes and distances, parsed and printed.

use crate::error::{Error, Result};

/// Prints a byte count as the `--memory` flag takes it, rounded up so that it suffices: `3K`, `512M`, `1500M`.
pub fn format_bytes(bytes: u64) -> String {
    for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
        if bytes >= 10 << shift || (bytes >= 1 << shift && bytes.is_multiple_of(1 << shift)) {
            return format!("{}{unit}", bytes.div_ceil(1 << shift));
        }
    }
    if bytes > 1 << 10 { format!("{}K", bytes.div_ceil(1 << 10)) } else { format!("{bytes}") }
}

/// Parses a size such as `8G`, `512M`, `64K` or `1000000`; K, M, G, T are powers of 1024.
///
/// # Errors
/// Anything else, with an example of what is right.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let bad =
        || Error::usage(format!("memory size '{text}': expected a number with K, M, G or T, such as 8G"));
    let trimmed = text.trim();
    let upper = trimmed.to_ascii_uppercase();
    let digits = upper.trim_end_matches('B').trim_end_matches('I');
    let (number, shift) = match digits.strip_suffix(['K', 'M', 'G', 'T']) {
        Some(number) => {
            (number, ["K", "M", "G", "T"].iter().position(|u| digits.ends_with(u)).unwrap_or(0) * 10 + 10)
        }
        None => (digits, 0),
    };
    let value: f64 = number.trim().parse().map_err(|_| bad())?;
    let bytes = value * (1u64 << shift) as f64;
    if !(1.0..9e18).contains(&bytes) {
        return Err(bad());
    }
    Ok(bytes as u64)
}

/// A distance as typed on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// Metres, positive and finite (map units where no unit was typed).
    pub metres: f64,
    /// True where a unit was typed, so that the number cannot be meant in degrees.
    pub has_unit: bool,
}

/// Metres in one `word`, lower case: `km` is 1000. `None` for unknown words.
pub fn metres_per(word: &str) -> Option<f64> {
    match word {
        "m" | "meter" | "meters" | "metre" | "metres" => Some(1.0),
        "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => Some(1000.0),
        "ft" | "foot" | "feet" => Some(0.3048),
        "ml" | "mls" | "mi" | "mile" | "miles" => Some(1609.344),
        _ => None,
    }
}

/// Parses a distance: a number, then perhaps a unit in either case, as `3`, `2.5 km`, `100FT`.
///
/// The number is multiplied once, so `3ft` is `3 * 0.3048`. Blanks (spaces) around the whole and
/// inside the unit are dropped (spec convolve 2.1).
///
/// # Errors
/// Anything else, signs, zero, and values that are not finite included.
pub fn parse_distance(text: &str) -> Result<Distance> {
    let bad = |found: &str| {
        Error::usage(format!(
            "distance '{text}': {found}; expected a positive number, then m, km, ft, mi or nothing, such as 2.5km"
        ))
    };
    let trimmed = text.trim_matches(' ');
    let (number, rest) = trimmed.split_at(number_length(trimmed));
    // `.` alone and the empty text end here; signs, `inf` and `nan` have no digits to begin with.
    let value: f64 = number.parse().map_err(|_| bad("it does not begin with a number"))?;
    let word = rest.to_lowercase().replace(' ', "");
    let factor = match word.as_str() {
        "" => 1.0,
        word => metres_per(word).ok_or_else(|| bad(&format!("'{word}' is no unit")))?,
    };
    let metres = value * factor;
    if !(metres > 0.0 && metres.is_finite()) {
        return Err(bad("it must be above zero and finite"));
    }
    Ok(Distance { metres, has_unit: !word.is_empty() })
}

/// Length of the number that `text` begins with: digits with at most one point, then perhaps an
/// exponent. A point or an `e` without digits after it is left to the caller to refuse.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// The unit in which people read signals of a channel type (MNE's names: `eeg`, `mag`, ...), and
/// how many of it make one SI unit.
pub fn signal_unit(kind: &str) -> (&'static str, f64) {
    match kind {
        "eeg" | "eog" | "ecog" | "seeg" => ("\u{b5}V", 1e6),
        "mag" => ("fT", 1e15),
        "grad" => ("fT/cm", 1e13),
        "hbo" | "hbr" => ("\u{b5}M", 1e6),
        _ => ("", 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_bytes("8G").unwrap(), 8 << 30);
        assert_eq!(parse_bytes("1.5m").unwrap(), 3 << 19);
        assert_eq!(parse_bytes("64KiB").unwrap(), 64 << 10);
        assert_eq!(parse_bytes("1000").unwrap(), 1000);
        for bad in ["", "G", "-1G", "1e30G", "8 GG", "0", "nan"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn printed_sizes_read_back_as_at_least_as_much() {
        for bytes in [1, 1023, 1024, 1025, 5 << 20, (5 << 20) + 1, 3 << 30, u64::from(u32::MAX)] {
            let text = format_bytes(bytes);
            assert!(parse_bytes(&text).unwrap() >= bytes, "{bytes} {text}");
        }
    }

    #[test]
    fn distances_beyond_the_peer_are_read_and_nonsense_is_refused() {
        for (text, metres) in [
            ("1 mile", 1609.344_f64),
            ("1 mi", 1609.344),
            (" 10 m ", 10.0),
            ("1e3", 1000.0),
            ("1E-1km", 100.0),
            ("5.", 5.0),
            ("5. km", 5000.0),
            ("10 metre", 10.0),
            ("10METRES", 10.0),
            ("2 kilometres", 2000.0),
            ("1 kilometre", 1000.0),
            ("1.5e+1 feet", 15.0 * 0.3048),
        ] {
            assert_eq!(parse_distance(text).unwrap().metres.to_bits(), metres.to_bits(), "{text}");
        }
        for text in [
            "",
            " ",
            ".",
            ".e3",
            "-5m",
            "+5m",
            "0",
            "0.0km",
            "inf",
            "nan",
            "infinity",
            "1e400",
            "1e308km",
            "1e-400",
            "1 2",
            "1,000 m",
            "1\tkm",
            "\t1km",
            "1km2",
            "1.2.3",
            "1e",
            "1e+",
            "3 furlong",
            "m",
            "٣ m",
            "1 e3",
            "0x10",
        ] {
            let message = parse_distance(text).unwrap_err().to_string();
            assert!(message.contains(text), "{text}");
        }
        assert!(parse_distance("3km").unwrap().has_unit && parse_distance("3 m").unwrap().has_unit);
        assert!(!parse_distance("3").unwrap().has_unit);
    }
}

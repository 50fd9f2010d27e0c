//! Quantities with units: memory sizes and distances, parsed and printed.

use crate::error::{Error, Result};

/// Prints a byte count as the `--memory` flag takes it, rounded up so that it suffices: `3K`, `512M`, `1500M`.
pub fn format_bytes(bytes: u64) -> String {
    for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
        if bytes >= 10 << shift || (bytes >= 1 << shift && bytes % (1 << shift) == 0) {
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
}

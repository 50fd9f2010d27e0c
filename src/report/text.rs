//! The short table at the end of a run.

use super::Report;
use crate::units::format_bytes;

/// The table, one fact a line, with a line end each; `unit` names the items (`cells`).
pub fn table(report: &Report, unit: &str) -> String {
    let mut rows = vec![("time", format!("{} ({} of CPU)", seconds(report.wall_s), seconds(report.cpu_s)))];
    let items = report.stages.iter().map(|s| s.stage.work.items).max().unwrap_or(0);
    if items > 0 && report.wall_s > 0.0 {
        rows.push(("rate", format!("{} {unit}/s", scaled(items as f64 / report.wall_s))));
    }
    if let Some(algorithm) = report.plan.pointer("/algorithm/name").and_then(|a| a.as_str()) {
        rows.push(("algorithm", algorithm.to_owned()));
    }
    rows.push(("threads", format!("{} of {}", report.threads.worked, report.threads.limit.count)));
    if let Some(peak) = report.peak_rss {
        rows.push(("memory", format!("{} at most, limit {}", size(peak), size(report.memory.bytes))));
    }
    for output in &report.outcome.outputs {
        rows.push(("output", output.display().to_string()));
    }
    rows.iter().map(|(name, value)| format!("{name:<10}{value}\n")).collect()
}

/// `12.3 ms`, `4.56 s`, `1 h 02 min`: three digits or so.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 0.9995e-3 => format!("{:.0} us", s * 1e6),
        s if s < 0.9995 => format!("{:.1} ms", s * 1e3),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3570.0 => format!("{} min {:02} s", (s.round() as u64) / 60, (s.round() as u64) % 60),
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `12.3 M`: decimal multiples for rates.
pub fn scaled(value: f64) -> String {
    for (limit, unit) in [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")] {
        if value >= limit {
            return format!("{:.3}{unit}", value / limit).replacen(".000", "", 1);
        }
    }
    format!("{value:.1}")
}

/// Sizes below a mebibyte are noise here.
fn size(bytes: u64) -> String {
    format_bytes(bytes.div_ceil(1 << 20) << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_short_and_tells_what_matters() {
        let expected = "\
time      4.0 s (5.2 s of CPU)
rate      2 M cells/s
algorithm fft
threads   1 of 2
memory    91M at most, limit 1G
output    out.npy
";
        assert_eq!(table(&crate::report::sample::report(), "cells"), expected);
    }

    #[test]
    fn times_keep_about_three_digits() {
        let texts = [2e-6, 0.0123, 4.56, 59.96, 61.0, 3599.0, 7320.0].map(seconds);
        assert_eq!(
            texts,
            ["2 us", "12.3 ms", "4.6 s", "1 min 00 s", "1 min 01 s", "1 h 00 min", "2 h 02 min"]
        );
    }

    #[test]
    fn rates_are_scaled_by_thousands() {
        assert_eq!([12.0, 4500.0, 1.25e7].map(scaled), ["12.0", "4.500 k", "12.500 M"]);
    }
}

//! The short table at the end of a run.

use super::Report;
use crate::units::format_bytes;
use serde_json::{Map, Value};

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
    let rows: String = rows.iter().map(|(name, value)| format!("{name:<10}{value}\n")).collect();
    rows + &latencies(&report.outcome.counts)
}

/// Durations of ticks, where a run counted them.
fn latencies(counts: &Map<String, Value>) -> String {
    const COLUMNS: [&str; 4] = ["p50_s", "p99_s", "p999_s", "max_s"];
    let number = |name: &str| counts.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let row = |name: &str| {
        let summary = counts.get(name)?.as_object()?;
        let times = COLUMNS.map(|column| summary.get(column).and_then(Value::as_f64).unwrap_or(f64::NAN));
        let times = times.map(|time| format!("{:>9}", fine(time))).concat();
        let missed = summary.get("missed").and_then(Value::as_u64).unwrap_or(0);
        Some((summary.get("count").and_then(Value::as_u64)?, format!("{name:<10}{times}{missed:>9}\n")))
    };
    let (Some((ticks, latency)), Some((_, work))) = (row("latency"), row("work")) else {
        return String::new();
    };
    let head = ["p50", "p99", "p99.9", "max"].map(|name| format!("{name:>9}")).concat();
    let dropped = number("records_dropped") + number("records_lost");
    let note = counts.get("latency_note").and_then(Value::as_str);
    let note = note.map_or(String::new(), |note| format!("{:<10}{note}\n", ""));
    format!(
        "ticks     {ticks}, and {} of warm-up; {dropped} records dropped\n{:<10}{head}   missed {}\n{latency}{work}{note}",
        number("warm_up_ticks"),
        "",
        seconds(number("deadline_s"))
    )
}

/// As [`seconds`], with fractions of microseconds.
fn fine(s: f64) -> String {
    if s < 99.95e-6 { format!("{:.1} us", s * 1e6) } else { seconds(s) }
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
    fn latencies_of_ticks_have_a_table_of_their_own() {
        let summary = |p50: f64| {
            let more = [("p99_s", 2e-4), ("p999_s", 0.0011), ("max_s", 0.02)];
            let mut all: Map<String, Value> = more.iter().map(|&(n, v)| (n.into(), v.into())).collect();
            all.extend([
                ("p50_s".into(), p50.into()),
                ("count".into(), 900.into()),
                ("missed".into(), 3.into()),
            ]);
            Value::Object(all)
        };
        let mut report = crate::report::sample::report();
        let counts = &mut report.outcome.counts;
        counts.extend([("latency".into(), summary(8.25e-6)), ("work".into(), summary(1.5e-4))]);
        counts.extend([("warm_up_ticks".into(), 100.into()), ("deadline_s".into(), 0.006.into())]);
        let expected = "\
output    out.npy
ticks     900, and 100 of warm-up; 0 records dropped
                p50      p99    p99.9      max   missed 6.0 ms
latency      8.2 us   200 us   1.1 ms  20.0 ms        3
work         150 us   200 us   1.1 ms  20.0 ms        3
";
        let table = table(&report, "ticks");
        assert!(table.ends_with(expected), "{table}");
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

//! A result as text or Markdown. Pure.

use super::results::{BenchResult, Ceiling, WorkResult};
use crate::backend::device::SET_UP;
use crate::report::text::{scaled, seconds};
use crate::units::format_bytes;

/// Rows and columns that are laid out when all are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that are names; all others are numbers, flush right.
    names: Vec<usize>,
}

impl Table {
    /// An empty table; the columns at `names` hold names.
    pub fn new(heads: &[&str], names: &[usize]) -> Table {
        let heads = heads.iter().map(|&head| head.to_owned()).collect();
        Table { heads, rows: Vec::new(), names: names.to_vec() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table with a line end after each line.
    pub fn render(&self, markdown: bool) -> String {
        if markdown { self.markdown() } else { self.plain() }
    }

    fn plain(&self) -> String {
        let all = || std::iter::once(&self.heads).chain(&self.rows);
        let length = |text: &String| text.chars().count();
        let wide: Vec<usize> = (0..self.heads.len())
            .map(|column| all().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&wide).enumerate().map(|(column, (text, &wide))| {
                match self.names.contains(&column) {
                    true => format!("{text:<wide$}"),
                    false => format!("{text:>wide$}"),
                }
            });
            let text = cells.collect::<Vec<_>>().join("  ");
            format!("{}\n", text.trim_end())
        };
        all().map(line).collect()
    }

    fn markdown(&self) -> String {
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().map(|cell| cell.trim().replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = (0..self.heads.len()).map(|at| if self.names.contains(&at) { "---" } else { "---:" });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        line(&self.heads) + &rule + &self.rows.iter().map(line).collect::<String>()
    }
}

/// Share as whole percents, one decimal below ten.
pub fn percent(share: f64) -> String {
    let percents = share * 100.0;
    if percents.abs() < 9.95 { format!("{percents:.1} %") } else { format!("{percents:.0} %") }
}

/// Everything a result holds.
pub fn render(result: &BenchResult, markdown: bool) -> String {
    let mut parts = vec![head(result)];
    let tables = [
        ("Ceilings", ceilings(&result.ceilings)),
        ("Works", works(result)),
        ("Stages", stages(result)),
        ("Latency of ticks", latencies(&result.works)),
    ];
    for (name, table) in tables {
        if !table.is_empty() {
            let title = if markdown { format!("### {name}\n\n") } else { String::new() };
            parts.push(title + &table.render(markdown));
        }
    }
    let notes = notes(result);
    if !notes.is_empty() {
        parts.push(notes);
    }
    parts.join("\n")
}

fn head(result: &BenchResult) -> String {
    let host = &result.host;
    let ram = host.ram.map_or(String::new(), |bytes| format!(", {} of memory", size(bytes)));
    let cores = host.cores_allowed;
    format!(
        "{}, bench of size {}: {} ({}), {cores} core{} allowed{ram}\n",
        result.tool,
        result.size,
        host.cpu,
        result.backend,
        if cores == 1 { "" } else { "s" },
    )
}

fn ceilings(all: &[Ceiling]) -> Table {
    let mut threads: Vec<usize> = all.iter().map(|c| c.threads).collect();
    threads.dedup();
    let heads: Vec<String> = std::iter::once("ceiling".to_owned())
        .chain(threads.iter().map(|count| format!("{count} thread{}", if *count == 1 { "" } else { "s" })))
        .collect();
    let mut table = Table { heads, rows: Vec::new(), names: vec![0] };
    let first = threads.first().copied();
    for ceiling in all.iter().filter(|c| Some(c.threads) == first) {
        let value = |count: &usize| {
            let found = all.iter().find(|c| c.name == ceiling.name && c.threads == *count);
            found.map_or("-".into(), |c| rate(c.value, &c.unit))
        };
        table.row(std::iter::once(ceiling.name.clone()).chain(threads.iter().map(value)).collect());
    }
    table
}

/// `12.3 GB/s`.
fn rate(value: f64, unit: &str) -> String {
    let (number, prefix) = short(value);
    format!("{number} {prefix}{unit}")
}

/// `12.3 M cells/s`.
fn rate_of(value: f64, item: &str) -> String {
    let (number, prefix) = short(value);
    match (item, prefix.as_str()) {
        ("bytes", prefix) => format!("{number} {prefix}B/s"),
        (item, "") => format!("{number} {item}/s"),
        (item, prefix) => format!("{number} {prefix} {item}/s"),
    }
}

/// About three digits, and the letter for the thousands.
fn short(value: f64) -> (String, String) {
    let text = scaled(value);
    let (number, prefix) = text.split_once(' ').unwrap_or((&text, ""));
    let number: f64 = number.parse().unwrap_or(value);
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    (format!("{number:.digits$}"), prefix.to_owned())
}

fn works(result: &BenchResult) -> Table {
    let mut table = Table::new(
        &["work", "threads", "time", "spread", "CPU", "rate", "memory", "workers", "speed-up"],
        &[0],
    );
    for work in &result.works {
        let dash = || "-".to_owned();
        let per_second = if work.wall_s > 0.0 { work.items as f64 / work.wall_s } else { 0.0 };
        table.row(vec![
            work.work.clone(),
            work.threads.to_string(),
            seconds(work.wall_s),
            percent(work.spread),
            work.cpu_s.map_or_else(dash, seconds),
            rate_of(per_second, &work.item),
            work.peak_rss.map_or_else(dash, size),
            work.workers.map_or_else(dash, |count| count.to_string()),
            work.speedup.map_or_else(dash, |ratio| format!("{ratio:.2}x")),
        ]);
    }
    table
}

/// Stages of each work with the most threads it was run with, those that take time.
fn stages(result: &BenchResult) -> Table {
    let mut table =
        Table::new(&["work", "stage", "time", "of work", "CPU", "rate", "share of", "ceiling"], &[0, 1, 7]);
    for work in most_threads(&result.works) {
        let mut name = work.work.clone();
        for stage in work.stages.iter().filter(|stage| stage.wall_s >= 0.01 * work.wall_s) {
            let dash = || "-".to_owned();
            let counted = match stage.ceiling.as_deref() {
                Some(name) if name.starts_with("fma") => rate(stage.flop as f64 / stage.wall_s, "flop/s"),
                Some(_) => rate((stage.bytes_read + stage.bytes_written) as f64 / stage.wall_s, "B/s"),
                None => dash(),
            };
            table.row(vec![
                std::mem::take(&mut name),
                stage.name.clone(),
                seconds(stage.wall_s),
                percent(stage.wall_s / work.wall_s),
                seconds(stage.cpu_s),
                counted,
                stage.share.map_or_else(dash, percent),
                stage.ceiling.clone().unwrap_or_else(dash),
            ]);
        }
    }
    table
}

/// Of each work and backend the result with the most threads.
pub fn most_threads(works: &[WorkResult]) -> impl Iterator<Item = &WorkResult> {
    let same = |a: &WorkResult, b: &WorkResult| a.work == b.work && a.backend == b.backend;
    works
        .iter()
        .filter(move |work| !works.iter().any(|other| same(work, other) && other.threads > work.threads))
}

fn latencies(works: &[WorkResult]) -> Table {
    let mut table =
        Table::new(&["work", "of a tick", "ticks", "p50", "p99", "p99.9", "slowest", "missed"], &[0, 1]);
    for work in works {
        let Some(found) = &work.latency else { continue };
        let times = [found.p50_s, found.p99_s, found.p999_s, found.max_s].map(fine);
        let mut row = vec![work.work.clone(), found.of.clone(), found.ticks.to_string()];
        row.extend(times);
        row.push(found.missed.to_string());
        table.row(row);
    }
    table
}

/// As [`seconds`], with fractions of microseconds.
pub fn fine(s: f64) -> String {
    if s < 99.95e-6 { format!("{:.1} us", s * 1e6) } else { seconds(s) }
}

fn notes(result: &BenchResult) -> String {
    let mut lines = Vec::new();
    if result.noise.noisy {
        lines.push(format!(
            "noisy machine: a fixed computation between the runs varied by {}; end other programs, and give more \
             --repeat before trusting differences\n",
            percent(result.noise.spread)
        ));
    }
    for work in &result.works {
        if let Some(first) = work.first_call_s {
            let each =
                work.stages.iter().find(|stage| stage.name == SET_UP).map_or(0.0, |stage| stage.wall_s);
            lines.push(format!(
                "{} on {}: {} to set the device up at the first call, {} in each of the timed ones, which contain it\n",
                work.work,
                work.backend,
                seconds(first),
                seconds(each)
            ));
        }
    }
    lines.extend(result.warnings.iter().map(|warning| format!("{warning}\n")));
    lines.concat()
}

/// Sizes below a mebibyte are noise here.
pub fn size(bytes: u64) -> String {
    format_bytes(bytes.div_ceil(1 << 20) << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_markdown_is_a_table() {
        let mut table = Table::new(&["work", "time"], &[0]);
        table.row(vec!["a/b".into(), "1.0 s".into()]);
        table.row(vec!["longer|name".into(), "12 ms".into()]);
        assert_eq!(table.render(false), "work          time\na/b          1.0 s\nlonger|name  12 ms\n");
        let expected = "| work | time |\n| --- | ---: |\n| a/b | 1.0 s |\n| longer\\|name | 12 ms |\n";
        assert_eq!(table.render(true), expected);
    }

    #[test]
    fn rates_have_about_three_digits() {
        let texts = [1.234e10, 5.6789e10, 4.567e11].map(|value| rate(value, "B/s"));
        assert_eq!(texts, ["12.3 GB/s", "56.8 GB/s", "457 GB/s"]);
        let texts = [rate_of(2.5e6, "cells"), rate_of(12.0, "ticks"), rate_of(2e9, "bytes")];
        assert_eq!(texts, ["2.50 M cells/s", "12.0 ticks/s", "2.00 GB/s"]);
        assert_eq!((percent(0.012), percent(0.55)), ("1.2 %".to_owned(), "55 %".to_owned()));
    }
}

//! `--against`: works side by side with those of other packages, pure.
//!
//! A work of a peer stands beside the own one of the same name and number of threads; what only one
//! side has is told below the table, for a ratio of different things is none.

use super::results::{BenchResult, HostFacts, Latency, WorkResult};
use super::table::{Table, fine, size};
use crate::report::text::seconds;

/// The table of `own` beside each of `peers`, with line ends.
pub fn table(own: &BenchResult, peers: &[BenchResult], markdown: bool) -> String {
    let mut table = Table::new(
        &["work", "threads", "nissl", "memory", "peer", "its time", "its memory", "ratio"],
        &[0, 4],
    );
    let mut ticks =
        Table::new(&["ticks of", "by", "count", "p50", "p99", "p99.9", "slowest", "missed"], &[0, 1]);
    let mut notes = Vec::new();
    for work in &own.works {
        for peer in peers {
            for theirs in peer.works.iter().filter(|theirs| same(work, theirs)) {
                table.row(row(work, theirs, &peer.tool));
                note(theirs, &peer.tool, &mut notes);
                if let (Some(mine), Some(others)) = (&work.latency, &theirs.latency) {
                    ticks.row(latency(&work.work, "nissl", mine));
                    ticks.row(latency("", &peer.tool, others));
                }
            }
        }
    }
    for peer in peers {
        notes.extend(stranger(&own.host, peer));
        notes.extend(alone(own, peer));
    }
    let title = if markdown { "### Side by side\n\n".to_owned() } else { String::new() };
    let text = if table.is_empty() {
        "No work is there on both sides with as many threads.\n".to_owned()
    } else {
        table.render(markdown)
    };
    let ticks = if ticks.is_empty() { String::new() } else { format!("\n{}", ticks.render(markdown)) };
    let end = if notes.is_empty() { String::new() } else { format!("\n{}", list(&notes, markdown)) };
    title + &text + &ticks + &end
}

fn same(work: &WorkResult, theirs: &WorkResult) -> bool {
    (&work.work, work.threads) == (&theirs.work, theirs.threads)
}

fn row(work: &WorkResult, theirs: &WorkResult, tool: &str) -> Vec<String> {
    let memory = |work: &WorkResult| work.peak_rss.map_or("-".to_owned(), size);
    vec![
        work.work.clone(),
        work.threads.to_string(),
        seconds(work.wall_s),
        memory(work),
        tool.to_owned(),
        seconds(theirs.wall_s),
        memory(theirs),
        ratio(theirs.wall_s, work.wall_s),
    ]
}

fn latency(work: &str, tool: &str, found: &Latency) -> Vec<String> {
    let times = [found.p50_s, found.p99_s, found.p999_s, found.max_s].map(fine);
    let mut row = vec![work.to_owned(), tool.to_owned(), found.ticks.to_string()];
    row.extend(times);
    row.push(found.missed.to_string());
    row
}

/// How many times as long the peer takes.
fn ratio(theirs: f64, own: f64) -> String {
    if !(own > 0.0 && theirs > 0.0) {
        return "-".into();
    }
    let ratio = theirs / own;
    let digits = if ratio < 10.0 { 2 } else { usize::from(ratio < 100.0) };
    format!("{ratio:.digits$}x")
}

/// What a script says of how it measured.
fn note(theirs: &WorkResult, tool: &str, notes: &mut Vec<String>) {
    if let Some(note) = theirs.note.as_deref().filter(|note| !note.is_empty()) {
        let note = format!("{tool}: {note}");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// Times of two machines cannot be compared, which nobody should overlook.
fn stranger(own: &HostFacts, peer: &BenchResult) -> Option<String> {
    let theirs = &peer.host;
    let (a, b) = ((&own.cpu, own.cores_allowed), (&theirs.cpu, theirs.cores_allowed));
    let told = |(cpu, cores): (&String, usize)| format!("{cpu}, {cores} cores");
    (a != b)
        .then(|| format!("{}: was timed on another machine ({} here, {} there)", peer.tool, told(a), told(b)))
}

/// Works of the peer that have no fellow here: another name, or other threads.
fn alone(own: &BenchResult, peer: &BenchResult) -> Option<String> {
    let mut left = Vec::new();
    for theirs in peer.works.iter().filter(|theirs| !own.works.iter().any(|work| same(work, theirs))) {
        let threads = own.works.iter().filter(|work| work.work == theirs.work).map(|work| work.threads);
        let threads: Vec<String> = threads.map(|count| count.to_string()).collect();
        left.push(match threads.is_empty() {
            true => format!("{} (not timed here)", theirs.work),
            false => format!("{} (threads {}; here {})", theirs.work, theirs.threads, threads.join(", ")),
        });
    }
    (!left.is_empty()).then(|| format!("{}: left out {}", peer.tool, left.join("; ")))
}

fn list(notes: &[String], markdown: bool) -> String {
    let front = if markdown { "- " } else { "" };
    notes.iter().map(|note| format!("{front}{note}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::results;

    fn result(tool: &str, works: &[(&str, usize, f64, u64, Option<&str>)]) -> BenchResult {
        let works = works.iter().map(|&(work, threads, wall_s, peak_rss, note)| WorkResult {
            work: work.into(),
            threads,
            wall_s,
            peak_rss: Some(peak_rss << 20),
            note: note.map(str::to_owned),
            ..WorkResult::default()
        });
        let host = HostFacts { cpu: "Some CPU".into(), cores_allowed: 2, ..HostFacts::default() };
        BenchResult { tool: tool.into(), host, works: works.collect(), ..results::empty() }
    }

    fn sides() -> (BenchResult, Vec<BenchResult>) {
        let own = result(
            "nissl 0.1.0",
            &[
                ("autoreject/standard_64ch", 1, 0.5, 180, None),
                ("autoreject/standard_64ch", 2, 0.254, 199, None),
                ("convolve/dense15_2000", 2, 0.06, 80, None),
                ("decode/tiny", 2, 0.02, 30, None),
            ],
        );
        let warm = Some("fit and transform in memory");
        let peers = vec![
            result("autoreject 0.5.1", &[("autoreject/standard_64ch", 2, 25.6, 1200, warm)]),
            result(
                "OpenCV 5.0.0",
                &[
                    ("convolve/dense15_2000", 2, 0.051, 150, None),
                    ("convolve/dense31_2000", 2, 0.053, 150, None),
                    ("decode/tiny", 1, 0.5, 300, None),
                ],
            ),
        ];
        (own, peers)
    }

    #[test]
    fn works_stand_beside_those_of_the_same_name_and_threads() {
        let (own, peers) = sides();
        insta::assert_snapshot!(table(&own, &peers, false), @r"
        work                      threads     nissl  memory  peer              its time  its memory  ratio
        autoreject/standard_64ch        2  254.0 ms    199M  autoreject 0.5.1    25.6 s       1200M   101x
        convolve/dense15_2000           2   60.0 ms     80M  OpenCV 5.0.0       51.0 ms        150M  0.85x

        autoreject 0.5.1: fit and transform in memory
        OpenCV 5.0.0: left out convolve/dense31_2000 (not timed here); decode/tiny (threads 1; here 2)
        ");
        insta::assert_snapshot!(table(&own, &peers, true), @r"
        ### Side by side

        | work | threads | nissl | memory | peer | its time | its memory | ratio |
        | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |
        | autoreject/standard_64ch | 2 | 254.0 ms | 199M | autoreject 0.5.1 | 25.6 s | 1200M | 101x |
        | convolve/dense15_2000 | 2 | 60.0 ms | 80M | OpenCV 5.0.0 | 51.0 ms | 150M | 0.85x |

        - autoreject 0.5.1: fit and transform in memory
        - OpenCV 5.0.0: left out convolve/dense31_2000 (not timed here); decode/tiny (threads 1; here 2)
        ");
    }

    #[test]
    fn other_threads_and_other_machines_are_never_held_against_each_other_in_silence() {
        let (own, _) = sides();
        let mut peer = result("peer 1", &[("decode/tiny", 1, 0.5, 300, None)]);
        let text = table(&own, std::slice::from_ref(&peer), false);
        assert!(text.starts_with("No work is there on both sides"), "{text}");
        assert!(text.contains("peer 1: left out decode/tiny (threads 1; here 2)"), "{text}");
        peer.works[0].threads = 2;
        peer.host.cpu = "Another CPU".into();
        let text = table(&own, &[peer], false);
        assert!(
            text.contains("25.0x") && text.contains("another machine (Some CPU, 2 cores here, Another CPU"),
            "{text}"
        );
    }

    #[test]
    fn ticks_stand_side_by_side_too() {
        let of = |tool: &str, p50_s: f64| {
            let mut result = result(tool, &[("stream/electrodes8_2k", 1, 1.0, 50, None)]);
            let latency = Latency { ticks: 500, p50_s, max_s: 0.002, missed: 3, ..Latency::default() };
            result.works[0].latency = Some(latency);
            result
        };
        let text = table(&of("nissl", 20e-6), &[of("realtime_decoder", 4e-3)], true);
        assert!(text.contains("| stream/electrodes8_2k | nissl | 500 | 20.0 us |"), "{text}");
        assert!(text.contains("|  | realtime_decoder | 500 | 4.0 ms |"), "{text}");
    }

    #[test]
    fn a_ratio_has_three_digits_or_none() {
        assert_eq!([ratio(1.0, 2.0), ratio(25.6, 0.254), ratio(1.0, 0.0)], ["0.50x", "101x", "-"]);
    }
}

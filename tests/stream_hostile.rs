//! `decode --stream` under bad records, signals, slow readers and full disks.

mod common;
mod stream_common;

use common::nissl;
use nissl::commands::decode::stream::event::Kind;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use stream_common::*;

const SET: Set = Set("realtime_classifier");

/// How long a run may take that has nothing to wait for: generous, but no stall.
const SOON: Duration = Duration::from_secs(60);

fn ended_soon(began: Instant) {
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
}

#[test]
fn bad_records_are_counted_and_the_ticks_stay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let events = SET.events(true, true);
    let clean = stream(&events);
    said(&fed(&mut decode("-", &at("clean.bin"), &SET.config(), &[]), &clean));
    // Between good records: unknown kinds, reserved bytes, absurd sizes, times of another world,
    // ticks again, strange electrodes, marks of no number.
    let mut bytes = stream(&[]);
    for (index, event) in events.iter().enumerate() {
        bytes.extend(&stream(std::slice::from_ref(event))[16..]);
        if index % 500 != 499 {
            continue;
        }
        let now = event.at;
        let bad = [
            Owned::new(Kind::Spike, 1, i64::MAX, &[500.0; 4]),
            event.clone(),
            Owned::new(Kind::Spike, 1, i64::MIN, &[500.0; 4]),
            Owned::new(Kind::Spike, 999, now, &[500.0; 4]),
            Owned::new(Kind::Spike, 1, now, &[500.0; 5]),
            Owned::new(Kind::Spike, 1, now, &[f32::NAN; 4]),
            Owned::new(Kind::Position, 0, now - 1_000_000, &[5.0]),
            Owned::new(Kind::Position, 0, now, &[f32::INFINITY, 1.0, 2.0]),
            Owned::new(Kind::Lfp, 3, now, &[1.0]),
        ];
        let keep = |bad: &&Owned| bad.kind != Kind::Spike || bad.values != event.values;
        bytes.extend(&stream(&bad.iter().filter(keep).cloned().collect::<Vec<_>>())[16..]);
        let mut strange = [9u8; 16];
        (strange[4], strange[5]) = (3, 0);
        bytes.extend(strange);
        bytes.extend([7; 12]);
        let mut huge = [0; 16];
        (huge[0], huge[4], huge[5]) = (2, 0xff, 0xff);
        bytes.extend(huge);
        bytes.extend(vec![1; 4 * 0xffff]);
    }
    bytes.extend(&clean[16..40]);
    let began = Instant::now();
    let warnings = said(&fed(&mut decode("-", &at("dirty.bin"), &SET.config(), &[]), &bytes));
    ended_soon(began);
    let (clean, dirty) =
        (Records::read(&at("clean.bin"), 3, false), Records::read(&at("dirty.bin"), 3, false));
    assert_eq!(clean.i64s("tick"), dirty.i64s("tick"));
    assert!(clean.f64s("posterior") == dirty.f64s("posterior"), "bad records changed the posterior");
    let counts = counts(&at("dirty.bin"));
    let times = (events.len() / 500) as u64;
    assert_eq!(counts["malformed"]["unknown"], times);
    assert_eq!(counts["malformed"]["wrong_size"], times);
    assert_eq!(counts["malformed"]["truncated"], 1);
    assert!(counts["odd_times"]["far"].as_u64().unwrap() >= times, "{counts}");
    assert_eq!(counts["engine"]["unknown_electrode"], times);
    assert_eq!(counts["engine"]["wrong_width"], times);
    assert_eq!(counts["engine"]["non_finite"], times);
    for told in ["no known kind", "cut off by the end", "nobody named", "no finite numbers", "a minute away"]
    {
        assert!(warnings.contains(told), "{told}: {warnings}");
    }
}

#[test]
fn noise_ends_as_a_stream_does() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..4 {
        let mut bytes = stream(&[]);
        let noise = common::splitmix(seed, 40_000).map(|value| (value * 256.0) as u8);
        // Mostly kinds that exist, so that something comes through.
        bytes.extend(noise.enumerate().map(|(at, byte)| if at % 16 == 0 { byte % 6 } else { byte }));
        let began = Instant::now();
        let output = folder.path().join(format!("{seed}.npy"));
        said(&fed(&mut decode("-", &output, &SET.config(), &[]), &bytes));
        ended_soon(began);
    }
}

#[test]
fn what_is_no_stream_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.npy");
    let cut = &stream(&[])[..9];
    let slow = nissl::commands::decode::stream::event::header(1000.0);
    let cases: [(&[u8], &str); 4] =
        [(b"GARBAGE-----------", "NISSLEV1"), (b"", "header"), (cut, "header"), (&slow, "30000")];
    for (bytes, told) in cases {
        let ended = fed(&mut decode("-", &output, &SET.config(), &[]), bytes);
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(65), "{text}");
        assert!(text.contains(told) && text.contains("standard input:"), "{text}");
        assert!(!output.exists());
    }
}

/// True where whoever started the tests made them ignore SIGINT.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> 1 & 1 == 1
}

#[test]
fn a_signal_closes_the_output_whole() {
    // A shell starts jobs in the background with interrupts ignored, and they stay so.
    let interrupt = if ignores_interrupts() { "TERM" } else { "INT" };
    for (name, file) in [(interrupt, "a.npy"), ("TERM", "a.nc")] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join(file);
        let mut child = piped(&mut decode("-", &output, &SET.config(), &[]));
        let mut stdin = child.stdin.take().unwrap();
        let events = SET.events(true, true);
        stdin.write_all(&stream(&events[..2000])).unwrap();
        stdin.flush().unwrap();
        // The pipe stays open: nothing but the signal ends it.
        std::thread::sleep(Duration::from_millis(700));
        let began = Instant::now();
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        ended_soon(began);
        said(&ended);
        drop(stdin);
        let counts = counts(&output);
        assert_eq!(counts["ended_by"], "a signal");
        let ticks = events[..2000].iter().filter(|event| event.kind == Kind::Tick).count();
        assert_eq!(counts["records_written"], ticks as u64);
        if file.ends_with(".nc") {
            assert_eq!(common::read(&output, "tick").shape, [ticks]);
        }
    }
}

#[test]
fn a_signal_before_any_event_leaves_an_output_without_records() {
    let folder = tempfile::tempdir().unwrap();
    let (output, input) = (folder.path().join("a.npy"), folder.path().join("in"));
    fifo(&input);
    let child = piped(&mut decode(input.to_str().unwrap(), &output, &SET.config(), &[]));
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "TERM");
    said(&child.wait_with_output().unwrap());
    let header = std::fs::read(&output).unwrap();
    assert!(String::from_utf8_lossy(&header).contains("'shape': (0,)"));
}

#[test]
fn a_reader_that_takes_nothing_does_not_stop_the_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("events.ns"), stream(&SET.events(true, true))).unwrap();
    fifo(&at("out"));
    let idle = ["--stream-idle", "0.1"];
    let began = Instant::now();
    let events = at("events.ns");
    let mut command = decode(events.to_str().unwrap(), &at("out"), &SET.config(), &idle);
    let text = said(&command.output().unwrap());
    ended_soon(began);
    let counts = counts(&at("out"));
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(counts["seen"]["ticks"], 3999);
    assert_eq!(count("records_written") + count("records_dropped") + count("records_lost"), 3999);
    assert!(count("records_written") < 200, "more than a pipe holds: {counts}");
    assert!(text.contains("records are not in"), "{text}");

    // One that reads gets the very records of a file, and its end.
    let (path, output) = (at("out"), at("read.bin"));
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        std::fs::write(output, bytes).unwrap();
    });
    std::thread::sleep(Duration::from_millis(200));
    said(&command.output().unwrap());
    reading.join().unwrap();
    said(&decode(events.to_str().unwrap(), &at("file.bin"), &SET.config(), &idle).output().unwrap());
    assert!(std::fs::read(at("read.bin")).unwrap() == std::fs::read(at("file.bin")).unwrap());
}

#[test]
fn a_full_disk_is_one_error_at_the_end_and_keeps_the_counts() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let more = ["--report", report.to_str().unwrap()];
    let bytes = stream(&SET.events(true, true));
    let ended = fed(&mut decode("-", Path::new("/dev/full"), &SET.config(), &more), &bytes);
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("error:")).count(), 1, "{text}");
    assert!(text.contains("no space left"), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["outcome"]["counts"]["seen"]["ticks"], 3999);
    assert_eq!(report["outcome"]["counts"]["records_written"], 0);
    assert_eq!(report["outcome"]["exit_code"], 1);
}

#[test]
fn hints_that_are_refused_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.npy");
    let bytes = stream(&SET.events(true, true)[..300]);
    let hints = ["--pin-core", "100000", "--lock-memory", "--realtime-priority", "99"];
    let text = said(&fed(&mut decode("-", &output, &SET.config(), &hints), &bytes));
    assert!(text.contains("warning: --pin-core 100000"), "{text}");
    assert!(counts(&output)["scheduling"].is_string());
}

#[test]
fn pacing_keeps_the_time_of_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("a.npy");
    let events = SET.events(true, true);
    let until = events[0].at + (1.2 * CLOCK) as i64;
    let part: Vec<Owned> = events.into_iter().take_while(|event| event.at <= until).collect();
    let began = Instant::now();
    said(&fed(&mut decode("-", &output, &SET.config(), &["--paced"]), &stream(&part)));
    assert!(began.elapsed() >= Duration::from_millis(1190), "{:?}", began.elapsed());
    let counts = counts(&output);
    assert!(
        counts["latency"]["count"].as_u64().unwrap() > 90 && counts["latency_note"].is_null(),
        "{counts}"
    );
}

#[test]
fn flags_that_do_not_apply_are_refused_and_a_dry_run_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("events.ns"), stream(&[])).unwrap();
    let session = common::fixture("decode/track1d/inputs.h5").display().to_string();
    let (events, out, config) = (at("events.ns"), at("out.npy"), SET.config());
    let refused = |arguments: &[&str], told: &str| {
        let ended = nissl(&[&["decode"], arguments].concat()).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(told) && text.lines().count() == 1, "{arguments:?}: {text}");
    };
    for flag in [&["--paced"][..], &["--tick", "0.006"], &["--lfp", "x"], &["--pin-core", "0"]] {
        refused(&[&[&session, "-o", &at("a.nc")], flag].concat(), "--stream");
    }
    refused(&[&session, "-o", &at("a.nc"), "--likelihood", "realtime"], "--stream");
    let stream = ["--stream", &events, "-o", &out, "--realtime-config", &config];
    for (flag, told) in [
        (&["--save", "map"][..], "--save"),
        (&["--plot", "a.svg"], "--plot"),
        (&["--likelihood", "sorted"], "realtime or kde"),
        (&["--position-std", "3"], "--position-std"),
        (&["--model", "contfrag"], "--model"),
        (&["--time", "0:1:0.1"], "--time"),
        (&["--lfp", "/data"], "--lfp"),
        (&["--tick", "0"], "seconds above 0"),
        (&["--realtime-priority", "100"], "1..=99"),
        (&["--dedup", "none"], "electrode"),
    ] {
        refused(&[&stream, flag].concat(), told);
    }
    refused(&["--stream", &session, "-o", &out, "--stream-idle", "1"], "--stream-idle");
    refused(&["--stream", &session, "-o", &out, "--tick", "records"], "--tick");
    refused(
        &["--stream", "-", "-o", &out, "--stream-idle", "1", "--realtime-config", &config],
        "--stream-idle",
    );
    refused(&["--stream", &events, "-o", &events, "--realtime-config", &config], "the output is the input");

    let mut dry = decode("-", Path::new(&out), &config, &["--dry-run"]);
    let mut child = piped(&mut dry);
    let held = child.stdin.take();
    let ended = child.wait_with_output().unwrap();
    drop(held);
    said(&ended);
    let plan = String::from_utf8_lossy(&ended.stdout).into_owned();
    for told in ["standard input", "realtime", "3 electrodes", "41 bins", "0.006 s", "numpy"] {
        assert!(plan.contains(told), "{told}: {plan}");
    }
    assert!(!Path::new(&out).exists());
}

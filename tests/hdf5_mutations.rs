//! Damaged and hostile HDF5 files: each of at least 2,000 seeded mutations must end in an error or
//! an answer, in bounded time and memory. The work runs in child processes with a limit on their
//! address space, so that an abort, a hang or a huge allocation is seen and named.

#![cfg(feature = "hdf5")]

use nissl::io::{Block, Container, Entry, StoredType, block_bytes, hdf5};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Mutations per kept file and way; `NISSL_MUTATIONS` asks for more.
const COUNT: u64 = 1000;
/// Address space of a child; thread stacks and arenas take part of it.
const ADDRESS_SPACE: u64 = 3 << 30;
/// Resident memory that a child may reach.
const RESIDENT_KIB: u64 = 500 << 10;
const TIME_LIMIT: Duration = Duration::from_secs(100);
const CHILD: &str = "NISSL_MUTATION_CHILD";

/// Which file, and whether checksums are put right after the damage.
const WAYS: [(&str, bool); 3] =
    [("small_earliest.h5", false), ("small_latest.h5", false), ("small_latest.h5", true)];

struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Ranges that are followed by their checksum, found by trying.
fn checked_ranges(bytes: &[u8]) -> Vec<(usize, usize)> {
    let signatures: [&[u8; 4]; 13] = [
        b"\x89HDF", b"OHDR", b"OCHK", b"FRHP", b"FHIB", b"BTHD", b"BTLF", b"BTIN", b"FAHD", b"FADB", b"EAHD",
        b"EAIB", b"EADB",
    ];
    let starts = (0..bytes.len() - 4).filter(|&i| signatures.iter().any(|s| bytes[i..].starts_with(*s)));
    let end_of = |start: usize| {
        (start + 4..(start + 2100).min(bytes.len() - 4)).find(|&end| {
            let sum = hdf5_reader::checksum::jenkins_lookup3(&bytes[start..end]);
            bytes[end..end + 4] == sum.to_le_bytes()
        })
    };
    starts.filter_map(|start| end_of(start).map(|end| (start, end))).collect()
}

fn mutate(bytes: &mut [u8], draw: &mut Draw) {
    let len = bytes.len();
    let special = [0, 1, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, u64::MAX, u64::MAX - 7, len as u64];
    match draw.below(7) {
        0 | 1 => {
            for _ in 0..1 + draw.below(6) {
                let at = draw.below(len);
                bytes[at] ^= 1 << draw.below(8);
            }
        }
        2 => {
            let at = draw.below(len);
            let run = (1 + draw.below(48)).min(len - at);
            bytes[at..at + run].fill(0xff);
        }
        3 => {
            let value = special[draw.below(special.len())].to_le_bytes();
            let width = [1, 2, 4, 8][draw.below(4)];
            let at = draw.below(len - width);
            bytes[at..at + width].copy_from_slice(&value[..width]);
        }
        4 => {
            // An address or length of another place in the file.
            let value = (draw.below(len) as u64).to_le_bytes();
            let at = draw.below(len - 8) & !7;
            bytes[at..at + 8].copy_from_slice(&value);
        }
        5 => {
            let (from, to) = (draw.below(len - 64), draw.below(len - 64));
            bytes.copy_within(from..from + 8 + draw.below(56), to);
        }
        _ => {
            let at = draw.below(len);
            bytes[at] = draw.below(256) as u8;
        }
    }
}

/// Lists, reads all attributes and all data; errors are fine. Answers the bytes of `/packed`.
fn read_everything(path: &Path) -> Option<Vec<u8>> {
    let file = hdf5::open(path).ok()?;
    let mut packed = None;
    for entry in file.list().ok()? {
        match entry {
            Entry::Group(path) => drop(file.attributes(&path)),
            Entry::Link(..) => {}
            Entry::Dataset(info) => {
                let _ = (file.attributes(&info.path), file.dimension_scales(&info.path));
                let Ok(dataset) = file.dataset(&info.path) else { continue };
                if matches!(info.stored, StoredType::Text) {
                    let _ = dataset.read_text();
                } else if matches!(info.stored, StoredType::Reference) {
                    let _ = dataset.read_references();
                }
                // A damaged shape can be huge: then a corner of it.
                let count: Vec<u64> = info.shape.iter().map(|&n| n.min(60)).collect();
                let block = Block { start: vec![0; count.len()], count };
                let cells: u64 = block.count.iter().product();
                if cells > 1 << 20 {
                    continue;
                }
                let mut out = vec![0; block_bytes(&info, &block)];
                if dataset.read_block(&block, &mut out).is_ok() && info.path == "/packed" {
                    packed = Some(out);
                }
            }
        }
    }
    packed
}

fn kept(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/io/hdf5");
    std::fs::read(folder.join(name)).expect("a kept file")
}

/// The child's work: one way, all its mutations. Prints the number of each before it starts.
#[test]
fn child_reads_mutations() {
    let Some(way) = std::env::var(CHILD).ok().and_then(|way| way.parse::<usize>().ok()) else { return };
    let limit = rustix::process::Rlimit { current: Some(ADDRESS_SPACE), maximum: Some(ADDRESS_SPACE) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
    let (name, mend) = WAYS[way];
    let sound = kept(name);
    let ranges = if mend { checked_ranges(&sound) } else { Vec::new() };
    assert!(!mend || ranges.len() > 20, "only {} checksums found", ranges.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mutated.h5");
    std::fs::write(&path, &sound).expect("writes");
    let right = read_everything(&path).expect("the sound file reads");
    let (mut answers, mut out) = (0, std::io::stdout());
    let count = std::env::var("NISSL_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(COUNT);
    for number in 0..count {
        let mut draw = Draw(number * 3 + way as u64);
        draw.below(1);
        let mut bytes = sound.clone();
        (0..1 + draw.below(3)).for_each(|_| mutate(&mut bytes, &mut draw));
        for &(start, end) in &ranges {
            let sum = hdf5_reader::checksum::jenkins_lookup3(&bytes[start..end]);
            bytes[end..end + 4].copy_from_slice(&sum.to_le_bytes());
        }
        std::fs::write(&path, &bytes).expect("writes");
        writeln!(out, "mutation {number}").and_then(|()| out.flush()).expect("prints");
        if let Some(packed) = read_everything(&path) {
            answers += 1;
            // New files checksum every structure, and this dataset its values.
            if name.contains("latest") && !mend {
                assert!(packed == right, "mutation {number}: a wrong answer");
            }
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map(|l| l.trim().trim_end_matches(" kB"));
    let peak: u64 = peak.and_then(|kib| kib.parse().ok()).unwrap_or(0);
    assert!(peak < RESIDENT_KIB, "{peak} KiB of memory");
    // Enough of them must get past the superblock for this to be a test of the rest.
    assert!(answers > count / 20, "only {answers} of {count} got as far as the data");
    writeln!(out, "{answers} answers, {peak} KiB").expect("prints");
}

#[test]
fn mutated_files_end_in_an_error_or_an_answer() {
    let exe = std::env::current_exe().expect("this test");
    for (way, (name, mend)) in WAYS.iter().enumerate() {
        let log = tempfile::NamedTempFile::new().expect("a log");
        let mut child = Command::new(&exe)
            .args(["--exact", "child_reads_mutations", "--nocapture"])
            .env(CHILD, way.to_string())
            .stdout(Stdio::from(log.reopen().expect("the log")))
            .stderr(Stdio::from(log.reopen().expect("the log")))
            .spawn()
            .expect("the child starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the child") {
                break Some(status);
            }
            if start.elapsed() > TIME_LIMIT {
                child.kill().expect("kills");
                child.wait().expect("the child");
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = std::fs::read_to_string(log.path()).expect("the log");
        let tail: Vec<&str> = text.lines().rev().take(12).collect();
        assert!(status.is_some_and(|s| s.success()), "{name}, mended {mend}: {status:?} after {tail:#?}");
        assert!(!text.contains("panicked"), "{name}, mended {mend}: a panic was swallowed: {tail:#?}");
        eprintln!(
            "{name}, mended {mend}: {:?} in {:?}",
            tail.iter().find(|l| l.contains("answers")),
            start.elapsed()
        );
    }
}

/// A cut file says so.
#[test]
fn truncated_files_are_named_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["small_earliest.h5", "small_latest.h5"] {
        let sound = kept(name);
        for part in 1..40 {
            let path = folder.path().join("cut.h5");
            let len = sound.len() * part / 40;
            std::fs::write(&path, &sound[..len]).expect("writes");
            let err = hdf5::open(&path).err().expect("refused").to_string();
            assert!(err.contains("truncated") && err.contains(&format!("{len} bytes")), "{err}");
        }
        std::fs::write(folder.path().join("head.h5"), &sound[..6]).expect("writes");
        let err = hdf5::open(&folder.path().join("head.h5")).err().expect("refused").to_string();
        assert!(err.contains("truncated"), "{err}");
    }
}

#[test]
fn other_formats_are_refused_with_advice() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.nc");
    for (bytes, word) in [
        (&b"CDF\x01\0\0\0\0"[..], "nccopy -k nc4"),
        (b"CDF\x05\0\0\0\0\0\0\0\0", "nccopy -k nc4"),
        (b"", "empty"),
        (b"GIF89a", "no HDF5 signature"),
    ] {
        std::fs::write(&path, bytes).expect("writes");
        let err = hdf5::open(&path).err().expect("refused").to_string();
        assert!(err.contains(word) && err.contains("x.nc"), "{err}");
    }
    assert!(hdf5::open(&folder.path().join("none.h5")).is_err());
    assert!(hdf5::open(folder.path()).is_err());
}

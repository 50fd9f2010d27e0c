//! Event streams for the tests of `decode --stream`: the peer's sets as events, and what comes back.
#![allow(dead_code)] // Each test file uses its part.

use nissl::commands::decode::stream::Shape;
use nissl::commands::decode::stream::event::{Event, Kind, append, header};
use nissl::commands::decode::stream::record::Layout;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Clock of the peer's sets, samples per second.
pub const CLOCK: f64 = 30_000.0;

/// A folder under `fixtures/decode`.
#[derive(Clone, Copy)]
pub struct Set(pub &'static str);

/// An event with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    pub kind: Kind,
    pub channel: u16,
    pub at: i64,
    pub values: Vec<f32>,
}

impl Owned {
    pub fn new(kind: Kind, channel: u16, at: i64, values: &[f32]) -> Self {
        Owned { kind, channel, at, values: values.to_vec() }
    }
}

impl Set {
    pub fn file(self, name: &str) -> PathBuf {
        crate::common::fixture(&format!("decode/{}/{name}", self.0))
    }

    pub fn config(self) -> String {
        self.file("config.json").display().to_string()
    }

    pub fn array(self, name: &str) -> Vec<f64> {
        crate::common::read(&self.file(&format!("{name}.npy")), "").values
    }

    pub fn states(self) -> usize {
        if self.0 == "realtime_classifier" { 3 } else { 1 }
    }

    /// Its events in order; ticks as records where `ticks`, speeds where `speeds`.
    pub fn events(self, ticks: bool, speeds: bool) -> Vec<Owned> {
        let mut events = Vec::new();
        let places = self.array("in_pos_bin");
        let velocities = self.array("in_velocity");
        for (index, at) in self.array("in_pos_timestamp").iter().enumerate() {
            let values = [places[index] as f32, velocities[index] as f32];
            let values = if speeds { &values[..] } else { &values[..1] };
            events.push(Owned::new(Kind::Position, 0, *at as i64, values));
        }
        let (electrodes, marks) = (self.array("in_spike_trode"), self.array("in_spike_mark"));
        for (index, at) in self.array("in_spike_timestamp").iter().enumerate() {
            let mark: Vec<f32> = marks[4 * index..4 * index + 4].iter().map(|&value| value as f32).collect();
            events.push(Owned::new(Kind::Spike, electrodes[index] as u16, *at as i64, &mark));
        }
        if ticks {
            let times = self.array("in_tick_timestamp");
            events.extend(times.iter().map(|at| Owned::new(Kind::Tick, 0, *at as i64, &[])));
        }
        let order = |event: &Owned| (event.at, event.kind == Kind::Tick, event.kind == Kind::Spike);
        events.sort_by_key(order);
        events
    }
}

/// The bytes of a stream.
pub fn stream(events: &[Owned]) -> Vec<u8> {
    let mut bytes = header(CLOCK).to_vec();
    for Owned { kind, channel, at, values } in events {
        append(&Event { kind: *kind, channel: *channel, at: *at, values }, &mut bytes);
    }
    bytes
}

/// Records as they were packed.
pub struct Records {
    layout: Layout,
    bytes: Vec<u8>,
}

impl Records {
    /// Reads packed records of so many states over 41 bins.
    pub fn read(path: &Path, states: usize, ripple: bool) -> Records {
        let bytes = std::fs::read(path).unwrap();
        let state_names = vec![String::new(); states];
        let shape = Shape { states, bins: 41, state_names, centers: vec![vec![0.0; 41]] };
        let layout = Layout::new(&shape, ripple);
        assert_eq!(bytes.len() % layout.size, 0, "whole records");
        Records { layout, bytes }
    }

    pub fn count(&self) -> usize {
        self.bytes.len() / self.layout.size
    }

    fn field(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let field = self.layout.fields.iter().find(|field| field.name == name).unwrap();
        let range = field.offset..field.offset + field.size();
        self.bytes.chunks_exact(self.layout.size).map(move |record| &record[range.clone()])
    }

    pub fn i64s(&self, name: &str) -> Vec<i64> {
        self.field(name).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    pub fn i32s(&self, name: &str) -> Vec<i32> {
        self.field(name).map(|bytes| i32::from_le_bytes(bytes[..4].try_into().unwrap())).collect()
    }

    pub fn u8s(&self, name: &str) -> Vec<u8> {
        self.field(name).map(|bytes| bytes[0]).collect()
    }

    /// The values of each record.
    pub fn f64s(&self, name: &str) -> Vec<Vec<f64>> {
        let values = |bytes: &[u8]| bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        self.field(name).map(values).collect()
    }
}

/// `nissl decode --stream INPUT -o OUTPUT --realtime-config ...` with more flags; quiet but for
/// warnings.
pub fn decode(input: &str, output: &Path, config: &str, more: &[&str]) -> Command {
    let output = output.display().to_string();
    let mut command = crate::common::nissl(&["decode", "--stream", input, "-o", &output, "-q"]);
    command.args(["--realtime-config", config]).args(more);
    command
}

/// Starts it with a pipe to its standard input.
pub fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs it with `bytes` on its standard input.
pub fn fed(command: &mut Command, bytes: &[u8]) -> Output {
    let mut child = piped(command);
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // It may end before everything is written.
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

/// Demands success and gives back what it said on stderr.
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ended with {:?}: {text}", output.status.code());
    text
}

/// The counts in the report beside `output`.
pub fn counts(output: &Path) -> serde_json::Value {
    let path = format!("{}.report.json", output.display());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    report["outcome"]["counts"].clone()
}

/// Sends a signal to a child.
pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

/// Makes a FIFO.
pub fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Order of a replay: spikes at one time come by electrode, field potential behind them.
pub fn replayed(event: &Owned) -> (i64, usize, u16) {
    let kinds = [Kind::Position, Kind::Spike, Kind::Lfp, Kind::Tick];
    (event.at, kinds.iter().position(|kind| *kind == event.kind).unwrap_or(kinds.len()), event.channel)
}

/// The set as a folder of `.npy`, which has no speeds.
pub fn session_folder(set: Set, folder: &Path) {
    let f64s = |path: &str, shape: &[usize], values: &[f64]| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        crate::common::write_npy(&path, "<f8", shape, &bytes);
    };
    let seconds = |name: &str| set.array(name).iter().map(|at| at / CLOCK).collect::<Vec<f64>>();
    let times = seconds("in_pos_timestamp");
    f64s("position/time.npy", &[times.len()], &times);
    f64s("position/data.npy", &[times.len()], &set.array("in_pos_bin"));
    let (times, electrodes, marks) =
        (seconds("in_spike_timestamp"), set.array("in_spike_trode"), set.array("in_spike_mark"));
    let most = electrodes.iter().fold(0.0, |most: f64, &e| most.max(e)) as usize;
    for electrode in 1..=most {
        let own: Vec<usize> =
            (0..times.len()).filter(|&spike| electrodes[spike] as usize == electrode).collect();
        let spikes: Vec<f64> = own.iter().map(|&spike| times[spike]).collect();
        let own_marks: Vec<f64> =
            own.iter().flat_map(|&spike| marks[4 * spike..4 * spike + 4].to_vec()).collect();
        f64s(&format!("electrodes/{electrode}/spike_times.npy"), &[spikes.len()], &spikes);
        f64s(&format!("electrodes/{electrode}/features.npy"), &[spikes.len(), 4], &own_marks);
    }
}

//! The loop of `decode --stream` allocates nothing once it is warm: every source of events, both
//! engines, the ripple detector, the ring, histograms and bad records, under an allocator that counts.

mod common;
mod counting_allocator;
mod stream_common;

use counting_allocator::calls;
use nissl::backend::CpuLevel;
use nissl::commands::decode::stream::bytes::{ByteSource, Input};
use nissl::commands::decode::stream::config::RealtimeConfig;
use nissl::commands::decode::stream::event::Kind;
use nissl::commands::decode::stream::options::Dedup;
use nissl::commands::decode::stream::realtime::Realtime;
use nissl::commands::decode::stream::ring::ring;
use nissl::commands::decode::stream::schedule::Schedule;
use nissl::commands::decode::stream::source::{Lfp, Replay, Source, World};
use nissl::commands::decode::stream::ticking::{Manner, Ticking};
use nissl::commands::decode::stream::{Engine, TickRecord};
use nissl::kernels::ripple::{Detector, Settings};
use std::cell::Cell;
use std::time::Instant;
use stream_common::*;

/// Watches from the hundredth tick on.
struct Watching {
    began: Instant,
    ticks: Cell<u64>,
    /// Calls of the allocator before.
    before: Cell<u64>,
}

impl World for Watching {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
    fn sleep(&self, ns: u64) {
        std::thread::sleep(std::time::Duration::from_nanos(ns));
    }
    fn stopped(&self) -> bool {
        false
    }
    fn ticked(&self) {
        self.ticks.set(self.ticks.get() + 1);
        if self.ticks.get() == 100 {
            self.before.set(calls());
        }
    }
}

/// Allocations and releases behind the warm-up, and the ticks made.
fn run(engine: &mut dyn Engine, source: &mut dyn Source, paced: bool, lfp: bool) -> (u64, u64) {
    let shape = engine.shape();
    let (producer, mut consumer) = ring(&shape);
    let mut detector = Detector::new(&Settings::default(), 1).unwrap();
    let manner = Manner { clock: CLOCK, axes: 1, rank: 1, paced, patient: false, deadline: 6_000_000 };
    let schedule = Schedule::new(Some(180.0), CLOCK);
    let ripples = lfp.then_some((&mut detector, 0));
    let mut ticking = Ticking::new(engine, ripples, producer, schedule, manner);
    let world = Watching { began: Instant::now(), ticks: Cell::new(0), before: Cell::new(0) };
    let ended = ticking.run(source, &world);
    let allocations = calls() - world.before.get();
    assert!(!ended.unwrap());
    assert!(ticking.dropped() > 0 || consumer.pop(&mut TickRecord::new(&shape)));
    (allocations, world.ticks.get())
}

fn engine(set: Set) -> Realtime {
    let text = std::fs::read_to_string(set.config()).unwrap();
    let config = RealtimeConfig::from_json(&text, "config.json").unwrap();
    let level = *CpuLevel::available().last().unwrap();
    Realtime::new(level, &config, Dedup::Electrode)
}

#[test]
fn replays_allocate_nothing() {
    for (set, paced) in
        [(Set("realtime"), false), (Set("realtime_classifier"), false), (Set("realtime"), true)]
    {
        let mut replay = Replay::new(CLOCK);
        let seconds = |name: &str| set.array(name).iter().map(|at| at / CLOCK).collect::<Vec<f64>>();
        let until = if paced { 102.0 } else { f64::INFINITY };
        let times: Vec<f64> = seconds("in_pos_timestamp").into_iter().filter(|&time| time < until).collect();
        replay.positions(&times, &set.array("in_pos_bin")[..times.len()], 1);
        let times: Vec<f64> =
            seconds("in_spike_timestamp").into_iter().filter(|&time| time < until).collect();
        for electrode in 0..6 {
            replay.electrode(electrode, &times, &set.array("in_spike_mark")[..4 * times.len()], 4);
        }
        let values = (0..6000).map(|sample| (sample as f32 * 0.8).sin()).collect();
        replay.field_potential(Lfp { start: times[0], rate: 1500.0, values });
        replay.settle();
        let (allocations, ticks) = run(&mut engine(set), &mut replay, paced, true);
        assert!(ticks > 300, "{ticks}");
        assert_eq!(allocations, 0, "in {ticks} ticks of {}", set.0);
    }
}

#[test]
fn streams_with_bad_records_allocate_nothing() {
    let set = Set("realtime_classifier");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ns");
    let mut bytes = stream(&[]);
    for (index, event) in set.events(true, true).iter().enumerate() {
        bytes.extend(&stream(std::slice::from_ref(event))[16..]);
        if index % 50 == 0 {
            let bad = [
                Owned::new(Kind::Spike, 999, event.at, &[1.0; 9]),
                Owned::new(Kind::Spike, 1, i64::MAX, &[f32::NAN; 4]),
                Owned::new(Kind::Position, 0, event.at, &[f32::NAN]),
                Owned::new(Kind::Lfp, 0, event.at, &[1.0]),
            ];
            bytes.extend(&stream(&bad)[16..]);
            bytes.extend([77; 16]);
            bytes.extend(vec![0; 4 * 0x4d4d]);
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let world = Watching { began: Instant::now(), ticks: Cell::new(0), before: Cell::new(0) };
    let mut source = ByteSource::open(Input::File, &path, Some(0.05), &world).unwrap();
    source.clock(&world).unwrap();
    let (allocations, ticks) = run(&mut engine(set), &mut source, false, true);
    assert_eq!(ticks, 3999);
    assert_eq!(allocations, 0);
    assert!(source.finish().records() > 50);
}

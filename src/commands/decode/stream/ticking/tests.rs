//! The loop with a clock and an engine of its own.

use super::super::engine::{Counts, Shape};
use super::super::ring::with_capacity;
use super::super::source::Replay;
use super::*;
use std::cell::Cell;

/// Keeps what it is told; a tick's count of spikes is that of all spikes so far.
#[derive(Default)]
struct Listening {
    told: Vec<(char, i64, usize, Option<f32>)>,
    spikes: i32,
}

impl Engine for Listening {
    fn shape(&self) -> Shape {
        Shape { states: 1, bins: 2, state_names: vec!["s".into()], centers: vec![vec![0.0, 1.0]] }
    }
    fn position(&mut self, at: i64, coordinates: &[f32], speed: Option<f32>) {
        self.told.push(('p', at, coordinates.len(), speed));
    }
    fn spike(&mut self, at: i64, _electrode: u16, mark: &[f32]) {
        self.spikes += 1;
        self.told.push(('s', at, mark.len(), None));
    }
    fn tick(&mut self, at: i64, record: &mut TickRecord) {
        (record.tick, record.spikes) = (at, self.spikes);
        self.told.push(('t', at, 0, None));
    }
    fn counts(&self) -> Counts {
        Counts::default()
    }
}

/// A clock that goes on by a microsecond each time it is read, and by what is slept.
struct Fake {
    now: Cell<u64>,
    stop_at: u64,
}

impl World for Fake {
    fn now(&self) -> u64 {
        self.now.set(self.now.get() + 1000);
        self.now.get()
    }
    fn sleep(&self, ns: u64) {
        self.now.set(self.now.get() + ns);
    }
    fn stopped(&self) -> bool {
        self.now.get() >= self.stop_at
    }
    fn ticked(&self) {}
}

fn world() -> Fake {
    Fake { now: Cell::new(0), stop_at: u64::MAX }
}

fn manner() -> Manner {
    let (paced, patient, warm_up) = (false, false, None);
    Manner { clock: 1000.0, axes: 1, rank: 5, paced, warm_up, patient, deadline: 6_000_000 }
}

fn recording(spikes: usize) -> Replay {
    let mut replay = Replay::new(1000.0);
    replay.positions(&[0.0], &[1.0], 1);
    let times: Vec<f64> = (0..spikes).map(|n| n as f64 * 0.006).collect();
    replay.electrode(0, &times, &vec![1.0; spikes], 1);
    replay.settle();
    replay
}

#[test]
fn ticks_follow_the_events_of_their_time() {
    let mut engine = Listening::default();
    let shape = engine.shape();
    let (producer, mut consumer) = with_capacity(&shape, 8);
    let schedule = Schedule::new(Some(6.0), 1000.0);
    let mut ticking = Ticking::new(&mut engine, None, producer, schedule, manner());
    assert!(!ticking.run(&mut recording(3), &world()).unwrap());
    assert_eq!((ticking.seen.ticks, ticking.seen.spikes, ticking.seen.positions), (2, 3, 1));
    let mut record = TickRecord::new(&shape);
    for (tick, spikes) in [(6, 2), (12, 3)] {
        assert!(consumer.pop(&mut record));
        assert_eq!((record.tick, record.spikes, record.rank), (tick, spikes, 5));
    }
    assert!(consumer.is_over());
    let order: String = engine.told.iter().map(|told| told.0).collect();
    assert_eq!(order, "psstst");
}

#[test]
fn pacing_holds_ticks_until_they_are_due() {
    let mut engine = Listening::default();
    let (producer, _consumer) = with_capacity(&engine.shape(), 8);
    let schedule = Schedule::new(Some(6.0), 1000.0);
    let paced = Manner { paced: true, ..manner() };
    let mut ticking = Ticking::new(&mut engine, None, producer, schedule, paced);
    let world = world();
    ticking.run(&mut recording(200), &world).unwrap();
    let seconds = world.now.get() as f64 * 1e-9;
    assert!((1.194..1.2).contains(&seconds), "{seconds} s for 199 intervals of 6 ms");
    let latency = ticking.latency.summary();
    assert_eq!((latency.count, latency.missed), (99, 0));
    assert!(latency.max_s < 1e-4, "a wait is no latency: {latency:?}");
}

#[test]
fn a_warm_up_is_neither_held_back_nor_timed() {
    let mut engine = Listening::default();
    let (producer, mut consumer) = with_capacity(&engine.shape(), 256);
    let mut record = TickRecord::new(&engine.shape());
    let schedule = Schedule::new(Some(6.0), 1000.0);
    let paced = Manner { paced: true, warm_up: Some(900), ..manner() };
    let mut ticking = Ticking::new(&mut engine, None, producer, schedule, paced);
    let world = world();
    ticking.run(&mut recording(200), &world).unwrap();
    let seconds = world.now.get() as f64 * 1e-9;
    assert!((0.294..0.306).contains(&seconds), "{seconds} s for the last 294 ms of 1194");
    assert_eq!((ticking.seen.ticks, ticking.latency.summary().count), (199, 51));
    // Every tick has its record all the same.
    assert_eq!(std::iter::from_fn(|| consumer.pop(&mut record).then_some(())).count(), 199);
}

#[test]
fn a_wish_to_stop_ends_a_wait() {
    let mut engine = Listening::default();
    let (producer, consumer) = with_capacity(&engine.shape(), 8);
    let schedule = Schedule::new(Some(6.0), 1000.0);
    let paced = Manner { paced: true, ..manner() };
    let mut ticking = Ticking::new(&mut engine, None, producer, schedule, paced);
    let world = Fake { now: Cell::new(0), stop_at: 100_000_000 };
    assert!(ticking.run(&mut recording(2000), &world).unwrap());
    assert!(ticking.seen.ticks < 20 && !consumer.is_over());
}

#[test]
fn a_writer_that_takes_nothing_costs_records_and_not_ticks() {
    for patient in [false, true] {
        let mut engine = Listening::default();
        let (producer, _consumer) = with_capacity(&engine.shape(), 10);
        let schedule = Schedule::new(Some(6.0), 1000.0);
        let manner = Manner { patient, ..manner() };
        let mut ticking = Ticking::new(&mut engine, None, producer, schedule, manner);
        let world = world();
        ticking.run(&mut recording(301), &world).unwrap();
        assert_eq!((ticking.seen.ticks, ticking.dropped()), (300, 290));
        assert_eq!(world.now.get() > PATIENCE, patient, "it waits once");
        assert!(ticking.latency.summary().max_s < 0.001);
    }
}

#[test]
fn speeds_are_told_apart_from_coordinates() {
    struct Some3(usize);
    impl Source for Some3 {
        fn next(&mut self, _world: &dyn World) -> Result<Next<'_>> {
            const VALUES: [f32; 3] = [1.0, 2.0, 3.0];
            self.0 += 1;
            let at = self.0 as i64;
            let values = VALUES.get(..self.0).unwrap_or_default();
            let event = Event { kind: Kind::Position, channel: 0, at, values };
            Ok(if self.0 > 3 { Next::Over } else { Next::Event(event, Some(0)) })
        }
    }
    let mut engine = Listening::default();
    let (producer, _consumer) = with_capacity(&engine.shape(), 8);
    let schedule = Schedule::new(None, 1000.0);
    Ticking::new(&mut engine, None, producer, schedule, manner()).run(&mut Some3(0), &world()).unwrap();
    assert_eq!(engine.told, [('p', 1, 1, None), ('p', 2, 1, Some(2.0)), ('p', 3, 3, None)]);
}

//! The loop: event in, tick out.
//!
//! Between two events nothing is allocated, locked or printed; the clock is read (no system call on
//! Linux), records go into the ring, counts into fields. Two durations are kept for every tick
//! behind the warm-up, in nanoseconds:
//!
//! * latency: from the moment the tick could be made (its last byte was read; with pacing, the
//!   moment it was due; in a replay at full speed, the moment the loop came to it) until its record
//!   was queued;
//! * work: all that was computed since the tick before, spikes encoded on arrival included. Where
//!   it stays below a tick's interval, the machine keeps up.
//!
//! `tests/stream_allocation.rs` holds that nothing is allocated. For system calls look by hand:
//! `strace -f nissl decode --stream EVENTS -o ticks.npy ... --stream-idle 1` shows on the first thread,
//! between the first and the last read of EVENTS, reads alone: no `brk`, `mmap`, `munmap`, `futex`.

use super::engine::{Engine, TickRecord};
use super::event::{Event, Kind};
use super::latency::{Histogram, WARM_UP};
use super::ring::Producer;
use super::schedule::Schedule;
use super::source::{Next, Source, World};
use crate::error::Result;
use crate::kernels::ripple::Detector;

/// Closer than this a wait is spun through: sleeping wakes up late by about as much.
const SPIN: u64 = 80_000;
/// Longest sleep, so that a signal is seen.
const NAP: u64 = 20_000_000;
/// How long a replay at full speed waits for a writer that takes nothing, before it drops records.
const PATIENCE: u64 = 2_000_000_000;

/// Stream time against the world's clock.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Nanoseconds of a sample of the stream.
    sample: f64,
    /// A time of the stream, and when it was.
    began: Option<(i64, u64)>,
    jumps: u64,
}

/// How the loop runs.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Samples of the stream's clock per second.
    pub clock: f64,
    /// Axes of a position.
    pub axes: usize,
    /// Number of the decoder, for the records.
    pub rank: i32,
    /// Hold events back until their time has come.
    pub paced: bool,
    /// Samples of the stream before anything is held back or timed; none for a number of ticks.
    pub warm_up: Option<u64>,
    /// Wait for a slow writer instead of dropping records, where nobody waits for the ticks: at full
    /// speed, or during the warm-up.
    pub patient: bool,
    /// A tick's interval, nanoseconds.
    pub deadline: u64,
}

/// What the loop counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// Ticks made.
    pub ticks: u64,
    /// Position samples handed on.
    pub positions: u64,
    /// Spikes handed on.
    pub spikes: u64,
    /// Field potential samples, whether used or not.
    pub field_potentials: u64,
    /// Ripples begun.
    pub ripples: u64,
    /// Ticks during a ripple.
    pub ripple_ticks: u64,
}

/// The loop and its state.
pub struct Ticking<'a> {
    engine: &'a mut dyn Engine,
    ripples: Option<(&'a mut Detector, u16)>,
    ring: Producer,
    /// Ticks and times.
    pub schedule: Schedule,
    manner: Manner,
    pace: Option<Pace>,
    /// The warm-up goes on.
    warming: bool,
    record: TickRecord,
    busy: u64,
    stalled: bool,
    /// Latency of ticks.
    pub latency: Histogram,
    /// Work between ticks.
    pub work: Histogram,
    /// What came by.
    pub seen: Seen,
}

impl<'a> Ticking<'a> {
    /// Binds `engine` to `ring`; `ripples` listens to one channel of field potential.
    pub fn new(
        engine: &'a mut dyn Engine,
        ripples: Option<(&'a mut Detector, u16)>,
        ring: Producer,
        schedule: Schedule,
        manner: Manner,
    ) -> Self {
        let mut record = TickRecord::new(&engine.shape());
        record.rank = manner.rank;
        let sample = 1e9 / manner.clock;
        Ticking {
            engine,
            ripples,
            ring,
            schedule,
            pace: manner.paced.then_some(Pace { sample, began: None, jumps: 0 }),
            warming: true,
            record,
            busy: 0,
            stalled: false,
            latency: Histogram::new(manner.deadline),
            work: Histogram::new(manner.deadline),
            seen: Seen::default(),
            manner,
        }
    }

    /// Runs until the source is over or the world wants to stop; true for the latter. Ticks whose
    /// time is over by then are made.
    ///
    /// # Errors
    /// The source cannot be read; what came before is done.
    pub fn run(&mut self, source: &mut dyn Source, world: &dyn World) -> Result<bool> {
        let result = loop {
            if world.stopped() {
                break Ok(true);
            }
            match source.next(world) {
                Ok(Next::Event(event, available)) => {
                    self.event(&event, available, world);
                    if event.kind == Kind::End {
                        break Ok(false);
                    }
                }
                Ok(Next::Nothing) => {}
                Ok(Next::Over) => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        // Everything up to the newest event is known, that time included.
        if let Some(newest) = self.schedule.newest() {
            let now = world.now();
            while let Some(at) = self.schedule.due(newest.saturating_add(1)) {
                self.tick(at, now, world);
            }
        }
        self.ring.close();
        self.seen.ripples = self.ripples.as_ref().map_or(0, |(ripples, _)| ripples.begun());
        result
    }

    /// Records that found the ring full.
    pub fn dropped(&self) -> u64 {
        self.ring.dropped()
    }

    /// Seconds of stream time that went by, jumps left out.
    pub fn stream_s(&self) -> f64 {
        self.schedule.elapsed() as f64 / self.manner.clock
    }

    /// A tick's interval, seconds.
    pub fn deadline_s(&self) -> f64 {
        self.manner.deadline as f64 * 1e-9
    }

    fn event(&mut self, event: &Event, available: Option<u64>, world: &dyn World) {
        if event.kind == Kind::Lfp {
            self.seen.field_potentials += 1;
            // Other channels have their own order of times.
            if self.ripples.as_ref().is_none_or(|(_, channel)| *channel != event.channel) {
                return;
            }
        }
        if !self.schedule.admits(event.kind, event.at) {
            return;
        }
        self.warming = self.warming && self.warms_up();
        while let Some(at) = self.schedule.due(event.at) {
            let ready = self.wait_for(at, available, world);
            if world.stopped() {
                return;
            }
            self.tick(at, ready, world);
        }
        let ready = self.wait_for(event.at, available, world);
        if event.kind == Kind::Tick {
            return self.tick(event.at, ready, world);
        }
        let began = world.now();
        match event.kind {
            Kind::Position => self.position(event),
            Kind::Spike => {
                self.seen.spikes += 1;
                self.engine.spike(event.at, event.channel, event.values);
            }
            Kind::Lfp => {
                if let Some((ripples, _)) = &mut self.ripples {
                    ripples.frame(event.values);
                }
            }
            Kind::Tick | Kind::End => {}
        }
        self.busy += world.now().saturating_sub(began);
    }

    fn position(&mut self, event: &Event) {
        self.seen.positions += 1;
        match event.values.split_at_checked(self.manner.axes) {
            Some((coordinates, [speed])) => self.engine.position(event.at, coordinates, Some(*speed)),
            // Of a wrong width: the engine counts it.
            _ => self.engine.position(event.at, event.values, None),
        }
    }

    fn tick(&mut self, at: i64, ready: u64, world: &dyn World) {
        let waited = self.wait_for_writer(world);
        let began = world.now();
        self.engine.tick(at, &mut self.record);
        let ripple = self.ripples.as_ref().is_some_and(|(ripples, _)| ripples.is_on());
        self.record.ripple = u8::from(ripple);
        self.record.rank = self.manner.rank;
        self.ring.push(&self.record);
        let ended = world.now();
        self.busy += ended.saturating_sub(began);
        self.warming = self.warming && self.warms_up();
        if !self.warming {
            self.latency.add(ended.saturating_sub(ready).saturating_sub(waited));
            self.work.add(self.busy);
        }
        self.busy = 0;
        self.seen.ticks += 1;
        self.seen.ripple_ticks += u64::from(ripple);
        world.ticked();
    }

    /// The stream, which began warming up, still does.
    fn warms_up(&self) -> bool {
        match self.manner.warm_up {
            Some(samples) => (self.schedule.elapsed().max(0) as u64) < samples,
            None => self.seen.ticks < WARM_UP,
        }
    }

    /// Nobody waits for what is done now.
    fn hurries(&self) -> bool {
        !self.manner.paced || (self.warming && self.manner.warm_up.is_some())
    }

    /// With pacing, waits until `at` has come. The moment from which on it could be worked at.
    fn wait_for(&mut self, at: i64, available: Option<u64>, world: &dyn World) -> u64 {
        let now = world.now();
        let available = available.unwrap_or(now);
        let jumps = self.schedule.oddities().jumps;
        if self.hurries() {
            return available;
        }
        let Some(pace) = &mut self.pace else { return available };
        if pace.jumps != jumps {
            (pace.began, pace.jumps) = (None, jumps);
        }
        let (first, began) = *pace.began.get_or_insert((at, now));
        // A late event is due at once.
        let since = at.saturating_sub(first).max(0) as f64 * pace.sample;
        let due = began.saturating_add(since as u64);
        wait_until(due, world);
        available.max(due)
    }

    /// Where nobody waits for the ticks, gives a slow writer time; what it took, nanoseconds.
    fn wait_for_writer(&mut self, world: &dyn World) -> u64 {
        if !self.manner.patient || !self.hurries() || !self.ring.is_full() {
            self.stalled = false;
            return 0;
        }
        let began = world.now();
        while self.ring.is_full() && !self.stalled && !world.stopped() {
            world.sleep(200_000);
            self.stalled = world.now().saturating_sub(began) > PATIENCE;
        }
        world.now().saturating_sub(began)
    }
}

fn wait_until(due: u64, world: &dyn World) {
    loop {
        let left = due.saturating_sub(world.now());
        if left == 0 || world.stopped() {
            return;
        }
        match left.checked_sub(SPIN) {
            Some(sleep) => world.sleep(sleep.clamp(1, NAP)),
            None => std::hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests;

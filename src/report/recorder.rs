//! The only clock of the crate.
//!
//! Stages are timed and counted here by whoever does the work; progress displays and the report
//! read snapshots. A recorder is shared by reference between threads.

use serde::Serialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// What a stage did, besides taking time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Work {
    /// Items (cells, epochs, bins) done.
    pub items: u64,
    /// Bytes read from files or memory.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Floating point operations.
    pub flop: u64,
}

/// Totals of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// `read`, `compute`, `write`, ...
    pub name: String,
    /// Wall time inside the stage, seconds. Stages overlap, so these may add up to more than the run.
    pub wall_s: f64,
    /// CPU time of the threads inside the stage, seconds, where it is known.
    pub cpu_s: f64,
    /// Counts.
    #[serde(flatten)]
    pub work: Work,
}

/// Collects times, counts, warnings and progress of one run.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    stages: Mutex<Vec<Stage>>,
    warnings: Mutex<Vec<String>>,
    workers: Mutex<std::collections::HashSet<std::thread::ThreadId>>,
    total: AtomicU64,
    done: AtomicU64,
    cancelled: AtomicBool,
    /// Nanoseconds from the start to the request to stop.
    cancelled_ns: AtomicU64,
}

/// Seconds that the chunk in hand has to end in when a run is asked to stop. Sites leave 30 s between
/// the request and the kill, some 5.
pub const GRACE_S: u64 = 3;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Items to do; 0 while unknown.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Seconds since the start.
    pub elapsed_s: f64,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder {
            started: Instant::now(),
            stages: Mutex::default(),
            warnings: Mutex::default(),
            workers: Mutex::default(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            cancelled_ns: AtomicU64::new(u64::MAX),
        }
    }
}

/// A poisoned lock only means that another thread panicked while adding a number.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Recorder {
    /// Starts the clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// Seconds since the start.
    pub fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Nanoseconds since the start. Where the system keeps the time in shared memory, no call is made.
    pub fn elapsed_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// CPU time of all threads of the process so far, seconds.
    pub fn cpu_s(&self) -> f64 {
        process_cpu_s()
    }

    /// Runs `action` and adds its wall time and the calling thread's CPU time to `stage`.
    pub fn time<T>(&self, stage: &str, action: impl FnOnce() -> T) -> T {
        let wall = Instant::now();
        let (result, cpu) = counted_once(action);
        let wall = wall.elapsed().as_secs_f64();
        self.update(stage, |s| {
            s.wall_s += wall;
            s.cpu_s += cpu;
        });
        result
    }

    /// Runs `action` and adds the calling thread's CPU time, but no wall time, to `stage`: for
    /// the shares of a stage that run on pool workers while another thread keeps the wall clock.
    pub fn share<T>(&self, stage: &str, action: impl FnOnce() -> T) -> T {
        self.worked_here();
        let (result, cpu) = counted_once(action);
        self.update(stage, |s| s.cpu_s += cpu);
        result
    }

    /// Adds counts to `stage`.
    pub fn count(&self, stage: &str, work: Work) {
        self.update(stage, |s| {
            s.work.items += work.items;
            s.work.bytes_read += work.bytes_read;
            s.work.bytes_written += work.bytes_written;
            s.work.flop += work.flop;
        });
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut Stage)) {
        let mut stages = lock(&self.stages);
        let position = stages.iter().position(|s| s.name == name).unwrap_or_else(|| {
            stages.push(Stage { name: name.into(), wall_s: 0.0, cpu_s: 0.0, work: Work::default() });
            stages.len() - 1
        });
        change(&mut stages[position]);
    }

    /// Totals so far, in the order in which stages first appeared.
    pub fn stages(&self) -> Vec<Stage> {
        lock(&self.stages).clone()
    }

    /// Remembers a warning for the user, with advice; equal ones are kept once.
    pub fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        let mut warnings = lock(&self.warnings);
        if !warnings.contains(&message) {
            warnings.push(message);
        }
    }

    /// Warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.warnings).clone()
    }

    /// Notes that the calling thread did a share of the work.
    pub fn worked_here(&self) {
        lock(&self.workers).insert(std::thread::current().id());
    }

    /// How many distinct threads did a share of the work.
    pub fn workers(&self) -> usize {
        lock(&self.workers).len()
    }

    /// Sets how many items there are in all.
    pub fn expect(&self, items: u64) {
        self.total.store(items, Ordering::Relaxed);
    }

    /// Notes that items are done.
    pub fn advance(&self, items: u64) {
        self.done.fetch_add(items, Ordering::Relaxed);
    }

    /// How far the run has come.
    pub fn progress(&self) -> Progress {
        Progress {
            total: self.total.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
            elapsed_s: self.elapsed_s(),
        }
    }

    /// Asks the run to stop after the chunk in hand.
    pub fn cancel(&self) {
        self.cancelled_ns.fetch_min(self.elapsed_ns(), Ordering::Relaxed);
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// True once the request to stop is [`GRACE_S`] seconds old: the chunk in hand is dropped then.
    pub fn is_overdue(&self) -> bool {
        let asked = self.cancelled_ns.load(Ordering::Relaxed);
        self.is_cancelled() && self.elapsed_ns().saturating_sub(asked) >= GRACE_S * 1_000_000_000
    }

    /// True once [`Recorder::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Runs `action` and tells the calling thread's CPU time, or 0 where a caller further out on the
/// same thread already counts it: a worker that keeps a stage's clock does shares of it, too.
fn counted_once<T>(action: impl FnOnce() -> T) -> (T, f64) {
    thread_local! {
        static COUNTS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    let outer = COUNTS.replace(true);
    let cpu = thread_cpu_s();
    let result = action();
    let cpu = thread_cpu_s() - cpu;
    COUNTS.set(outer);
    (result, if outer { 0.0 } else { cpu })
}

fn thread_cpu_s() -> f64 {
    clock_s(rustix::time::ClockId::ThreadCPUTime)
}

/// CPU time of the whole process so far, seconds.
pub fn process_cpu_s() -> f64 {
    clock_s(rustix::time::ClockId::ProcessCPUTime)
}

fn clock_s(id: rustix::time::ClockId) -> f64 {
    let time = rustix::time::clock_gettime(id);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_inside_of_a_timed_stage_is_counted_once() {
        let recorder = Recorder::new();
        let work = || {
            let started = thread_cpu_s();
            while thread_cpu_s() - started < 0.02 {}
        };
        let before = thread_cpu_s();
        recorder.time("all", || recorder.share("all", || recorder.share("part", work)));
        let spent = thread_cpu_s() - before;
        let counted: f64 = recorder.stages().iter().map(|s| s.cpu_s).sum();
        assert!(counted >= 0.02 && counted <= spent, "{counted} of {spent}");
        recorder.share("part", work);
        let part = recorder.stages().into_iter().find(|s| s.name == "part").unwrap();
        assert!(part.cpu_s >= 0.02, "shares on their own count");
    }

    #[test]
    fn stages_add_up_in_order_of_appearance() {
        let recorder = Recorder::new();
        recorder.time("read", || ());
        recorder.count("compute", Work { items: 2, flop: 10, ..Work::default() });
        recorder.count("read", Work { items: 1, ..Work::default() });
        recorder.count("compute", Work { items: 3, ..Work::default() });
        let stages = recorder.stages();
        assert_eq!(
            stages.iter().map(|s| (s.name.as_str(), s.work.items)).collect::<Vec<_>>(),
            [("read", 1), ("compute", 5)]
        );
        recorder.warn("a");
        recorder.warn("a");
        assert_eq!(recorder.warnings(), ["a"]);
    }
}

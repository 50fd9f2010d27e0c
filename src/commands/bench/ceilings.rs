//! What the machine can do at most: what stages are held against.
//!
//! Copies run over arrays far beyond the last cache; multiply-adds and exponentials stay in registers;
//! files are read from the page cache. Each is done by all threads at once, several times, and the
//! best counts: a ceiling is what was possible, not what was usual.

use super::results::Ceiling;
use crate::backend::{CpuLevel, Surroundings};
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::kernels::simd::AlignedF64;
use crate::kernels::simd::peak::{copy, exp_burst, multiply_add_burst, single_multiply_add_burst};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Seconds of one burst, about.
const BURST_S: f64 = 0.02;
/// Bursts of which the best counts.
const BURSTS: usize = 4;
/// Arrays of a copy: so many times the last cache, within limits, bytes.
const CACHES: u64 = 4;
const COPY: (u64, u64) = (128 << 20, 1 << 30);
/// Assumed where the system does not tell its last cache.
const CACHE: u64 = 32 << 20;
/// Size of the file that is read, bytes, and of the pieces it is read in.
const FILE: u64 = 128 << 20;
const PIECE: usize = 1 << 20;

/// Name of the copy ceiling.
pub const COPY_NAME: &str = "copy";
/// Name of the file ceiling.
pub const FILE_NAME: &str = "file read";

/// A pool of as many threads.
///
/// # Errors
/// The system does not give them.
pub fn pool(threads: usize) -> Result<ThreadPool> {
    let made = ThreadPoolBuilder::new().num_threads(threads).build();
    made.map_err(|e| Error::Failed(format!("cannot start {threads} threads: {e}")))
}

/// Measures all ceilings with each number of threads; the file lies in `folder` meanwhile.
///
/// # Errors
/// The disk is full or fails, or the bench was interrupted.
pub fn measure(threads: &[usize], folder: &Path, context: &Context) -> Result<Vec<Ceiling>> {
    let mut found = Vec::new();
    let file = folder.join("ceiling.bin");
    write(&file, context)?;
    for &count in threads {
        let pool = pool(count)?;
        let mut add = |name: String, unit: &str, value: f64| {
            found.push(Ceiling { name, unit: unit.into(), threads: count, value });
        };
        add(COPY_NAME.into(), "B/s", copies(&pool, count, context)?);
        for level in CpuLevel::available() {
            let single = |rounds| black_box(single_multiply_add_burst(level, rounds, black_box(1.5))).0;
            add(format!("fma f32 {}", level.name()), "flop/s", bursts(&pool, &single, context)?);
            let double = |rounds| black_box(multiply_add_burst(level, rounds, black_box(1.5))).0;
            add(format!("fma f64 {}", level.name()), "flop/s", bursts(&pool, &double, context)?);
        }
        for level in CpuLevel::available() {
            let exps = |rounds| black_box(exp_burst(level, rounds, 3.0)).0;
            add(format!("exp {}", level.name()), "exp/s", bursts(&pool, &exps, context)?);
        }
        add(FILE_NAME.into(), "B/s", reads(&pool, &file, context)?);
    }
    std::fs::remove_file(&file).map_err(Error::io(&file, "remove"))?;
    Ok(found)
}

fn stop_if_asked(context: &Context) -> Result<()> {
    if context.recorder.is_cancelled() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Seconds of `action`.
fn seconds(context: &Context, action: impl FnOnce()) -> f64 {
    let start = context.recorder.elapsed_ns();
    action();
    (context.recorder.elapsed_ns() - start).max(1) as f64 * 1e-9
}

/// What all threads of the pool do a second of what `burst` counts for so many rounds.
fn bursts(pool: &ThreadPool, burst: &(impl Fn(usize) -> u64 + Sync), context: &Context) -> Result<f64> {
    let mut rounds = 2000;
    // Clocks go up, or down under wide registers, in the first milliseconds.
    loop {
        let took = seconds(context, || {
            burst(rounds);
        });
        if took >= BURST_S / 4.0 || rounds > 1 << 40 {
            rounds = ((rounds as f64 * BURST_S / took) as usize).max(1);
            break;
        }
        rounds *= 4;
    }
    let mut best = 0.0f64;
    for _ in 0..BURSTS {
        stop_if_asked(context)?;
        let mut done = 0u64;
        let took = seconds(context, || done = pool.broadcast(|_| burst(rounds)).into_iter().sum());
        best = best.max(done as f64 / took);
    }
    Ok(best)
}

/// Bytes a second that are read and written in copies past the caches.
fn copies(pool: &ThreadPool, threads: usize, context: &Context) -> Result<f64> {
    let wanted = (CACHES * last_cache()).clamp(COPY.0, COPY.1).min(context.memory / 4);
    let each = (wanted as usize / 8 / threads.max(1)).max(1024);
    // Each thread has arrays of its own. Pages that were never written would all be the same one.
    let arrays: Vec<Mutex<(AlignedF64, AlignedF64)>> = pool.broadcast(|_| {
        let (mut from, mut to) = (AlignedF64::zeros(each), AlignedF64::zeros(each));
        from.fill(1.0);
        to.fill(2.0);
        Mutex::new((from, to))
    });
    let turn = |worker: usize| {
        let mut pair = arrays[worker].lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = &mut *pair;
        copy(context.level, from, to)
    };
    let mut best = 0.0f64;
    for _ in 0..BURSTS {
        stop_if_asked(context)?;
        let mut bytes = 0u64;
        let took =
            seconds(context, || bytes = pool.broadcast(|worker| turn(worker.index())).into_iter().sum());
        best = best.max(bytes as f64 / took);
    }
    Ok(best)
}

/// Size of the last cache of the first core, bytes.
fn last_cache() -> u64 {
    let around = Surroundings::of_this_process();
    let size = |level: usize| {
        let text = around.read(&format!("/sys/devices/system/cpu/cpu0/cache/index{level}/size"))?;
        crate::units::parse_bytes(text.trim()).ok()
    };
    (0..5).filter_map(size).max().unwrap_or(CACHE)
}

fn write(path: &Path, context: &Context) -> Result<()> {
    let file = File::create(path).map_err(Error::io(path, "write"))?;
    // No two pieces alike, and not zeros: some file systems store those without blocks.
    let mut piece: Vec<u8> =
        (0..PIECE as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for at in 0..FILE / PIECE as u64 {
        stop_if_asked(context)?;
        piece[..8].copy_from_slice(&at.to_le_bytes());
        file.write_all_at(&piece, at * PIECE as u64).map_err(Error::io(path, "write"))?;
    }
    Ok(())
}

/// Bytes a second that all threads read from the file in the page cache.
fn reads(pool: &ThreadPool, path: &Path, context: &Context) -> Result<f64> {
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let mut best = 0.0f64;
    for _ in 0..BURSTS {
        stop_if_asked(context)?;
        let mut done: Result<Vec<()>> = Ok(Vec::new());
        let took = seconds(context, || {
            done = pool
                .broadcast(|worker| -> Result<()> {
                    let mut piece = vec![0; PIECE];
                    let pieces = (FILE / PIECE as u64) as usize;
                    for at in (worker.index()..pieces).step_by(worker.num_threads()) {
                        file.read_exact_at(&mut piece, (at * PIECE) as u64)
                            .map_err(Error::io(path, "read"))?;
                    }
                    Ok(())
                })
                .into_iter()
                .collect();
        });
        done?;
        best = best.max(FILE as f64 / took);
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Recorder;

    #[test]
    fn every_ceiling_is_there_for_each_number_of_threads() {
        let (folder, recorder) = (tempfile::tempdir().unwrap(), Recorder::new());
        let level = CpuLevel::detect();
        let seat = crate::backend::Seat::cpu(level);
        let context =
            Context { level, seat: &seat, threads: 2, memory: 64 << 20, force: false, recorder: &recorder };
        let found = measure(&[1, 2], folder.path(), &context).unwrap();
        for count in [1, 2] {
            for name in ["copy", "fma f32 baseline", "fma f64 baseline", "exp baseline", "file read"] {
                let fitting = found.iter().filter(|c| c.threads == count && c.name == name);
                assert!(fitting.clone().count() == 1 && fitting.clone().all(|c| c.value > 1e6), "{name}");
            }
        }
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "no file is left");
        recorder.cancel();
        assert!(matches!(measure(&[1], folder.path(), &context), Err(Error::Interrupted)));
    }
}

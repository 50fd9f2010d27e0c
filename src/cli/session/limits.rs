//! What a run may use, by flags and surroundings.

use crate::backend::{self, MemoryLimit, Seat, Surroundings, ThreadLimit, memory, threads};
use crate::cli::common::LimitFlags;
use crate::error::Result;
use crate::report::Recorder;

/// What a run was granted.
pub(in crate::cli) struct Grant {
    pub(in crate::cli) around: Surroundings,
    pub(in crate::cli) seat: Seat,
    pub(in crate::cli) threads: ThreadLimit,
    pub(in crate::cli) memory: MemoryLimit,
}

/// Settles what a run may use, by flags and surroundings.
///
/// # Errors
/// A backend asked for by name is absent.
pub(in crate::cli) fn grant(
    flags: &LimitFlags,
    threads: Option<usize>,
    recorder: &Recorder,
) -> Result<Grant> {
    let around = Surroundings::of_this_process();
    let seat = backend::resolve(flags.backend, flags.device_memory)?;
    let allowed = threads::allowed(&around);
    let threads = match threads {
        Some(count) => {
            if count > allowed.count {
                recorder.warn(format!(
                    "--threads {count}: only {} CPU(s) may be used here ({}); more threads merely share them",
                    allowed.count, allowed.why
                ));
            }
            ThreadLimit { count, why: "--threads".into() }
        }
        None => allowed,
    };
    let memory = match flags.memory {
        Some(bytes) => MemoryLimit { bytes, why: "--memory".into() },
        None => memory::allowed(&around),
    };
    tracing::info!("instruction set {}", seat.level().name());
    tracing::info!("threads {}: {}", threads.count, threads.why);
    tracing::info!("memory {}: {}", crate::units::format_bytes(memory.bytes), memory.why);
    Ok(Grant { around, seat, threads, memory })
}

//! Signals that stop a run.
//!
//! SIGINT and SIGHUP end the process at once with 130; outputs in progress are removed. SIGTERM and
//! SIGUSR1, of which batch systems may send several, ask a run that keeps what it has done to stop
//! after the chunk in hand: it leaves with 75, at the latest a second after the chunk's grace.
//! `decode --fit-only` is ended by them as by SIGINT.
//!
//! SIGBUS comes where a mapped input lost its end while it was read (cut off, or its disk went away):
//! bad data like others, 65.
//!
//! A thread waits for them, so that nothing but a flag is touched inside a handler. Signals that
//! the parent made this process ignore (`nohup`, shell jobs in the background) stay ignored.

use super::edge;
use crate::error::{Error, ExitCode};
use crate::io::atomic;
use crate::io::npy::lost_end;
use crate::report::{GRACE_S, Recorder};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The line is printed by whoever comes first: the thread here, or the run that notices.
static SAID: AtomicBool = AtomicBool::new(false);

/// What a run does when it is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing: it is ended.
    AtOnce,
    /// It closes its outputs and succeeds; a second signal ends it.
    Closes,
    /// It finishes the chunk in hand and keeps what is done; further requests change nothing.
    Keeps,
}

/// Starts the thread that waits for SIGINT, SIGTERM, SIGHUP and SIGUSR1 (and, for a run that reads
/// `inputs`, SIGBUS); `at_work` tells whether the run has begun: before, nothing is done that could
/// be kept.
///
/// Where no thread can be had, signals keep their default action: the process ends all the same,
/// and leaves a hidden temporary file.
pub fn stop_as(recorder: Arc<Recorder>, stop: Stop, at_work: Arc<AtomicBool>, inputs: &[PathBuf]) {
    if !inputs.is_empty() {
        let error = lost_its_end(inputs);
        // Without the handler a lost end is a crash, as anywhere.
        let _ = lost_end::told_as(edge::error_line(&error.to_string()), error.exit_code() as i32);
    }
    let ignored = ignored_mask(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    let wanted = [SIGINT, SIGTERM, SIGHUP, SIGUSR1].into_iter().filter(|s| ignored >> (s - 1) & 1 == 0);
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let wait = move || {
        let (mut asked, mut watched) = (false, false);
        for signal in signals.forever() {
            let gently = match stop {
                Stop::AtOnce => false,
                Stop::Closes => !asked,
                Stop::Keeps => matches!(signal, SIGTERM | SIGUSR1),
            };
            asked = true;
            recorder.cancel();
            let waits = stop == Stop::Closes || at_work.load(Ordering::Acquire);
            if gently && waits {
                if stop == Stop::Keeps && !watched {
                    watched = true;
                    leave_in_time();
                }
                continue;
            }
            atomic::remove_unfinished();
            if gently {
                edge::say_error(&Error::Stopped.to_string());
                std::process::exit(ExitCode::Stopped as i32);
            }
            say_interrupted();
            std::process::exit(ExitCode::Interrupted as i32);
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(wait);
}

/// Ends the process some seconds after it was asked to stop, whatever it is at: what is kept is whole
/// at any moment, and a site that waits no longer would end it with no word.
fn leave_in_time() {
    let leave = || {
        std::thread::sleep(Duration::from_secs(GRACE_S + 1));
        atomic::remove_unfinished();
        edge::say_error(&Error::Stopped.to_string());
        std::process::exit(ExitCode::Stopped as i32);
    };
    // Where no thread is to be had the run ends as it can.
    let _ = std::thread::Builder::new().name("stop".into()).spawn(leave);
}

/// What the loss of a mapped file's end is called.
fn lost_its_end(inputs: &[PathBuf]) -> Error {
    let names: Vec<String> = inputs.iter().take(3).map(|path| path.display().to_string()).collect();
    let more = if inputs.len() > names.len() { ", ..." } else { "" };
    Error::data(
        format!("{}{more}", names.join(", ")),
        "a file that became shorter while it was read, or whose disk went away",
        "the length it had when opened",
        "let its writer finish first",
    )
}

/// Says once that the run was stopped.
pub fn say_interrupted() {
    if SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    if stderr.is_terminal() {
        // A progress bar may stand on this line.
        let _ = write!(stderr, "\r\x1b[2K");
    }
    drop(stderr);
    edge::say_error(&Error::Interrupted.to_string());
}

/// Bit n-1 is set where signal n is ignored, from `/proc/self/status`.
fn ignored_mask(status: &str) -> u64 {
    let field = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    field.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        assert_eq!(ignored_mask("Name:\tx\nSigIgn:\t0000000000001003\n"), 0x1003);
        assert_eq!(ignored_mask(""), 0);
    }
}

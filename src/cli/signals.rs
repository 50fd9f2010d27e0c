//! Signals that stop a run: outputs in progress are removed, then the process ends with 130.
//!
//! A thread waits for them, so that nothing but a flag is touched inside a handler. Signals that
//! the parent made this process ignore (`nohup`, shell jobs in the background) stay ignored.

use super::edge;
use crate::error::{Error, ExitCode};
use crate::io::atomic;
use crate::report::Recorder;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The line is printed by whoever comes first: the thread here, or the run that notices.
static SAID: AtomicBool = AtomicBool::new(false);

/// Starts the thread that ends the process on SIGINT, SIGTERM, SIGHUP or SIGUSR1; a run that
/// `closes` its outputs by itself is asked to by the first one, and ended by the second.
///
/// Where no thread can be had, signals keep their default action: the process ends all the same,
/// and leaves a hidden temporary file.
pub fn stop_on_signals(recorder: Arc<Recorder>, closes: bool) {
    let ignored = ignored_mask(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    let wanted = [SIGINT, SIGTERM, SIGHUP, SIGUSR1].into_iter().filter(|s| ignored >> (s - 1) & 1 == 0);
    let Ok(mut signals) = Signals::new(wanted) else { return };
    let wait = move || {
        let mut arriving = signals.forever();
        if closes && arriving.next().is_some() {
            recorder.cancel();
        }
        if arriving.next().is_some() {
            recorder.cancel();
            atomic::remove_unfinished();
            say_interrupted();
            std::process::exit(ExitCode::Interrupted as i32);
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(wait);
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

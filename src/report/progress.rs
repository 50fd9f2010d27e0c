//! The listener that tells on stderr how far a run has come.
//!
//! It polls the recorder from a thread of its own, so that the work never waits for a terminal.
//! Warnings are printed once, as they come; results never pass through here.

use super::recorder::{Progress, Recorder};
use super::text::{scaled, seconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Display {
    /// A bar on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// A bar with rate and time left.
    Bar,
    /// A line every few seconds.
    Plain,
    /// A JSON object a line, every second.
    Json,
    /// Warnings only.
    None,
}

impl Display {
    /// Settles [`Display::Auto`] by what stderr is.
    pub fn settle(self) -> Display {
        match self {
            Display::Auto if std::io::stderr().is_terminal() => Display::Bar,
            Display::Auto => Display::Plain,
            other => other,
        }
    }
}

/// A running listener; [`Listener::finish`] ends it, dropping it does too.
#[derive(Debug)]
pub struct Listener {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts listening to `recorder`; `unit` names the items (`cells`).
    ///
    /// Where the system gives no further thread, the run goes on unseen and only the warnings
    /// that are left at the end are lost here; the report has them.
    pub fn start(display: Display, unit: &'static str, recorder: Arc<Recorder>) -> Listener {
        let (stop, stopped) = channel();
        let talk = move || Talk::new(display.settle(), unit, &recorder).until(&stopped);
        let thread = std::thread::Builder::new().name("progress".into()).spawn(talk).ok();
        Listener { stop: Some(stop), thread }
    }

    /// Prints the warnings that are left, clears the bar, and ends.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A listener that panicked has nothing more to say; the run itself is unharmed.
            let _ = thread.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}

/// The listener's own state.
struct Talk<'a> {
    display: Display,
    unit: &'static str,
    recorder: &'a Recorder,
    bar: Option<ProgressBar>,
    warned: usize,
    next_line_s: f64,
}

impl<'a> Talk<'a> {
    fn new(display: Display, unit: &'static str, recorder: &'a Recorder) -> Self {
        let bar = (display == Display::Bar).then(bar);
        let next_line_s = recorder.elapsed_s() + pause_s(display, 0.0);
        Talk { display, unit, recorder, bar, warned: 0, next_line_s }
    }

    fn until(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(100)) {
            self.tell_warnings();
            self.tell_progress();
        }
        self.tell_warnings();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn tell_warnings(&mut self) {
        let warnings = self.recorder.warnings();
        for warning in warnings.get(self.warned..).unwrap_or_default() {
            let line = match self.display {
                Display::Json => json!({"event": "warning", "message": warning}).to_string(),
                _ => format!("nissl: warning: {warning}"),
            };
            match &self.bar {
                Some(bar) => bar.suspend(|| say(&line)),
                None => say(&line),
            }
        }
        self.warned = warnings.len();
    }

    fn tell_progress(&mut self) {
        let progress = self.recorder.progress();
        if let Some(bar) = &self.bar {
            show(bar, progress, self.unit);
            return;
        }
        if self.display == Display::None || progress.elapsed_s < self.next_line_s {
            return;
        }
        self.next_line_s = progress.elapsed_s + pause_s(self.display, progress.elapsed_s);
        match self.display {
            Display::Json => say(&json_line(progress)),
            _ => say(&plain_line(progress, self.unit)),
        }
    }
}

/// A closed stderr is no reason to stop a run.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    // The template is a constant; were it wrong, the bar's own style would do.
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: Progress, unit: &str) {
    if progress.total > 0 {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        let message = rate_and_rest(progress, unit);
        let still = || format!("{} so far", seconds(progress.elapsed_s));
        bar.set_message(if message.is_empty() { still() } else { message });
    }
}

/// Seconds until the next line: logs of long runs should stay readable.
fn pause_s(display: Display, elapsed_s: f64) -> f64 {
    match (display, elapsed_s) {
        (Display::Json, _) => 1.0,
        (_, s) if s < 60.0 => 5.0,
        (_, s) if s < 600.0 => 20.0,
        _ => 60.0,
    }
}

fn rate(progress: Progress) -> Option<f64> {
    (progress.done > 0 && progress.elapsed_s > 0.0).then(|| progress.done as f64 / progress.elapsed_s)
}

fn rest_s(progress: Progress) -> Option<f64> {
    let left = progress.total.checked_sub(progress.done)?;
    (progress.total > 0).then_some(left as f64 / rate(progress)?)
}

fn rate_and_rest(progress: Progress, unit: &str) -> String {
    let rate = rate(progress).map(|r| format!("{} {unit}/s", scaled(r)));
    let rest = rest_s(progress).map(|s| format!("{} left", seconds(s)));
    [rate, rest].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn plain_line(progress: Progress, unit: &str) -> String {
    let after = seconds(progress.elapsed_s);
    if progress.total == 0 {
        return format!("nissl: working, {after} so far");
    }
    let percent = progress.done as f64 * 100.0 / progress.total as f64;
    let more = rate_and_rest(progress, unit);
    let comma = if more.is_empty() { "" } else { ", " };
    format!("nissl: {percent:.0} % after {after}{comma}{more}")
}

fn json_line(progress: Progress) -> String {
    json!({
        "event": "progress",
        "done": progress.done,
        "total": progress.total,
        "elapsed_s": progress.elapsed_s,
        "rate": rate(progress),
        "rest_s": rest_s(progress),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Progress = Progress { total: 2_000_000, done: 1_000_000, elapsed_s: 4.0 };
    const START: Progress = Progress { total: 0, done: 0, elapsed_s: 5.0 };

    #[test]
    fn a_plain_line_tells_share_rate_and_time_left() {
        assert_eq!(plain_line(HALF, "cells"), "nissl: 50 % after 4.0 s, 250 k cells/s, 4.0 s left");
        assert_eq!(plain_line(START, "cells"), "nissl: working, 5.0 s so far");
        let before = Progress { total: 10, done: 0, elapsed_s: 5.0 };
        assert_eq!(plain_line(before, "cells"), "nissl: 0 % after 5.0 s");
    }

    #[test]
    fn a_json_line_is_one_object_with_null_for_the_unknown() {
        let value: serde_json::Value = serde_json::from_str(&json_line(START)).unwrap();
        assert!(value["rate"].is_null() && value["rest_s"].is_null());
        let value: serde_json::Value = serde_json::from_str(&json_line(HALF)).unwrap();
        assert_eq!((value["done"].as_u64(), value["rest_s"].as_f64()), (Some(1_000_000), Some(4.0)));
    }

    #[test]
    fn lines_become_rarer_as_a_run_goes_on() {
        assert!(pause_s(Display::Plain, 1.0) < pause_s(Display::Plain, 100.0));
        assert!(pause_s(Display::Plain, 100.0) < pause_s(Display::Plain, 1000.0));
    }

    #[test]
    fn a_listener_ends_at_once_when_told_to() {
        let recorder = Arc::new(Recorder::new());
        let listener = Listener::start(Display::None, "cells", Arc::clone(&recorder));
        listener.finish();
        assert_eq!(Arc::strong_count(&recorder), 1);
    }
}

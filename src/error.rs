//! The one error type of the library.
//!
//! Variants carry the facts (file, dataset, place, found, expected, advice) so that the edge of
//! the program can print them as one line and choose the exit code; nothing in the library prints
//! or exits. Exit codes are those of the man page: see [`ExitCode`].

use std::path::{Path, PathBuf};

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the process returns to the shell; the table stands in `nissl(1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything asked was done.
    Done = 0,
    /// The machine or file system refused: missing file, full disk, absent backend, too little memory.
    Failed = 1,
    /// The command line alone shows the mistake.
    Usage = 2,
    /// A regression or a mismatch with a reference was found.
    Mismatch = 3,
    /// Some of several inputs failed, the rest are done.
    Partial = 4,
    /// A file's content shows the mistake.
    BadData = 65,
    /// Stopped by a signal with a checkpoint saved.
    Stopped = 75,
    /// Stopped at once by SIGINT.
    Interrupted = 130,
}

impl ExitCode {
    /// All of them with what they mean, as the manual lists them.
    pub const MEANINGS: [(ExitCode, &'static str); 8] = [
        (ExitCode::Done, "Everything asked for was done; a stream that a signal ended was closed whole."),
        (ExitCode::Failed, "Failed: missing file, full disk, absent backend, too little memory."),
        (ExitCode::Usage, "Usage: the command line alone shows the mistake, or the output exists."),
        (ExitCode::Mismatch, "A regression, or a mismatch with a reference, was found."),
        (ExitCode::Partial, "Some of several inputs failed, the rest are done."),
        (ExitCode::BadData, "Bad input data: the content of a file shows the mistake."),
        (
            ExitCode::Stopped,
            "Stopped by a signal (SIGTERM, SIGUSR1) with what was done saved; run again with --resume.",
        ),
        (ExitCode::Interrupted, "Stopped at once by a signal (SIGINT, SIGHUP); no output was written."),
    ];
}

/// Everything that can go wrong, with the facts a user needs to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flag or value that cannot be right whatever the files hold.
    #[error("{0}")]
    Usage(String),

    /// The output is already there and `--force` was not given.
    #[error("{}: exists already; give --force to replace it or another -o", .0.display())]
    OutputExists(PathBuf),

    /// A file whose content is not what the command needs.
    #[error("{place}: found {found}, expected {expected}{}", and_advice(.advice))]
    Data {
        /// File, dataset inside it and position, as in `dem.nc:/elevation, row 17`.
        place: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
        /// What the user can do; may be empty.
        advice: String,
    },

    /// The operating system refused to read or write.
    #[error("{}: cannot {doing}: {}", .path.display(), os_reason(.source))]
    Io {
        /// The file concerned.
        path: PathBuf,
        /// What was tried, as a verb: `open`, `read`, `write`.
        doing: &'static str,
        /// The system's own reason.
        source: std::io::Error,
    },

    /// A backend asked for by name is not here.
    #[error("backend {name} is not available: {reason}")]
    Unavailable {
        /// The backend as asked for.
        name: &'static str,
        /// Why, and what would make it available.
        reason: String,
    },

    /// The memory limit is too small for what must be held at once.
    #[error(
        "--memory {} is too little for {what}; the least that works is --memory {}",
        crate::units::format_bytes(*.limit), crate::units::format_bytes(*.least)
    )]
    Memory {
        /// The limit in force, bytes.
        limit: u64,
        /// The smallest limit that works, bytes.
        least: u64,
        /// What is held at once: `one chunk of epochs`.
        what: String,
    },

    /// Device memory is too small for a buffer.
    #[error(
        "device memory: {} are needed and {} are free",
        crate::units::format_bytes(*.needed), crate::units::format_bytes(*.free)
    )]
    DeviceMemory {
        /// What was asked for, bytes.
        needed: u64,
        /// What was left, bytes.
        free: u64,
    },

    /// SIGINT arrived; outputs in progress were removed.
    #[error("interrupted; no output was written")]
    Interrupted,

    /// SIGTERM or SIGUSR1 arrived; what was done is kept.
    #[error("stopped by a signal; run again with --resume to go on from what is kept")]
    Stopped,

    /// An error told again, with the exit code it had.
    #[error("{0}")]
    Refused(String, ExitCode),

    /// Anything else that stops a run.
    #[error("{0}")]
    Failed(String),
}

fn and_advice(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("; {text}") }
}

/// The reason without Rust's `(os error N)` tail, with advice where one is obvious.
fn os_reason(source: &std::io::Error) -> String {
    let text = source.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    match source.kind() {
        std::io::ErrorKind::StorageFull => format!("{reason}; free some space or choose another -o"),
        std::io::ErrorKind::NotFound => format!("{reason}; check the path"),
        _ => reason,
    }
}

impl Error {
    /// A usage error from anything printable.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::Usage(message.into())
    }

    /// A data error; `place` is a file, or file and dataset, or more exact still.
    pub fn data(
        place: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Error::Data {
            place: place.into(),
            found: found.into(),
            expected: expected.into(),
            advice: advice.into(),
        }
    }

    /// Names `place`, a file, in front of what a pure function said of its data.
    pub fn within(place: &str) -> impl Fn(Self) -> Self {
        move |error| match error {
            Error::Data { place: part, found, expected, advice } if !part.starts_with(place) => {
                Error::Data { place: format!("{place}, {part}"), found, expected, advice }
            }
            other => other,
        }
    }

    /// Wraps an I/O error with the file and what was tried: `.map_err(Error::io(path, "open"))`.
    pub fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Io { path, doing, source }
    }

    /// The exit code this error leads to.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Error::Usage(_) | Error::OutputExists(_) => ExitCode::Usage,
            Error::Data { .. } => ExitCode::BadData,
            Error::Interrupted => ExitCode::Interrupted,
            Error::Stopped => ExitCode::Stopped,
            Error::Refused(_, code) => *code,
            Error::Io { .. }
            | Error::Unavailable { .. }
            | Error::Memory { .. }
            | Error::DeviceMemory { .. }
            | Error::Failed(_) => ExitCode::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_and_codes_follow_the_table() {
        let errors = [
            (Error::usage("--threads 0: at least 1"), ExitCode::Usage),
            (Error::OutputExists("out.npy".into()), ExitCode::Usage),
            (Error::data("a.npy", "1 axis", "2 axes", ""), ExitCode::BadData),
            (Error::Interrupted, ExitCode::Interrupted),
            (Error::Stopped, ExitCode::Stopped),
            (
                Error::io(Path::new("x"), "write")(std::io::Error::from(std::io::ErrorKind::StorageFull)),
                ExitCode::Failed,
            ),
            (Error::Memory { limit: 1, least: 2048, what: "row".into() }, ExitCode::Failed),
        ];
        for (error, code) in errors {
            assert_eq!(error.exit_code(), code);
            assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}

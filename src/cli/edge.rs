//! The outer edge: what reaches stdout and stderr, and how errors become exit codes.

use super::signals;
use crate::error::{Error, ExitCode, Result};
use clap::error::{ContextKind, ErrorKind};
use std::ffi::OsString;
use std::io::{ErrorKind as IoKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Flags whose values may come from the environment, for messages that should say so.
const FROM_ENVIRONMENT: [(&str, &str); 4] = [
    ("--backend", "NISSL_BACKEND"),
    ("--threads", "NISSL_THREADS"),
    ("--memory", "NISSL_MEMORY"),
    ("--device-memory", "NISSL_DEVICE_MEMORY"),
];

/// Where the last panic was, as ` at FILE:LINE`.
static PANICKED_AT: Mutex<String> = Mutex::new(String::new());

/// Runs `action`, prints the error it may end with, and returns the exit code. A panic is a bug
/// of ours: it becomes one line as well, and unfinished outputs have removed themselves by then.
pub fn guard(action: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Ok(code)) => code,
        Ok(Err(Error::Interrupted)) => {
            signals::say_interrupted();
            ExitCode::Interrupted
        }
        Ok(Err(error)) => {
            say_error(&error.to_string());
            error.exit_code()
        }
        Err(cause) => {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("no message");
            let place = PANICKED_AT.lock().map_or_else(|_| String::new(), |place| place.clone());
            say_error(&format!("internal error{place}: {text}; this is a bug in nissl, please report it"));
            ExitCode::Failed
        }
    }
}

/// Keeps the place of a panic for [`guard`] instead of printing it with a backtrace.
pub fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let (Ok(mut place), Some(at)) = (PANICKED_AT.lock(), panic.location()) {
            *place = format!(" at {}:{}", at.file(), at.line());
        }
    }));
}

/// Prints one error line.
pub fn say_error(message: &str) {
    // When stderr itself is closed there is nobody left to tell.
    let _ = std::io::stderr().lock().write_all(error_line(message).as_bytes());
}

/// The line that `message` makes; line ends inside it (file names may hold them) become blanks.
pub fn error_line(message: &str) -> String {
    let line = message.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    format!("nissl: error: {}\n", line.join(" "))
}

/// Writes `bytes` to stdout. A reader that went away (`| head`) is no error.
///
/// # Errors
/// Stdout is a file on a full disk, or closed.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != IoKind::BrokenPipe => Err(Error::io("stdout".as_ref(), "write")(e)),
        _ => Ok(()),
    }
}

/// Answers what clap stopped at: help and version on stdout, everything else one line on stderr.
///
/// # Errors
/// Stdout cannot be written.
pub fn answer(error: &clap::Error, argv: &[OsString]) -> Result<ExitCode> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(styled(error).as_bytes())?;
            Ok(ExitCode::Done)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(std::io::stderr().lock(), "{}", styled(error));
            Ok(ExitCode::Usage)
        }
        _ => Err(Error::Usage(one_line(error, argv))),
    }
}

/// What clap stopped at as an error, for words that were not typed alone.
pub fn answered(error: &clap::Error, argv: &[OsString]) -> Error {
    Error::Usage(one_line(error, argv))
}

fn styled(error: &clap::Error) -> String {
    error.render().to_string()
}

/// Clap's message without its heading, usage block and line ends; with where a value came from.
fn one_line(error: &clap::Error, argv: &[OsString]) -> String {
    let text = styled(error);
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let kept =
        text.lines().take_while(|l| !l.starts_with("Usage:") && !l.starts_with("For more information"));
    let mut line = kept.map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
    line =
        line.replace(" tip: ", "; ").replace(" [possible values: ", "; possible values: ").replace(']', "");
    if let Some(argument) = error.get(ContextKind::InvalidArg).map(ToString::to_string) {
        for (flag, variable) in FROM_ENVIRONMENT {
            let typed = argv.iter().any(|word| word.to_string_lossy().starts_with(flag));
            if argument.starts_with(flag) && !typed {
                line += &format!(" (from {variable})");
            }
        }
    }
    line + "; see " + &help_of(argv)
}

fn help_of(argv: &[OsString]) -> String {
    let names: Vec<String> = super::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    match argv.get(1).and_then(|w| names.iter().find(|n| w.as_os_str() == n.as_str())) {
        Some(name) => format!("nissl {name} --help"),
        None => "nissl --help".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_code_of_a_failure() {
        assert_eq!(guard(|| panic!("{}", "told")), ExitCode::Failed);
        assert_eq!(guard(|| Ok(ExitCode::Done)), ExitCode::Done);
        assert_eq!(guard(|| Err(Error::usage("x"))), ExitCode::Usage);
    }
}

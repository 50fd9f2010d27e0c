//! Runs a case: the program itself as a child process, in a temporary folder of its own.

use super::case::Case;
use super::judge::REPORT;
use crate::error::{Error, Result};
use crate::report::Recorder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a waiting parent sleeps; what it waits for takes milliseconds at least.
const NAP: Duration = Duration::from_millis(2);

/// A folder that is gone when the value is.
#[derive(Debug)]
pub struct Temporary(PathBuf);

impl Temporary {
    /// Makes one in `parent`, or where the system keeps temporary files.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(parent: Option<&Path>) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("nissl-verify-{}-{count}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Temporary(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io(&path, "make the folder")(e)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed lies where the system clears up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What every child is given besides its own command line.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The program.
    pub program: &'a Path,
    /// `--threads`.
    pub threads: usize,
    /// `--memory`, bytes.
    pub memory: u64,
    /// `--backend`, as typed.
    pub backend: &'a str,
    /// Says when to stop.
    pub recorder: &'a Recorder,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The last line it wrote to stderr.
    pub said: String,
}

/// Runs `case`, whose file lies in `folder`, with its outputs in `out`.
///
/// # Errors
/// The program cannot be started, or the run was cancelled; then the child is gone, too.
pub fn run(case: &Case, folder: &Path, out: &Path, terms: Terms) -> Result<Ended> {
    let words = case.command.iter().map(|word| filled(word, case, folder, out));
    let mut command = Command::new(terms.program);
    command.args(words).current_dir(out).stdin(Stdio::null()).stdout(Stdio::null());
    for (flag, value) in [
        ("--threads", terms.threads.to_string()),
        ("--memory", terms.memory.to_string()),
        ("--backend", terms.backend.to_owned()),
        ("--progress", "none".into()),
        ("--report", out.join(REPORT).to_string_lossy().into_owned()),
    ] {
        let equals = format!("{flag}=");
        if !case.command.iter().any(|word| word == flag || word.starts_with(&equals)) {
            command.arg(flag).arg(value);
        }
    }
    if !case.command.iter().any(|word| word == "-q" || word == "--quiet") {
        command.arg("-q");
    }
    wait(&mut command, &out.join(".stderr"), terms)
}

/// Names in braces become paths.
fn filled(word: &str, case: &Case, folder: &Path, out: &Path) -> String {
    let word = word.replace("{case}", &folder.to_string_lossy()).replace("{out}", &out.to_string_lossy());
    case.inputs.iter().fold(word, |word, (name, input)| {
        word.replace(&format!("{{{name}}}"), &folder.join(&input.path).to_string_lossy())
    })
}

/// Its messages go to a file: a pipe that nobody empties would stop it.
fn wait(command: &mut Command, log: &Path, terms: Terms) -> Result<Ended> {
    let messages = File::create(log).map_err(Error::io(log, "write"))?;
    let failed = Error::io(terms.program, "run");
    let mut child = command.stderr(messages).spawn().map_err(failed)?;
    let status = loop {
        if terms.recorder.is_cancelled() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Interrupted);
        }
        match child.try_wait().map_err(Error::io(terms.program, "wait for"))? {
            Some(status) => break status,
            None => std::thread::sleep(NAP),
        }
    };
    let said = std::fs::read(log).unwrap_or_default();
    let _ = std::fs::remove_file(log);
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = said.trim_start_matches("nissl: error: ").to_owned();
    Ok(Ended { code: status.code(), said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms<'a>(recorder: &'a Recorder) -> Terms<'a> {
        Terms { program: Path::new("/bin/sh"), threads: 1, memory: 1 << 30, backend: "cpu", recorder }
    }

    #[test]
    fn a_child_is_waited_for_and_what_it_said_last_is_kept() {
        let folder = Temporary::new(None).unwrap();
        let (recorder, log) = (Recorder::new(), folder.path().join("log"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo nissl: error: first >&2; echo 'nissl: error: no luck' >&2; exit 65"]);
        let ended = wait(&mut command, &log, terms(&recorder)).unwrap();
        assert_eq!(ended, Ended { code: Some(65), said: "no luck".into() });
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_cancelled_run_ends_its_child() {
        let folder = Temporary::new(None).unwrap();
        let (recorder, log) = (Recorder::new(), folder.path().join("log"));
        recorder.cancel();
        let mut command = Command::new("/bin/sleep");
        let result = wait(command.arg("60"), &log, terms(&recorder));
        assert!(matches!(result, Err(Error::Interrupted)));
    }
}

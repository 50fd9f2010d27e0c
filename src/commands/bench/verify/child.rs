//! Runs a case: the program itself as a child process, in an empty folder.

use super::case::Case;
use super::judge::REPORT;
use crate::commands::Context;
use crate::commands::bench::child::{VARIABLES, last_words, watched};
use crate::error::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// What every child is given besides its own command line.
#[derive(Clone, Copy)]
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
    pub context: &'a Context<'a>,
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
    command.args(words).current_dir(out);
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
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    ended(&mut command, terms)
}

/// Names in braces become paths.
fn filled(word: &str, case: &Case, folder: &Path, out: &Path) -> String {
    let word = word.replace("{case}", &folder.to_string_lossy()).replace("{out}", &out.to_string_lossy());
    case.inputs.iter().fold(word, |word, (name, input)| {
        word.replace(&format!("{{{name}}}"), &folder.join(&input.path).to_string_lossy())
    })
}

fn ended(command: &mut Command, terms: Terms) -> Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().map_err(Error::io(terms.program, "run"))?;
    let (mut child, said) = watched(child, terms.context)?;
    let status = child.wait().map_err(Error::io(terms.program, "wait for"))?;
    Ok(Ended { code: status.code(), said: last_words(&said).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::CpuLevel;
    use crate::report::Recorder;

    fn shell(script: &str, recorder: &Recorder) -> Result<Ended> {
        let level = CpuLevel::detect();
        let seat = crate::backend::Seat::cpu(level);
        let context = Context { level, seat: &seat, threads: 1, memory: 1 << 30, force: false, recorder };
        let program = Path::new("/bin/sh");
        let terms = Terms { program, threads: 1, memory: 1 << 30, backend: "cpu", context: &context };
        ended(Command::new(program).args(["-c", script]), terms)
    }

    #[test]
    fn a_child_is_waited_for_and_what_it_said_last_is_kept() {
        let script = "echo first >&2; echo 'nissl: error: no luck' >&2; exit 65";
        let found = shell(script, &Recorder::new()).unwrap();
        assert_eq!(found, Ended { code: Some(65), said: "no luck".into() });
    }

    #[test]
    fn a_cancelled_run_ends_its_child() {
        let recorder = Recorder::new();
        recorder.cancel();
        assert!(matches!(shell("exec sleep 60", &recorder), Err(Error::Interrupted)));
    }
}

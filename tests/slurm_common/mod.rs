//! A private SLURM cluster for a test, and what the tests ask of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One cluster at a time: its jobs share the machine's few cores.
static TURN: Mutex<()> = Mutex::new(());

/// A running cluster; its daemons end when it is dropped.
pub struct Cluster {
    _turn: MutexGuard<'static, ()>,
    state: tempfile::TempDir,
    conf: String,
}

/// A script of `tests/slurm/`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm").join(name)
}

impl Cluster {
    /// Starts one, or says why the test is skipped: a failure under `NISSL_REQUIRE_ALL=1`.
    pub fn start() -> Option<Cluster> {
        Cluster::with(&[])
    }

    /// The same with other `knobs`, as `tests/slurm/up` lists them.
    pub fn with(knobs: &[(&str, &str)]) -> Option<Cluster> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let state = tempfile::tempdir().unwrap();
        let started = Command::new(script("up"))
            .arg(state.path())
            .envs(knobs.iter().copied())
            .output()
            .expect("bash is here");
        if !started.status.success() {
            let why = String::from_utf8_lossy(&started.stderr).into_owned();
            assert!(std::env::var_os("NISSL_REQUIRE_ALL").is_none(), "no SLURM: {why}");
            eprintln!("skipped: no SLURM here: {}", why.lines().last().unwrap_or_default());
            return None;
        }
        let conf = state.path().join("slurm.conf").display().to_string();
        Some(Cluster { _turn: turn, state, conf })
    }

    /// A command that talks to the cluster, run in `folder`.
    pub fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("SLURM_CONF", &self.conf);
        for variable in ["NISSL_THREADS", "NISSL_MEMORY", "NISSL_BACKEND", "ARRAY"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it and demands success; its standard output.
    pub fn done(&self, command: &mut Command) -> String {
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{command:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The numbers of array and merge that `nissl sbatch` printed.
    pub fn submit(&self, folder: &Path, words: &[&str]) -> (String, String) {
        let mut command = self.command(env!("CARGO_BIN_EXE_nissl"), folder);
        numbers(&self.done(command.arg("sbatch").args(words).arg("--submit")))
    }

    /// Waits until the job is no longer in the queue.
    pub fn wait(&self, job: &str, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let queue =
                self.command("squeue", Path::new("/")).args(["-h", "-o", "%i", "-j", job]).output().unwrap();
            if queue.stdout.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "job {job} did not end: {}", self.job(job));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What SLURM knows of a job or array element, in one line.
    pub fn job(&self, job: &str) -> String {
        let output =
            self.command("scontrol", Path::new("/")).args(["show", "job", "-o", job]).output().unwrap();
        text(&output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(script("down")).arg(self.state.path()).output();
    }
}

/// Both streams of a finished command.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `array 1 merge 2` in two.
pub fn numbers(said: &str) -> (String, String) {
    let words: Vec<&str> = said.split_whitespace().collect();
    match words[..] {
        ["array", array, "merge", merge] => (array.to_owned(), merge.to_owned()),
        _ => panic!("expected the numbers of two jobs, found {said}"),
    }
}

/// All logs of jobs in `folder`, one after the other.
pub fn logs(folder: &Path) -> String {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "log"));
    paths.sort();
    paths
        .iter()
        .map(|path| format!("== {}\n{}", path.display(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

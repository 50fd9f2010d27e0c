//! A private SLURM cluster for a test, and what the tests ask of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One cluster at a time: its jobs share the machine's few cores.
static TURN: Mutex<()> = Mutex::new(());

/// How long anything may take before a test gives up: far more than on the slowest machine, since
/// waiting costs a test nothing unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(600);

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
    pub fn wait(&self, job: &str) {
        let end = Instant::now() + PATIENCE;
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

    /// Stops the program in all jobs of this cluster, between two instructions.
    pub fn hold(&self) -> Held {
        let conf = format!("SLURM_CONF={}", self.conf);
        let is_ours = |pid: &u32| {
            let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program == Path::new(env!("CARGO_BIN_EXE_nissl")) && has_in_environment(*pid, &conf)
        };
        let held = Held(processes().into_iter().filter(is_ours).collect());
        held.send("-STOP");
        held.wait("is not held", |pids| pids.iter().all(|&pid| state(pid) != State::Runs));
        held
    }

    /// Ends the node that the array element works on as a power cut would: its daemon and all of the
    /// job die at once, and the controller is told that it is gone.
    pub fn lose_node_of(&self, element: &str) {
        let place = |what: &str| {
            let mut squeue = self.command("squeue", Path::new("/"));
            let found = self.done(squeue.args(["-h", "-t", "R", "-o", what, "-j", element]));
            found.trim().to_owned()
        };
        let (node, job) = (place("%N"), place("%A"));
        assert!(!node.is_empty(), "{element} does not run");
        let daemon = std::fs::read_to_string(self.state.path().join(format!("slurmd.{node}.pid"))).unwrap();
        let mut lost = vec![daemon.trim().parse().unwrap()];
        // Every task has the job's number and the cluster in its environment; the step daemon is a parent.
        let wanted = [format!("SLURM_JOB_ID={job}"), format!("SLURM_CONF={}", self.conf)];
        for pid in processes() {
            if wanted.iter().all(|entry| has_in_environment(pid, entry)) {
                lost.extend([parent(pid), pid]);
            }
        }
        assert!(lost.len() > 2, "no task of {element}");
        for pid in lost {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        let mut update = self.command("scontrol", Path::new("/"));
        self.done(update.args(["update", &format!("nodename={node}"), "state=down", "reason=lost"]));
    }

    /// What SLURM knows of a job or array element, in one line.
    pub fn job(&self, job: &str) -> String {
        let output =
            self.command("scontrol", Path::new("/")).args(["show", "job", "-o", job]).output().unwrap();
        text(&output)
    }
}

/// Processes that were stopped; they go on when this is dropped at the latest.
pub struct Held(Vec<u32>);

impl Held {
    pub fn go_on(self) {
        drop(self);
    }

    /// Waits until SLURM's word has come to one of them: left alone they would be done in a second, which
    /// a busy machine takes to pass it on.
    pub fn until_told(&self) {
        self.wait("is not told to stop", |pids| pids.iter().any(|&pid| state(pid) != State::Held));
    }

    fn wait(&self, trouble: &str, done: impl Fn(&[u32]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.0) {
            assert!(Instant::now() < end, "none of {:?} or one of them {trouble}", self.0);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, signal: &str) {
        for pid in &self.0 {
            let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.send("-CONT");
    }
}

/// What a process that was stopped is at.
#[derive(PartialEq)]
enum State {
    Runs,
    /// Stopped, and nobody asked it to end.
    Held,
    /// Stopped with a SIGTERM that waits, or gone.
    Told,
}

fn state(pid: u32) -> State {
    const TERM: u64 = 1 << 14;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let pending = |name: &str| u64::from_str_radix(field(name).unwrap_or("0"), 16).unwrap_or(0);
    match field("State:").and_then(|state| state.chars().next()) {
        None | Some('Z' | 'X') => State::Told,
        Some('T') if (pending("SigPnd:") | pending("ShdPnd:")) & TERM != 0 => State::Told,
        Some('T') => State::Held,
        Some(_) => State::Runs,
    }
}

fn has_in_environment(pid: u32, entry: &str) -> bool {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ.split(|&b| b == 0).any(|found| found == entry.as_bytes())
}

/// Numbers of all processes.
fn processes() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
}

/// The parent of a process, or the process itself where that is this one or gone.
fn parent(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let found = parent.and_then(|parent| parent.trim().parse().ok());
    found.filter(|&found| found > 1 && found != std::process::id()).unwrap_or(pid)
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

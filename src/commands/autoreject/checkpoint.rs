//! What a fit has found so far, kept in the output folder for `--resume` (design 1, 5).
//!
//! A checkpoint belongs to a run: the hash of the input's channels, sample of bytes, options and
//! version. Numbers are kept as bits, so a resumed run ends with the same bytes.

use super::channels::ChannelKind;
use super::fit::Known;
use super::options::Options;
use super::plan::SubjectPlan;
use super::prepare::{Subject, seed};
use super::search::Found;
use crate::error::{Error, Result};
use crate::io::atomic::Beside;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file in the output folder.
const NAME: &str = "checkpoint.json";

/// One channel's search, numbers as bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredFound {
    numbers: [u64; 5],
    visited: Vec<usize>,
}

/// What is known of one channel type.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredGroup {
    kind: ChannelKind,
    found: Vec<StoredFound>,
    loss: Option<Vec<u64>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    run: String,
    groups: Vec<StoredGroup>,
}

/// The checkpoint of one input's run.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    stored: Stored,
}

/// What lies in an output folder when a run with `--resume` begins.
pub enum Begin {
    /// The same run is done: nothing is left to do.
    Done,
    /// A run to begin, or to go on with.
    Run(Checkpoint),
}

impl Checkpoint {
    /// Looks into the output folder: goes on from a checkpoint of the run `run`, begins anew
    /// where there is nothing.
    ///
    /// # Errors
    /// The folder holds something else and `force` was not given.
    pub fn begin(folder: &Path, run: &str, (resume, force): (bool, bool)) -> Result<Begin> {
        let path = folder.join(NAME);
        let fresh = Checkpoint { path, stored: Stored { run: run.into(), groups: Vec::new() } };
        // What a killed run was writing when it died is nobody's.
        let counts = |entry: std::fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            !(name.starts_with('.') && name.contains(".nissl-") && name.ends_with(".tmp"))
        };
        let occupied =
            std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(counts)));
        if !resume || !occupied {
            return Ok(Begin::Run(fresh));
        }
        let text = std::fs::read_to_string(&fresh.path).unwrap_or_default();
        if let Some(stored) = serde_json::from_str(&text).ok().filter(|stored: &Stored| stored.run == run) {
            return Ok(Begin::Run(Checkpoint { stored, ..fresh }));
        }
        if is_done(folder, run) {
            return Ok(Begin::Done);
        }
        // Another run's results, or files of the user's: as without --resume.
        if force { Ok(Begin::Run(fresh)) } else { Err(Error::OutputExists(folder.to_owned())) }
    }

    /// What is known of a type.
    pub fn known(&self, kind: ChannelKind, folds: usize) -> Option<Known> {
        let group = self.stored.groups.iter().find(|group| group.kind == kind)?;
        let found = group.found.iter().map(StoredFound::found).collect();
        let loss = group.loss.as_ref().map(|bits| bits.iter().map(|&b| f64::from_bits(b)).collect());
        let loss = loss.filter(|loss: &Vec<f64>| loss.len().is_multiple_of(folds.max(1)));
        Some(Known { found, loss })
    }

    /// Keeps what is known of a type now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&mut self, kind: ChannelKind, found: &[Found], loss: Option<&[f64]>) -> Result<()> {
        let loss = loss.map(|loss| loss.iter().map(|l| l.to_bits()).collect());
        let group = StoredGroup { kind, found: found.iter().map(StoredFound::new).collect(), loss };
        self.stored.groups.retain(|group| group.kind != kind);
        self.stored.groups.push(group);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        }
        let text = serde_json::to_vec(&self.stored)
            .map_err(|e| Error::Failed(format!("{}: cannot write: {e}", self.path.display())))?;
        let mut file = Beside::create(&self.path)?;
        file.file().write_all(&text).map_err(Error::io(&self.path, "write"))?;
        file.finish()
    }

    /// Takes the checkpoint away: the results are whole.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&self.path, "remove")(e)),
            _ => Ok(()),
        }
    }
}

impl StoredFound {
    fn new(found: &Found) -> Self {
        let numbers =
            [found.threshold, found.loss, found.initial_best, found.optimum, found.optimum_threshold];
        StoredFound { numbers: numbers.map(f64::to_bits), visited: found.visited.clone() }
    }

    fn found(&self) -> Found {
        let [threshold, loss, initial_best, optimum, optimum_threshold] = self.numbers.map(f64::from_bits);
        Found { threshold, loss, visited: self.visited.clone(), initial_best, optimum, optimum_threshold }
    }
}

/// True where `summary.json`, which is written last, is of the run `run`.
fn is_done(folder: &Path, run: &str) -> bool {
    finished(folder).is_some_and(|found| found == run)
}

/// The name of the run whose results are in `folder`, whole.
pub fn finished(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("summary.json")).ok()?;
    let summary: serde_json::Value = serde_json::from_str(&text).ok()?;
    summary["run"].as_str().map(str::to_owned)
}

/// The name of a run: a hash of all that its results depend on.
///
/// # Errors
/// A file it reads cannot be read.
pub fn run_name(subject: &Subject, plan: &SubjectPlan, options: &Options) -> Result<String> {
    let facts = subject.recording.facts()?;
    let mut hash = Sha256::new();
    let mut add = |text: String| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(env!("CARGO_PKG_VERSION").into());
    add(format!("{:?} {} {:?}", facts.shape, facts.dtype, facts.sample_sha256));
    for channel in subject.recording.list() {
        let place = channel.position.map(|p| p.map(f64::to_bits));
        add(format!("{} {:?} {place:?} {}", channel.name, channel.kind, channel.bad));
    }
    let picks: Vec<&Vec<usize>> = subject.groups.iter().map(|g| &g.picks).collect();
    let bits: Vec<u64> = plan.consensus.iter().map(|c| c.to_bits()).collect();
    add(format!("{picks:?} {bits:?} {:?} {} {}", plan.n_interpolate, plan.cv, seed(options)));
    add(format!(
        "{:?} {:?} {} {} {} {} {:?} {}",
        options.method,
        options.search,
        options.augment,
        options.fresh_labels,
        options.drop_unrepaired,
        options.decim,
        options.compress,
        options.sources.unit.to_bits()
    ));
    for path in [&options.thresholds, &options.apply, &options.reject_log].into_iter().flatten() {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        add(format!("{:x?}", Sha256::digest(&bytes)));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_goes_on_only_with_its_own_run_and_keeps_every_bit() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let begin = |run: &str, force| Checkpoint::begin(&out, run, (true, force));
        let Ok(Begin::Run(mut first)) = begin("a", false) else { panic!("nothing is there yet") };
        let found = Found {
            threshold: 0.1 + 0.2,
            loss: 1e-310,
            visited: vec![3, 1],
            initial_best: f64::INFINITY,
            optimum: -0.0,
            optimum_threshold: 2.0,
        };
        first.keep(ChannelKind::Eeg, std::slice::from_ref(&found), None).unwrap();
        first.keep(ChannelKind::Eeg, std::slice::from_ref(&found), Some(&[f64::INFINITY, 0.3])).unwrap();
        let Ok(Begin::Run(again)) = begin("a", false) else { panic!("the same run goes on") };
        let known = again.known(ChannelKind::Eeg, 2).unwrap();
        assert_eq!((known.found, known.loss), (vec![found], Some(vec![f64::INFINITY, 0.3])));
        assert!(again.known(ChannelKind::Mag, 2).is_none());
        assert!(matches!(begin("b", false), Err(Error::OutputExists(_))));
        assert!(matches!(begin("b", true), Ok(Begin::Run(_))));
        again.remove().unwrap();
        std::fs::write(out.join("summary.json"), "{\"run\": \"a\"}").unwrap();
        assert!(matches!(begin("a", false), Ok(Begin::Done)));
        assert!(matches!(begin("b", false), Err(Error::OutputExists(_))));
    }

    #[test]
    fn what_a_killed_run_was_writing_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".checkpoint.json.nissl-7-0.tmp"), "half").unwrap();
        assert!(matches!(Checkpoint::begin(folder.path(), "a", (true, false)), Ok(Begin::Run(_))));
        std::fs::write(folder.path().join("notes.txt"), "the user's").unwrap();
        assert!(matches!(Checkpoint::begin(folder.path(), "a", (true, false)), Err(Error::OutputExists(_))));
    }

    #[test]
    fn a_damaged_checkpoint_is_somebody_elses_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(NAME), "{\"run\": \"a\", \"groups\": [").unwrap();
        assert!(matches!(Checkpoint::begin(folder.path(), "a", (true, false)), Err(Error::OutputExists(_))));
        assert!(matches!(Checkpoint::begin(folder.path(), "a", (false, false)), Ok(Begin::Run(_))));
    }
}

//! Puts the parts of a sharded run together: every input's results are moved to where one run
//! would have written them.

use super::checkpoint::finished;
use super::part::{Details, Failed};
use crate::backend::{Backend, CpuLevel};
use crate::commands::{Context, InputFacts, Outcome, Planned};
use crate::error::{Error, Result};
use crate::io::atomic::{self, Beside};
use crate::shards::{FOLDER_LABEL, Part};
use serde::Serialize;
use serde_json::Map;
use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Files of a part that stay behind: its label, and the report of its own run.
const OWN: [&str; 2] = [FOLDER_LABEL, "report.json"];

/// What a merge will do.
#[derive(Debug, Serialize)]
pub struct MergePlan {
    /// The parts in their order.
    pub parts: Vec<PathBuf>,
    /// Folder of the results.
    pub output: PathBuf,
    /// How many inputs the run has.
    pub inputs: usize,
    /// What goes where.
    pub moves: Vec<Move>,
    /// Inputs that could not be worked on.
    pub failures: Vec<Failed>,
    /// What computes: nothing does.
    pub backend: Backend,
    /// Nothing to say so far.
    pub warnings: Vec<String>,
}

/// The results of one input on their way.
#[derive(Debug, Serialize)]
pub struct Move {
    /// Folder in the part.
    pub from: PathBuf,
    /// Folder in the output.
    pub to: PathBuf,
    /// Moved by an earlier merge that was stopped.
    pub moved: bool,
}

impl Planned for MergePlan {
    fn backend(&self) -> &Backend {
        &self.backend
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Display for MergePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "merge      {} parts", self.parts.len())?;
        writeln!(
            f,
            "results    of {} inputs, {} to be moved",
            self.inputs,
            self.moves.iter().filter(|m| !m.moved).count()
        )?;
        for failure in &self.failures {
            writeln!(f, "failed     {}", failure.error)?;
        }
        writeln!(f, "output     {}", self.output.display())
    }
}

/// Checks that `parts`, complete and in order, hold what they say, and where it goes.
///
/// # Errors
/// A part without results that it promises, or results of another run in the output.
pub fn plan(
    output: &Path,
    parts: &[Part],
    (resume, force): (bool, bool),
    level: CpuLevel,
) -> Result<MergePlan> {
    atomic::check_folder(output, resume || force)?;
    let (mut moves, mut failures, mut inputs, mut told) = (Vec::new(), Vec::new(), 0, 0);
    for part in parts {
        let damaged = |found: String| {
            let advice = "run that shard again";
            Error::data(part.path.display().to_string(), found, "the results that its label tells", advice)
        };
        let details: Details = serde_json::from_value(part.identity.details.clone())
            .map_err(|e| damaged(format!("a damaged label ({e})")))?;
        inputs = details.inputs;
        let own = part.identity.shard.items(inputs as u64);
        let count = details.results.len() + details.failures.len();
        if (own.end - own.start) as usize != count {
            return Err(damaged(format!("results of {count} inputs")));
        }
        told += count;
        for result in details.results {
            let below = result.folder.components().all(|c| matches!(c, std::path::Component::Normal(_)));
            let (from, to) = (part.path.join(&result.folder), output.join(&result.folder));
            let moved = resume && finished(&to).as_ref() == Some(&result.run);
            if !below || !(moved || finished(&from).as_ref() == Some(&result.run)) {
                return Err(damaged(format!("no whole results in {}", from.display())));
            }
            moves.push(Move { from, to, moved });
        }
        failures.extend(details.failures);
    }
    if told != inputs {
        let place = parts.iter().map(|part| part.path.display().to_string()).collect::<Vec<_>>().join(", ");
        let (found, expected) =
            (format!("results of {told} inputs"), format!("{inputs}, as the last label says"));
        return Err(Error::data(place, found, expected, "a label is damaged; run the shards again"));
    }
    let parts = parts.iter().map(|part| part.path.clone()).collect();
    let backend = Backend::cpu(level, "a merge moves files");
    Ok(MergePlan { parts, output: output.to_owned(), inputs, moves, failures, backend, warnings: Vec::new() })
}

/// Runs `plan`. Each input's results are moved whole where the file system can; the labels go
/// last, so that a merge that was stopped goes on with `--resume`.
///
/// # Errors
/// A folder cannot be moved, or the run was interrupted.
pub fn run(plan: &MergePlan, context: &Context) -> Result<Outcome> {
    context.recorder.expect(plan.moves.len() as u64);
    std::fs::create_dir_all(&plan.output).map_err(Error::io(&plan.output, "create"))?;
    let mut outputs = Vec::new();
    for Move { from, to, moved } in &plan.moves {
        if context.recorder.is_cancelled() {
            return Err(Error::Interrupted);
        }
        if !moved {
            context.recorder.time("move", || move_folder(from, to))?;
        }
        context.recorder.advance(1);
        outputs.push(to.clone());
    }
    let inputs = plan.parts.iter().map(|part| {
        let label = part.join(FOLDER_LABEL);
        InputFacts::of(&label, &part.display().to_string(), &[], "part")
    });
    let inputs = inputs.collect::<Result<_>>()?;
    plan.parts.iter().try_for_each(|part| clear(part))?;
    let failures = plan.failures.iter().map(Failed::again).collect();
    Ok(Outcome { inputs, outputs, counts: Map::new(), failures })
}

/// Moves the results in `from` to `to`: the folder by one rename where nothing is there yet, else
/// file by file, the summary (which tells that all is there) last.
fn move_folder(from: &Path, to: &Path) -> Result<()> {
    let own = from.join(FOLDER_LABEL).exists();
    if !own && std::fs::rename(from, to).is_ok() {
        return Ok(());
    }
    std::fs::create_dir_all(to).map_err(Error::io(to, "create"))?;
    let entries = std::fs::read_dir(from).map_err(Error::io(from, "read"))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(Error::io(from, "read"))?.path());
    }
    files.retain(|file| !own || !OWN.iter().any(|name| file.file_name() == Some(OsStr::new(name))));
    files.sort_by_key(|file| file.file_name() == Some(OsStr::new("summary.json")));
    for file in files {
        let Some(name) = file.file_name() else { continue };
        move_file(&file, &to.join(name))?;
    }
    // A folder that is part and result at once stays for its label.
    if !own {
        std::fs::remove_dir(from).map_err(Error::io(from, "remove"))?;
    }
    Ok(())
}

/// Renames, or copies to another file system and removes.
fn move_file(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            let mut source = std::fs::File::open(from).map_err(Error::io(from, "open"))?;
            let mut copy = Beside::create(to)?;
            std::io::copy(&mut source, copy.file()).map_err(Error::io(to, "write"))?;
            copy.finish()?;
            std::fs::remove_file(from).map_err(Error::io(from, "remove"))
        }
        other => other.map_err(Error::io(to, "rename to")),
    }
}

/// Takes away what is left of a part; anything of the user's in it stays.
fn clear(part: &Path) -> Result<()> {
    for name in OWN.iter().rev() {
        let file = part.join(name);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(&file, "remove")(e)),
            _ => {}
        }
    }
    match std::fs::remove_dir(part) {
        Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Err(Error::io(part, "remove")(e))
        }
        _ => Ok(()),
    }
}

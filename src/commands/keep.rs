//! What is kept of a run that may be stopped: when, where, and the rules of `--resume`, the same for
//! all commands.
//!
//! A run keeps what it does from its [`FROM_S`]th second on, with `--resume` from its start: short
//! runs write nothing twice. So what an earlier run kept may begin behind the first rows; those are
//! done again.

use super::Context;
use crate::error::{Error, Result};
use crate::io::kept::{self, Kept, Stretch};
use std::path::{Path, PathBuf};

/// Seconds of work that a run without `--resume` does not keep.
pub const FROM_S: f64 = 5.0;

/// The keeping of one run.
pub struct Keeper<'a> {
    output: PathBuf,
    run: String,
    resume: bool,
    context: &'a Context<'a>,
    kept: Option<Kept>,
    /// Rows that are done again lie before those that are kept, and are not kept.
    paused: bool,
    given_up: bool,
    bytes: Vec<u8>,
}

impl<'a> Keeper<'a> {
    /// Opens what is kept of the run `run` into `output`, where `resume` asks for it.
    ///
    /// # Errors
    /// Without `resume`: rows of this run are kept, and `--force` does not say to begin anew.
    pub fn begin(output: &Path, run: &str, resume: bool, context: &'a Context<'a>) -> Result<Self> {
        for stranger in kept::strangers(output, run) {
            context.recorder.warn(format!(
                "{}: a checkpoint of other inputs, options or another version; it is left alone and not used",
                stranger.display()
            ));
        }
        let place = kept::place(output, run);
        if !resume && place.exists() {
            if !context.force {
                return Err(Error::usage(format!(
                    "{}: a checkpoint of this run is there; give --resume to go on from it, or --force to begin \
                     anew",
                    place.display()
                )));
            }
            kept::forget(output, run)?;
        }
        let kept = if resume { Some(Kept::open(output, run)?) } else { None };
        let (output, run) = (output.to_owned(), run.to_owned());
        Ok(Keeper { output, run, resume, context, kept, paused: false, given_up: false, bytes: Vec::new() })
    }

    /// Where the kept rows of an earlier run begin, if there are any. Until [`Self::replay`] nothing
    /// is kept.
    ///
    /// # Errors
    /// The disk fails.
    pub fn first(&mut self) -> Result<Option<Stretch>> {
        let Some(kept) = &mut self.kept else { return Ok(None) };
        let first = kept.next(&mut self.bytes)?;
        if first.is_some() {
            kept.reject(&self.bytes);
            self.paused = true;
        }
        Ok(first)
    }

    /// Hands kept stretches to `take` as long as it takes them; the first one that it does not is
    /// written over by the next one kept.
    ///
    /// # Errors
    /// The disk fails, or what `take` says.
    pub fn replay(&mut self, mut take: impl FnMut(Stretch, &[u8]) -> Result<bool>) -> Result<()> {
        self.paused = false;
        let Some(kept) = &mut self.kept else { return Ok(()) };
        while let Some(stretch) = kept.next(&mut self.bytes)? {
            if self.context.recorder.is_cancelled() {
                return Err(Error::Interrupted);
            }
            if !take(stretch, &self.bytes)? {
                kept.reject(&self.bytes);
                break;
            }
        }
        Ok(())
    }

    /// True where what is done now would be kept.
    pub fn keeps(&self) -> bool {
        let begun = self.kept.is_some() || self.resume || self.context.recorder.elapsed_s() >= FROM_S;
        begun && !self.paused && !self.given_up
    }

    /// Keeps a stretch, if it is time to; `fill` puts its bytes into an empty buffer.
    ///
    /// # Errors
    /// With `--resume`: the disk is full or fails. Without, the run goes on and keeps nothing more.
    pub fn push(&mut self, at: Stretch, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        if !self.keeps() {
            return Ok(());
        }
        self.bytes.clear();
        fill(&mut self.bytes);
        match self.write(at) {
            Err(error) if !self.resume => self.give_up(&error),
            other => other,
        }
    }

    fn write(&mut self, at: Stretch) -> Result<()> {
        let kept = match &mut self.kept {
            Some(kept) => kept,
            None => self.kept.insert(Kept::open(&self.output, &self.run)?),
        };
        kept.push(at, &self.bytes)
    }

    /// A checkpoint nobody asked for must not fail the run, nor take the room of its output.
    fn give_up(&mut self, error: &Error) -> Result<()> {
        self.given_up = true;
        self.kept = None;
        self.context.recorder.warn(format!(
            "no checkpoint is kept any more: {error}; a run that is stopped now has to begin anew"
        ));
        kept::forget(&self.output, &self.run)
    }

    /// Makes what is kept durable where the run was asked to stop.
    ///
    /// # Errors
    /// What the run ended with.
    pub fn after<T>(&self, ended: Result<T>) -> Result<T> {
        if let (Err(Error::Interrupted), Some(kept)) = (&ended, &self.kept) {
            kept.sync()?;
        }
        ended
    }

    /// Leaves the run's name beside its output until the report is there too: a run that is killed
    /// between the two is known again. To be called before the output gets its name.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn mark(&mut self) -> Result<()> {
        if self.kept.is_none() {
            self.kept = Some(Kept::open(&self.output, &self.run)?);
        }
        Ok(())
    }
}

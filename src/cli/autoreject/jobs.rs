//! What the arguments come to: a run, the needs of a part, a merge.

use super::{AutorejectArgs, check};
use crate::cli::common::RunFlags;
use crate::cli::merge::{MergeArgs, Merging};
use crate::cli::sbatch::Needs;
use crate::cli::session::{self, Job};
use crate::cli::signals::Stop;
use crate::commands::autoreject::{self, Options};
use crate::error::{Error, ExitCode, Result};
use crate::shards::{FOLDER_LABEL, Part};
use std::ffi::OsString;

impl AutorejectArgs {
    /// Runs the command.
    pub(in crate::cli) fn run(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        let asked = self.parts.asked(&argv)?;
        let options = Options { asked, ..self.options()? };
        check::folders(&options, self.to.force)?;
        let job = Job {
            command: "autoreject",
            unit: "epochs",
            item: "epochs",
            argv,
            inputs: check::files_read(&options),
            outputs: vec![options.target()?],
            into_folder: true,
            force: self.to.force,
            resume: false,
            plan: Box::new(move |context| autoreject::plan(&options, context)),
            run: autoreject::run,
            stop: Stop::Keeps,
        };
        session::carry_out(&job, &self.run)
    }

    /// What the neediest part would need: all inputs are looked at, as one run would.
    pub(in crate::cli) fn needs(self) -> Result<(RunFlags, Needs)> {
        let mut options = self.options()?;
        check::folders(&options, true)?;
        options.resume = true;
        let plan = session::plan_only(&self.run, true, |context| autoreject::plan(&options, context))?;
        let memory = plan.subjects.iter().map(|subject| subject.memory).max();
        let memory = memory.ok_or_else(|| Error::usage("none of the inputs can be worked on"))?;
        Ok((self.run, Needs { output: options.output, memory, threads: plan.threads }))
    }

    /// Puts `parts` of this command line together as `merge` asks.
    pub(in crate::cli) fn merge(
        &self,
        merge: &MergeArgs,
        parts: Vec<Part>,
        argv: Vec<OsString>,
    ) -> Result<ExitCode> {
        let output = merge.to.output.clone();
        let how = (merge.again.resume, merge.to.force);
        let merging = Merging {
            counted: ("inputs", "inputs"),
            inputs: parts.iter().map(|part| part.path.join(FOLDER_LABEL)).collect(),
            outputs: vec![output.clone()],
            into_folder: true,
            plan: Box::new(move |context| autoreject::merge::plan(&output, &parts, how, context.level)),
            run: autoreject::merge::run,
        };
        merge.carry_out(merging, argv)
    }
}

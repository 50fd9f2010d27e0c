//! What the arguments come to: a run, the needs of a part, a merge.

use super::ConvolveArgs;
use crate::cli::common::{RunFlags, meant_in};
use crate::cli::merge::{MergeArgs, Merging};
use crate::cli::sbatch::Needs;
use crate::cli::session::{self, Job};
use crate::cli::signals::Stop;
use crate::commands::convolve::kernel_spec::KernelSpec;
use crate::commands::convolve::{self, Options};
use crate::error::{ExitCode, Result};
use crate::shards::{Part, Shard};
use std::ffi::OsString;

impl ConvolveArgs {
    /// Runs the command.
    pub(in crate::cli) fn run(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        let asked = self.parts.asked(&argv)?;
        let options = Options { asked, ..self.options()? };
        let job = Job {
            command: "convolve",
            unit: "rows",
            item: "cells",
            argv,
            inputs: vec![options.input.path.clone()],
            outputs: options.written()?,
            into_folder: false,
            force: self.to.force,
            // A part is known by its label.
            resume: options.resume && options.shard.is_none(),
            plan: Box::new(move |context| convolve::plan(&options, context)),
            run: convolve::run,
            stop: Stop::Keeps,
        };
        session::carry_out(&job, &self.run)
    }

    /// What the part `one` would need.
    pub(in crate::cli) fn needs(self, one: Shard) -> Result<(RunFlags, Needs)> {
        let mut options = self.options()?;
        (options.shard, options.resume) = (Some(one), true);
        let plan = session::plan_only(&self.run, self.to.force, |context| convolve::plan(&options, context))?;
        let needs = Needs { output: options.output, memory: plan.strips.memory_bytes, threads: plan.threads };
        Ok((self.run, needs))
    }

    /// Puts `parts` of this command line, which was typed in `directory`, together as `merge` asks.
    pub(in crate::cli) fn merge(
        mut self,
        merge: &MergeArgs,
        parts: Vec<Part>,
        argv: Vec<OsString>,
    ) -> Result<ExitCode> {
        let directory = parts.first().map(|part| part.identity.directory.clone()).unwrap_or_default();
        merge.instead_of(&mut self.to, &mut self.parts);
        let mut options = self.options()?;
        options.input.path = meant_in(&directory, &options.input.path);
        options.plot = options.plot.map(|plot| meant_in(&directory, &plot));
        options.kernel = options.kernel.map(|kernel| match KernelSpec::parse(&kernel) {
            Ok(KernelSpec::File(path)) => meant_in(&directory, &path).display().to_string(),
            _ => kernel,
        });
        let paths = parts.iter().map(|part| part.path.clone());
        let merging = Merging {
            counted: ("rows", "cells"),
            inputs: paths.chain([options.input.path.clone()]).collect(),
            outputs: options.written()?,
            into_folder: false,
            plan: Box::new(move |context| convolve::merge::plan(&options, &parts, context)),
            run: convolve::merge::run,
        };
        merge.carry_out(merging, argv)
    }
}

//! What the arguments come to: a run, the needs of a part, a merge.

use super::{DecodeArgs, check};
use crate::cli::common::{RunFlags, meant_in};
use crate::cli::merge::{MergeArgs, Merging};
use crate::cli::sbatch::Needs;
use crate::cli::session::{self, Job};
use crate::cli::signals::Stop;
use crate::commands::decode::options::Interior;
use crate::commands::decode::{self, Options};
use crate::error::{Error, ExitCode, Result};
use crate::shards::{Part, Shard};
use std::ffi::OsString;
use std::path::PathBuf;

impl DecodeArgs {
    /// Runs the command.
    pub(in crate::cli) fn run(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        if self.stream.on() {
            return self.tick_by_tick(argv);
        }
        let asked = self.parts.asked(&argv)?;
        let options = Options { asked, ..self.options()? };
        check::options(&options, self.to.force)?;
        // A fit alone has nothing to go on with.
        let stop = if options.fit_only { Stop::AtOnce } else { Stop::Keeps };
        let job = Job {
            command: "decode",
            unit: "rows",
            item: "rows",
            argv,
            inputs: check::files_read(&options),
            outputs: options.written()?,
            into_folder: false,
            force: self.to.force,
            // A part is known by its label.
            resume: options.resume && options.shard.is_none(),
            plan: Box::new(move |context| decode::plan(&options, context)),
            run: decode::run,
            stop,
        };
        session::carry_out(&job, &self.run)
    }

    /// What a part would need.
    pub(in crate::cli) fn needs(self, one: Shard) -> Result<(RunFlags, Needs)> {
        if self.stream.on() || self.fit_only {
            return Err(Error::usage(
                "--stream and --fit-only are not done in parts; see nissl decode --help",
            ));
        }
        let mut options = self.options()?;
        (options.shard, options.resume) = (Some(one), true);
        check::options(&options, self.to.force)?;
        let plan = session::plan_only(&self.run, self.to.force, |context| decode::plan(&options, context))?;
        let needs = Needs { output: options.output, memory: plan.memory_bytes, threads: plan.threads };
        Ok((self.run, needs))
    }

    /// Puts `parts` of this command line together as `merge` asks.
    pub(in crate::cli) fn merge(
        mut self,
        merge: &MergeArgs,
        parts: Vec<Part>,
        argv: Vec<OsString>,
    ) -> Result<ExitCode> {
        let directory = parts.first().map(|part| part.identity.directory.clone()).unwrap_or_default();
        merge.instead_of(&mut self.to, &mut self.parts);
        let mut options = self.options()?;
        let meant = |path: PathBuf| meant_in(&directory, &path);
        options.input.path = meant(options.input.path);
        options.track_graph = options.track_graph.map(meant);
        options.encoding_model = options.encoding_model.map(meant);
        options.plot = options.plot.map(meant);
        if let Interior::File(path) = options.interior {
            options.interior = Interior::File(meant(path));
        }
        check::options(&options, merge.to.force)?;
        let paths = parts.iter().map(|part| part.path.clone());
        let merging = Merging {
            counted: ("rows", "rows"),
            inputs: paths.chain(check::files_read(&options)).collect(),
            outputs: options.written()?,
            into_folder: false,
            plan: Box::new(move |context| decode::merge::plan(&options, &parts, context)),
            run: decode::merge::run,
        };
        merge.carry_out(merging, argv)
    }
}

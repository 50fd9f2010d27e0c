//! What the command line alone shows to be wrong and clap cannot tell.

use super::AutorejectArgs;
use crate::cli::common::has_extension;
use crate::commands::autoreject::folders::{WRITTEN, cleaned_name, result_folders};
use crate::commands::autoreject::options::{Method, Options, ThresholdSearch};
use crate::error::{Error, Result};
use crate::io::atomic;
use std::path::{Path, PathBuf};

impl AutorejectArgs {
    /// Flags that the chosen method has no use for.
    pub(super) fn check_method(&self) -> Result<()> {
        let method = match self.method {
            Method::Local => "local",
            Method::Global => "global",
            Method::Ransac => "ransac",
        };
        let only_local = [
            ("--n-interpolate", self.n_interpolate.is_some()),
            ("--consensus", self.consensus.is_some()),
            ("--no-augment", self.no_augment),
            ("--fresh-labels", self.fresh_labels),
            ("--drop-unrepaired", self.drop_unrepaired),
            ("--thresholds", self.thresholds.is_some()),
            ("--apply", self.apply.is_some()),
            ("--reject-log", self.reject_log.is_some()),
        ];
        let not_ransac =
            [("--threshold-search", self.threshold_search.is_some()), ("--cv", self.cv.is_some())];
        let only_global = [("--decim", self.decim.is_some())];
        let refuse = |flags: &[(&str, bool)], goes_with: &str| match flags.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::usage(format!(
                "{flag} goes with {goes_with}, not with --method {method}; see nissl autoreject --help"
            ))),
            None => Ok(()),
        };
        if self.method != Method::Local {
            refuse(&only_local, "--method local")?;
        }
        if self.method == Method::Ransac {
            refuse(&not_ransac, "--method local and global")?;
        }
        if self.method != Method::Global {
            refuse(&only_global, "--method global")?;
        }
        if self.method == Method::Global && self.threshold_search == Some(ThresholdSearch::Random) {
            let message =
                "--threshold-search random goes with --method local; global takes bayesian or exact";
            return Err(Error::usage(message));
        }
        Ok(())
    }
}

/// Combinations of values.
pub fn options(options: &Options) -> Result<()> {
    if options.compress.is_some()
        && let Some(input) = options.inputs.iter().find(|i| has_extension(&i.path, "npy"))
    {
        return Err(Error::usage(format!(
            "--compress: {input} is NPY, and so are its cleaned epochs, which are never compressed"
        )));
    }
    result_folders(options).map(|_| ())
}

/// All files that `options` name for reading.
pub fn files_read(options: &Options) -> Vec<PathBuf> {
    let sources = &options.sources;
    let beside =
        [&sources.channels, &sources.electrodes, &options.thresholds, &options.apply, &options.reject_log];
    let inputs = options.inputs.iter().map(|input| &input.path);
    inputs.chain(beside.into_iter().flatten()).cloned().collect()
}

/// The rules of the output folders: not an input, nothing read is overwritten, empty unless
/// `force` or `--resume`.
///
/// # Errors
/// [`Error::Usage`], [`Error::OutputExists`], or [`Error::Io`] for a place that may not be
/// written.
pub fn folders(options: &Options, force: bool) -> Result<()> {
    let read = files_read(options);
    let (own, target) = (options.own(), options.target()?);
    let same = |input: &&PathBuf| [&options.output, &target].iter().any(|to| atomic::same_file(input, to));
    if let Some(input) = read.iter().find(same) {
        return Err(Error::usage(format!(
            "-o {}: is also read ({}); give a folder for the results",
            options.output.display(),
            input.display()
        )));
    }
    if options.shard.is_some() {
        atomic::check_folder(&target, force || options.resume)?;
    }
    for (folder, input) in result_folders(options)?.iter().zip(&options.inputs).take(own.end).skip(own.start)
    {
        let cleaned = cleaned_name(&input.path);
        let written = WRITTEN.iter().map(Path::new).chain([Path::new(&cleaned)]);
        for path in written.map(|name| folder.join(name)) {
            if let Some(input) = read.iter().find(|input| atomic::same_file(input, &path)) {
                return Err(Error::usage(format!(
                    "-o {}: the run would write {}, which is an input ({}); give another -o",
                    options.output.display(),
                    path.display(),
                    input.display()
                )));
            }
        }
        // The run itself tells its own checkpoints from other people's files.
        atomic::check_folder(folder, force || options.resume)?;
    }
    Ok(())
}

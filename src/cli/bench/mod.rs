//! `nissl bench`: arguments to [`Options`].

mod check;
mod values;

use super::common::{LimitFlags, Listed, TellFlags, names, one_of, picture};
use super::signals::{self, Stop};
use super::{edge, session};
use crate::commands::Context;
use crate::commands::bench::options::{Group, Record, Size, ThreadCount};
use crate::commands::bench::{self, Answer, Options, results};
use crate::error::{Error, ExitCode, Result};
use crate::io::atomic::Beside;
use crate::report::Recorder;
use crate::report::progress::Listener;
use clap::{ArgGroup, Args};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use values::{SIZES, WHAT, What, repeat, slowdown, threads, tolerance};

const EXAMPLES: &str = "\
Examples:
  How fast is this machine for all of it? Under a minute:
    nissl bench
  Keep the result; did anything get slower since (in CI: exit code 3, and what)?
    nissl bench --size standard --json before.json
    nissl bench --size standard --baseline before.json --max-slowdown 1.2
  What would be run, how large is it, and how much memory and disk does it take?
    nissl bench --size full --dry-run
  Two shapes only, on 1, 8 and all threads, with a picture:
    nissl bench --size full --only autoreject/standard_64ch,'convolve/dense*' --threads 1,8,all --plot times.svg
  The same inputs for other packages, then all side by side as Markdown:
    nissl bench --size standard --keep inputs --json ours.json
    nissl bench --from ours.json --against theirs.json --markdown
  Are the results right? All references of a folder, and a new one of one's own:
    nissl bench --verify fixtures
    nissl bench --verify fixtures --only decode,'convolve/*wrap*'
    nissl bench --record refs/dem --rtol 1e-9 -- convolve dem.nc -o smooth.nc --kernel circle:450m";

/// Time the commands on this machine, check results against references, find regressions
///
/// First measures what the machine can do at most (memory copies, multiply-adds in f32 and f64 for
/// every instruction set here, exponentials, reading files), then runs this program on made-up
/// inputs, once to warm up and several times to measure, with one and with all threads. For every
/// work it prints the median wall time and the spread of the runs, CPU time, peak memory, speed-up
/// over one thread, distinct threads that worked; for every stage time, rate, and the share of the
/// ceiling that binds (measured is what was possible, so a share of 1 is all there is; flop of decode's
/// likelihood and of autoreject's thresholds are estimates). Streams have latency percentiles. Inputs
/// are seeded, lie in a temporary folder and are deleted afterwards.
///
/// quick: autoreject small_fast and standard_64ch; convolve 2000 x 2000 f64 with dense 3 x 3 and 15 x 15,
/// Gaussian and box; decode tiny, medium and an arena; a stream of 8 electrodes; 32 MiB read. standard adds
/// autoreject highdensity_128ch and duration_20min; more kernels; decode small, large, realistic and 64
/// electrodes in an arena; streams of 32 electrodes, one at its own pace; 256 MiB. full adds the shapes that
/// labs wait for: the 13 of autoreject's GPU branch (small_fast, standard_64ch, highdensity_128ch,
/// ultrahd_256ch, scaling_32ch to scaling_256ch, duration_5min to duration_20min, clean_10pct, noisy_30pct)
/// and 6000 epochs x 128 channels x 1000 samples; rasters of 20000 x 20000 f32; two million time bins of 64
/// electrodes and 3.2 million spikes on a line (200 place bins) and in an arena (2000); a stream of 32
/// electrodes with 50,000 marks each; 2 GiB.
///
/// --json writes one object, "kind": "nissl-bench", "schema": 1: tool, argv, size, host, backend,
/// ceilings (name, unit, threads, value), works, noise (spread, noisy), warnings. A work has work, command,
/// about, backend, threads, items, item, runs_s, wall_s (median), least_s, most_s, spread (median deviation
/// over the median), cpu_s, peak_rss, workers, speedup, stages (name, wall_s, cpu_s, spread, items,
/// bytes_read, bytes_written, flop, rate, ceiling, share), latency (of, ticks, p50_s, p99_s, p999_s, max_s,
/// missed) and note. Seconds, bytes, per second. Fields may be added; readers pass over those they do not
/// know. Scripts that time other packages write the same.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("instead_of_timing").args(["verify", "record", "from"]).multiple(false),
    override_usage = "nissl bench [WHAT] [--size SIZE] [FLAGS]\n       \
                      nissl bench --from <RESULT> --against <RESULT> [--markdown]\n       \
                      nissl bench --verify [DIR]\n       \
                      nissl bench --record <DIR> -- <COMMAND>..."
)]
pub struct BenchArgs {
    /// What to time
    #[arg(value_name = "WHAT", default_value = "all", value_parser = one_of(WHAT))]
    what: What,

    /// How large the works are: quick takes less than a minute in all, standard some minutes, full
    /// are the shapes that labs wait for; --dry-run lists them
    #[arg(long, value_name = "SIZE", default_value = "quick", value_parser = one_of(SIZES), help_heading = "Works")]
    size: Size,

    /// Only these works, by the names that --dry-run lists, or with --verify these cases, by name or
    /// folder; * stands for any part of a name
    #[arg(long, value_name = "NAME[,...]", value_parser = names, help_heading = "Works")]
    only: Option<Listed<String>>,

    /// Numbers of threads by commas; all is what the process may use [default: 1,all]
    #[arg(
        long,
        value_name = "N[,...]",
        env = "NISSL_THREADS",
        hide_env_values = true,
        value_parser = threads,
        help_heading = "Works"
    )]
    threads: Option<Listed<ThreadCount>>,

    /// Measured runs of each work, after one of warm-up [default: quick and standard 3 to 5, full 1 to 3]
    #[arg(long, value_name = "N", value_parser = repeat, help_heading = "Works")]
    repeat: Option<usize>,

    /// Folder in which inputs and outputs are made and deleted again; the disk under it is measured
    /// too [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", help_heading = "Works")]
    work: Option<PathBuf>,

    /// Leave the inputs in this new folder, each with its command line (DIR/COMMAND/SHAPE/command.json)
    #[arg(long, value_name = "DIR", help_heading = "Works")]
    keep: Option<PathBuf>,

    /// Write the result (JSON) there, - for stdout [default: none]
    #[arg(long, visible_alias = "report", value_name = "PATH", help_heading = "Output")]
    json: Option<PathBuf>,

    /// Tables as Markdown
    #[arg(long, help_heading = "Output")]
    markdown: bool,

    /// Picture of the result (.svg or .png): beside the input, with the animal's path, or times by
    /// stage and thread
    #[arg(long, value_name = "FILE", value_parser = picture, help_heading = "Output")]
    plot: Option<PathBuf>,

    /// Replace an existing output
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Compare with the result of an earlier bench of this machine; exit code 3 where a work or a stage
    /// got slower
    #[arg(long, value_name = "RESULT", help_heading = "Comparison")]
    baseline: Option<PathBuf>,

    /// The most by which anything may take longer than in the baseline, as a ratio; what lies within
    /// the measured spread is never a failure
    #[arg(long, value_name = "RATIO", default_value = "1.2", value_parser = slowdown, help_heading = "Comparison")]
    max_slowdown: f64,

    /// Compare with a baseline of another machine all the same
    #[arg(long, requires = "baseline", help_heading = "Comparison")]
    other_machine: bool,

    /// Print the times of another package beside these; may be given several times
    #[arg(long, value_name = "RESULT", help_heading = "Comparison")]
    against: Vec<PathBuf>,

    /// Take an earlier result instead of running anything
    #[arg(long, value_name = "RESULT", help_heading = "Comparison")]
    from: Option<PathBuf>,

    /// Check results against all references (case.json) below a folder instead of timing [default:
    /// ./fixtures]
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        default_missing_value = "fixtures",
        help_heading = "References"
    )]
    verify: Option<PathBuf>,

    /// Run the command line after -- and keep its inputs and outputs as a new reference in this folder
    #[arg(long, value_name = "DIR", requires = "argv", help_heading = "References")]
    record: Option<PathBuf>,

    /// Relative tolerance of a recorded reference
    #[arg(
        long,
        value_name = "X",
        default_value = "0",
        value_parser = tolerance,
        help_heading = "References"
    )]
    rtol: f64,

    /// Absolute tolerance of a recorded reference
    #[arg(
        long,
        value_name = "X",
        default_value = "0",
        value_parser = tolerance,
        help_heading = "References"
    )]
    atol: f64,

    /// Command line of a new reference, such as: convolve dem.nc -o smooth.nc --kernel circle:450m
    #[arg(last = true, value_name = "COMMAND", requires = "record", allow_hyphen_values = true)]
    argv: Vec<String>,

    #[command(flatten)]
    limits: LimitFlags,

    #[command(flatten)]
    tell: TellFlags,
}

impl BenchArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever stops it; it has left nothing behind by then.
    pub fn run(&self, argv: Vec<OsString>) -> Result<ExitCode> {
        session::log_to_stderr(self.tell.verbose);
        let options = self.options(argv)?;
        check::options(&options, self.json.as_deref(), self.force)?;
        let recorder = Arc::new(Recorder::new());
        let grant = session::grant(&self.limits, None, &recorder)?;
        let listener = Listener::start(self.tell.display(), "runs", Arc::clone(&recorder));
        // It stops its child and deletes its folder by itself.
        signals::stop_as(Arc::clone(&recorder), Stop::Closes, Arc::default(), &[]);
        let context = Context {
            level: grant.seat.level(),
            seat: &grant.seat,
            threads: grant.threads.count,
            memory: grant.memory.bytes,
            force: self.force,
            recorder: &recorder,
        };
        let told = |error| if recorder.is_cancelled() { Error::Interrupted } else { error };
        if self.tell.dry_run {
            listener.finish();
            let plan = bench::plan(&options, &context).map_err(told)?;
            edge::print(plan.to_string().as_bytes())?;
            return Ok(ExitCode::Done);
        }
        let answer = bench::run(&options, &context).map_err(told);
        listener.finish();
        self.tell_all(&answer?)
    }

    fn tell_all(&self, answer: &Answer) -> Result<ExitCode> {
        if let (Some(path), Some(result)) = (&self.json, &answer.result) {
            deliver(path, &results::render(result)?)?;
        }
        if self.json.as_deref() != Some(Path::new("-")) && !self.tell.quiet {
            edge::print(answer.text.as_bytes())?;
        }
        for failure in &answer.failures {
            edge::say_error(&failure.to_string());
        }
        Ok(answer.code)
    }

    fn options(&self, argv: Vec<OsString>) -> Result<Options> {
        let program = std::env::current_exe()
            .map_err(|e| Error::Failed(format!("cannot find this program's own file to run it: {e}")))?;
        let usual = Options::default();
        let record = self.record.clone().map(|folder| Record {
            folder,
            argv: self.argv.clone(),
            rtol: self.rtol,
            atol: self.atol,
            force: self.force,
        });
        Ok(Options {
            program,
            argv: argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            groups: match self.what {
                What::One(group) => vec![group],
                What::All => Group::ALL.to_vec(),
            },
            size: self.size,
            only: self.only.clone().map_or(usual.only, |Listed(names)| names),
            threads: self.threads.clone().map_or(usual.threads, |Listed(counts)| counts),
            backend: self.limits.backend.name().into(),
            memory: self.limits.memory,
            repeat: self.repeat,
            work: self.work.clone(),
            keep: self.keep.clone(),
            markdown: self.markdown,
            plot: self.plot.clone(),
            baseline: self.baseline.clone(),
            max_slowdown: self.max_slowdown,
            other_machine: self.other_machine,
            against: self.against.clone(),
            from: self.from.clone(),
            verify: self.verify.clone(),
            record,
        })
    }
}

/// Writes the result to a file, whole or not at all, or to stdout.
fn deliver(path: &Path, text: &str) -> Result<()> {
    if path == Path::new("-") {
        return edge::print(text.as_bytes());
    }
    let mut file = Beside::create(path)?;
    file.file().write_all(text.as_bytes()).map_err(Error::io(path, "write"))?;
    file.finish()
}

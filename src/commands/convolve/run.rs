//! Runs a plan: opens the output, streams every strip through the job's pass, finishes the file.

use super::options::Task;
use super::picture::Picture;
use super::plan::Plan;
use super::prepare::Job;
use super::raster::Raster;
use super::sink::{ResultSink, StripOut, Targets};
use super::strips::{Onlooker, Strip, Strips};
use super::{hotspots, passes, passes_stats};
use crate::array::{Real, WorkType};
use crate::commands::{Context, InputFacts, Outcome};
use crate::error::{Error, Result};
use crate::pipeline::run::{Buffers, run as stream};
use crate::pipeline::{Pass, Source, chunk};
use crate::report::Work;
use rayon::ThreadPool;

/// Runs `plan`; the output appears under its name only when it is whole.
///
/// # Errors
/// Input or output cannot be read or written, a chunk does not decode, the data refuse the job
/// (hot spots of a constant raster), or the run was interrupted.
pub fn run(plan: &Plan, context: &Context) -> Result<Outcome> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    let passes_over = if matches!(plan.task, Task::Hotspots) { 2 } else { 1 };
    context.recorder.expect(passes_over * plan.input.planes * plan.input.rows);
    match plan.work_type {
        WorkType::F32 => run_typed::<f32>(plan, context, &pool),
        WorkType::F64 => run_typed::<f64>(plan, context, &pool),
    }
}

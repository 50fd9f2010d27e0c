//! What of a job a device can do, and what it would take: pure arithmetic for the plan.

use super::job::Job;
use super::options::{Options, Task};
use crate::array::WorkType;
use crate::backend::{Fit, Work};
use crate::kernels::focal::Request;
use crate::kernels::focal::gpu::{self, DeviceRecipe};

/// Operations per second of one CPU thread in these kernels, about.
const CPU_FLOP: f64 = 2.5e10;

/// Bytes per second of one CPU thread, about.
const CPU_BYTES: f64 = 5e9;

/// Rows of a piece, about: enough to keep a device busy.
const PIECE_ROWS: usize = 128;

/// The fit of a job to a device without float64, and how it would compute.
pub fn fit(
    options: &Options,
    job: &Job,
    cells: u64,
    work: WorkType,
    threads: usize,
) -> (Fit, Option<DeviceRecipe>) {
    let pass = match (&options.task, job) {
        (Task::Convolve, Job::Convolve(pass)) => pass,
        _ => return (Fit::Not("only plain convolutions have kernels for devices".into()), None),
    };
    let request =
        Request { algorithm: options.algorithm, exact: options.exact, fast: options.fast, nan: options.nan };
    let recipe = match gpu::recipe(pass.focal().weights(), work, &request) {
        Ok(recipe) => recipe,
        Err(why) => return (Fit::Not(why), None),
    };
    let (cells, size) = (cells as f64, work.size() as f64);
    let cpu = pass.focal().recipe();
    let per_cell = (cpu.flop_per_cell / CPU_FLOP).max(cpu.bytes_per_cell / CPU_BYTES);
    let between = if recipe.factors.is_some() { 4.0 * size } else { 0.0 };
    let work = Work {
        transfer: 2.0 * cells * size,
        touched: cells * (2.0 * size + between),
        flop_f32: cells * recipe.flop_per_cell,
        flop_f64: 0.0,
        cpu_s: cells * per_cell / threads.max(1) as f64,
    };
    (Fit::Whole { work, f64: None }, Some(recipe))
}

/// Rows of a piece: whole blocks of the CPU's recipe, which may have to take its place.
pub fn piece_rows(job: &Job) -> usize {
    let block = job.block_rows().max(1);
    block * PIECE_ROWS.div_ceil(block)
}

//! What of a job a device can do, and what it would take: pure arithmetic for the plan.

use super::job::Job;
use super::options::{Options, Task};
use crate::array::WorkType;
use crate::backend::{Backend, Fit, Work};
use crate::kernels::focal::Request;
use crate::kernels::focal::gpu::{self, DeviceRecipe};

/// Operations per second of one CPU thread in these kernels, about.
const CPU_FLOP: f64 = 2.5e10;

/// Bytes per second of one CPU thread, about.
const CPU_BYTES: f64 = 5e9;

/// Rows of a piece, about: enough to keep a device busy.
const PIECE_ROWS: usize = 128;

/// How devices would compute a job.
#[derive(Debug, Default)]
pub struct Recipes {
    /// With sums of floats.
    floats: Option<DeviceRecipe>,
    /// With sums in float64.
    doubles: Option<DeviceRecipe>,
}

impl Recipes {
    /// The one that `backend` can follow; none on the CPU.
    pub fn on(self, backend: &Backend) -> Option<DeviceRecipe> {
        match backend.name {
            "cuda" => self.doubles,
            _ if backend.is_device() => self.floats,
            _ => None,
        }
    }
}

/// The fit of a job to devices, and how they would compute.
pub fn fit(options: &Options, job: &Job, cells: u64, work: WorkType, threads: usize) -> (Fit, Recipes) {
    let none = Recipes::default;
    let pass = match (&options.task, job) {
        (Task::Convolve, Job::Convolve(pass)) => pass,
        _ => return (Fit::Not("only plain convolutions have kernels for devices".into()), none()),
    };
    let request =
        Request { algorithm: options.algorithm, exact: options.exact, fast: options.fast, nan: options.nan };
    let weights = pass.focal().weights();
    let floats = gpu::recipe(weights, work, &request);
    let doubles = gpu::double_recipe(weights, &request);
    let (recipe, double) = match (&floats, &doubles) {
        (Ok(recipe), _) => (recipe, None),
        (Err(why), Ok(recipe)) => (recipe, Some(why.clone())),
        (Err(why), Err(_)) => return (Fit::Not(why.clone()), none()),
    };
    let (cells, size) = (cells as f64, work.size() as f64);
    let cpu = pass.focal().recipe();
    let per_cell = (cpu.flop_per_cell / CPU_FLOP).max(cpu.bytes_per_cell / CPU_BYTES);
    let between = if recipe.factors.is_some() { 4.0 * size } else { 0.0 };
    let work = Work {
        transfer: 2.0 * cells * size,
        touched: cells * (2.0 * size + between),
        flop_f32: if double.is_none() { cells * recipe.flop_per_cell } else { 0.0 },
        flop_f64: if double.is_some() { cells * recipe.flop_per_cell } else { 0.0 },
        cpu_s: cells * per_cell / threads.max(1) as f64,
    };
    (Fit::Whole { work, f64: double }, Recipes { floats: floats.ok(), doubles: doubles.ok() })
}

/// Rows of a piece: whole blocks of the CPU's recipe, which may have to take its place.
pub fn piece_rows(job: &Job) -> usize {
    let block = job.block_rows().max(1);
    block * PIECE_ROWS.div_ceil(block)
}

//! The four jobs of the command behind one face: what each needs, costs and is called.

use super::options::{Options, Task};
use super::passes::FocalPass;
use super::plan::AlgorithmPlan;
use crate::array::WorkType;
use crate::commands::Context;
use crate::error::{Error, Result};
use crate::kernels::focal::{Focal, KernelType, Method, NanRule, Request, Weights, choose};
use crate::kernels::focal_mean::{self, Excludes, Smoothing};
use crate::kernels::focal_stats::{FocalStats, Mask};
use crate::kernels::hotspots;

/// Rows of a block where the method has no block grid of its own.
const FREE_BLOCK_ROWS: usize = 32;

/// A job with its tables.
pub enum Job {
    /// Weighted window sums.
    Convolve(Box<FocalPass>),
    /// Statistics of the cells under a mask.
    Stats(FocalStats),
    /// Gi*: the kernel, and its weights squared.
    Hotspots {
        /// The kernel.
        plain: Box<FocalPass>,
        /// Its weights squared.
        squared: Box<FocalPass>,
    },
    /// Repeated 3x3 mean.
    Mean(Smoothing),
}

impl Job {
    /// Chooses and prepares the arithmetic for planes of `shape` = (rows, columns).
    ///
    /// # Errors
    /// Wishes that exclude each other, or a kernel that the job cannot use.
    pub fn prepare(
        options: &Options,
        weights: Option<Weights>,
        shape: (usize, usize),
        work: WorkType,
        context: &Context,
    ) -> Result<Job> {
        let request = Request {
            algorithm: options.algorithm,
            exact: options.exact,
            fast: options.fast,
            nan: options.nan,
        };
        let kernel = || {
            weights.as_ref().ok_or_else(|| {
                Error::usage("--kernel is missing; give a file, a generator such as circle:3 or rows \"0 1 0; 1 1 1; 0 1 0\"")
            })
        };
        if options.nan != NanRule::Propagate && options.task != Task::Convolve {
            return Err(Error::usage(
                "--nan applies to convolutions; statistics, hot spots and the focal mean leave NaN cells out as they are defined",
            ));
        }
        let focal = |weights: &Weights, work| {
            choose(weights, shape, work, &request)
                .map(|recipe| Box::new(FocalPass::new(Focal::new(weights, recipe, context.level), shape.1)))
        };
        match &options.task {
            Task::Convolve => Ok(Job::Convolve(focal(kernel()?, work)?)),
            Task::Stats(statistics) => {
                let weights = kernel()?;
                let mask = Mask::from_weights(weights)?;
                Ok(Job::Stats(FocalStats { mask, statistics: statistics.clone(), level: context.level }))
            }
            Task::Hotspots => {
                let weights = kernel()?;
                hotspots::check_weights(&weights.values)?;
                let squares = weights.values.iter().map(|k| k * k).collect();
                let squared = Weights::new(squares, weights.rows, weights.cols, KernelType::F64)?;
                Ok(Job::Hotspots {
                    plain: focal(weights, WorkType::F32)?,
                    squared: focal(&squared, WorkType::F32)?,
                })
            }
            Task::Mean { passes, exclude } => {
                let excludes = match work {
                    WorkType::F32 => Excludes::new::<f32>(exclude),
                    WorkType::F64 => Excludes::new::<f64>(exclude),
                };
                Ok(Job::Mean(Smoothing { passes: *passes as usize, excludes, level: context.level }))
            }
        }
    }

    /// Extra rows a strip needs on each side.
    pub fn halo(&self) -> u64 {
        match self {
            Job::Convolve(pass) => pass.focal().weights().rows as u64 / 2,
            Job::Hotspots { plain, .. } => plain.focal().weights().rows as u64 / 2,
            Job::Stats(stats) => stats.mask.half_rows() as u64,
            Job::Mean(smoothing) => smoothing.passes as u64,
        }
    }

    /// Strips start on multiples of so many rows.
    pub fn block_rows(&self) -> usize {
        match self {
            Job::Convolve(pass) => pass.focal().recipe().block_rows,
            // Both grids start at row 0; strips must stand on both.
            Job::Hotspots { plain, squared } => {
                let (a, b) = (plain.focal().recipe().block_rows, squared.focal().recipe().block_rows);
                if a.max(b).is_multiple_of(a.min(b)) { a.max(b) } else { a * b }
            }
            Job::Stats(_) | Job::Mean(_) => FREE_BLOCK_ROWS,
        }
    }

    /// Result layers of a strip in the working type.
    pub fn layers(&self) -> usize {
        match self {
            Job::Stats(stats) => stats.statistics.len(),
            Job::Convolve(_) | Job::Hotspots { .. } | Job::Mean(_) => 1,
        }
    }

    /// Bytes of all results of one cell while they are in memory.
    pub fn result_bytes(&self, work: WorkType) -> u64 {
        let layers = (self.layers() * work.size()) as u64;
        match self {
            // z and class, and the three convolutions with their two inputs on the way.
            Job::Hotspots { .. } => layers + 1 + 5 * 4,
            Job::Convolve(_) | Job::Stats(_) | Job::Mean(_) => layers,
        }
    }

    /// Bytes written per cell, uncompressed.
    pub fn written_bytes_per_cell(&self, work: WorkType) -> u64 {
        match self {
            Job::Hotspots { .. } => 5,
            other => (other.layers() * work.size()) as u64,
        }
    }

    /// Bytes of tables and of the scratch of all workers.
    pub fn fixed_bytes(&self, width: usize, threads: usize) -> u64 {
        let focal = |pass: &FocalPass| {
            let recipe = pass.focal().recipe();
            recipe.shared_bytes + threads as u64 * recipe.scratch_bytes
        };
        match self {
            Job::Convolve(one) => focal(one),
            Job::Hotspots { plain, squared } => focal(plain) + focal(squared),
            Job::Stats(stats) => threads as u64 * stats.scratch_bytes(),
            Job::Mean(smoothing) => {
                threads as u64 * focal_mean::Scratch::<f64>::bytes(smoothing.passes, width)
            }
        }
    }

    /// How often the input is read from end to end.
    pub fn passes_over_input(&self) -> u64 {
        if matches!(self, Job::Hotspots { .. }) { 2 } else { 1 }
    }

    /// Floating point operations per cell.
    pub fn flop_per_cell(&self) -> f64 {
        match self {
            Job::Convolve(pass) => pass.focal().recipe().flop_per_cell,
            Job::Hotspots { plain, squared } => {
                2.0 * plain.focal().recipe().flop_per_cell + squared.focal().recipe().flop_per_cell
            }
            Job::Stats(stats) => (stats.mask.taps().len() * stats.statistics.len()) as f64,
            Job::Mean(smoothing) => 10.0 * smoothing.passes as f64,
        }
    }

    /// Name of the main result in netCDF and HDF5 files (spec convolve 6).
    pub fn variable(&self) -> &'static str {
        match self {
            Job::Convolve(_) => "convolution_2d",
            Job::Stats(_) => "focal_stats",
            Job::Hotspots { .. } => "hotspots",
            Job::Mean(_) => "focal_mean",
        }
    }

    /// The way to compute, for the plan.
    pub fn algorithm_plan(&self) -> AlgorithmPlan {
        let (name, why, tolerance) = match self {
            Job::Convolve(pass) | Job::Hotspots { plain: pass, .. } => {
                let recipe = pass.focal().recipe();
                let tolerance = match recipe.method {
                    Method::Exact => "T0 (equal bits)",
                    Method::Fft { .. } => "T2",
                    Method::Fast => "float32 sums within a row: 17 * 2^-24 S",
                    Method::Direct | Method::Separable(_) | Method::Runs(_) => "T1",
                };
                (recipe.method.name(), recipe.why.clone(), tolerance)
            }
            Job::Stats(stats) => {
                let cells = stats.mask.taps().len();
                ("statistics", format!("one pass over {cells} cells under the mask"), "equal bits")
            }
            Job::Mean(smoothing) => {
                ("mean", format!("3x3 box, {} pass(es) in cascade", smoothing.passes), "equal bits")
            }
        };
        AlgorithmPlan {
            name: name.into(),
            why,
            tolerance: tolerance.into(),
            flop_per_cell: self.flop_per_cell(),
            block_rows: self.block_rows(),
        }
    }
}

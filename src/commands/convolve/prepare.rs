//! Options and file headers -> [`Plan`]: opens the raster, builds the kernel, chooses types,
//! algorithm and strips. Every check that can fail early fails here.

use super::budget::{ENOUGH_BYTES, ENOUGH_FOR_DEVICES, Needs, StripPlan};
use super::device;
use super::job::Job;
use super::kernel_spec::{Built, KernelSpec};
use super::locate::{Found, locate};
use super::options::{DtypeChoice, Options, Task};
use super::plan::{AlgorithmPlan, Cost, InputPlan, KernelPlan, OutputPlan, Plan, ShardPlan};
use super::raster::{Decoding, Raster};
use crate::array::{Dtype, WorkType};
use crate::commands::{Context, InputFacts};
use crate::error::{Error, Result};
use crate::io::{self, StoredType, atomic};
use crate::kernels::focal::Weights;
use crate::kernels::focal::gpu::DeviceRecipe;
use crate::shards::{self, Run};
use std::path::{Path, PathBuf};

/// What a run needs besides the plan's plain data.
pub struct Prepared {
    /// The raster, open, with its axes and coordinates.
    pub found: Found,
    /// The arithmetic, ready to run.
    pub job: Job,
    /// How devices compute, where they do.
    pub device: Option<DevicePlan>,
    /// What was asked.
    pub options: Options,
}

/// A convolution on devices.
#[derive(Debug)]
pub struct DevicePlan {
    /// How.
    pub recipe: DeviceRecipe,
    /// Rows of a piece; strips are whole pieces.
    pub rows: usize,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", self.options.output.display())
    }
}

/// Resolves what was asked against the file.
///
/// # Errors
/// Usage errors that the command line alone shows (kernel, conflicting wishes, output name or
/// place), then what the input's header shows, then a memory limit too small for one block.
pub fn plan(options: &Options, context: &Context) -> Result<Plan> {
    let mut warnings = Vec::new();
    io::output_format(&options.output)?;
    let mut touched = vec![options.input.path.clone()];
    let spec = options.kernel.as_deref().map(KernelSpec::parse).transpose()?;
    if let Some(KernelSpec::File(path)) = &spec {
        touched.push(path.clone());
    }
    let target = options.target()?;
    atomic::check_output(&target, context.force || options.resume, &touched)?;
    if options.shard.is_some() {
        // What the merge will write must not be an input either; it may be there.
        atomic::check_output(&options.output, true, &touched)?;
    }
    let classes_alone =
        options.task == Task::Hotspots && io::output_format(&options.output)? == io::Format::Npy;
    if options.shard.is_some() && options.plot.is_some() && classes_alone {
        return Err(Error::usage(
            "--shard with --hotspots and --plot: parts called .npy hold no z-scores to draw; name the output .nc, .h5 or .npz",
        ));
    }
    if let Some(plot) = &options.plot {
        if !cfg!(feature = "plot") {
            return Err(Error::usage("--plot: this program was built without the plot feature"));
        }
        touched.push(options.output.clone());
        atomic::check_output(plot, context.force || options.resume, &touched)?;
    }
    // A kernel that needs no cell size is built, and refused, before the raster is opened.
    let early = match &spec {
        Some(spec) if !spec.needs_cell_size() || options.cell_size.is_some() => {
            Some(finished(spec, options.cell_size.unwrap_or((1.0, 1.0)), options, &mut warnings)?)
        }
        _ => None,
    };
    let found = locate(options, &mut warnings)?;
    let mut cell_size = options.cell_size;
    let weights = match (early, &spec) {
        (None, Some(spec)) => {
            let grid = found.cell_size(&mut warnings)?;
            let degrees = found.degrees_warning(spec.has_metric_radius())?;
            warnings.extend(degrees.iter().cloned());
            cell_size = Some(grid);
            // A kernel far too large is what degrees taken for metres look like: say so with it.
            let explained = |error| match (error, degrees) {
                (Error::Usage(what), Some(degrees)) => Error::Usage(format!("{what}; {degrees}")),
                (error, _) => error,
            };
            Some(finished(spec, grid, options, &mut warnings).map_err(explained)?)
        }
        (early, _) => early,
    };
    let kernel = weights.as_ref().map(|weights| KernelPlan {
        given: options.kernel.clone().unwrap_or_default(),
        shape: [weights.rows, weights.cols],
        nonzero: weights.values.iter().filter(|k| **k != 0.0).count(),
        sum: weights.sum(),
        cell_size: cell_size.filter(|_| spec.as_ref().is_some_and(KernelSpec::needs_cell_size)),
    });
    if io::output_format(&options.output)? == io::Format::Npy && found.layout().has_coordinates() {
        warnings.push(format!(
            "{}: NPY keeps no coordinates, and the input has some; name the output .nc to keep them",
            options.output.display()
        ));
    }
    let work_type = work_type(options, found.raster.decoding())?;
    let shape = (found.raster.height(), found.raster.width());
    let input = input_plan(options, &found);
    let run = run_name(options, &found, weights.as_ref(), work_type)?;
    let job = Job::prepare(options, weights, shape, work_type, context)?;
    let cells = found.raster.planes() * shape.0 as u64 * shape.1 as u64;
    let (fit, recipes) = device::fit(options, &job, cells, work_type, context.threads);
    let backend = match options.shard {
        Some(_) => context.seat.choose_for_part(&fit)?,
        None => context.seat.choose(&fit)?,
    };
    let device = recipes.on(&backend).map(|recipe| DevicePlan { recipe, rows: device::piece_rows(&job) });
    let strips = strips(&found.raster, &job, work_type, (context, device.as_ref()))?;
    let algorithm = algorithm(&job, device.as_ref());
    let shard = options.shard.map(|shard| {
        let rows = shard.rows(input.rows, job.block_rows() as u64, found.raster.chunk_rows());
        ShardPlan { shard, rows }
    });
    if shard.is_some() && matches!(options.task, Task::Hotspots) {
        warnings.push(
            "--hotspots: every shard reads the whole raster once, for its mean and deviation; few shards read less"
                .into(),
        );
    }
    let done = match options.shard {
        Some(shard) if target.exists() && options.resume => {
            shards::is_done(&target, shard, &run, context.force)?
        }
        _ => false,
    };
    let rows = shard.as_ref().map_or(input.rows, |part| part.rows.end - part.rows.start);
    Ok(Plan {
        task: options.task.clone(),
        output: output_plan(options, &found, &job, (work_type, rows, target))?,
        work_type,
        dtype: options.dtype,
        boundary: options.boundary,
        nan: options.nan,
        kernel,
        cost: cost(&found.raster, &job, work_type, (rows, algorithm.flop_per_cell)),
        algorithm,
        input,
        run,
        shard,
        done,
        strips,
        threads: context.threads,
        backend,
        level: context.level.name().into(),
        memory: context.memory,
        warnings,
        prepared: Prepared { found, job, device, options: options.clone() },
    })
}

/// The kernel as it will be used: built, flipped and normalised.
fn finished(
    spec: &KernelSpec,
    cell: (f64, f64),
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<Weights> {
    let Built { mut weights, warnings: said } = spec.build(cell, read_kernel)?;
    warnings.extend(said);
    if options.flip {
        weights = weights.flipped();
    }
    if options.normalize {
        weights = weights.normalized()?;
    }
    Ok(weights)
}

/// Reads a kernel file: NPY, or rows of text.
fn read_kernel(path: &Path) -> Result<Weights> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
        return super::kernel_file::read_npy(path);
    }
    super::kernel_file::read_text(path)
}

/// float64 where the decoded numbers are, else float32 (spec convolve 1.2), unless asked.
/// Hot spots are float32 by definition (spec convolve 5).
fn work_type(options: &Options, decoding: &Decoding) -> Result<WorkType> {
    match (&options.task, options.dtype, decoding.dtype()) {
        (Task::Hotspots, DtypeChoice::F64, _) => {
            Err(Error::usage("--dtype f64: --hotspots is defined in float32; leave --dtype out"))
        }
        (Task::Hotspots, ..) | (_, DtypeChoice::F32, _) => Ok(WorkType::F32),
        (_, DtypeChoice::F64, _) | (_, DtypeChoice::Auto, Dtype::F64) => Ok(WorkType::F64),
        (_, DtypeChoice::Auto, _) => Ok(WorkType::F32),
    }
}

/// The way to compute, on devices or on the CPU.
fn algorithm(job: &Job, device: Option<&DevicePlan>) -> AlgorithmPlan {
    let own = job.algorithm_plan();
    let Some(DevicePlan { recipe, rows }) = device else { return own };
    AlgorithmPlan {
        name: recipe.name().into(),
        why: format!("on the device: {}", recipe.why),
        tolerance: "T1".into(),
        flop_per_cell: recipe.flop_per_cell,
        block_rows: *rows,
    }
}

fn strips(
    raster: &Raster,
    job: &Job,
    work: WorkType,
    (context, device): (&Context, Option<&DevicePlan>),
) -> Result<StripPlan> {
    let width = raster.width();
    let needs = Needs {
        height: raster.height() as u64,
        width: width as u64,
        halo: job.halo(),
        block_rows: device.map_or(job.block_rows(), |device| device.rows) as u64,
        chunk_rows: raster.chunk_rows(),
        value_bytes: work.size() as u64,
        stored_row_bytes: raster.stored_row_bytes(),
        result_bytes: job.result_bytes(work),
        fixed_bytes: job.fixed_bytes(width, context.threads),
        enough_bytes: if device.is_some() { ENOUGH_FOR_DEVICES } else { ENOUGH_BYTES },
    };
    needs.cut(context.memory)
}

fn input_plan(options: &Options, found: &Found) -> InputPlan {
    let info = found.raster.dataset().info();
    InputPlan {
        path: options.input.path.clone(),
        dataset: info.path.clone(),
        shape: info.shape.clone(),
        stored: info.stored.to_string(),
        decoded: found.raster.decoding().dtype().name().into(),
        planes: found.raster.planes(),
        rows: found.raster.height() as u64,
        columns: found.raster.width() as u64,
        chunks: info.chunks.clone(),
    }
}

/// The name of a run: a hash of all that its results depend on. Parts of one run share it.
fn run_name(options: &Options, found: &Found, weights: Option<&Weights>, work: WorkType) -> Result<String> {
    let info = found.raster.dataset().info();
    let facts = InputFacts::of(&options.input.path, "", &info.shape, &info.stored.to_string())?;
    let kernel: Vec<u8> = weights.map_or(Vec::new(), |weights| {
        let shape = [weights.rows as u64, weights.cols as u64].map(u64::to_le_bytes).concat();
        shape.into_iter().chain(weights.values.iter().flat_map(|k| k.to_bits().to_le_bytes())).collect()
    });
    let extension = options.output.extension().unwrap_or_default().to_ascii_lowercase();
    let run = Run::of("convolve")
        .with(format!("{:?} {} {} {}", facts.shape, facts.dtype, info.path, facts.sample_sha256))
        .with(&options.history)
        .with(kernel)
        .with(format!("{work:?} {:?} {extension:?}", options.compress));
    Ok(run.name())
}

fn output_plan(
    options: &Options,
    found: &Found,
    job: &Job,
    (work, rows, path): (WorkType, u64, PathBuf),
) -> Result<OutputPlan> {
    let mut shape = found.raster.plane_shape();
    if let Task::Stats(statistics) = &options.task {
        shape.push(statistics.len() as u64);
    }
    shape.extend([rows, found.raster.width() as u64]);
    let named = io::output_format(&options.output)? != io::Format::Npy;
    // NPY of hot spots holds the classes alone; every other result is in the working type.
    let classes_only = matches!(options.task, Task::Hotspots);
    Ok(OutputPlan {
        path,
        variable: if named { job.variable().into() } else { String::new() },
        shape,
        dtype: if classes_only { Dtype::I8.name().into() } else { work.dtype().name().into() },
        compress: options.compress.or(found.raster.dataset().info().deflate.map(|level| level.clamp(1, 9))),
    })
}

fn cost(raster: &Raster, job: &Job, work: WorkType, (rows, flop_per_cell): (u64, f64)) -> Cost {
    let cells = raster.planes() * rows * raster.width() as u64;
    let stored = raster.planes() * rows * raster.stored_row_bytes();
    // The first look of hot spots is at the whole raster, whatever the part.
    let looked = raster.planes() * raster.height() as u64 * raster.stored_row_bytes();
    Cost {
        cells,
        flop: (cells as f64 * flop_per_cell) as u64,
        bytes_read: stored + looked * (job.passes_over_input() - 1),
        bytes_written: cells * job.written_bytes_per_cell(work),
    }
}

/// The error of a job that the raster's type refuses.
pub(super) fn not_numbers(place: &str, stored: &StoredType) -> Error {
    Error::data(
        place,
        format!("{stored} values"),
        "real numbers (integers or floating point)",
        "name another dataset with --var, or convert it first",
    )
}

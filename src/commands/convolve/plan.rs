//! What will run, resolved: printed by `--dry-run`, saved in the report.

use super::budget::StripPlan;
use super::options::{DtypeChoice, NanRule, Task};
use super::prepare::Prepared;
use crate::array::WorkType;
use crate::backend::Backend;
use crate::commands::Planned;
use crate::kernels::window::Boundary;
use crate::shards::Shard;
use crate::units::format_bytes;
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// The raster as found.
#[derive(Debug, Clone, Serialize)]
pub struct InputPlan {
    /// File as typed.
    pub path: PathBuf,
    /// Dataset inside it; empty for NPY.
    pub dataset: String,
    /// Lengths of all axes.
    pub shape: Vec<u64>,
    /// Stored element type and byte order.
    pub stored: String,
    /// Element type after decoding (packing, nodata).
    pub decoded: String,
    /// Planes, each treated on its own.
    pub planes: u64,
    /// Rows of a plane.
    pub rows: u64,
    /// Columns of a plane.
    pub columns: u64,
    /// Storage chunks, where there are any.
    pub chunks: Option<Vec<u64>>,
}

/// What will be written.
#[derive(Debug, Clone, Serialize)]
pub struct OutputPlan {
    /// File.
    pub path: PathBuf,
    /// Name of the result inside it; empty for NPY.
    pub variable: String,
    /// Lengths of all axes.
    pub shape: Vec<u64>,
    /// Element type.
    pub dtype: String,
    /// Deflate level, none for plain storage.
    pub compress: Option<u32>,
}

/// The kernel as built.
#[derive(Debug, Clone, Serialize)]
pub struct KernelPlan {
    /// As typed.
    pub given: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Weights that are not zero.
    pub nonzero: usize,
    /// Sum of the weights.
    pub sum: f64,
    /// Cell size (x, y) that distances were divided by, where any was needed.
    pub cell_size: Option<(f64, f64)>,
}

/// The way to compute and the reason for it.
#[derive(Debug, Clone, Serialize)]
pub struct AlgorithmPlan {
    /// `direct`, `separable`, `runs`, `fft`, `exact`, or the name of another job's one method.
    pub name: String,
    /// Why this one.
    pub why: String,
    /// What its results agree to: `T0`, `T1`, `T2` or `equal bits`.
    pub tolerance: String,
    /// Floating point operations per cell.
    pub flop_per_cell: f64,
    /// Rows of one block of work; strips start on multiples of it.
    pub block_rows: usize,
}

/// Which part of a run this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShardPlan {
    /// Which part.
    pub shard: Shard,
    /// Its rows of every plane.
    pub rows: Range<u64>,
}

/// Predicted cost of the whole run, or of the part.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// Cells of all planes.
    pub cells: u64,
    /// Floating point operations.
    pub flop: u64,
    /// Bytes read from the file, uncompressed.
    pub bytes_read: u64,
    /// Bytes written, uncompressed.
    pub bytes_written: u64,
}

/// Everything about a run that is known before it.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Which job.
    pub task: Task,
    /// The raster.
    pub input: InputPlan,
    /// The result.
    pub output: OutputPlan,
    /// Working type; sums are always float64 except with `--fast`.
    pub work_type: WorkType,
    /// How the working type was chosen.
    pub dtype: DtypeChoice,
    /// What stands outside the raster.
    pub boundary: Boundary,
    /// What NaN cells do.
    pub nan: NanRule,
    /// The kernel; none for the focal mean.
    pub kernel: Option<KernelPlan>,
    /// The way to compute.
    pub algorithm: AlgorithmPlan,
    /// How planes are cut.
    pub strips: StripPlan,
    /// Predicted cost.
    pub cost: Cost,
    /// Hash of inputs, options that matter to the result, and version: equal for all parts.
    pub run: String,
    /// Which part, if not all.
    pub shard: Option<ShardPlan>,
    /// Worker threads.
    pub threads: usize,
    /// What computes, and why.
    pub backend: Backend,
    /// Instruction set.
    pub level: String,
    /// Memory limit, bytes.
    pub memory: u64,
    /// What the user should know before the run.
    pub warnings: Vec<String>,
    /// The part is there already, whole.
    #[serde(skip)]
    pub done: bool,
    /// Open files and tables the run works with.
    #[serde(skip)]
    pub(super) prepared: Prepared,
}

impl Plan {
    /// Rows of every plane that the run works on.
    pub fn rows(&self) -> Range<u64> {
        self.shard.as_ref().map_or(0..self.input.rows, |part| part.rows.clone())
    }

    /// The raster as messages name it: `dem.nc:/elevation`.
    pub fn place(&self) -> String {
        let InputPlan { path, dataset, .. } = &self.input;
        if dataset.is_empty() { path.display().to_string() } else { format!("{}:{dataset}", path.display()) }
    }
}

fn shape(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

impl Planned for Plan {
    fn name(&self) -> Option<&str> {
        Some(&self.run)
    }

    fn backend(&self) -> &Backend {
        &self.backend
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InputPlan { path, dataset, stored, decoded, planes, .. } = &self.input;
        let colon = if dataset.is_empty() { "" } else { ":" };
        writeln!(f, "input      {}{colon}{dataset}", path.display())?;
        writeln!(
            f,
            "           {} {stored}, decoded as {decoded}, {planes} plane(s)",
            shape(&self.input.shape)
        )?;
        if let Some(chunks) = &self.input.chunks {
            writeln!(f, "           stored in chunks of {}", shape(chunks))?;
        }
        if let Some(ShardPlan { shard, rows }) = &self.shard {
            writeln!(f, "shard      {shard}: rows {} to {} of every plane", rows.start, rows.end)?;
        }
        let work = self.work_type.dtype().name();
        writeln!(f, "work       {work}, boundary {}, NaN cells {}", self.boundary, self.nan.name())?;
        if let Some(kernel) = &self.kernel {
            let [rows, columns] = kernel.shape;
            write!(f, "kernel     {}: {rows} x {columns}, {} taps", kernel.given, kernel.nonzero)?;
            writeln!(f, " not zero, sum {}", kernel.sum)?;
            if let Some((x, y)) = kernel.cell_size {
                writeln!(f, "           cell size {x} x {y}")?;
            }
        }
        let AlgorithmPlan { name, why, tolerance, flop_per_cell, .. } = &self.algorithm;
        writeln!(f, "algorithm  {name}: {why}")?;
        writeln!(f, "           tolerance {tolerance}, {flop_per_cell:.0} flop per cell")?;
        let strips = &self.strips;
        let rows = self.rows();
        let count = (rows.end - rows.start).div_ceil(strips.rows) * planes;
        writeln!(f, "strips     {count} of {} rows", strips.rows)?;
        writeln!(f, "           halo {}, {} in flight", strips.halo, strips.in_flight)?;
        writeln!(f, "cost       {:.3e} cells, {:.3e} flop", self.cost.cells as f64, self.cost.flop as f64)?;
        let (read, written) = (format_bytes(self.cost.bytes_read), format_bytes(self.cost.bytes_written));
        writeln!(f, "           {read} read, {written} written")?;
        writeln!(f, "{}", self.backend)?;
        writeln!(f, "threads    {} ({})", self.threads, self.level)?;
        let (predicted, limit) = (format_bytes(strips.memory_bytes), format_bytes(self.memory));
        writeln!(f, "memory     {predicted} predicted for buffers, limit {limit}")?;
        let OutputPlan { path, variable, dtype, compress, .. } = &self.output;
        let colon = if variable.is_empty() { "" } else { ":/" };
        write!(f, "output     {}{colon}{variable} {} {dtype}", path.display(), shape(&self.output.shape))?;
        match compress {
            Some(level) => writeln!(f, ", deflate {level}"),
            None => writeln!(f),
        }
    }
}

//! What the user asked of `convolve`; plain data with the defaults.

use crate::error::Result;
use crate::io::InputSpec;
pub use crate::kernels::focal_stats::Statistic;
use crate::kernels::window::Boundary;
use crate::shards::{Asked, Shard};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub use crate::kernels::focal::{Algorithm, NanRule};

/// Working and output type (spec convolve 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtypeChoice {
    /// float64 stays, all else becomes float32.
    #[default]
    Auto,
    /// float32 whatever the input.
    F32,
    /// float64 whatever the input.
    F64,
}

/// Which of the four jobs of the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Weighted window sums.
    Convolve,
    /// Statistics of the cells under a 0/1 mask, in the order asked.
    Stats(Vec<Statistic>),
    /// Getis-Ord Gi* classes and z-scores.
    Hotspots,
    /// Repeated 3x3 mean of the non-NaN cells.
    Mean {
        /// How many times.
        passes: u32,
        /// Centre values that are copied instead of averaged (NaN may be among them).
        exclude: Vec<f64>,
    },
}

/// Everything `convolve` was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Raster file and perhaps a dataset in it.
    pub input: InputSpec,
    /// Output file; the extension names the format.
    pub output: PathBuf,
    /// Which job.
    pub task: Task,
    /// Kernel as typed: a file, a generator such as `circle:3km`, a preset, or inline rows. None for the focal mean.
    pub kernel: Option<String>,
    /// What stands outside the raster.
    pub boundary: Boundary,
    /// Divide the kernel by its sum.
    pub normalize: bool,
    /// Flip the kernel about both axes: true convolution instead of correlation.
    pub flip: bool,
    /// What NaN cells do.
    pub nan: NanRule,
    /// Working and output type.
    pub dtype: DtypeChoice,
    /// The peer's exact order of operations: equal bits.
    pub exact: bool,
    /// float32 sums within a kernel row; float32 rasters only.
    pub fast: bool,
    /// A forced algorithm; None lets the plan choose.
    pub algorithm: Option<Algorithm>,
    /// Cell size (x, y) in map units; None takes the file's.
    pub cell_size: Option<(f64, f64)>,
    /// Do not turn declared nodata values into NaN and do not unpack.
    pub raw: bool,
    /// Names of the two raster axes (y, x) where they are not the last two.
    pub dims: Option<(String, String)>,
    /// Picture of input and result side by side (.svg or .png).
    pub plot: Option<PathBuf>,
    /// Deflate level 1..9 of the output (HDF5 and netCDF); None copies the input's choice.
    pub compress: Option<u32>,
    /// Which part of the rows is done; None does them all.
    pub shard: Option<Shard>,
    /// An output that the same run wrote before is taken as done.
    pub resume: bool,
    /// Command line and folder, for parts: the merge takes its options from them.
    pub asked: Asked,
    /// Strip height for tests, rows; None lets the plan choose by memory.
    pub strip_rows: Option<u64>,
    /// The `history` line of the output: command and the options that matter to its values.
    pub history: String,
}

impl Options {
    /// The file that the run writes: the output, or its part.
    ///
    /// # Errors
    /// An output without a name.
    pub fn target(&self) -> Result<PathBuf> {
        self.shard.map_or_else(|| Ok(self.output.clone()), |shard| shard.part_of(&self.output, false))
    }

    /// The files that the run writes: the result, and beside a whole one its picture.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub fn written(&self) -> Result<Vec<PathBuf>> {
        let drawn = self.plot.clone().filter(|_| self.shard.is_none());
        Ok(std::iter::once(self.target()?).chain(drawn).collect())
    }
}

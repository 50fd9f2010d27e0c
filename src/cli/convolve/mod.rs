//! `nissl convolve`: arguments to [`Options`].

mod history;
mod jobs;
mod values;

use super::common::{OutputFlags, RunFlags, ShardFlags, check_picture, has_extension, one_of, picture};
use crate::commands::convolve::options::{DtypeChoice, NanRule, Task};
use crate::commands::convolve::{Boundary, InputSpec, Options};
use crate::error::{Error, Result};
use crate::shards::Asked;
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use values::{
    ALGORITHMS, Choice, DTYPES, Exclusions, NAN_RULES, Statistics, axis_names, boundary, cell_size,
    exclusions, statistics,
};

const EXAMPLES: &str = "\
Examples:
  Mean elevation within 450 m, with a picture of input and result:
    nissl convolve dem.nc -o smooth.nc --kernel circle:450m --normalize --plot smooth.png
  Firing-rate map smoothed by a Gaussian of two bins; unvisited (NaN) bins are left out:
    nissl convolve ratemap.npy -o smooth.npy --kernel gauss:2 --nan ignore --boundary nearest
  Edges of every image of a stack, bit for bit as xarray-spatial finds them:
    nissl convolve stack.npy -o edges.npy --kernel sobel-x --exact
  Mean, spread and range of the terrain within 1 km:
    nissl convolve dem.nc -o terrain.nc --kernel circle:1km --stat mean,std,range
  Hot spots of a count map whose cells are 30 m wide:
    nissl convolve counts.npy -o hot.nc --kernel circle:90m --cell-size 30 --hotspots
  What would a run on the cluster do, and with how much memory?
    nissl convolve huge.nc:/dem -o out.nc --kernel gauss:5km --memory 8G --dry-run";

/// Filter rasters: focal convolution, focal statistics, hot spots
///
/// The last two axes of the raster are rows (y) and columns (x); every plane of further axes is
/// treated on its own. The kernel is not flipped (correlation), as in xarray-spatial. Rasters may
/// be larger than memory. Reads .npy, .npz, HDF5 and netCDF-4; writes what the extension of the
/// output names.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("job").multiple(false),
    override_usage = "nissl convolve <RASTER> --output <PATH> --kernel <KERNEL> [FLAGS]\n       \
                      nissl convolve <RASTER> --output <PATH> --mean-passes <N> [FLAGS]"
)]
pub struct ConvolveArgs {
    /// Raster file, or FILE:DATASET
    #[arg(value_name = "RASTER")]
    raster: String,

    #[command(flatten)]
    to: OutputFlags,

    /// Weights, odd number of rows and columns: FILE.npy, FILE.csv, circle:R, annulus:OUTER,INNER,
    /// gauss:SIGMA[,TRUNCATE], box:HxW (cells), sobel-x, sobel-y, prewitt-x, prewitt-y, laplace,
    /// emboss (-2 -1 0; -1 1 1; 0 1 2), or rows in quotes such as "0 1 0; 1 -4 1; 0 1 0".
    /// Distances take a unit (m, km, ft, miles), metres without one
    #[arg(
        long,
        value_name = "KERNEL",
        required_unless_present = "mean_passes",
        conflicts_with = "mean_passes",
        allow_hyphen_values = true,
        help_heading = "Kernel"
    )]
    kernel: Option<String>,

    /// Divide the weights by their sum
    #[arg(long, conflicts_with_all = ["mean_passes", "stat"], help_heading = "Kernel")]
    normalize: bool,

    /// Flip the kernel about both axes: true convolution
    #[arg(long, conflicts_with = "mean_passes", help_heading = "Kernel")]
    flip: bool,

    /// Width and height of a cell, map units, such as 30 or 74,93 [default: from the file, else 1]
    #[arg(
        long,
        value_name = "X[,Y]",
        value_parser = cell_size,
        conflicts_with = "mean_passes",
        help_heading = "Kernel"
    )]
    cell_size: Option<(f64, f64)>,

    /// What lies outside the raster: nan, nearest, reflect (edge cell repeated), wrap, reflect101
    /// (mirrored about the edge cell), or constant:V
    #[arg(
        long,
        value_name = "RULE",
        default_value = "nan",
        value_parser = boundary,
        help_heading = "Method"
    )]
    boundary: Boundary,

    /// Where NaN cells spread: propagate is the kernel's whole rectangle, footprint its non-zero
    /// weights, ignore leaves them out and rescales [default: propagate]
    #[arg(long, value_name = "RULE", value_parser = one_of(NAN_RULES), conflicts_with = "job", help_heading = "Method")]
    nan: Option<NanRule>,

    /// Working and output type: auto keeps float64 and makes all else float32 [default: auto]
    #[arg(
        long,
        value_name = "TYPE",
        value_parser = one_of(DTYPES),
        conflicts_with = "hotspots",
        help_heading = "Method"
    )]
    dtype: Option<DtypeChoice>,

    /// The order of operations of xarray-spatial: equal bits, twice the work
    #[arg(long, conflicts_with_all = ["fast", "job"], help_heading = "Method")]
    exact: bool,

    /// Sum in float32 within a kernel row; float32 rasters only, errors under 2e-7 of the
    /// magnitudes summed as a rule, 1.1e-6 at most
    #[arg(long, conflicts_with = "job", help_heading = "Method")]
    fast: bool,

    /// How to compute [default: the fastest way that keeps the answers]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = one_of(ALGORITHMS),
        conflicts_with = "job",
        help_heading = "Method"
    )]
    algorithm: Option<Choice>,

    /// Statistics of the cells under a 0/1 kernel, in the order given: mean, max, min, range, std,
    /// var, sum, variety, by commas, or all
    #[arg(long, value_name = "LIST", value_parser = statistics, group = "job", help_heading = "Instead of convolving")]
    stat: Option<Statistics>,

    /// Hot and cold spots: Getis-Ord Gi* classes 0, +-90, +-95, +-99 %, and z-scores
    #[arg(long, group = "job", help_heading = "Instead of convolving")]
    hotspots: bool,

    /// Mean of the 3x3 neighbourhood, that many times in a row; takes no kernel
    #[arg(
        long,
        value_name = "N",
        group = "job",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Instead of convolving"
    )]
    mean_passes: Option<u32>,

    /// Centre values that --mean-passes copies instead of averaging: numbers and nan by commas, or
    /// none [default: nan]
    #[arg(
        long,
        value_name = "LIST",
        value_parser = exclusions,
        requires = "mean_passes",
        allow_hyphen_values = true,
        help_heading = "Instead of convolving"
    )]
    exclude: Option<Exclusions>,

    /// Variable or dataset that holds the raster [default: the only one that can be]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    var: Option<String>,

    /// Names of the axes that are rows and columns, such as lat,lon [default: the last two]
    #[arg(long, value_name = "Y,X", value_parser = axis_names, help_heading = "Input")]
    dims: Option<(String, String)>,

    /// Take the stored numbers: no scale and offset, no NaN for declared missing values
    #[arg(long, help_heading = "Input")]
    raw: bool,

    /// Picture of the result (.svg or .png): beside the input, with the animal's path, or times by
    /// stage and thread
    #[arg(long, value_name = "FILE", value_parser = picture, help_heading = "Output")]
    plot: Option<PathBuf>,

    /// Deflate level of the output, 1 (fast) to 9 (small); HDF5 and netCDF only [default: as the
    /// input is stored; none for decode]
    #[arg(
        long,
        value_name = "LEVEL",
        value_parser = clap::value_parser!(u32).range(1..=9),
        help_heading = "Output"
    )]
    compress: Option<u32>,

    #[command(flatten)]
    parts: ShardFlags,

    #[command(flatten)]
    run: RunFlags,
}

impl ConvolveArgs {
    /// What was asked, as plain data; refuses what the command line alone shows to be wrong and
    /// clap cannot tell.
    fn options(&self) -> Result<Options> {
        let mut options = Options {
            input: self.input()?,
            output: self.to.output.clone(),
            task: self.task(),
            kernel: self.kernel.clone(),
            boundary: self.boundary,
            normalize: self.normalize,
            flip: self.flip,
            nan: self.nan.unwrap_or_default(),
            dtype: self.dtype.unwrap_or_default(),
            exact: self.exact,
            fast: self.fast,
            algorithm: self.algorithm.and_then(Choice::forced),
            cell_size: self.cell_size,
            raw: self.raw,
            dims: self.dims.clone(),
            plot: self.plot.clone(),
            compress: self.compress,
            shard: self.parts.part(),
            resume: self.parts.again.resume,
            asked: Asked::default(),
            strip_rows: None,
            history: String::new(),
        };
        self.check(&options)?;
        options.history = history::line(&options);
        Ok(options)
    }

    fn input(&self) -> Result<InputSpec> {
        let input = InputSpec::parse(&self.raster)?;
        match (&input.dataset, &self.var) {
            (Some(dataset), Some(var)) => Err(Error::usage(format!(
                "{}: names the dataset {dataset}, and --var names {var}; give one of them",
                self.raster
            ))),
            (None, Some(var)) => Ok(InputSpec { dataset: Some(var.clone()), ..input }),
            _ => Ok(input),
        }
    }

    fn task(&self) -> Task {
        match (&self.stat, self.hotspots, self.mean_passes) {
            (Some(Statistics(list)), ..) => Task::Stats(list.clone()),
            (None, true, _) => Task::Hotspots,
            (None, false, Some(passes)) => {
                let exclude = self.exclude.clone().map_or(vec![f64::NAN], |Exclusions(values)| values);
                Task::Mean { passes, exclude }
            }
            (None, false, None) => Task::Convolve,
        }
    }

    fn check(&self, options: &Options) -> Result<()> {
        if let (true, Some(algorithm)) = (self.exact, options.algorithm)
            && self.algorithm != Some(Choice::DIRECT)
        {
            let name = values::algorithm_name(algorithm);
            return Err(Error::usage(format!("--exact computes directly; it excludes --algorithm {name}")));
        }
        // Clap lifts `requires` where the required flag would conflict with one that is there.
        if self.exclude.is_some() && self.mean_passes.is_none() {
            return Err(Error::usage("--exclude goes with --mean-passes only; see nissl convolve --help"));
        }
        if options.compress.is_some() && has_extension(&options.output, "npy") {
            let output = options.output.display();
            return Err(Error::usage(format!(
                "--compress: {output} is NPY, which is never compressed; use .nc or .h5"
            )));
        }
        check_picture(options.plot.as_deref(), &options.output)
    }
}

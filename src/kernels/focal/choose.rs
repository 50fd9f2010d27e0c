//! Choosing a way to compute, apart from computing (spec convolve 8.2).
//!
//! The choice follows from weights, shape, types and wishes only, never from the data, the
//! strip, or the machine: parts computed on different machines fit together.

use super::rank::{Factors, rank_one};
use super::runs::RunPlan;
use super::{Algorithm, NanRule, Weights, cost};
use crate::array::WorkType;
use crate::error::{Error, Result};
use serde::Serialize;

/// What the user wishes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Request {
    /// A forced algorithm.
    pub algorithm: Option<Algorithm>,
    /// The peer's order of operations: equal bits.
    pub exact: bool,
    /// float32 sums within a kernel row.
    pub fast: bool,
    /// How NaN cells take part.
    pub nan: NanRule,
}

/// A way to compute, with what it needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// The peer's order of operations, product and sum rounded each.
    Exact,
    /// Every tap.
    Direct,
    /// A column pass, then a row pass.
    Separable(Factors),
    /// Sums of runs of equal weights.
    Runs(RunPlan),
    /// Overlap-save tiles of so many rows and columns of the extended raster.
    Fft {
        /// Rows of a tile, margins included.
        rows: usize,
        /// Columns of a tile, margins included.
        cols: usize,
    },
    /// float32 sums within a kernel row, float64 across rows.
    Fast,
}

/// What will run, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The way.
    pub method: Method,
    /// How NaN cells take part.
    pub nan: NanRule,
    /// Rows that a window reaches above and below its cell.
    pub reach_rows: usize,
    /// Outputs are computed in blocks of this many rows, from multiples of it on.
    pub block_rows: usize,
    /// Rows of a panel, the piece of a block that is in work at a time.
    pub panel_rows: usize,
    /// Columns of a panel.
    pub panel_cols: usize,
    /// In words, for `--dry-run`.
    pub why: String,
    /// Weights, zero ones included.
    pub taps: usize,
    /// Floating point operations a cell of this way.
    pub flop_per_cell: f64,
    /// Bytes read and written a cell.
    pub bytes_per_cell: f64,
    /// Bytes of working memory per worker.
    pub scratch_bytes: u64,
    /// Bytes shared by all workers (transformed kernel, tables).
    pub shared_bytes: u64,
}

/// Numbers of a recipe that a report holds.
#[derive(Debug, Clone, Serialize)]
pub struct RecipeFacts<'a> {
    /// `exact`, `direct`, `separable`, `runs`, `fft` or `fast`.
    pub algorithm: &'static str,
    /// In words.
    pub why: &'a str,
    /// Weights.
    pub taps: usize,
    /// Rows of a block.
    pub block_rows: usize,
    /// Rows and columns of an FFT tile.
    pub fft_tile: Option<(usize, usize)>,
    /// Floating point operations a cell.
    pub flop_per_cell: f64,
    /// Bytes a cell.
    pub bytes_per_cell: f64,
    /// Bytes per worker.
    pub scratch_bytes: u64,
}

impl Method {
    /// `exact`, `direct`, `separable`, `runs`, `fft` or `fast`.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Exact => "exact",
            Method::Direct => "direct",
            Method::Separable(_) => "separable",
            Method::Runs(_) => "runs",
            Method::Fft { .. } => "fft",
            Method::Fast => "fast",
        }
    }
}

impl Recipe {
    /// What a report says of this recipe.
    pub fn facts(&self) -> RecipeFacts<'_> {
        RecipeFacts {
            algorithm: self.method.name(),
            why: &self.why,
            taps: self.taps,
            block_rows: self.block_rows,
            fft_tile: match self.method {
                Method::Fft { rows, cols } => Some((rows, cols)),
                _ => None,
            },
            flop_per_cell: self.flop_per_cell,
            bytes_per_cell: self.bytes_per_cell,
            scratch_bytes: self.scratch_bytes,
        }
    }
}

/// Chooses how to convolve planes of `height` x `width` cells.
///
/// # Errors
///
/// Usage errors: wishes that exclude each other, or a forced algorithm that this kernel cannot
/// use.
pub fn choose(
    weights: &Weights,
    (height, width): (usize, usize),
    work: WorkType,
    request: &Request,
) -> Result<Recipe> {
    refuse_contradictions(weights, work, request)?;
    let (rows, cols) = (weights.rows, weights.cols);
    let taps = rows * cols;
    let finite = weights.values.iter().all(|k| k.is_finite());
    let recipe = |method, why: String| cost::recipe(weights, (height, width), work, request.nan, method, why);
    if request.exact {
        return Ok(recipe(Method::Exact, format!("asked for by --exact; {taps} taps in the peer's order")));
    }
    if !finite {
        return match request.algorithm {
            None | Some(Algorithm::Direct) => Ok(recipe(
                Method::Exact,
                "the kernel holds a NaN or an infinity, which only the exact order treats as the peer does"
                    .into(),
            )),
            Some(other) => Err(cannot(other, "the kernel holds a NaN or an infinity")),
        };
    }
    if request.fast && too_far_apart(&weights.values) {
        let why = "--fast was asked for, but the weights lie too far apart for float32";
        return Ok(recipe(Method::Direct, why.into()));
    }
    if request.fast {
        return Ok(recipe(
            Method::Fast,
            format!("asked for by --fast; {taps} taps, float32 sums within a row"),
        ));
    }
    match request.algorithm {
        Some(Algorithm::Direct) => Ok(recipe(Method::Direct, format!("asked for; {taps} taps"))),
        Some(Algorithm::Separable) => rank_one(&weights.values, rows, cols)
            .map(|f| recipe(Method::Separable(f), format!("asked for; rank 1, {rows} + {cols} taps")))
            .ok_or_else(|| cannot(Algorithm::Separable, "the kernel is not a column times a row")),
        Some(Algorithm::Runs) => RunPlan::new(&weights.values, rows, cols)
            .map(|plan| {
                let why = format!("asked for; flat kernel, {} adds instead of {taps} taps", plan.adds());
                recipe(Method::Runs(plan), why)
            })
            .ok_or_else(|| {
                cannot(Algorithm::Runs, "its non-zero weights are not all equal, or there is none")
            }),
        Some(Algorithm::Fft) => {
            let (tile_rows, tile_cols) = cost::fft_tile((rows, cols), (height, width));
            let why = format!("asked for; tiles of {tile_rows} x {tile_cols}");
            Ok(recipe(Method::Fft { rows: tile_rows, cols: tile_cols }, why))
        }
        None => Ok(cheapest(weights, (height, width), recipe)),
    }
}

/// The way with the least predicted time.
fn cheapest(weights: &Weights, shape: (usize, usize), recipe: impl Fn(Method, String) -> Recipe) -> Recipe {
    let (rows, cols) = (weights.rows, weights.cols);
    let taps = rows * cols;
    let mut best =
        (cost::direct_time(weights), Method::Direct, format!("{taps} taps are cheapest one by one"));
    let mut offer = |time: f64, method: Method, why: String| {
        if time < best.0 {
            best = (time, method, why);
        }
    };
    if rows > 1
        && cols > 1
        && let Some(factors) = rank_one(&weights.values, rows, cols)
    {
        let why = format!("rank 1: {rows} + {cols} taps instead of {taps}");
        offer(cost::separable_time(rows, cols), Method::Separable(factors), why);
    }
    if let Some(plan) = RunPlan::new(&weights.values, rows, cols) {
        let why = format!("flat kernel: sums of runs, {} adds instead of {taps} taps", plan.adds());
        offer(cost::runs_time(&plan), Method::Runs(plan), why);
    }
    let tile = cost::fft_tile((rows, cols), shape);
    let time = cost::fft_time((rows, cols), tile);
    let handicap = if best.1 == Method::Direct { 1.0 } else { cost::FFT_HANDICAP };
    if time * handicap < best.0 {
        let why = format!(
            "{taps} taps: FFT tiles of {} x {} are cheaper, each behind the accuracy gate",
            tile.0, tile.1
        );
        best = (time, Method::Fft { rows: tile.0, cols: tile.1 }, why);
    }
    recipe(best.1, best.2)
}

fn refuse_contradictions(weights: &Weights, work: WorkType, request: &Request) -> Result<()> {
    if request.exact && !matches!(request.algorithm, None | Some(Algorithm::Direct)) {
        return Err(Error::usage(
            "--exact is the direct sum in the peer's order; it excludes any other --algorithm",
        ));
    }
    if request.fast && (request.exact || request.algorithm.is_some()) {
        return Err(Error::usage("--fast excludes --exact and --algorithm"));
    }
    if request.fast && work != WorkType::F32 {
        return Err(Error::usage("--fast sums in float32: it needs a float32 working type (--dtype f32)"));
    }
    let sum: f64 = weights.values.iter().sum();
    if request.nan == NanRule::Ignore && sum == 0.0 {
        return Err(Error::usage(
            "--nan ignore divides by the sum of the weights, and this kernel's is 0; choose another --nan",
        ));
    }
    Ok(())
}

/// True where the least weight would lose digits in float32 beside the largest.
fn too_far_apart(weights: &[f64]) -> bool {
    let sizes = || weights.iter().map(|k| k.abs()).filter(|&k| k > 0.0);
    let (least, largest) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    largest > 0.0 && least / largest < 2.0_f64.powi(-80)
}

fn cannot(algorithm: Algorithm, reason: &str) -> Error {
    Error::usage(format!("--algorithm {}: {reason}; leave the choice to --algorithm auto", algorithm.name()))
}

#[cfg(test)]
mod tests;

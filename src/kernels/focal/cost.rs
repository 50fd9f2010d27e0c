//! Predicted times and sizes, and the crossovers that follow from them.
//!
//! Times are in nanoseconds a cell on one core, fitted to `benches/kernels.rs` on an Ice Lake
//! Xeon at 2.8 GHz with AVX-512; only their ratios matter. One set of constants serves all
//! instruction sets, so that shards computed on different machines take the same path.

use super::choose::{Method, Recipe};
use super::nonfinite::Marks;
use super::plane::padded;
use super::runs::RunPlan;
use super::simd::runs::levels;
use super::{NanRule, Weights};
use crate::array::WorkType;

/// Loading, rounding and storing a cell.
const TOUCH: f64 = 1.5;

/// A transform must be so much cheaper than sums over runs or a column and a row: they are more
/// accurate and need no gate.
pub const FFT_HANDICAP: f64 = 1.25;

/// Direct sum: every tap but zeros at the ends of kernel rows.
pub fn direct_time(weights: &Weights) -> f64 {
    let span = |row: &[f64]| {
        let first = row.iter().position(|&k| k != 0.0)?;
        row.iter().rposition(|&k| k != 0.0).map(|last| last + 1 - first)
    };
    let taps: usize = weights.values.chunks(weights.cols).filter_map(span).sum();
    TOUCH + 0.029 * taps as f64
}

/// Column pass and row pass.
pub fn separable_time(rows: usize, cols: usize) -> f64 {
    TOUCH + 0.05 * rows as f64 + 0.1 * cols as f64
}

/// Sums of runs.
pub fn runs_time(plan: &RunPlan) -> f64 {
    match plan.rectangle {
        Some(area) => TOUCH + 0.9 + 0.016 * (area.rows + area.cols) as f64,
        None => TOUCH + 0.36 * plan.adds() as f64,
    }
}

/// Transforms of a point there and back, with the copies and the gate of its tile.
fn point_time(points: f64) -> f64 {
    2.9 + 0.5 * (points.log2() - 14.0).max(0.0)
}

/// FFT tiles.
pub fn fft_time(kernel: (usize, usize), tile: (usize, usize)) -> f64 {
    let points = (tile.0 * tile.1) as f64;
    let valid = ((tile.0 + 1 - kernel.0) * (tile.1 + 1 - kernel.1)) as f64;
    TOUCH + 0.5 + point_time(points) * points / valid
}

/// Tile sides that are tried: powers of two, and three times a power of two.
const SIDES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

/// The tile with the least predicted work for a raster of `shape`.
pub fn fft_tile(kernel: (usize, usize), shape: (usize, usize)) -> (usize, usize) {
    let candidates = |taps: usize| {
        let beyond = taps.next_power_of_two().max(16) * 2;
        SIDES.into_iter().filter(move |&s| s > taps).chain([beyond])
    };
    let mut best = (f64::INFINITY, (0, 0));
    for rows in candidates(kernel.0) {
        for cols in candidates(kernel.1) {
            let down = shape.0.max(1).div_ceil(rows + 1 - kernel.0);
            // Two tiles side by side ride in one transform.
            let pairs = shape.1.max(1).div_ceil(cols + 1 - kernel.1).div_ceil(2);
            let points = (rows * cols) as f64;
            // Two workers finish together only if the rows of tiles come out even.
            let uneven = down.next_multiple_of(2) as f64 / down as f64;
            let time = (down * pairs) as f64 * points * point_time(points) * uneven.min(1.25);
            if time < best.0 {
                best = (time, (rows, cols));
            }
        }
    }
    best.1
}

/// Rows of a block, and rows and columns of a panel.
///
/// A panel with its margins and its sums stays in the second-level cache. Small kernels take
/// wide and low panels, which read memory in long stretches; tall ones would load their margins
/// too often that way.
fn panel(weights: &Weights, method: &Method) -> (usize, usize, usize) {
    let (rows, cols) = match method {
        Method::Runs(plan) if plan.rectangle.is_none() => (48, 128),
        _ if weights.rows <= 5 => (16, 2048),
        _ if weights.rows <= 17 => (32, 2048),
        _ if weights.rows <= 47 => (48, 480),
        _ => (128, 400),
    };
    match method {
        Method::Fft { rows: tile, .. } => (tile + 1 - weights.rows, rows, cols),
        _ => (rows, rows, cols),
    }
}

/// Fills in the numbers of a recipe.
pub fn recipe(
    weights: &Weights,
    shape: (usize, usize),
    work: WorkType,
    nan: NanRule,
    method: Method,
    why: String,
) -> Recipe {
    let (kh, kw) = (weights.rows, weights.cols);
    let taps = kh * kw;
    let (block_rows, panel_rows, panel_cols) = panel(weights, &method);
    let flop_per_cell = match &method {
        Method::Separable(_) => 2 * (kh + kw),
        Method::Runs(plan) => plan.adds() + 1,
        Method::Fft { rows, cols } => {
            let points = (rows * cols) as f64;
            let valid = ((rows + 1 - kh) * (cols + 1 - kw)) as f64;
            ((5.0 * points.log2() + 3.0) * points / valid) as usize
        }
        _ => 2 * taps,
    } as f64;
    let cols = panel_cols.min(shape.1.max(1));
    let (tall, wide) = (panel_rows + kh - 1, padded(cols + kw + 40));
    let mut doubles = tall * wide + panel_rows * padded(cols + 32) + (16 + levels(kw) + tall / 8) * wide;
    let mut shared = 2 * taps;
    if let Method::Fft { rows, cols } = &method {
        doubles += 3 * rows * (cols + 16);
        shared += 2 * rows * cols;
    }
    if method == Method::Fast {
        doubles += tall * wide / 2;
    }
    if let Method::Runs(plan) = &method {
        doubles += plan.lengths.len() * tall * padded(cols);
    }
    Recipe {
        nan,
        reach_rows: kh / 2,
        block_rows,
        panel_rows,
        panel_cols,
        why,
        taps,
        flop_per_cell,
        bytes_per_cell: 2.0 * work.size() as f64,
        scratch_bytes: (8 * doubles + Marks::bytes(tall, wide)) as u64,
        shared_bytes: 8 * shared as u64,
        method,
    }
}

//! Window sums on a device (spec convolve 8): what fits, tables, and one lane of work.
//!
//! A lane is a queue with an arena: one piece of a strip goes up, is summed, and its rows come
//! back. Lanes are independent, so copies of one overlap the sums of another, on one device or on
//! several. Pieces are [`Shape::rows`] rows high and stand on multiples of it on the raster: what
//! a piece's values make of it (see [`Lane::rows`]) depends on the raster alone.

use super::rank::{Factors, rank_one};
use super::{Algorithm, NanRule, Request, Weights};
use crate::array::{Real, WorkType};
use crate::backend::device::{Buffer, Device, Queue};
use crate::error::Result;
use crate::kernels::window::{Boundary, Window};
pub use cuda::{AnyLane, Way, double_recipe};
use params::FocalParams;

mod cuda;
mod params;
mod range;
mod run_list;
mod wgsl;

/// Operations of one product added to a sum of three floats, as `focal.wgsl` writes them.
const FLOP_PER_TAP: f64 = 26.0;

/// How a device computes a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRecipe {
    /// Two passes; else every tap.
    pub factors: Option<Factors>,
    /// float32 sums within a kernel row.
    pub fast: bool,
    /// How NaN cells take part.
    pub nan: NanRule,
    /// In words, for `--dry-run`.
    pub why: String,
    /// Floating point operations per cell.
    pub flop_per_cell: f64,
    /// Sums in float64, and how; none where the device has only floats.
    pub double: Option<Way>,
}

/// The way for `weights` on a device without float64, or why there is none.
pub fn recipe(weights: &Weights, work: WorkType, request: &Request) -> Result<DeviceRecipe, String> {
    if request.exact {
        return Err("--exact adds in the peer's order, in float64, on the CPU".into());
    }
    if work == WorkType::F64 {
        return Err("the raster is float64".into());
    }
    if !weights.values.iter().all(|k| k.is_finite()) {
        return Err("the kernel holds a NaN or an infinity".into());
    }
    if !range::weights_fit(weights) {
        return Err("the weights lie too far apart for sums of floats".into());
    }
    let taps = weights.values.iter().filter(|k| **k != 0.0).count();
    let direct = FLOP_PER_TAP * taps as f64;
    let both = weights.rows + weights.cols;
    let separable = FLOP_PER_TAP * both as f64;
    let factors = rank_one(&weights.values, weights.rows, weights.cols);
    let made = |factors: Option<Factors>, why: String| DeviceRecipe {
        flop_per_cell: if factors.is_some() {
            separable
        } else if request.fast {
            2.0 * taps as f64
        } else {
            direct
        },
        fast: request.fast && factors.is_none(),
        nan: request.nan,
        factors,
        why,
        double: None,
    };
    match (request.algorithm, factors) {
        (Some(other @ (Algorithm::Fft | Algorithm::Runs)), _) => {
            Err(format!("--algorithm {} has no kernel for devices", other.name()))
        }
        (Some(Algorithm::Separable), None) => Err("the kernel is not a column times a row".into()),
        (Some(Algorithm::Separable), found) => Ok(made(found, "asked for".into())),
        (Some(Algorithm::Direct), _) => Ok(made(None, format!("asked for; {taps} taps"))),
        (None, Some(found)) if separable < direct && !request.fast => {
            let why = format!("rank 1: {} + {} taps instead of {taps}", weights.rows, weights.cols);
            Ok(made(Some(found), why))
        }
        (None, _) => Ok(made(None, format!("{taps} taps, one by one"))),
    }
}

impl DeviceRecipe {
    /// The word of reports.
    pub fn name(&self) -> &'static str {
        if let Some(way) = &self.double {
            return way.name();
        }
        match (self.fast, &self.factors) {
            (true, _) => "fast",
            (false, Some(_)) => "separable",
            (false, None) => "direct",
        }
    }
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The device computed it.
    Done,
    /// Its values, or those it needs, leave the range of the device's sums: the CPU's turn.
    OutOfRange,
}

/// A queue with an arena for one kernel and rasters of one width.
pub struct Lane {
    queue: Box<dyn Queue>,
    weights: Weights,
    recipe: DeviceRecipe,
    tables: wgsl::Tables,
    strip: Buffer,
    output: Buffer,
    table: Buffer,
    between: Buffer,
    /// Rows that the strip's buffer takes.
    capacity: usize,
    gathered: Vec<f32>,
}

/// What lanes are made for.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows of the raster.
    pub height: usize,
    /// Columns of the raster.
    pub width: usize,
    /// Most rows of a piece.
    pub rows: usize,
    /// What lies outside.
    pub boundary: Boundary,
}

impl Lane {
    /// A queue of `device` with its arena; kernels are compiled here.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`](crate::error::Error::DeviceMemory) where the arena does not fit;
    /// whatever the driver refuses.
    pub fn open(device: &dyn Device, weights: &Weights, recipe: &DeviceRecipe, shape: Shape) -> Result<Lane> {
        let mut queue = device.queue()?;
        let tables = wgsl::Tables::new(weights, recipe, shape.boundary);
        let reach = weights.rows - 1;
        let capacity = shape.rows + reach;
        let cells = |rows: usize| (rows * shape.width * size_of::<f32>()) as u64;
        let strip = queue.allocate(cells(capacity).max(4))?;
        let output = queue.allocate(cells(shape.rows).max(4))?;
        let table = queue.allocate(size_of_val(&tables.words[..]) as u64)?;
        let pairs = if recipe.factors.is_some() { 2 * cells(shape.rows) } else { 8 };
        let between = queue.allocate(pairs.max(8))?;
        queue.upload(&table, 0, bytemuck::cast_slice(&tables.words))?;
        for kernel in wgsl::kernels(recipe) {
            queue.load(kernel)?;
        }
        queue.finish()?;
        let (weights, recipe) = (weights.clone(), recipe.clone());
        Ok(Lane {
            queue,
            weights,
            recipe,
            tables,
            strip,
            output,
            table,
            between,
            capacity,
            gathered: Vec::new(),
        })
    }

    /// Computes output rows `r0 .. r1` of the plane behind `window` into `out`, `(r1 - r0)` x
    /// `width` values, unless the values leave the range in which sums of floats are as good as
    /// sums in float64.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn rows(&mut self, window: &Window<f32>, (r0, r1): (usize, usize), out: &mut [f32]) -> Result<Piece> {
        let reach = self.weights.rows / 2;
        let (first, values) = match needed(window, r0, r1, reach) {
            Some((from, to)) if to - from <= self.capacity => {
                (window.first + from as i64, &window.rows[from * window.width..to * window.width])
            }
            // The far side of a wrapped raster: its rows are put where the windows look for them.
            _ => {
                let (first, end) = (r0 as i64 - reach as i64, (r1 + reach) as i64);
                (first, gathered(&mut self.gathered, window, first..end))
            }
        };
        let seen = range::look(values, window.boundary);
        if !seen.fits(&self.weights) {
            return Ok(Piece::OutOfRange);
        }
        self.queue.upload(&self.strip, 0, bytemuck::cast_slice(values))?;
        let mut params = FocalParams::new(window, &self.weights, &self.recipe);
        (params.first, params.held) = (first as i32, (values.len() / window.width) as u32);
        (params.row, params.rows) = (r0 as u32, (r1 - r0) as u32);
        params.flags |= u32::from(!seen.finite);
        let buffers = [&self.strip, &self.table, &self.output, &self.between];
        // Zeros in place of infinities would be wrong: only the direct sum minds them.
        let steps = if seen.finite { wgsl::kernels(&self.recipe) } else { wgsl::direct() };
        for kernel in steps {
            let params = self.tables.finish(params, kernel);
            let groups = [(window.width as u32).div_ceil(32), params.rows.div_ceil(32), 1];
            self.queue.launch(kernel, groups, &buffers, bytemuck::bytes_of(&params))?;
        }
        self.queue.download(&self.output, 0, bytemuck::cast_slice_mut(out))?;
        Ok(Piece::Done)
    }
}

/// Copies the rows at positions `first ..` of the extended raster, one after another.
fn gathered<'a, T: Real>(to: &'a mut Vec<T>, window: &Window<T>, positions: std::ops::Range<i64>) -> &'a [T] {
    to.clear();
    for position in positions {
        match window.row(position) {
            Some(row) => to.extend_from_slice(row),
            None => to.resize(to.len() + window.width, T::round_from(0.0)),
        }
    }
    to
}

/// The rows held by `window`, counted from its first, that outputs `r0 .. r1` need.
fn needed<T>(window: &Window<T>, r0: usize, r1: usize, reach: usize) -> Option<(usize, usize)> {
    let held = window.rows.len().checked_div(window.width)? as i64;
    let inside = |m: i64| (0..held).contains(&(m - window.first)).then_some((m - window.first) as usize);
    let place = |m: i64| {
        let beyond = !(0..window.height as i64).contains(&m);
        match window.boundary {
            Boundary::Nan | Boundary::Constant(_) if beyond => None,
            _ => inside(m).or_else(|| inside(window.boundary.map(m, window.height)? as i64)),
        }
    };
    let positions = r0 as i64 - reach as i64..(r1 + reach) as i64;
    let found = positions.filter_map(place);
    let (low, high) = found.fold((usize::MAX, 0), |(low, high), at| (low.min(at), high.max(at + 1)));
    (low < high).then_some((low, high))
}

#[cfg(test)]
mod tests;

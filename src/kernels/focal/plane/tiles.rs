//! FFT tiles behind the accuracy gate (spec convolve 8.2.5).
//!
//! Two tiles side by side ride in one complex transform, as its real and imaginary part. The
//! error of a transform is relative to the whole tile, so a tile must show that its least cell
//! can bear it; otherwise it is summed directly, panel by panel.

use super::piece::Piece;
use super::{Focal, Job, Output, Place};
use crate::array::{Real, WorkType};
use crate::backend::CpuLevel;
use crate::kernels::focal::Weights;
use crate::kernels::focal::load::gather;
use crate::kernels::focal::runs::Rectangle;
use crate::kernels::focal::simd::fft::Transform;
use crate::kernels::focal::simd::rows::{Finish, deliver};
use crate::kernels::focal::simd::survey::{Extent, center, survey};
use crate::kernels::focal::simd::taps::TapTable;
use crate::kernels::window::Boundary;

/// What a convolution by tiles needs.
#[derive(Debug)]
pub(super) struct FftEngine {
    transform: Transform,
    /// For tiles that fail the gate.
    pub taps: TapTable,
    tile: (usize, usize),
    /// `2 u log2(points) |k|_2 / (sum |k| / taps)`: what the least sum of magnitudes must exceed,
    /// in units of the tile's norm over tau.
    strictness: f64,
    /// What the error of a result is at most, in units of the tile's norm.
    error: f64,
    /// All weights are whole numbers.
    whole: bool,
}

impl FftEngine {
    pub fn new(weights: &Weights, tile: (usize, usize), level: CpuLevel) -> Self {
        let values = &weights.values;
        let largest = values.iter().fold(0.0_f64, |m, k| m.max(k.abs()));
        // Relative to the largest weight, so that nothing overflows or vanishes.
        let relative = |k: &f64| if largest > 0.0 { (k / largest).abs() } else { 0.0 };
        let norm = values.iter().map(|k| relative(k).powi(2)).sum::<f64>().sqrt();
        let mean = values.iter().map(relative).sum::<f64>() / values.len() as f64;
        let points = (tile.0 * tile.1) as f64;
        FftEngine {
            transform: Transform::new(level, tile, values, weights.cols),
            taps: TapTable::new(values, weights.rows, weights.cols, true),
            tile,
            error: f64::EPSILON * points.log2() * norm * largest,
            whole: values.iter().all(|k| k.fract() == 0.0),
            strictness: if mean > 0.0 { f64::EPSILON * points.log2() * norm / mean } else { 0.0 },
        }
    }
}

/// One loaded tile, its mean taken off.
#[derive(Debug, Clone, Copy)]
struct Loaded {
    place: Place,
    /// The constant taken off.
    mean: f64,
    /// Norm of what is left.
    norm: f64,
    /// Lower bound on the sum of magnitudes in any window; exact sums may be larger.
    least: f64,
    finite: bool,
    /// Every exact sum is a whole number that the transform's error cannot blur.
    whole: bool,
    /// False where the tile must be summed directly whatever the gate says.
    usable: bool,
}

/// Which of the two planes.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Re,
    Im,
}

impl Focal {
    /// A block of rows, two tiles at a time.
    pub(super) fn tiles<T: Real>(&self, block: Place, engine: &FftEngine, job: &mut Job<T>) {
        let step = engine.tile.1 + 1 - self.weights.cols;
        let place = |col: usize| Place { col, cols: step.min(block.cols.saturating_sub(col)), ..block };
        for col in (0..block.cols).step_by(2 * step) {
            let pair = [place(col), place(col + step)].map(|p| (!p.is_empty()).then_some(p));
            let first = pair[0].and_then(|p| self.load_tile(p, engine, Side::Re, job));
            let second = pair[1].and_then(|p| self.load_tile(p, engine, Side::Im, job));
            self.pair(first, second, engine, job);
        }
    }

    /// Both tiles in one transform if both bear the common error, each alone otherwise.
    fn pair<T: Real>(
        &self,
        first: Option<Loaded>,
        second: Option<Loaded>,
        engine: &FftEngine,
        job: &mut Job<T>,
    ) {
        let (Some(a), Some(b)) = (first, second) else {
            if let Some(tile) = first.or(second) {
                self.alone(tile, if first.is_some() { Side::Re } else { Side::Im }, engine, job);
            }
            return;
        };
        let norm = a.norm.hypot(b.norm);
        let pass = |tile: Loaded, job: &mut Job<T>| tile.usable && self.passes(tile, norm, engine, job);
        let (zeros_a, zeros_b) = match (pass(a, job), pass(b, job)) {
            (true, true) => (self.has_zeros(a), self.has_zeros(b)),
            _ => {
                self.alone(a, Side::Re, engine, job);
                // The first one had both planes to itself.
                let nonfinite = job.counts.nonfinite;
                self.load_tile(b.place, engine, Side::Im, job);
                job.counts.nonfinite = nonfinite;
                return self.alone(b, Side::Im, engine, job);
            }
        };
        self.transform(engine, job);
        let sure = engine.error * norm < 0.05;
        self.unload((Loaded { whole: a.whole && sure, ..a }, Side::Re, zeros_a), job);
        self.unload((Loaded { whole: b.whole && sure, ..b }, Side::Im, zeros_b), job);
    }

    fn alone<T: Real>(&self, tile: Loaded, side: Side, engine: &FftEngine, job: &mut Job<T>) {
        if !(tile.usable && self.passes(tile, tile.norm, engine, job)) {
            job.counts.fft_tiles += 1;
            job.counts.fft_refused += 1;
            let nonfinite = job.counts.nonfinite;
            self.panels(tile.place, (job.window.width, job.window.boundary))
                .for_each(|panel| self.panel(panel, job));
            job.counts.nonfinite = nonfinite;
            return;
        }
        if let Some(planes) = &mut job.scratch.planes {
            match side {
                Side::Re => planes.im.fill(0.0),
                Side::Im => planes.re.fill(0.0),
            }
        }
        self.transform(engine, job);
        self.unload((tile, side, self.has_zeros(tile)), job);
    }

    fn transform<T>(&self, engine: &FftEngine, job: &mut Job<T>) {
        if let Some(planes) = &mut job.scratch.planes {
            engine.transform.run(planes, engine.tile.1 + 1 - self.weights.cols);
        }
    }

    /// Copies a tile into its plane and takes its mean off; `None` if no cell of it is wanted.
    fn load_tile<T: Real>(
        &self,
        place: Place,
        engine: &FftEngine,
        side: Side,
        job: &mut Job<T>,
    ) -> Option<Loaded> {
        let inside = self.interior_of(place, job.window);
        let scratch = &mut *job.scratch;
        let planes = scratch.planes.as_mut()?;
        let stride = planes.stride;
        let plane = if side == Side::Re { &mut planes.re } else { &mut planes.im };
        if inside.is_empty() {
            plane.fill(0.0);
            return None;
        }
        let region = self.region(place);
        let next = self.region(self.after(place, job.window.width));
        let seen = gather(self.level, job.window, &scratch.sides, (region, next), (&mut plane[..], stride));
        // The extended raster, or in `nan` mode the raster: what lies beyond counts as the mean.
        let wanted = self.region(if job.window.boundary == Boundary::Nan { inside } else { place });
        let (top, left) = ((wanted.row - region.row) as usize, (wanted.col - region.col) as usize);
        let extent = Extent { stride, rows: (top, top + wanted.rows), cols: (left, left + wanted.cols) };
        blank(plane, extent, engine.tile.0);
        let whole = engine.whole && all_whole(plane, extent);
        if !seen.finite {
            job.counts.nonfinite += 1;
            let (mean, norm, largest) = center_finite(plane, extent);
            let usable = !self.may_overflow::<T>(largest);
            let whole = whole && self.stays_whole::<T>(largest, norm, engine);
            return Some(Loaded { place, mean, norm, least: 0.0, finite: false, whole, usable });
        }
        let half = (self.weights.rows.div_ceil(2), self.weights.cols.div_ceil(2));
        let found = survey(self.level, plane, extent, half, &mut scratch.buffers.between);
        let cells = ((extent.rows.1 - extent.rows.0) * (extent.cols.1 - extent.cols.0)) as f64;
        let mean = found.sum / cells;
        let usable = !self.may_overflow::<T>(seen.max) && mean.is_finite();
        let scale = scale_for(seen.max);
        let norm = center(self.level, plane, extent, mean, scale).sqrt() / scale;
        let whole = whole && self.stays_whole::<T>(seen.max, norm, engine);
        Some(Loaded { place, mean, norm, least: found.least, finite: true, whole, usable })
    }

    /// True where sums of whole numbers are exact in any order, and a transform of this norm errs by
    /// far less than a half. What rides in the same
    /// transform is looked at by `pair`.
    fn stays_whole<T: Real>(&self, largest: f64, norm: f64, engine: &FftEngine) -> bool {
        let products = !self.weights.products_in_f32(T::WORK) || largest * self.largest < 2.0_f64.powi(24);
        let sums = largest * self.growth < 2.0_f64.powi(45);
        products && sums && engine.error * norm < 0.05
    }

    /// The gate: can the least cell bear the error of a transform of this norm?
    fn passes<T: Real>(&self, tile: Loaded, norm: f64, engine: &FftEngine, job: &mut Job<T>) -> bool {
        let tau = if T::WORK == WorkType::F64 { 1e-12 } else { 1e-9 };
        let needed = engine.strictness * norm / tau;
        // Every window holds a whole aligned block, so the least block is a lower bound that
        // spares the exact sums wherever it decides.
        if tile.least > 0.0 && tile.least >= needed && tile.least.is_finite() {
            return true;
        }
        let mut least = f64::INFINITY;
        self.magnitudes(tile.place, job, |sums, _| {
            least = sums.iter().filter(|&&m| m > 0.0).fold(least, |l, &m| l.min(m));
        });
        least >= needed
    }

    fn has_zeros(&self, tile: Loaded) -> bool {
        !(tile.least > 0.0 && tile.least.is_finite())
    }

    /// Sums of magnitudes over the full rectangle for each row of the cells wanted in `place`.
    fn magnitudes<T: Real>(&self, place: Place, job: &mut Job<T>, mut take: impl FnMut(&[f64], &mut [T])) {
        let area = Rectangle { row: 0, rows: self.weights.rows, col: 0, cols: self.weights.cols };
        for panel in self.panels(self.interior_of(place, job.window), (job.window.width, job.window.boundary))
        {
            self.load(panel, job);
            let scratch = &mut *job.scratch;
            for value in scratch.patch.iter_mut() {
                *value = if value.is_finite() { value.abs() } else { 0.0 };
            }
            let first = panel.col as i64 - (self.weights.cols / 2) as i64;
            let from = Piece { values: &scratch.patch, stride: scratch.stride, first, sides: None };
            self.box_rows(area, from, panel, &mut scratch.buffers, |i, sums| {
                take(sums, job.output.row(panel.row + i, panel.col, panel.cols));
            });
        }
    }

    /// Rounds a transformed tile into the output and mends its special cells.
    fn unload<T: Real>(&self, (tile, side, zeros): (Loaded, Side, bool), job: &mut Job<T>) {
        job.counts.fft_tiles += 1;
        let place = tile.place;
        let mut finish = Finish { offset: tile.mean * self.sum, stream: true, ..self.plain() };
        if let Some(planes) = &mut job.scratch.planes {
            let plane = if side == Side::Re { &mut planes.re } else { &mut planes.im };
            let output: &mut Output<T> = &mut job.output;
            if tile.whole {
                // Adding 0 turns -0 into the 0 of an exact sum.
                for row in plane.chunks_mut(planes.stride).take(place.rows) {
                    row[..place.cols]
                        .iter_mut()
                        .for_each(|v| *v = (*v + finish.offset).round_ties_even() + 0.0);
                }
                finish.offset = 0.0;
            }
            for i in 0..place.rows {
                let row = &plane[i * planes.stride..][..place.cols];
                deliver(self.level, row, output.row(place.row + i, place.col, place.cols), finish);
            }
        }
        if zeros {
            // Windows of zeros give zero, not the rounding noise of the tile.
            self.magnitudes(place, job, |sums, row| {
                for (out, _) in row.iter_mut().zip(sums).filter(|(_, m)| **m == 0.0) {
                    *out = T::round_from(0.0);
                }
            });
        }
        if !tile.finite {
            for panel in self.panels(place, (job.window.width, job.window.boundary)) {
                self.load(panel, job);
                let (region, scratch) = (self.region(panel), &mut *job.scratch);
                scratch.marks.clean(&mut scratch.patch, scratch.stride, region.rows, region.cols);
                self.mend(panel, job);
            }
        }
    }
}

/// A power of two that brings magnitudes up to `largest` near 1, so that squares neither
/// overflow nor vanish.
fn scale_for(largest: f64) -> f64 {
    let exponent = (largest.to_bits() >> 52) as i32 - 1023;
    2.0_f64.powi((-exponent).clamp(-1000, 1000))
}

/// Zeros around an extent.
fn blank(plane: &mut [f64], e: Extent, rows: usize) {
    for (i, row) in plane.chunks_mut(e.stride).enumerate().take(rows) {
        if (e.rows.0..e.rows.1).contains(&i) {
            row[..e.cols.0].fill(0.0);
            row[e.cols.1..].fill(0.0);
        } else {
            row.fill(0.0);
        }
    }
}

/// True where every finite value is a whole number.
fn all_whole(plane: &[f64], e: Extent) -> bool {
    let mut rows = plane.chunks(e.stride).take(e.rows.1).skip(e.rows.0);
    rows.all(|row| row[e.cols.0..e.cols.1].iter().all(|v| v.fract() == 0.0 || !v.is_finite()))
}

/// Takes the mean of the finite values off, puts 0 where the others stood; returns mean, norm
/// and largest magnitude.
fn center_finite(plane: &mut [f64], e: Extent) -> (f64, f64, f64) {
    let (mut sum, mut count, mut largest) = (0.0, 0.0, 0.0_f64);
    for row in plane.chunks(e.stride).take(e.rows.1).skip(e.rows.0) {
        for &value in row[e.cols.0..e.cols.1].iter().filter(|v| v.is_finite()) {
            (sum, count, largest) = (sum + value, count + 1.0, largest.max(value.abs()));
        }
    }
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let (scale, mut squares) = (scale_for(largest), 0.0);
    for row in plane.chunks_mut(e.stride).take(e.rows.1).skip(e.rows.0) {
        for value in &mut row[e.cols.0..e.cols.1] {
            *value = if value.is_finite() { *value - mean } else { 0.0 };
            squares += (*value * scale) * (*value * scale);
        }
    }
    (mean, squares.sqrt() / scale, largest)
}

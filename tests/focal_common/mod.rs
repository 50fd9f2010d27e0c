//! Comparing a convolution with its definition, within the documented tolerances.
#![allow(dead_code)] // Each test file uses its part.

use nissl::array::{Real, WorkType};
use nissl::backend::CpuLevel;
use nissl::commands::convolve::passes::FocalPass;
use nissl::kernels::focal::scalar::{Raster, convolve};
use nissl::kernels::focal::{
    Algorithm, BlockCounts, Focal, Method, NanRule, Recipe, Request, Tolerance, Weights, choose,
};
use nissl::kernels::window::{Boundary, Window};
use nissl::report::Recorder;

/// A whole raster with its shape.
#[derive(Debug, Clone)]
pub struct Plane<T> {
    pub values: Vec<T>,
    pub height: usize,
    pub width: usize,
}

impl<T: Real> Plane<T> {
    pub fn raster(&self, boundary: Boundary) -> Raster<'_, T> {
        Raster { values: &self.values, height: self.height, width: self.width, boundary }
    }

    pub fn shape(&self) -> (usize, usize) {
        (self.height, self.width)
    }
}

/// Runs a recipe over a plane into a buffer full of rubbish.
pub fn run<T: Real>(
    plane: &Plane<T>,
    weights: &Weights,
    recipe: Recipe,
    level: CpuLevel,
    boundary: Boundary,
) -> (Vec<T>, BlockCounts) {
    let pass = FocalPass::new(Focal::new(weights, recipe, level), plane.width);
    let mut out = vec![T::round_from(-12345.0); plane.values.len()];
    let window = Window::whole(&plane.values, plane.height, plane.width, boundary);
    let counts = pass.rows(&window, 0, plane.height, &mut out, &Recorder::new());
    (out, counts)
}

/// Every request that a kernel can be asked for, with its name.
pub fn requests(nan: NanRule, work: WorkType) -> Vec<(&'static str, Request)> {
    let base = Request { nan, ..Request::default() };
    let forced = |algorithm| Request { algorithm: Some(algorithm), ..base };
    let mut all = vec![
        ("exact", Request { exact: true, ..base }),
        ("auto", base),
        ("direct", forced(Algorithm::Direct)),
        ("separable", forced(Algorithm::Separable)),
        ("runs", forced(Algorithm::Runs)),
        ("fft", forced(Algorithm::Fft)),
    ];
    if work == WorkType::F32 {
        all.push(("fast", Request { fast: true, ..base }));
    }
    all
}

/// Sum of |k||x| per cell, non-finite values counting as 0.
pub fn magnitudes<T: Real>(plane: &Plane<T>, weights: &Weights, boundary: Boundary) -> Vec<f64> {
    let values =
        plane.values.iter().map(|v| v.widen().abs()).map(|v| if v.is_finite() { v } else { 0.0 }).collect();
    let absolute = Plane { values, height: plane.height, width: plane.width };
    let kernel = Weights { values: weights.values.iter().map(|k| k.abs()).collect(), ..weights.clone() };
    let boundary = match boundary {
        Boundary::Constant(v) => Boundary::Constant(if v.is_finite() { v.abs() } else { 0.0 }),
        other => other,
    };
    convolve::<f64>(&absolute.raster(boundary), &kernel, NanRule::Propagate)
}

/// The largest norm an FFT tile of a recipe can have: that of the whole extended raster less
/// any constant is at most the norm of its values, which is too loose; so tile by tile.
pub struct TileNorms {
    rows: usize,
    cols: usize,
    across: usize,
    norms: Vec<f64>,
}

impl TileNorms {
    pub fn new<T: Real>(
        plane: &Plane<T>,
        weights: &Weights,
        boundary: Boundary,
        tile: (usize, usize),
    ) -> Self {
        let (rows, cols) = (tile.0 + 1 - weights.rows, tile.1 + 1 - weights.cols);
        let raster = plane.raster(boundary);
        let (down, across) = (plane.height.div_ceil(rows), plane.width.div_ceil(cols));
        let (ph, pw) = (weights.rows / 2, weights.cols / 2);
        let mut squares = vec![0.0; down * across];
        for (t, square) in squares.iter_mut().enumerate() {
            let (i0, j0) = (t / across * rows, t % across * cols);
            let mut seen = Vec::new();
            for i in i0..(i0 + tile.0).min(plane.height + 2 * ph) {
                for j in j0..(j0 + tile.1).min(plane.width + 2 * pw) {
                    let value = raster.at(i as i64 - ph as i64, j as i64 - pw as i64);
                    seen.extend(value.map(T::widen).filter(|v| v.is_finite()));
                }
            }
            let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
            *square = seen.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        }
        // Two neighbours ride in one transform and share their rounding errors.
        let norms = (0..squares.len())
            .map(|t| {
                let first = t / across * across + t % across / 2 * 2;
                let second = if (first + 1) % across != 0 {
                    squares.get(first + 1).copied().unwrap_or(0.0)
                } else {
                    0.0
                };
                (squares[first] + second).sqrt()
            })
            .collect();
        TileNorms { rows, cols, across, norms }
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.norms[i / self.rows * self.across + j / self.cols]
    }
}

/// One plane, kernel and boundary, with what tolerances are made of: found once for many runs.
pub struct Judge<'a, T> {
    plane: &'a Plane<T>,
    weights: &'a Weights,
    boundary: Boundary,
    magnitudes: Vec<f64>,
    norms: Vec<((usize, usize), TileNorms)>,
}

impl<'a, T: Real> Judge<'a, T> {
    pub fn new(plane: &'a Plane<T>, weights: &'a Weights, boundary: Boundary) -> Self {
        let magnitudes = magnitudes(plane, weights, boundary);
        Judge { plane, weights, boundary, magnitudes, norms: Vec::new() }
    }

    fn norms(&mut self, tile: (usize, usize)) -> &TileNorms {
        let known = self.norms.iter().position(|n| n.0 == tile).unwrap_or_else(|| {
            self.norms.push((tile, TileNorms::new(self.plane, self.weights, self.boundary, tile)));
            self.norms.len() - 1
        });
        &self.norms[known].1
    }

    /// What the tier of the recipe's method allows at one cell.
    fn allowed(&mut self, recipe: &Recipe, at: usize, expected: f64) -> f64 {
        let tolerance = Tolerance::new(self.weights, T::WORK);
        let (i, j, s) = (at / self.plane.width, at % self.plane.width, self.magnitudes[at]);
        let allowed = match recipe.method {
            Method::Exact => return 0.0,
            Method::Fast => tolerance.narrow_rows(s, expected),
            Method::Fft { rows, cols } => {
                let norm = self.norms((rows, cols)).at(i, j);
                // A norm beyond float64 means a tile that was never transformed.
                match norm.is_finite() {
                    true => tolerance.transformed(s, expected, (rows * cols) as f64, norm),
                    false => tolerance.reordered(s, expected),
                }
            }
            _ => tolerance.reordered(s, expected),
        };
        match recipe.nan {
            // The quotient's own rounding, and sums of weights of cells that are partly left out.
            NanRule::Ignore => {
                allowed * 4.0 / self.weights.values.iter().sum::<f64>().abs() + 1e-12 * expected.abs()
            }
            _ => allowed,
        }
    }

    /// Same pattern of NaN and infinities, values within the tier of the recipe's method; `Err`
    /// names the first cell that is not. Returns the largest share of the tolerance used.
    pub fn compare(&mut self, got: &[T], expected: &[T], recipe: &Recipe) -> Result<f64, String> {
        let mut worst = 0.0_f64;
        for (at, (g, e)) in got.iter().zip(expected).enumerate() {
            let (g, e) = (g.widen(), e.widen());
            if e == g || (e.is_nan() && g.is_nan()) {
                continue;
            }
            let allowed = self.allowed(recipe, at, e);
            if !(g.is_finite() && e.is_finite() && (g - e).abs() <= allowed) {
                let (i, j) = (at / self.plane.width, at % self.plane.width);
                let Weights { rows, cols, .. } = self.weights;
                return Err(format!(
                    "cell [{i}, {j}] of {} x {}: got {g:e}, expected {e:e}, allowed {allowed:e} \
                     ({}, {rows}x{cols} kernel, {:?}, {:?})",
                    self.plane.height,
                    self.plane.width,
                    recipe.method.name(),
                    self.boundary,
                    recipe.nan
                ));
            }
            worst = worst.max((g - e).abs() / allowed);
        }
        Ok(worst)
    }
}

/// The scalar answer.
pub fn expected<T: Real>(plane: &Plane<T>, weights: &Weights, boundary: Boundary, nan: NanRule) -> Vec<T> {
    convolve(&plane.raster(boundary), weights, nan)
}

/// Every usable recipe at every level against the definition.
pub fn check_all<T: Real>(
    plane: &Plane<T>,
    weights: &Weights,
    boundary: Boundary,
    nan: NanRule,
) -> Result<(), String> {
    let want = expected(plane, weights, boundary, nan);
    let mut judge = Judge::new(plane, weights, boundary);
    for (name, request) in requests(nan, T::WORK) {
        let Ok(recipe) = choose(weights, plane.shape(), T::WORK, &request) else { continue };
        for level in CpuLevel::available() {
            let (got, _) = run(plane, weights, recipe.clone(), level, boundary);
            judge.compare(&got, &want, &recipe).map_err(|e| format!("{name} {level:?}: {e}"))?;
        }
    }
    Ok(())
}

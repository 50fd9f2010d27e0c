//! Hot spots: the Getis-Ord Gi* statistic of every cell (spec convolve 5).
//!
//! With `x` the raster as float32, `v` 1 where it is not NaN, `N` the number of such cells and
//! `mean`, `std` over them, three weighted window sums are combined cell by cell:
//! `A` of k over x (NaN as 0), `B` of k over v, `C` of k squared over v.
//! Results: z-score (float32) and class (int8: 0, or ±90, ±95, ±99 percent confidence).

pub mod moments;
pub mod scalar;

use crate::error::{Error, Result};
pub use moments::Moments;

/// Largest difference of z from the peer, relative to 1 + |z|: its mean and standard deviation
/// are sums in float32, ours in float64.
pub const TOLERANCE: f64 = 1e-4;

/// Mean, standard deviation and count of the valid cells of a plane.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct GlobalStats {
    /// Valid cells.
    pub count: u64,
    /// Their mean.
    pub mean: f32,
    /// Their population standard deviation.
    pub std: f32,
}

impl GlobalStats {
    /// From the moments of a plane; `place` names it in errors.
    ///
    /// # Errors
    /// [`Error::Data`] with fewer than two valid cells, an infinite cell, or no variation.
    pub fn new(moments: &Moments, place: &str) -> Result<Self> {
        let wrong = |found: String, expected: &str, advice: &str| {
            Err(Error::data(place, found, format!("{expected} for --hotspots"), advice))
        };
        if moments.count < 2 {
            let found = format!("{} cells that are not NaN", moments.count);
            return wrong(found, "at least 2", "check the nodata value");
        }
        let (mean, std) = (moments.mean as f32, moments.std() as f32);
        if !std.is_finite() || !mean.is_finite() {
            let found = format!("standard deviation {std} of {} cells", moments.count);
            return wrong(found, "a finite one", "replace infinite cells by NaN");
        }
        if std == 0.0 {
            let found = format!("standard deviation 0 (every valid cell is about {mean})");
            return wrong(found, "cells that differ", "there are no hot spots in a constant raster");
        }
        Ok(GlobalStats { count: moments.count, mean, std })
    }
}

/// Refuses weights whose sum is 0 or not finite: Gi* is not defined for them.
///
/// # Errors
/// [`Error::Usage`].
pub fn check_weights(weights: &[f64]) -> Result<()> {
    let sum: f64 = weights.iter().sum();
    if sum == 0.0 || !sum.is_finite() {
        return Err(Error::usage(format!(
            "kernel sums to {sum}; --hotspots needs weights with a sum other than 0: try circle:R"
        )));
    }
    Ok(())
}

/// The three window sums of some cells, each rounded to float32.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// Weights times cells, NaN as 0.
    pub a: &'a [f32],
    /// Weights over valid cells.
    pub b: &'a [f32],
    /// Squared weights over valid cells.
    pub c: &'a [f32],
}

/// z-score and class of every cell; all slices have one length.
pub fn z_scores(sums: Sums<'_>, stats: &GlobalStats, out_z: &mut [f32], out_class: &mut [i8]) {
    let (mean, std, n) = (f64::from(stats.mean), f64::from(stats.std), stats.count as f64);
    let cells = sums.a.iter().zip(sums.b).zip(sums.c);
    for (((&a, &b), &c), (z, class)) in cells.zip(out_z.iter_mut().zip(out_class)) {
        let (a, b, c) = (f64::from(a), f64::from(b), f64::from(c));
        let radicand = (n * c - b * b) / (n - 1.0);
        let score = (a - mean * b) / (std * radicand.sqrt());
        // NaN (the ring of the nan boundary, a negative radicand) and infinity both mean "none".
        *z = if radicand > 0.0 && score.is_finite() { score as f32 } else { 0.0 };
        *class = class_of(*z);
    }
}

/// Confidence in percent with the sign of `z`.
#[inline]
pub fn class_of(z: f32) -> i8 {
    let size = f64::from(z.abs());
    let class = 90 * i8::from(size > 1.65) + 5 * i8::from(size > 1.96) + 4 * i8::from(size > 2.58);
    if z < 0.0 { -class } else { class }
}

/// The indicator of valid cells and the cells with NaN as 0: what the window sums run over.
pub fn split_valid(cells: &[f32], out_value: &mut [f32], out_valid: &mut [f32]) {
    for (x, (value, valid)) in cells.iter().zip(out_value.iter_mut().zip(out_valid)) {
        *value = if x.is_nan() { 0.0 } else { *x };
        *valid = f32::from(u8::from(!x.is_nan()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_change_at_the_stated_scores() {
        let scores = [0.0, 1.64, 1.66, 1.95, 1.97, 2.57, 2.59, -1.7, -2.0, -9.0, f32::NAN];
        assert_eq!(scores.map(class_of), [0, 0, 90, 90, 95, 95, 99, -90, -95, -99, 0]);
    }

    #[test]
    fn planes_without_a_score_are_refused_with_the_reason() {
        let text =
            |cells: &[f32]| GlobalStats::new(&Moments::of_row(cells), "dem.npy").unwrap_err().to_string();
        assert!(text(&[f32::NAN, 1.0]).contains("found 1 cells that are not NaN, expected at least 2"));
        assert!(text(&[]).contains("found 0 cells"));
        assert!(text(&[3.0; 9]).contains("standard deviation 0"));
        assert!(text(&[3.0, f32::INFINITY]).contains("expected a finite one"));
        assert!(check_weights(&[1.0, -1.0]).is_err());
        assert!(check_weights(&[1.0, f64::NAN]).is_err());
        assert!(check_weights(&[0.5, 0.0]).is_ok());
    }

    #[test]
    fn cells_without_a_finite_score_have_none() {
        let stats = GlobalStats { count: 4, mean: 1.0, std: 2.0 };
        let sums = Sums { a: &[f32::NAN, 1.0, f32::INFINITY], b: &[1.0, 2.0, 1.0], c: &[1.0, 1.0, 1.0] };
        let (mut z, mut class) = ([9.0; 3], [9; 3]);
        z_scores(sums, &stats, &mut z, &mut class);
        assert_eq!((z, class), ([0.0; 3], [0; 3]));
    }
}

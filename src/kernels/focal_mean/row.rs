//! One row of the 3 x 3 mean, from three rows with one cell beyond either side.

use super::Excludes;
use crate::array::Real;

/// The rows around the one being made; each has one cell more on either side.
pub(super) struct Three<'a> {
    pub above: &'a [f64],
    pub middle: &'a [f64],
    pub below: &'a [f64],
}

/// Means of all columns into `out`; true when one of them is NaN. `clean` promises that no cell
/// inside the raster is NaN, so that counts are 9.
#[inline(always)]
pub(super) fn mean_row<T: Real>(rows: &Three<'_>, clean: bool, out: &mut [f64]) -> bool {
    if clean { full::<T>(rows, out) } else { masked::<T>(rows, out) }
}

#[inline(always)]
fn full<T: Real>(rows: &Three<'_>, out: &mut [f64]) -> bool {
    let n = out.len();
    let (a, m, b) = (&rows.above[..n + 2], &rows.middle[..n + 2], &rows.below[..n + 2]);
    let mut nan = 0u64;
    for j in 0..n {
        // From +0 as the definition, so that cells of -0 give +0.
        let sum = 0.0 + a[j] + a[j + 1] + a[j + 2] + m[j] + m[j + 1] + m[j + 2] + b[j] + b[j + 1] + b[j + 2];
        let mean = T::round_from(sum / 9.0).widen();
        nan |= u64::from(mean.is_nan());
        out[j] = if mean.is_nan() { f64::NAN } else { mean };
    }
    nan != 0
}

/// Sum and count of the valid cells. A skipped cell adds +0, which changes no bit: a sum that
/// begins with +0 is never -0.
#[inline(always)]
fn valid(sum: f64, count: f64, v: f64) -> (f64, f64) {
    let is = !v.is_nan();
    (sum + if is { v } else { 0.0 }, count + if is { 1.0 } else { 0.0 })
}

#[inline(always)]
fn masked_cell<T: Real>(cells: [f64; 9]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for v in cells {
        (sum, count) = valid(sum, count, v);
    }
    let mean = T::round_from(sum / count).widen();
    // No valid cell (0 / 0) and opposite infinities both end as the one positive NaN.
    if mean.is_nan() { f64::NAN } else { mean }
}

#[inline(always)]
fn masked<T: Real>(rows: &Three<'_>, out: &mut [f64]) -> bool {
    let n = out.len();
    let (a, m, b) = (&rows.above[..n + 2], &rows.middle[..n + 2], &rows.below[..n + 2]);
    let mut nan = 0u64;
    for j in 0..n {
        let cells = [a[j], a[j + 1], a[j + 2], m[j], m[j + 1], m[j + 2], b[j], b[j + 1], b[j + 2]];
        let mean = masked_cell::<T>(cells);
        nan |= u64::from(mean.is_nan());
        out[j] = mean;
    }
    nan != 0
}

/// Makes the first and last column again without NaN cells.
pub(super) fn masked_ends<T: Real>(rows: &Three<'_>, out: &mut [f64]) {
    let (a, m, b) = (rows.above, rows.middle, rows.below);
    for j in [0, out.len() - 1] {
        let cells = [a[j], a[j + 1], a[j + 2], m[j], m[j + 1], m[j + 2], b[j], b[j + 1], b[j + 2]];
        out[j] = masked_cell::<T>(cells);
    }
}

/// Puts excluded centres back; true when one of them is NaN.
pub(super) fn keep_excluded(excludes: &Excludes, middle: (&[f64], bool), out: &mut [f64]) -> bool {
    let (centres, clean) = (&middle.0[1..=out.len()], middle.1);
    for value in &excludes.values {
        for (o, centre) in out.iter_mut().zip(centres) {
            *o = if centre == value { *centre } else { *o };
        }
    }
    if excludes.nan && !clean {
        for (o, centre) in out.iter_mut().zip(centres) {
            *o = if centre.is_nan() { f64::NAN } else { *o };
        }
        return true;
    }
    false
}

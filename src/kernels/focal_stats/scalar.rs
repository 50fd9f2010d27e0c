//! The definition: cell by cell, the window as a list of valid values in row-major order.

use super::{Mask, Statistic};
use crate::array::Real;
use crate::kernels::window::Boundary;

/// One statistic of a whole plane `[height, width]`.
pub fn plane<T: Real>(
    values: &[T],
    (height, width): (usize, usize),
    boundary: Boundary,
    mask: &Mask,
    statistic: Statistic,
) -> Vec<T> {
    let cell = |i: i64, j: i64| match (boundary.map(i, height), boundary.map(j, width), boundary) {
        (Some(i), Some(j), _) => values[i * width + j],
        (_, _, Boundary::Constant(value)) => T::round_from(value),
        _ => T::NAN,
    };
    let (above, beside) = (mask.half_rows() as i64, mask.half_cols() as i64);
    (0..height * width)
        .map(|at| {
            let (i, j) = ((at / width) as i64, (at % width) as i64);
            let taps = mask.taps().iter();
            let window: Vec<T> = taps
                .map(|&(a, b)| cell(i + i64::from(a) - above, j + i64::from(b) - beside))
                .filter(|v| !v.widen().is_nan())
                .collect();
            of(&window, statistic)
        })
        .collect()
}

/// One statistic of the valid values of a window, in row-major order.
pub fn of<T: Real>(window: &[T], statistic: Statistic) -> T {
    let count = window.len() as f64;
    let mean = window.iter().fold(0.0, |sum, v| sum + v.widen()) / count;
    let var = || window.iter().fold(0.0, |sum, v| sum + (v.widen() - mean) * (v.widen() - mean)) / count;
    let pick = |better: fn(&T, &T) -> bool| {
        let first = window.iter().copied();
        first.reduce(|best, v| if better(&v, &best) { v } else { best }).unwrap_or(T::NAN)
    };
    match statistic {
        Statistic::Sum => window.iter().fold(T::round_from(0.0), |sum, v| sum + *v),
        _ if window.is_empty() => T::NAN,
        Statistic::Mean => T::round_from(mean),
        Statistic::Var => T::round_from(var()),
        Statistic::Std => T::round_from(var().sqrt()),
        Statistic::Min => pick(|v, best| v < best),
        Statistic::Max => pick(|v, best| v > best),
        Statistic::Range => pick(|v, best| v > best) - pick(|v, best| v < best),
        Statistic::Variety => {
            let mut values: Vec<f64> = window.iter().map(|v| v.widen() + 0.0).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            T::round_from(values.len() as f64)
        }
    }
}

//! The definition: whole plane, window sums in row-major order by the index map.

use super::{GlobalStats, Moments, Sums, check_weights, z_scores};
use crate::error::Result;
use crate::kernels::window::Boundary;

/// z-scores and classes of a whole plane `[height, width]`; `weights` are `[rows, columns]`.
///
/// # Errors
/// As [`GlobalStats::new`] and [`check_weights`].
pub fn plane(
    cells: &[f32],
    shape: (usize, usize),
    boundary: Boundary,
    weights: &[f64],
    sides: (usize, usize),
) -> Result<(Vec<f32>, Vec<i8>)> {
    check_weights(weights)?;
    let rows = cells.chunks(shape.1.max(1)).map(Moments::of_row);
    let stats = GlobalStats::new(&rows.fold(Moments::default(), Moments::join), "raster")?;
    let value = |x: f32| if x.is_nan() { 0.0 } else { f64::from(x) };
    let valid = |x: f32| f64::from(u8::from(!x.is_nan()));
    let squared: Vec<f64> = weights.iter().map(|k| k * k).collect();
    let sum =
        |weights: &[f64], of: &dyn Fn(f32) -> f64| correlate(cells, shape, boundary, (weights, sides), of);
    let (a, b, c) = (sum(weights, &value), sum(weights, &valid), sum(&squared, &valid));
    let (mut z, mut class) = (vec![0.0; cells.len()], vec![0; cells.len()]);
    z_scores(Sums { a: &a, b: &b, c: &c }, &stats, &mut z, &mut class);
    Ok((z, class))
}

fn correlate(
    cells: &[f32],
    (height, width): (usize, usize),
    boundary: Boundary,
    (weights, (rows, columns)): (&[f64], (usize, usize)),
    of: &dyn Fn(f32) -> f64,
) -> Vec<f32> {
    let cell = |i: i64, j: i64| match (boundary.map(i, height), boundary.map(j, width), boundary) {
        (Some(i), Some(j), _) => of(cells[i * width + j]),
        // A constant beyond the edge is a cell like others; a constant NaN counts as none.
        (_, _, Boundary::Constant(value)) => of(value as f32),
        _ => f64::NAN,
    };
    (0..height * width)
        .map(|at| {
            let (i, j) = ((at / width) as i64 - rows as i64 / 2, (at % width) as i64 - columns as i64 / 2);
            let mut sum = 0.0;
            for (t, k) in weights.iter().enumerate() {
                sum += k * cell(i + (t / columns) as i64, j + (t % columns) as i64);
            }
            sum as f32
        })
        .collect()
}

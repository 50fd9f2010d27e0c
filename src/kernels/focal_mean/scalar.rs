//! The definition: plane by plane, cell by cell, by the index map.

use super::Excludes;
use crate::array::Real;
use crate::kernels::window::Boundary;

/// Focal mean of a whole plane `[height, width]`.
pub fn plane<T: Real>(
    values: &[T],
    (height, width): (usize, usize),
    boundary: Boundary,
    passes: usize,
    excludes: &Excludes,
) -> Vec<T> {
    let mut current = values.to_vec();
    for _ in 0..passes {
        let cell = |i: i64, j: i64| match (boundary.map(i, height), boundary.map(j, width), boundary) {
            (Some(i), Some(j), _) => current[i * width + j],
            (_, _, Boundary::Constant(value)) => T::round_from(value),
            _ => T::NAN,
        };
        current = (0..height * width)
            .map(|at| {
                let (i, j) = ((at / width) as i64, (at % width) as i64);
                let centre = cell(i, j);
                if excludes.has(centre.widen()) {
                    return centre;
                }
                let (mut sum, mut count) = (0.0, 0u32);
                for (di, dj) in (-1..=1).flat_map(|di| (-1..=1).map(move |dj| (di, dj))) {
                    let v = cell(i + di, j + dj).widen();
                    if !v.is_nan() {
                        sum += v;
                        count += 1;
                    }
                }
                if count == 0 { T::NAN } else { T::round_from(sum / f64::from(count)) }
            })
            .collect();
    }
    current
}

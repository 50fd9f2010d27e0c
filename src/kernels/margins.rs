//! Rows with the cells beyond the raster's edges in place (spec convolve 1.3), copied into a
//! buffer so that the loops over them need no index map.
//!
//! With nothing outside ([`Boundary::Nan`]) those cells are NaN: for kernels that leave NaN cells
//! out this is the same as clipping their window to the raster.

use super::window::{Boundary, Window};
use crate::array::Real;

/// The value of cells that no cell of the raster stands for.
fn outside<T: Real>(boundary: Boundary) -> T {
    match boundary {
        Boundary::Constant(value) => T::round_from(value),
        _ => T::NAN,
    }
}

/// Copies cells `first_column .. first_column + out.len()` of the row at position `m`; both axes
/// are extended, so positions may lie outside the raster on either.
pub fn copy_extended<T: Real>(window: &Window<'_, T>, m: i64, first_column: i64, out: &mut [T]) {
    let beyond = outside(window.boundary);
    let Some(row) = window.row(m) else {
        out.fill(beyond);
        return;
    };
    let end_column = first_column + out.len() as i64;
    let inside = first_column.clamp(0, row.len() as i64)..end_column.clamp(0, row.len() as i64);
    let at = |column: i64| (column - first_column) as usize;
    let map = |column| window.boundary.map(column, row.len()).map_or(beyond, |c| row[c]);
    if inside.is_empty() {
        out.iter_mut().zip(first_column..).for_each(|(o, column)| *o = map(column));
        return;
    }
    out[at(inside.start)..at(inside.end)].copy_from_slice(&row[inside.start as usize..inside.end as usize]);
    for column in (first_column..inside.start).chain(inside.end..end_column) {
        out[at(column)] = map(column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_stretch_of_any_row_is_what_the_map_says() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let modes = [
            Boundary::Nan,
            Boundary::Nearest,
            Boundary::Reflect,
            Boundary::Wrap,
            Boundary::Reflect101,
            Boundary::Constant(-7.5),
        ];
        for boundary in modes {
            let window = Window::whole(&values, 3, 4, boundary);
            for (m, first, length) in [(0, -3, 11), (-5, -9, 4), (2, 5, 6), (7, 1, 2), (1, 4, 0), (1, -2, 3)]
            {
                let mut out = vec![0.0; length];
                copy_extended(&window, m, first, &mut out);
                for (o, column) in out.iter().zip(first..) {
                    let cell = boundary.map(m, 3).zip(boundary.map(column, 4));
                    let expected = cell.map_or(outside(boundary), |(i, j)| values[i * 4 + j]);
                    assert!(*o == expected || (o.is_nan() && expected.is_nan()), "{boundary:?} {m} {column}");
                }
            }
        }
    }
}

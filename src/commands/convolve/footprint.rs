//! Kernels built from a rule: circle, annulus, box, Gaussian and named filters (spec convolve 2).
//!
//! Radii and widths are in metres (or whatever unit the cell size is in), cell sizes are `(x, y)`
//! while kernels are `[row = y, column = x]`. All weights are 64-bit.

use crate::error::{Error, Result};
use crate::kernels::focal::weights::{KernelType, Weights, check_sides};

/// Names that [`preset`] knows, as the command line takes them.
pub const PRESETS: [&str; 6] = ["sobel-x", "sobel-y", "prewitt-x", "prewitt-y", "laplace", "emboss"];

/// A filter by its name; `None` for unknown names.
///
/// `emboss` is ours, the others have the peer's weights.
pub fn preset(name: &str) -> Option<Weights> {
    #[rustfmt::skip]
    let values = match name {
        "sobel-x" => [-1, 0, 1,  -2, 0, 2,  -1, 0, 1],
        "sobel-y" => [-1, -2, -1,  0, 0, 0,  1, 2, 1],
        "prewitt-x" => [-1, 0, 1,  -1, 0, 1,  -1, 0, 1],
        "prewitt-y" => [-1, -1, -1,  0, 0, 0,  1, 1, 1],
        "laplace" => [0, 1, 0,  1, -4, 1,  0, 1, 0],
        "emboss" => [-2, -1, 0,  -1, 1, 1,  0, 1, 2],
        _ => return None,
    };
    let values = values.iter().map(|&weight| f64::from(weight)).collect();
    Some(Weights { values, rows: 3, cols: 3, kind: KernelType::F64 })
}

/// A circle of `radius`: an ellipse in cells where the two cell sizes differ.
///
/// The radius is truncated to whole cells on each axis and the ellipse is that of the truncated
/// radii; a radius under one cell on one axis gives a full line of ones (spec convolve 2.2).
///
/// # Errors
/// A cell size or the radius is not above zero, or the kernel would be too large.
pub fn circle(cell: (f64, f64), radius: f64) -> Result<Weights> {
    let (half_w, half_h) = (half_cells(radius, cell.0)?, half_cells(radius, cell.1)?);
    check_sides(2 * half_h + 1, 2 * half_w + 1)?;
    let (hw, hh) = (half_w as f64, half_h as f64);
    let square = |v: f64| v * v;
    let limit = square(hw * hh);
    let values = centred(half_h)
        .flat_map(|y| centred(half_w).map(move |x| square(x * hh) + square(y * hw) <= limit))
        .map(|inside| f64::from(u8::from(inside)))
        .collect();
    Weights::new(values, 2 * half_h as usize + 1, 2 * half_w as usize + 1, KernelType::F64)
}

/// A ring: the circle of radius `outer` without the circle of radius `inner`, each truncated to
/// cells on its own (spec convolve 2.3). Radii that truncate to the same cells leave all zeros.
///
/// # Errors
/// `inner` is larger than `outer`, or [`circle`] refuses one of them.
pub fn annulus(cell: (f64, f64), outer: f64, inner: f64) -> Result<Weights> {
    if inner > outer {
        return Err(Error::usage(format!(
            "annulus:{outer},{inner}: the inner radius is larger than the outer one; \
             the order is annulus:OUTER,INNER"
        )));
    }
    let (mut ring, hole) = (circle(cell, outer)?, circle(cell, inner)?);
    let (top, left) = (ring.half_rows() - hole.half_rows(), ring.half_cols() - hole.half_cols());
    for (row, weights) in hole.values.chunks_exact(hole.cols).enumerate() {
        let start = (top + row) * ring.cols + left;
        ring.values[start..start + hole.cols].iter_mut().zip(weights).for_each(|(ring, hole)| *ring -= hole);
    }
    Ok(ring)
}

/// A rectangle of ones, sides in cells.
///
/// # Errors
/// A side is even or zero, or the kernel would be too large.
pub fn rectangle(rows: u64, cols: u64) -> Result<Weights> {
    check_sides(rows, cols)?;
    Weights::new(vec![1.0; (rows * cols) as usize], rows as usize, cols as usize, KernelType::F64)
}

/// A Gaussian of standard deviation `sigma`, cut at `truncate` standard deviations, sum 1.
///
/// Per axis s = `sigma` / cell is not truncated to cells; the half width is
/// trunc(`truncate` * s + 1/2) cells. The two axes are normalised one by one and multiplied, so
/// that the kernel is separable to the last bit but one.
///
/// # Errors
/// A cell size, `sigma` or `truncate` is not above zero, or the kernel would be too large.
pub fn gauss(cell: (f64, f64), sigma: f64, truncate: f64) -> Result<Weights> {
    if !(truncate > 0.0 && truncate.is_finite()) {
        return Err(Error::usage(format!(
            "gauss: TRUNCATE {truncate}: expected a number of standard deviations above zero, such as 4"
        )));
    }
    let half = |cell: f64| -> Result<(u64, f64)> {
        let s = cells(sigma, cell)?;
        Ok((whole_cells(truncate * s + 0.5, sigma, cell)?, s))
    };
    let ((half_w, s_x), (half_h, s_y)) = (half(cell.0)?, half(cell.1)?);
    check_sides(2 * half_h + 1, 2 * half_w + 1)?;
    let (along_x, along_y) = (bell(half_w, s_x), bell(half_h, s_y));
    let values = along_y.iter().flat_map(|y| along_x.iter().map(move |x| x * y)).collect();
    Weights::new(values, along_y.len(), along_x.len(), KernelType::F64)
}

/// One axis of a Gaussian, sum 1.
fn bell(half: u64, s: f64) -> Vec<f64> {
    // With s tiny the square underflows to 0 and 0/0 would follow; the centre is 1 by definition.
    let weight = |d: f64| if d == 0.0 { 1.0 } else { (-(d / s) * (d / s) / 2.0).exp() };
    let weights: Vec<f64> = centred(half).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Offsets -half ..= half.
fn centred(half: u64) -> impl Iterator<Item = f64> + Clone {
    let half = half as i64;
    (-half..=half).map(|offset| offset as f64)
}

/// Half a kernel side in whole cells: trunc(length / cell).
fn half_cells(length: f64, cell: f64) -> Result<u64> {
    whole_cells(cells(length, cell)?, length, cell)
}

/// `length` in cells, not truncated.
fn cells(length: f64, cell: f64) -> Result<f64> {
    if !(cell > 0.0 && cell.is_finite()) {
        return Err(Error::usage(format!(
            "cell size {cell}: expected a number above zero; give --cell-size"
        )));
    }
    if !(length > 0.0 && length.is_finite()) {
        return Err(Error::usage(format!("radius {length}: expected a number above zero")));
    }
    Ok(length / cell)
}

fn whole_cells(count: f64, length: f64, cell: f64) -> Result<u64> {
    // The exact limit is on the product of both sides; this one keeps the sides within integers.
    if count >= f64::from(i32::MAX) {
        return Err(Error::usage(format!(
            "kernel too large: {length} is {count:.3e} cells of size {cell}; \
             take a smaller radius, or check its unit and the cell size"
        )));
    }
    Ok(count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::parse_distance;
    use serde_json::Value;

    const TABLES: &str = include_str!("../../../fixtures/convolve/builders.json");

    fn table(name: &str) -> Vec<Value> {
        serde_json::from_str::<Value>(TABLES).unwrap()[name].as_array().unwrap().clone()
    }

    fn metres(value: &Value) -> Result<f64> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(parse_distance(&text)?.metres)
    }

    /// A row of a table: the same shape, sum, rows and digits, or an error where the peer has one.
    fn check(case: &Value, got: Result<Weights>) {
        let Some(expected) = case.get("result") else {
            assert!(got.is_err(), "{case}");
            return;
        };
        let got = got.unwrap();
        assert_eq!(serde_json::json!([got.rows, got.cols]), expected["shape"], "{case}");
        assert_eq!(got.sum(), expected["sum"].as_f64().unwrap(), "{case}");
        for (at, row) in got.values.chunks_exact(got.cols).enumerate() {
            assert_eq!(row.iter().sum::<f64>(), expected["row_sums"][at].as_f64().unwrap(), "{case}");
            if let Some(runs) = expected["rows_as_runs"].as_array() {
                let digits: String = row.iter().map(|v| v.to_string()).collect();
                assert_eq!(digits, runs[at][0].as_str().unwrap(), "{case}");
            }
        }
    }

    #[test]
    fn circles_and_rings_are_the_peers() {
        let cell = |args: &Value| (args[0].as_f64().unwrap(), args[1].as_f64().unwrap());
        let circles = table("circle_kernel");
        assert_eq!(circles.len(), 15);
        for case in circles {
            let args = &case["args"];
            check(&case, metres(&args[2]).and_then(|radius| circle(cell(args), radius)));
        }
        let rings = table("annulus_kernel");
        assert_eq!(rings.len(), 7);
        for case in rings {
            let args = &case["args"];
            let radii = metres(&args[2]).and_then(|outer| Ok((outer, metres(&args[3])?)));
            check(&case, radii.and_then(|(outer, inner)| annulus(cell(args), outer, inner)));
        }
    }

    #[test]
    fn distances_are_the_peers_where_it_takes_them() {
        // What the tool takes besides (spec convolve 2.1), and the two values it refuses.
        let ours = ["1 mile", "1 mi", " 10 m", "1e3", "5.", "10 metre"];
        let cases = table("distance");
        assert_eq!(cases.len(), 35);
        for case in cases {
            let text = case["args"][0].as_str().unwrap();
            let got = parse_distance(text);
            match case["result"].as_f64() {
                Some(metres) => assert_eq!(got.unwrap().metres.to_bits(), metres.to_bits(), "{text}"),
                None => assert_eq!(got.is_ok(), ours.contains(&text), "{text}"),
            }
        }
    }

    #[test]
    fn a_gaussian_sums_to_one_and_follows_each_axis() {
        let k = gauss((2.0, 1.0), 3.0, 4.0).unwrap();
        assert_eq!((k.rows, k.cols), (25, 13));
        assert!((k.sum() - 1.0).abs() < 1e-15);
        let (centre, right, below) = (k.values[12 * 13 + 6], k.values[12 * 13 + 7], k.values[13 * 13 + 6]);
        assert!((right / centre - (-0.5f64 / 2.25).exp()).abs() < 1e-15);
        assert!((below / centre - (-0.5f64 / 9.0).exp()).abs() < 1e-15);
        assert_eq!(gauss((1.0, 1.0), 0.1, 1.0).unwrap().values, [1.0]);
        assert_eq!(gauss((1.0, 1.0), 1.0, 2.0).unwrap().rows, 5);
        assert_eq!(gauss((1.0, 1.0), 1e-200, 4.0).unwrap().values, [1.0]);
        for truncate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(gauss((1.0, 1.0), 1.0, truncate).is_err());
        }
    }

    #[test]
    fn sizes_are_refused_before_they_are_allocated() {
        for radius in [1e9, 25_000.0, 1e300, f64::MAX] {
            let message = circle((1.0, 1.0), radius).unwrap_err().to_string();
            assert!(message.contains("smaller radius"), "{message}");
        }
        assert!(circle((1e-300, 1.0), 3.0).is_err());
        assert!(gauss((1.0, 1.0), 1e6, 4.0).is_err());
        assert!(rectangle(50_001, 50_001).is_err());
        assert!(rectangle(4, 3).unwrap_err().to_string().contains("4x3"));
        assert_eq!(rectangle(3, 5).unwrap().sum(), 15.0);
    }

    #[test]
    fn presets_are_three_by_three() {
        for name in PRESETS {
            let k = preset(name).unwrap();
            assert_eq!((k.rows, k.cols, k.values.len()), (3, 3, 9));
        }
        assert_eq!(preset("sobel-y").unwrap().values[1], -2.0);
        assert!(preset("sobel").is_none());
    }
}

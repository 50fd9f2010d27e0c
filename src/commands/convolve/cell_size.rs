//! The size of a raster cell, from what its file says (spec convolve 2.5).
//!
//! Sizes are `(x, y)`, in metres where the `unit` attribute names a unit of length, otherwise in
//! the units of the coordinates.

use crate::error::{Error, Result};
use crate::units::metres_per;

/// What a file says about one of the two raster axes.
#[derive(Debug, Clone, Copy, Default)]
pub struct GridAxis<'a> {
    /// Cells along the axis.
    pub length: usize,
    /// Coordinate of each cell, where there are numbers.
    pub coordinates: Option<&'a [f64]>,
    /// The coordinate's `units` attribute.
    pub units: Option<&'a str>,
}

/// What a file says about the raster's grid.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grid<'a> {
    /// Columns.
    pub x: GridAxis<'a>,
    /// Rows.
    pub y: GridAxis<'a>,
    /// Numbers of the attribute `res`, as many as there are; `None` where it is absent or no number.
    pub res: Option<&'a [f64]>,
    /// Attribute `unit` of the raster (not `units`).
    pub unit: Option<&'a str>,
    /// True where the file's reference system is geographic (angles).
    pub geographic: bool,
}

/// Cell size and what the user should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSize {
    /// Width of a cell, above zero.
    pub x: f64,
    /// Height of a cell, above zero.
    pub y: f64,
    /// One line each.
    pub warnings: Vec<String>,
}

/// The cell size of `grid`: its `res`, else the mean step of its coordinates, else 1.
///
/// # Errors
/// An unknown `unit`, an axis of a single cell without `res`, or a size that is zero or not finite.
pub fn cell_size(grid: &Grid) -> Result<CellSize> {
    let mut warnings = Vec::new();
    let factor = match grid.unit {
        None => 1.0,
        Some(word) => metres_per(word).ok_or_else(|| {
            Error::data(
                "attribute unit",
                format!("'{word}'"),
                "a unit of length in lower case, such as m, km, ft or miles",
                "give --cell-size X,Y",
            )
        })?,
    };
    let (x, y) = match grid.res {
        Some(&[both]) => (both, both),
        Some(&[x, y]) => (x, y),
        _ => (mean_step("x", &grid.x, &mut warnings)?, mean_step("y", &grid.y, &mut warnings)?),
    };
    if x < 0.0 {
        warnings.push(format!("the cell size in x is negative ({x}): its absolute value is taken"));
    }
    let (x, y) = ((x * factor).abs(), (y * factor).abs());
    for (axis, size) in [("x", x), ("y", y)] {
        if !(size > 0.0 && size.is_finite()) {
            return Err(Error::data(
                format!("cell size in {axis}"),
                size.to_string(),
                "a number above zero from the attribute res or the coordinates",
                "give --cell-size X,Y",
            ));
        }
    }
    Ok(CellSize { x, y, warnings })
}

/// (last - first) / (count - 1); the positions 0, 1, ... stand in for absent coordinates.
fn mean_step(name: &str, axis: &GridAxis, warnings: &mut Vec<String>) -> Result<f64> {
    if axis.length < 2 {
        return Err(Error::data(
            format!("cell size in {name}"),
            format!("an axis of {} cells and no attribute res", axis.length),
            "at least two cells to measure a step between",
            "give --cell-size X,Y",
        ));
    }
    let Some(&[first, .., last]) = axis.coordinates else { return Ok(1.0) };
    let step = (last - first) / (axis.length - 1) as f64;
    let coordinates = axis.coordinates.unwrap_or_default();
    let uneven = |pair: &[f64]| (pair[1] - pair[0] - step).abs() > 1e-3 * step.abs();
    if coordinates.windows(2).any(uneven) {
        warnings
            .push(format!("the {name} coordinates are not evenly spaced: their mean step {step} is taken"));
    }
    // A falling x axis is as ordinary as a falling y axis: no need to speak of its sign.
    Ok(step.abs())
}

/// The warning due where a radius in a unit of length meets a grid in degrees, which no constant
/// factor relates.
pub fn degrees_warning(grid: &Grid, has_metric_radius: bool) -> Option<String> {
    let angular = |units: Option<&str>| units.is_some_and(|units| units.to_lowercase().starts_with("degree"));
    let degrees = grid.geographic || angular(grid.x.units) || angular(grid.y.units);
    (degrees && has_metric_radius && grid.unit.is_none()).then(|| {
        "the grid is in degrees but the kernel's radius has a unit of length: degrees are not converted, \
         one degree counts as one metre; give the radius in degrees without a unit, or --cell-size in metres"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn numbers(value: &Value) -> Option<Vec<f64>> {
        match value {
            Value::Number(number) => Some(vec![number.as_f64().unwrap()]),
            Value::Array(values) => Some(values.iter().map(|v| v.as_f64().unwrap()).collect()),
            _ => None,
        }
    }

    #[test]
    fn sizes_are_the_peers_but_never_negative() {
        let tables: Value =
            serde_json::from_str(include_str!("../../../fixtures/convolve/builders.json")).unwrap();
        let table = &tables["calc_cellsize"];
        let (x, y) = (numbers(&table["x"]).unwrap(), numbers(&table["y"]).unwrap());
        let cases = table["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 12);
        for case in cases {
            let attributes = &case["attrs"];
            let res = numbers(&attributes["res"]);
            let coordinates = case["coords"].as_bool().unwrap();
            let axis = |values: &'_ [f64]| values.len();
            let grid = Grid {
                x: GridAxis { length: axis(&x), coordinates: coordinates.then_some(&x), units: None },
                y: GridAxis { length: axis(&y), coordinates: coordinates.then_some(&y), units: None },
                res: res.as_deref(),
                unit: attributes["unit"].as_str(),
                geographic: false,
            };
            match (cell_size(&grid), numbers(&case["result"])) {
                (Ok(size), Some(expected)) => {
                    assert_eq!([size.x, size.y], [expected[0].abs(), expected[1]], "{case}");
                    assert_eq!(size.warnings.is_empty(), expected[0] > 0.0, "{case}");
                }
                (got, expected) => assert!(got.is_err() && expected.is_none(), "{case}"),
            }
        }
    }

    #[test]
    fn single_cells_zero_steps_and_holes_are_errors() {
        let axis = |values: &'static [f64]| GridAxis {
            length: values.len(),
            coordinates: Some(values),
            units: None,
        };
        let good = axis(&[1.0, 2.0, 3.0]);
        for bad in [&[1.0][..], &[1.0, 1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY], &[]] {
            assert!(cell_size(&Grid { x: good, y: axis(bad), ..Grid::default() }).is_err(), "{bad:?}");
        }
        for res in [&[0.0][..], &[1.0, f64::NAN]] {
            assert!(cell_size(&Grid { x: good, y: good, res: Some(res), ..Grid::default() }).is_err());
        }
        let single = Grid { x: axis(&[1.0]), y: axis(&[1.0]), res: Some(&[2.0, -3.0]), ..Grid::default() };
        assert_eq!(cell_size(&single).unwrap(), CellSize { x: 2.0, y: 3.0, warnings: vec![] });
        // Three numbers are no resolution: the coordinates speak.
        let odd = Grid { x: good, y: good, res: Some(&[9.0, 9.0, 9.0]), ..Grid::default() };
        assert_eq!(cell_size(&odd).unwrap().x, 1.0);
    }

    #[test]
    fn uneven_coordinates_are_averaged_aloud() {
        let uneven = GridAxis { length: 3, coordinates: Some(&[10.0, 8.0, 4.0]), units: None };
        let even = GridAxis { length: 3, coordinates: Some(&[0.0, 1.0, 2.0009]), units: None };
        let size = cell_size(&Grid { x: even, y: uneven, ..Grid::default() }).unwrap();
        assert_eq!(size.y, 3.0);
        assert_eq!(size.warnings.len(), 1);
        assert!(size.warnings[0].contains("y coordinates"));
    }

    #[test]
    fn metres_on_a_grid_of_degrees_are_warned_of() {
        let degrees = GridAxis { length: 3, coordinates: None, units: Some("degrees_north") };
        let grid = Grid { y: degrees, ..Grid::default() };
        assert!(degrees_warning(&grid, true).is_some());
        assert!(degrees_warning(&grid, false).is_none());
        assert!(degrees_warning(&Grid { geographic: true, ..Grid::default() }, true).is_some());
        assert!(degrees_warning(&Grid::default(), true).is_none());
    }
}

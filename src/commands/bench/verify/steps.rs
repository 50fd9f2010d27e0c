//! What is taken from an array before it is compared: parts, rows, columns, means (pure).
//!
//! An array is its shape (axes slowest first) and its values as float64, C order.

use serde::{Deserialize, Serialize};

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Lengths of the axes, slowest first.
    pub shape: Vec<usize>,
    /// C order.
    pub values: Vec<f64>,
}

/// One step; steps are taken in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The part at these indices of the first axes: `[2]` is the third plane.
    Part(Vec<usize>),
    /// The parts whose indices on the first axes are the rows of an array `[part, axis]` in a file.
    At(String),
    /// These indices of an axis, and no others.
    Keep(AxisIndices),
    /// All indices of an axis but these.
    LeaveOut(AxisIndices),
    /// Columns (last axis) from the first number up to the second, which is left out.
    Columns([usize; 2]),
    /// Leaves out the columns (last axis) that are NaN in their first row.
    DropNanColumns,
    /// All axes behind the first become one.
    FlattenRows,
    /// Mean over an axis.
    Mean(usize),
    /// Sum over an axis.
    Sum(usize),
    /// Sum of the squares over an axis.
    SumOfSquares(usize),
}

/// Some indices of one axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisIndices {
    /// Which axis, counted from 0.
    pub axis: usize,
    /// Which indices, counted from 0.
    pub indices: Vec<usize>,
}

impl Table {
    /// A table whose shape and number of values agree; the shape follows the values where not.
    pub fn new(shape: Vec<usize>, values: Vec<f64>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Table { shape, values }
    }

    /// The shape as a message tells it: `[250, 223]`.
    pub fn shown(&self) -> String {
        shown(&self.shape)
    }

    /// Takes a step; `read` gives the arrays that steps name.
    ///
    /// # Errors
    /// Why the step does not fit the array, without a place; or what `read` says.
    pub fn step(self, step: &Step, read: &dyn Fn(&str) -> Result<Table, String>) -> Result<Table, String> {
        match step {
            Step::Part(indices) => self.part(indices),
            Step::At(name) => self.at(&read(name)?),
            Step::Keep(kept) => self.along(kept, |found| found),
            Step::LeaveOut(left) => self.along(left, |found| !found),
            Step::Columns([from, to]) => {
                let width = self.width()?;
                if from >= to || *to > width {
                    return Err(format!("columns {from} to {to} of {width}"));
                }
                Ok(self.columns(&(*from..*to).collect::<Vec<_>>()))
            }
            Step::DropNanColumns => {
                let width = self.width()?;
                let first = self.values.get(..width).unwrap_or_default();
                let kept: Vec<usize> = (0..first.len()).filter(|&c| !first[c].is_nan()).collect();
                Ok(self.columns(&kept))
            }
            Step::FlattenRows => {
                let rows = *self.shape.first().ok_or("a scalar has no rows")?;
                let width = self.shape[1..].iter().product();
                Ok(Table { shape: vec![rows, width], values: self.values })
            }
            Step::Mean(axis) => {
                let count = self.shape.get(*axis).map_or(1, |&n| n) as f64;
                let mut sums = self.fold(*axis, |v| v)?;
                sums.values.iter_mut().for_each(|v| *v /= count);
                Ok(sums)
            }
            Step::Sum(axis) => self.fold(*axis, |v| v),
            Step::SumOfSquares(axis) => self.fold(*axis, |v| v * v),
        }
    }

    /// Length of the last axis.
    fn width(&self) -> Result<usize, String> {
        self.shape.last().copied().ok_or_else(|| "a scalar has no columns".to_owned())
    }

    /// Where the part at `indices` of the first axes begins, and its length.
    fn place(&self, indices: &[usize]) -> Result<(usize, usize), String> {
        if indices.len() > self.shape.len() {
            return Err(format!("{} indices into {}", indices.len(), self.shown()));
        }
        let length: usize = self.shape[indices.len()..].iter().product();
        let mut at = 0;
        for (axis, (&index, &size)) in indices.iter().zip(&self.shape).enumerate() {
            if index >= size {
                return Err(format!("index {index} on axis {axis} of {}", self.shown()));
            }
            at = at * size + index;
        }
        Ok((at * length, length))
    }

    fn part(self, indices: &[usize]) -> Result<Table, String> {
        let (at, length) = self.place(indices)?;
        let values = self.values[at..at + length].to_vec();
        Ok(Table { shape: self.shape[indices.len()..].to_vec(), values })
    }

    fn at(self, places: &Table) -> Result<Table, String> {
        let axes = match places.shape[..] {
            [_] => 1,
            [_, axes] => axes,
            _ => return Err(format!("places of shape {}, expected [parts, axes]", places.shown())),
        };
        let parts = places.shape[0];
        let mut values = Vec::new();
        for place in places.values.chunks(axes.max(1)) {
            let whole = |&v: &f64| (v >= 0.0 && v.fract() == 0.0).then_some(v as usize);
            let indices = place.iter().map(whole).collect::<Option<Vec<_>>>();
            let (at, length) = self.place(&indices.ok_or("places that are no whole numbers from 0")?)?;
            values.extend_from_slice(&self.values[at..at + length]);
        }
        let rest = self.shape.get(axes..).unwrap_or_default();
        Ok(Table { shape: [&[parts], rest].concat(), values })
    }

    /// The indices of an axis for which `wanted` (given whether it is listed) holds.
    fn along(self, listed: &AxisIndices, wanted: impl Fn(bool) -> bool) -> Result<Table, String> {
        let AxisIndices { axis, indices } = listed;
        let size = *self.shape.get(*axis).ok_or_else(|| format!("axis {axis} of {}", self.shown()))?;
        if let Some(index) = indices.iter().find(|&&index| index >= size) {
            return Err(format!("index {index} on axis {axis} of {}", self.shown()));
        }
        let inner: usize = self.shape[axis + 1..].iter().product();
        let kept: Vec<usize> = (0..size).filter(|index| wanted(indices.contains(index))).collect();
        let planes = self.values.chunks((size * inner).max(1));
        let values = planes.flat_map(|plane| kept.iter().flat_map(|&k| &plane[k * inner..(k + 1) * inner]));
        let values = values.copied().collect();
        let mut shape = self.shape.clone();
        shape[*axis] = kept.len();
        Ok(Table { shape, values })
    }

    fn columns(self, kept: &[usize]) -> Table {
        let width = self.shape.last().copied().unwrap_or(1);
        let rows = self.values.chunks(width.max(1));
        let values = rows.flat_map(|row| kept.iter().map(|&c| row[c])).collect();
        let mut shape = self.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = kept.len();
        }
        Table { shape, values }
    }

    fn fold(self, axis: usize, of: impl Fn(f64) -> f64) -> Result<Table, String> {
        let size = *self.shape.get(axis).ok_or_else(|| format!("axis {axis} of {}", self.shown()))?;
        let inner: usize = self.shape[axis + 1..].iter().product();
        let outer: usize = self.shape[..axis].iter().product();
        let mut values = vec![0.0; outer * inner];
        for (at, &value) in self.values.iter().enumerate() {
            values[at / (inner * size) * inner + at % inner] += of(value);
        }
        let mut shape = self.shape;
        shape.remove(axis);
        Ok(Table { shape, values })
    }
}

/// A shape as a message tells it.
pub fn shown(shape: &[usize]) -> String {
    let lengths: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", lengths.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn numbered(shape: &[usize]) -> Table {
        Table::new(shape.to_vec(), (0..shape.iter().product::<usize>()).map(|v| v as f64).collect())
    }

    fn places(_: &str) -> Result<Table, String> {
        Ok(Table::new(vec![2, 2], vec![1.0, 0.0, 0.0, 2.0]))
    }

    fn stepped(table: Table, step: serde_json::Value) -> Result<Table, String> {
        table.step(&serde_json::from_value(step).unwrap(), &places)
    }

    #[test]
    fn each_step_takes_what_it_says() {
        let t = || numbered(&[2, 3, 2]);
        let values = |step| stepped(t(), step).unwrap();
        assert_eq!(values(json!({"part": [1]})), Table::new(vec![3, 2], (6..12).map(f64::from).collect()));
        assert_eq!(values(json!({"part": [1, 2, 1]})), Table::new(vec![], vec![11.0]));
        assert_eq!(values(json!({"at": "f"})), Table::new(vec![2, 2], vec![6.0, 7.0, 4.0, 5.0]));
        let kept = values(json!({"keep": {"axis": 1, "indices": [2]}}));
        assert_eq!(kept, Table::new(vec![2, 1, 2], vec![4.0, 5.0, 10.0, 11.0]));
        assert_eq!(values(json!({"leave_out": {"axis": 1, "indices": [0, 1]}})), kept);
        let columns = values(json!({"columns": [1, 2]}));
        assert_eq!(columns, Table::new(vec![2, 3, 1], vec![1.0, 3.0, 5.0, 7.0, 9.0, 11.0]));
        assert_eq!(values(json!("flatten_rows")).shape, [2, 6]);
        assert_eq!(values(json!({"mean": 0})).values, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(values(json!({"sum": 1})), Table::new(vec![2, 2], vec![6.0, 9.0, 24.0, 27.0]));
        assert_eq!(values(json!({"sum_of_squares": 2})).values, [1.0, 13.0, 41.0, 85.0, 145.0, 221.0]);
        let nan = Table::new(vec![2, 3], vec![1.0, f64::NAN, 3.0, f64::NAN, 5.0, 6.0]);
        let left = stepped(nan, json!("drop_nan_columns")).unwrap();
        assert!(left.shape == [2, 2] && left.values[2].is_nan() && left.values[3] == 6.0);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for step in [
            json!({"part": [2]}),
            json!({"part": [0, 0, 0, 0]}),
            json!({"keep": {"axis": 3, "indices": [0]}}),
            json!({"keep": {"axis": 0, "indices": [2]}}),
            json!({"columns": [1, 3]}),
            json!({"columns": [1, 1]}),
            json!({"mean": 3}),
        ] {
            assert!(stepped(numbered(&[2, 3, 2]), step.clone()).is_err(), "{step}");
        }
        assert!(stepped(numbered(&[1, 3]), json!({"at": "f"})).is_err());
        for step in [json!("drop_nan_columns"), json!("flatten_rows"), json!({"columns": [0, 1]})] {
            assert!(stepped(Table::new(vec![], vec![1.0]), step).is_err());
        }
        let empty = stepped(numbered(&[2, 0, 2]), json!({"sum": 0})).unwrap();
        assert_eq!(empty.shape, [0, 2]);
        assert!(serde_json::from_value::<Step>(json!({"parts": [1]})).is_err());
    }
}

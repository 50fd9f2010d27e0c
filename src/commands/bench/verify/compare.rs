//! Comparing what a run gave with what was expected (pure).
//!
//! A cell may differ by `atol + rtol |expected| + of_largest max |expected|`, or by what a rule
//! gives for it. NaN equals NaN only, an infinity only itself: no tolerance lets them stand in
//! other places.

use super::steps::{Table, shown};
use serde_json::Value;

/// How much a cell may differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tolerance {
    /// Times the magnitude of the expected value.
    pub relative: f64,
    /// In the values' unit.
    pub absolute: f64,
    /// Times the largest finite magnitude of all expected values.
    pub of_largest: f64,
    /// For each cell, in place of all of these.
    pub cells: Option<Vec<f64>>,
    /// So many cells may differ by more.
    pub may_differ: usize,
    /// Cells that are left out, by their indices.
    pub except: Vec<Vec<usize>>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// Indices, `[3, 17]`; in JSON a pointer, `/consensus/eeg`.
    pub place: String,
    /// What came, as text.
    pub found: String,
    /// What should have come, as text.
    pub expected: String,
    /// By how much they differ; infinite where they are not both finite numbers.
    pub apart: f64,
    /// By how much they may.
    pub allowed: f64,
}

/// What a comparison gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Compared {
    /// Cells compared.
    pub cells: usize,
    /// Cells that differ by more than they may.
    pub outside: usize,
    /// The cell that takes the largest share of its tolerance; none where all are equal.
    pub worst: Option<Worst>,
    /// Holds: as few are outside as may be.
    pub holds: bool,
}

impl Compared {
    /// Takes a cell in.
    fn add(&mut self, worst: Option<Worst>) {
        self.cells += 1;
        let Some(cell) = worst else { return };
        self.outside += usize::from(cell.share() > 1.0);
        if self.worst.as_ref().is_none_or(|most| cell.worse_than(most)) {
            self.worst = Some(cell);
        }
    }

    fn end(mut self, may_differ: usize) -> Self {
        self.holds = self.outside <= may_differ;
        self
    }
}

impl Worst {
    /// Share of the tolerance that is taken; infinite where nothing is allowed.
    pub fn share(&self) -> f64 {
        if self.apart == 0.0 { 0.0 } else { self.apart / self.allowed.max(f64::MIN_POSITIVE) }
    }

    /// Cells beyond any tolerance are told apart by how much they differ.
    pub fn worse_than(&self, other: &Worst) -> bool {
        let rank = |w: &Worst| (w.share(), w.apart);
        rank(self).partial_cmp(&rank(other)).is_some_and(std::cmp::Ordering::is_gt)
    }
}

/// Compares cell by cell. Axes of length 1 do not count.
///
/// # Errors
/// The shapes, where they differ.
pub fn tables(found: &Table, expected: &Table, tolerance: &Tolerance) -> Result<Compared, String> {
    let plain = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    if plain(&found.shape) != plain(&expected.shape) {
        return Err(format!("shape {}, expected {}", found.shown(), expected.shown()));
    }
    let largest = expected.values.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut compared = Compared::default();
    for (at, (&a, &b)) in found.values.iter().zip(&expected.values).enumerate() {
        if !tolerance.except.is_empty() && tolerance.except.contains(&indices(&found.shape, at)) {
            continue;
        }
        if a == b || (a.is_nan() && b.is_nan()) {
            compared.cells += 1;
            continue;
        }
        let allowed = match &tolerance.cells {
            Some(cells) => cells.get(at).copied().unwrap_or(0.0),
            None => tolerance.absolute + tolerance.relative * b.abs() + tolerance.of_largest * largest,
        };
        let place = || shown(&indices(&found.shape, at));
        compared.add(Some(apart(a, b, allowed, place)));
    }
    Ok(compared.end(tolerance.may_differ))
}

fn apart(a: f64, b: f64, allowed: f64, place: impl Fn() -> String) -> Worst {
    let finite = a.is_finite() && b.is_finite();
    Worst {
        place: place(),
        found: number(a),
        expected: number(b),
        apart: if finite { (a - b).abs() } else { f64::INFINITY },
        // Nothing is near a NaN.
        allowed: if finite { allowed } else { 0.0 },
    }
}

/// A number as short as it may be and still be read back.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        v if (1e-4..1e15).contains(&v) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

fn indices(shape: &[usize], mut at: usize) -> Vec<usize> {
    let mut indices = vec![0; shape.len()];
    for (index, &length) in indices.iter_mut().zip(shape).rev() {
        *index = at % length.max(1);
        at /= length.max(1);
    }
    indices
}

/// Compares JSON values: numbers within the tolerance (`of_largest` has no meaning here), all
/// else equal; objects must have the same keys.
pub fn values(found: &Value, expected: &Value, tolerance: &Tolerance) -> Compared {
    let mut compared = Compared::default();
    walk(found, expected, tolerance, "", &mut compared);
    compared.end(tolerance.may_differ)
}

fn walk(found: &Value, expected: &Value, tolerance: &Tolerance, place: &str, compared: &mut Compared) {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) if a != b => {
            let whole = a.as_i64().zip(b.as_i64()).map(|(a, b)| a.abs_diff(b) as f64);
            let (texts, a, b) = ((a.to_string(), b.to_string()), a.as_f64(), b.as_f64());
            let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
            let allowed = tolerance.absolute + tolerance.relative * b.abs();
            let mut cell = apart(a, b, allowed, || pointer(place));
            // Whole numbers beyond 2^53 differ where their nearest float64 do not.
            cell.apart = whole.unwrap_or(cell.apart);
            (cell.found, cell.expected) = texts;
            compared.add((cell.apart != 0.0).then_some(cell));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                walk(a, b, tolerance, &format!("{place}/{at}"), compared);
            }
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for ((key, a), b) in a.iter().zip(b.values()) {
                walk(a, b, tolerance, &format!("{place}/{key}"), compared);
            }
        }
        _ => compared.add((found != expected).then(|| Worst {
            place: pointer(place),
            found: short(found),
            expected: short(expected),
            apart: f64::INFINITY,
            allowed: 0.0,
        })),
    }
}

fn pointer(place: &str) -> String {
    if place.is_empty() { "the value".into() } else { place.into() }
}

/// A value for a message: long ones by what they are.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Object(fields) => {
            let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
            format!("an object of {}", keys.join(", "))
        }
        Value::Array(items) => format!("{} values", items.len()),
        other => other.to_string(),
    };
    if text.chars().count() <= 80 { text } else { text.chars().take(77).chain("...".chars()).collect() }
}

/// Nested arrays of numbers as a table; `null` gives the value that stands for null, if any.
///
/// # Errors
/// What there is instead.
pub fn table_of(value: &Value, null: Option<f64>) -> Result<Table, String> {
    match value {
        Value::Number(number) => Ok(Table::new(vec![], vec![number.as_f64().unwrap_or(f64::NAN)])),
        Value::Bool(truth) => Ok(Table::new(vec![], vec![f64::from(u8::from(*truth))])),
        Value::Null => match null {
            Some(value) => Ok(Table::new(vec![], vec![value])),
            None => Err("null, which stands for no number; say which by \"null\": \"inf\" or \"nan\"".into()),
        },
        Value::Array(items) => {
            let parts = items.iter().map(|item| table_of(item, null)).collect::<Result<Vec<_>, _>>()?;
            let shape = parts.first().map_or(Vec::new(), |part| part.shape.clone());
            if let Some(other) = parts.iter().find(|part| part.shape != shape) {
                return Err(format!("parts of shape {} and {}", shown(&shape), other.shown()));
            }
            let values = parts.into_iter().flat_map(|part| part.values).collect();
            Ok(Table::new([&[items.len()], &shape[..]].concat(), values))
        }
        other => Err(short(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(values: &[f64]) -> Table {
        Table::new(vec![1, values.len()], values.to_vec())
    }

    fn compared(found: &[f64], expected: &[f64], tolerance: Tolerance) -> Compared {
        tables(&row(found), &row(expected), &tolerance).unwrap()
    }

    #[test]
    fn exact_is_the_default_and_the_worst_cell_is_named() {
        let exact = compared(&[1.0, 2.5, 3.0], &[1.0, 2.0, 3.0 + 1e-15], Tolerance::default());
        let worst = exact.worst.unwrap();
        assert_eq!((exact.cells, exact.outside, exact.holds), (3, 2, false));
        assert_eq!((worst.place.as_str(), worst.apart, worst.allowed), ("[0, 1]", 0.5, 0.0));
        assert_eq!((worst.found.as_str(), worst.expected.as_str()), ("2.5", "2"));
        let same = compared(&[1.0, f64::NAN], &[1.0, f64::NAN], Tolerance::default());
        assert!(same.holds && same.worst.is_none() && same.cells == 2);
    }

    #[test]
    fn tolerances_add_up_and_the_share_decides_which_cell_is_worst() {
        let tolerance = Tolerance { relative: 0.1, absolute: 0.01, ..Tolerance::default() };
        // 0.05 of 0.11 allowed, and 0.02 of 0.01: the smaller difference is the worse one.
        let found = compared(&[1.05, 0.02], &[1.0, 0.0], tolerance.clone());
        assert_eq!((found.holds, found.outside), (false, 1));
        assert_eq!(found.worst.unwrap().place, "[0, 1]");
        assert!(compared(&[1.05, 0.01], &[1.0, 0.0], tolerance).holds);
        let largest = Tolerance { of_largest: 1e-3, ..Tolerance::default() };
        assert!(compared(&[0.05, 100.0], &[0.0, 100.0], largest.clone()).holds);
        assert!(compared(&[0.05, f64::INFINITY], &[0.0, f64::INFINITY], largest).outside == 1);
        let cells = Tolerance { cells: Some(vec![0.0, 1.0]), relative: 9.0, ..Tolerance::default() };
        assert_eq!(compared(&[1.5, 1.5], &[1.0, 1.0], cells).outside, 1);
    }

    #[test]
    fn nan_and_infinities_stand_in_the_same_places_whatever_is_allowed() {
        let wide = Tolerance { absolute: f64::INFINITY, relative: 1e9, ..Tolerance::default() };
        for (a, b) in [
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 1e300),
            (1e300, f64::INFINITY),
            (f64::INFINITY, f64::NEG_INFINITY),
            (f64::NAN, f64::INFINITY),
        ] {
            let found = compared(&[0.0, a], &[1.0, b], wide.clone());
            assert!(!found.holds, "{a} {b}");
            assert_eq!(found.worst.unwrap().place, "[0, 1]");
        }
        assert!(compared(&[f64::NEG_INFINITY], &[f64::NEG_INFINITY], Tolerance::default()).holds);
        assert!(compared(&[-0.0], &[0.0], Tolerance::default()).holds);
    }

    #[test]
    fn shapes_must_agree_but_for_axes_of_length_one() {
        let (a, b) = (Table::new(vec![2, 1], vec![1.0, 2.0]), Table::new(vec![2], vec![1.0, 2.0]));
        assert!(tables(&a, &b, &Tolerance::default()).unwrap().holds);
        let wide = Table::new(vec![1, 3], vec![1.0, 2.0, 3.0]);
        let error = tables(&a, &wide, &Tolerance::default()).unwrap_err();
        assert_eq!(error, "shape [2, 1], expected [1, 3]");
        let (a, b) = (Table::new(vec![2, 3], vec![0.0; 6]), Table::new(vec![3, 2], vec![0.0; 6]));
        assert!(tables(&a, &b, &Tolerance::default()).is_err());
    }

    #[test]
    fn some_cells_may_be_let_off() {
        let one = Tolerance { may_differ: 1, ..Tolerance::default() };
        assert!(compared(&[1.0, 2.0], &[1.0, 3.0], one.clone()).holds);
        assert!(!compared(&[0.0, 2.0], &[1.0, 3.0], one).holds);
        let except = Tolerance { except: vec![vec![0, 1]], ..Tolerance::default() };
        let found = compared(&[1.0, 2.0], &[1.0, 3.0], except);
        assert!(found.holds && found.cells == 1);
    }

    #[test]
    fn json_is_compared_leaf_by_leaf_with_pointers() {
        let want = json!({"consensus": {"eeg": 0.4}, "bad": [1, 5], "note": null});
        assert!(values(&want, &want, &Tolerance::default()).holds);
        let got = json!({"consensus": {"eeg": 0.4000001}, "bad": [1, 6], "note": null});
        let exact = values(&got, &want, &Tolerance::default());
        assert_eq!((exact.outside, exact.cells), (2, 4));
        assert_eq!(exact.worst.unwrap().place, "/bad/1");
        let near = Tolerance { relative: 1e-6, ..Tolerance::default() };
        let near =
            values(&json!({"consensus": {"eeg": 0.4000001}, "bad": [1, 5], "note": null}), &want, &near);
        assert!(near.holds && near.worst.unwrap().place == "/consensus/eeg");
        for other in [json!({"bad": []}), json!([1]), json!(null), json!({"a": 1})] {
            assert!(!values(&other, &want, &Tolerance { absolute: 1e9, ..Tolerance::default() }).holds);
        }
        assert!(!values(&json!(null), &json!(0.0), &Tolerance::default()).holds);
        assert!(values(&json!(1.0), &json!(1), &Tolerance::default()).holds);
        let (a, b) = (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64));
        assert!(!values(&a, &b, &Tolerance::default()).holds);
    }

    #[test]
    fn nested_arrays_become_tables() {
        let table = table_of(&json!([[1, null], [2.5, true]]), Some(f64::INFINITY)).unwrap();
        assert_eq!(table, Table::new(vec![2, 2], vec![1.0, f64::INFINITY, 2.5, 1.0]));
        for bad in [json!([[1], [1, 2]]), json!([null]), json!(["a"]), json!({"a": 1})] {
            assert!(table_of(&bad, None).is_err(), "{bad}");
        }
        assert_eq!(table_of(&json!([]), None).unwrap().shape, [0]);
    }
}

//! One written case as the runs it stands for: names in braces are replaced by the values of lists.
//!
//! `"each": ["references", "modes"]` runs a case once for every pair of rows of the lists of these
//! names. A row is an object; `{key}` in any text of the case becomes the row's value, and a text
//! that is nothing but `{key}` becomes the value itself, so that numbers stay numbers.

use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// More runs than this of one case are a slip in a list.
const MOST_RUNS: usize = 100_000;

/// The runs of the case `value` at `place`, each without its `each`.
///
/// # Errors
/// A list that is not there or is no list of objects, or a product of lists beyond all measure.
pub fn expand(value: &Value, lists: &Map<String, Value>, place: &str) -> Result<Vec<Value>> {
    let Some(each) = value.get("each") else { return Ok(vec![value.clone()]) };
    let names = each.as_array().and_then(|a| a.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    let names = names.filter(|n| !n.is_empty()).ok_or_else(|| {
        bad(format!("{place}/each"), each.to_string(), "names of lists, such as [\"modes\"]")
    })?;
    let mut rows = vec![Map::new()];
    for name in names {
        let list = list(lists, name, place)?;
        if rows.len() * list.len() > MOST_RUNS {
            let found = format!("{} x {} runs", rows.len(), list.len());
            return Err(bad(format!("{place}/each"), found, format!("at most {MOST_RUNS}")));
        }
        rows = rows.iter().flat_map(|row| list.iter().map(|more| joined(row, more))).collect();
    }
    let mut plain = value.clone();
    plain.as_object_mut().map(|object| object.remove("each"));
    Ok(rows.iter().map(|row| replaced(&plain, row)).collect())
}

fn bad(place: String, found: String, expected: impl Into<String>) -> Error {
    Error::data(place, found, expected, "")
}

fn list<'a>(lists: &'a Map<String, Value>, name: &str, place: &str) -> Result<Vec<&'a Map<String, Value>>> {
    let rows = lists.get(name).and_then(Value::as_array);
    let rows = rows.and_then(|rows| rows.iter().map(Value::as_object).collect::<Option<Vec<_>>>());
    rows.filter(|rows| !rows.is_empty()).ok_or_else(|| {
        let found = format!("the name '{name}'");
        bad(format!("{place}/each"), found, format!("a list of objects at /lists/{name}"))
    })
}

fn joined(row: &Map<String, Value>, more: &Map<String, Value>) -> Map<String, Value> {
    row.iter().chain(more).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `value` with `{key}` replaced in all its texts.
fn replaced(value: &Value, row: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => {
            let whole = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).and_then(|k| row.get(k));
            whole.cloned().unwrap_or_else(|| Value::String(filled(text, row)))
        }
        Value::Array(items) => items.iter().map(|item| replaced(item, row)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, item)| (key.clone(), replaced(item, row))).collect()
        }
        other => other.clone(),
    }
}

fn filled(text: &str, row: &Map<String, Value>) -> String {
    names(text).fold(text.to_owned(), |text, name| match row.get(name) {
        Some(Value::String(value)) => text.replace(&format!("{{{name}}}"), value),
        Some(value) => text.replace(&format!("{{{name}}}"), &value.to_string()),
        None => text,
    })
}

/// The names in braces of `text`: letters, digits, `_` and `-`, nothing else.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!name.is_empty() && name.chars().all(plain)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lists() -> Map<String, Value> {
        let lists = json!({
            "modes": [{"mode": "nan", "at": 0}, {"mode": "wrap", "at": 1}],
            "inputs": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
            "empty": [],
        });
        lists.as_object().unwrap().clone()
    }

    #[test]
    fn every_combination_of_rows_is_a_run_and_numbers_stay_numbers() {
        let case = json!({"name": "{id} {mode}", "each": ["inputs", "modes"], "part": ["{at}"], "in": "{case}/{id}-{at}.npy"});
        let runs = expand(&case, &lists(), "x").unwrap();
        assert_eq!(runs.len(), 6);
        assert_eq!(runs[1], json!({"name": "a wrap", "part": [1], "in": "{case}/a-1.npy"}));
        assert_eq!(runs[5]["name"], "c wrap");
        let plain = json!({"name": "as it {is}"});
        assert_eq!(expand(&plain, &lists(), "x").unwrap(), [plain]);
    }

    #[test]
    fn lists_that_are_not_there_or_empty_are_named() {
        for each in [json!(["none"]), json!(["empty"]), json!([]), json!("modes"), json!([1])] {
            let error = expand(&json!({"each": each}), &lists(), "f.json, /cases/0").unwrap_err();
            assert!(error.to_string().starts_with("f.json, /cases/0/each: found "), "{error}");
        }
    }

    #[test]
    fn names_in_braces_are_plain_words() {
        let found: Vec<&str> = names("{case}/a{b-1}{ x }{}{\"y\": 1} {z").collect();
        assert_eq!(found, ["case", "b-1"]);
    }
}

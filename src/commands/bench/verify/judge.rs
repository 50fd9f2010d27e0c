//! One entry of `expect` held against what a run left.

use super::case::{Expect, Focal, Rule};
use super::compare::{self, Compared, Tolerance};
use super::focal::{self, Ran};
use super::load::{self, Held};
use super::steps::{Step, Table, shown};
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// Where a case lies and what its run left.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Folder of the case file.
    pub case: &'a Path,
    /// Folder with the outputs.
    pub out: &'a Path,
    /// Memory that an array may take, bytes.
    pub memory: u64,
}

/// Compares one output with what is expected of it.
///
/// # Errors
/// `Ok(Err(why))` where the output is not there or cannot be compared (its shape, its type): that is
/// a mismatch. `Err` where the reference itself is at fault.
pub fn judge(expect: &Expect, sides: Sides) -> Result<Result<Compared, String>> {
    let wanted = match (&expect.equals, &expect.expected) {
        (Some(value), _) => Held::Json(value.clone()),
        (None, Some(place)) => {
            let held = load::read(sides.case, place, sides.memory)?;
            pointed(held, expect.expected_pointer.as_deref(), place).map_err(as_data(place))?
        }
        (None, None) => return Err(Error::data("expect", "no reference", "one", "")),
    };
    let wanted = taken(wanted, &expect.expected_take, expect, sides)
        .map_err(|why| as_data(expect.expected.as_deref().unwrap_or("equals"))(why))?;
    let found = load::read(sides.out, &expect.output, sides.memory);
    let found = found.map_err(|e| relative(&e.to_string(), sides.out));
    let found = found.and_then(|held| pointed(held, expect.pointer.as_deref(), &expect.output));
    let found = match found.and_then(|held| taken(held, &expect.take, expect, sides)) {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    compared(&found, &wanted, expect, sides)
}

/// What is wrong with a reference, as an error that names it.
fn as_data(place: &str) -> impl Fn(String) -> Error {
    let place = place.to_owned();
    move |why| Error::data(place.clone(), why, "a reference that its case fits", "")
}

/// The temporary folder says nothing to a reader.
fn relative(text: &str, out: &Path) -> String {
    text.replace(&format!("{}/", out.display()), "")
}

fn pointed(held: Held, pointer: Option<&str>, place: &str) -> Result<Held, String> {
    match (held, pointer) {
        (held, None) => Ok(held),
        (Held::Json(value), Some(pointer)) => match value.pointer(pointer) {
            Some(value) => Ok(Held::Json(value.clone())),
            None => Err(format!("{place} has nothing at {pointer}")),
        },
        (_, Some(_)) => Err(format!("{place} is no JSON file")),
    }
}

/// Takes the steps; JSON becomes numbers where there are steps to take.
fn taken(held: Held, steps: &[Step], expect: &Expect, sides: Sides) -> Result<Held, String> {
    if steps.is_empty() {
        return Ok(held);
    }
    let (mut table, kind) = match held {
        Held::Numbers(table, kind) => (table, kind),
        Held::Json(value) => (numbers(&value, expect)?, "float64".into()),
        Held::Texts(..) => return Err("text, of which no part can be taken".into()),
    };
    let read = |place: &str| match load::read(sides.case, place, sides.memory) {
        Ok(Held::Numbers(table, _)) => Ok(table),
        Ok(_) => Err(format!("{place} holds no numbers")),
        Err(error) => Err(error.to_string()),
    };
    for step in steps {
        table = table.step(step, &read)?;
    }
    Ok(Held::Numbers(table, kind))
}

fn numbers(value: &Value, expect: &Expect) -> Result<Table, String> {
    compare::table_of(value, expect.null.map(|null| null.value()))
}

fn compared(found: &Held, wanted: &Held, expect: &Expect, sides: Sides) -> Result<Result<Compared, String>> {
    let mut tolerance = Tolerance {
        relative: expect.rtol,
        absolute: expect.atol,
        of_largest: expect.of_largest,
        cells: None,
        may_differ: expect.may_differ,
        except: expect.except.clone(),
    };
    Ok(match (found, wanted) {
        (Held::Json(found), Held::Json(wanted)) if expect.null.is_none() => {
            Ok(compare::values(found, wanted, &tolerance))
        }
        (Held::Texts(a, found), Held::Texts(b, wanted)) => texts((a, found), (b, wanted)),
        (found, wanted) => {
            let ((a, kind), (b, other)) = match (as_table(found, expect), as_table(wanted, expect)) {
                (Ok(a), Ok(b)) => (a, b),
                (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
            };
            if expect.same_type && kind != other {
                return Ok(Err(format!("elements of type {kind}, expected {other}")));
            }
            if let Some(Rule::Focal(rule)) = &expect.rule {
                tolerance.cells = Some(cells(rule, &b, kind == "float32", sides)?);
            }
            compare::tables(&a, &b, &tolerance)
        }
    })
}

fn as_table(held: &Held, expect: &Expect) -> Result<(Table, String), String> {
    match held {
        Held::Numbers(table, kind) => Ok((table.clone(), kind.clone())),
        Held::Json(value) => Ok((numbers(value, expect)?, "JSON".into())),
        Held::Texts(..) => Err("text on one side and numbers on the other".into()),
    }
}

/// Texts are equal or not.
fn texts(found: (&[usize], &[String]), wanted: (&[usize], &[String])) -> Result<Compared, String> {
    let plain = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    if plain(found.0) != plain(wanted.0) {
        return Err(format!("shape {}, expected {}", shown(found.0), shown(wanted.0)));
    }
    let as_json = |texts: &[String]| Value::from(texts.to_vec());
    Ok(compare::values(&as_json(found.1), &as_json(wanted.1), &Tolerance::default()))
}

fn cells(rule: &Focal, expected: &Table, narrow: bool, sides: Sides) -> Result<Vec<f64>> {
    let read = |place: &str| match load::read(sides.case, place, sides.memory)? {
        Held::Numbers(table, _) => Ok(table),
        _ => Err(Error::data(place, "no numbers", "a raster or kernel", "")),
    };
    let names = "nan, nearest, reflect, wrap or reflect101";
    let boundary = focal::boundary(&rule.boundary)
        .ok_or_else(|| Error::data("rule, focal", format!("boundary '{}'", rule.boundary), names, ""))?;
    let report = load::json(&sides.out.join(REPORT))?;
    let fft = report.pointer("/plan/algorithm/name").and_then(Value::as_str) == Some("fft");
    let ran = Ran { boundary, narrow, rounded_products: rule.rounded_products, fft };
    let allowed = focal::allowed(&read(&rule.raster)?, &read(&rule.kernel)?, expected, ran);
    allowed.map_err(as_data("rule, focal"))
}

/// The run's report, in its output folder.
pub const REPORT: &str = "report.json";

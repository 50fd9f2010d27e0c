//! What `--kernel` was given: a generator, a named filter, inline rows, or a file
//! (spec convolve 2.4).
//!
//! Parsing needs neither raster nor file, so that most mistakes show before anything is opened;
//! generators are built once the cell size is known, files are read by the caller.

use super::footprint;
use crate::error::{Error, Result};
use crate::kernels::focal::weights::{KernelType, MAX_TAPS, Weights};
use crate::units::{Distance, parse_distance};
use std::path::{Path, PathBuf};

/// A kernel as asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum KernelSpec {
    /// `circle:R`.
    Circle(Distance),
    /// `annulus:OUTER,INNER`.
    Annulus(Distance, Distance),
    /// `gauss:SIGMA[,TRUNCATE]`; TRUNCATE counts standard deviations.
    Gauss(Distance, f64),
    /// `box:HxW`, in cells.
    Box(u64, u64),
    /// Weights known already: a preset or inline rows.
    Given(Weights),
    /// A `.npy`, `.csv` or `.txt` file.
    File(PathBuf),
}

/// A kernel and what its user should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The weights.
    pub weights: Weights,
    /// One line each.
    pub warnings: Vec<String>,
}

impl KernelSpec {
    /// Reads the value of `--kernel`.
    ///
    /// # Errors
    /// It is none of the forms, or a form with values that cannot be right.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if let Some(weights) = footprint::preset(trimmed) {
            return Ok(KernelSpec::Given(weights));
        }
        if let Some((name, rest)) = trimmed.split_once(':')
            && let Some(spec) = generator(name, rest)
        {
            return spec;
        }
        let extension = Path::new(trimmed).extension().unwrap_or_default().to_ascii_lowercase();
        if ["npy", "csv", "txt"].iter().any(|known| extension == *known) {
            return Ok(KernelSpec::File(PathBuf::from(trimmed)));
        }
        let numeric = trimmed.starts_with(|c: char| c.is_ascii_digit() || "+-.;".contains(c));
        if trimmed.contains(';') || numeric {
            return inline(trimmed).map(KernelSpec::Given);
        }
        Err(Error::usage(format!(
            "--kernel '{text}': expected a .npy, .csv or .txt file, circle:R, annulus:OUTER,INNER, \
             gauss:SIGMA[,TRUNCATE], box:HxW, one of {}, or rows such as \"0 1 0; 1 -4 1; 0 1 0\"",
            footprint::PRESETS.join(", ")
        )))
    }

    /// True where a radius was typed with a unit of length, so that degrees cannot be meant.
    pub fn has_metric_radius(&self) -> bool {
        match self {
            KernelSpec::Circle(radius) | KernelSpec::Gauss(radius, _) => radius.has_unit,
            KernelSpec::Annulus(outer, inner) => outer.has_unit || inner.has_unit,
            _ => false,
        }
    }

    /// True where the weights depend on the cell size of the raster.
    pub fn needs_cell_size(&self) -> bool {
        matches!(self, KernelSpec::Circle(_) | KernelSpec::Annulus(..) | KernelSpec::Gauss(..))
    }

    /// Builds the kernel for cells of size `cell` = (x, y); `read` reads a kernel file.
    ///
    /// # Errors
    /// The kernel would be too large, has an even side, or its file cannot be read.
    pub fn build(&self, cell: (f64, f64), read: impl FnOnce(&Path) -> Result<Weights>) -> Result<Built> {
        let weights = match self {
            KernelSpec::Circle(radius) => footprint::circle(cell, radius.metres)?,
            KernelSpec::Annulus(outer, inner) => footprint::annulus(cell, outer.metres, inner.metres)?,
            KernelSpec::Gauss(sigma, truncate) => footprint::gauss(cell, sigma.metres, *truncate)?,
            KernelSpec::Box(rows, cols) => footprint::rectangle(*rows, *cols)?,
            KernelSpec::Given(weights) => weights.clone(),
            KernelSpec::File(path) => read(path)?,
        };
        let mut warnings = Vec::new();
        if weights.values.iter().all(|&weight| weight == 0.0) {
            warnings.push(match self {
                KernelSpec::Annulus(..) => {
                    "the two radii of the annulus are the same in cells: all weights are zero".to_owned()
                }
                _ => "all weights of the kernel are zero".to_owned(),
            });
        } else if let Some(weight) = weights.values.iter().find(|weight| !weight.is_finite()) {
            warnings
                .push(format!("the kernel holds {weight}: every cell it touches becomes NaN or infinite"));
        }
        Ok(Built { weights, warnings })
    }
}

/// The generator `name` with its arguments; `None` where there is no such generator.
fn generator(name: &str, arguments: &str) -> Option<Result<KernelSpec>> {
    let count = |form: &str| {
        Error::usage(format!("--kernel {name}:{arguments}: expected {form}, radii such as 3, 500m or 2.5km"))
    };
    let parts: Vec<&str> = arguments.split(',').collect();
    Some(match (name, parts.as_slice()) {
        ("circle", [radius]) => parse_distance(radius).map(KernelSpec::Circle),
        ("circle", _) => Err(count("circle:R")),
        ("annulus", [outer, inner]) => ring(outer, inner),
        ("annulus", _) => Err(count("annulus:OUTER,INNER")),
        ("gauss", [sigma]) => parse_distance(sigma).map(|sigma| KernelSpec::Gauss(sigma, 4.0)),
        ("gauss", [sigma, truncate]) => bell(sigma, truncate),
        ("gauss", _) => Err(count("gauss:SIGMA or gauss:SIGMA,TRUNCATE")),
        ("box", [sides]) => rectangle(sides),
        ("box", _) => {
            Err(Error::usage(format!("--kernel box:{arguments}: expected box:HxW in cells, such as box:3x5")))
        }
        _ => return None,
    })
}

fn ring(outer: &str, inner: &str) -> Result<KernelSpec> {
    let (outer_m, inner_m) = (parse_distance(outer)?, parse_distance(inner)?);
    if inner_m.metres > outer_m.metres {
        return Err(Error::usage(format!(
            "--kernel annulus:{outer},{inner}: the inner radius is larger than the outer one; \
             the order is annulus:OUTER,INNER"
        )));
    }
    Ok(KernelSpec::Annulus(outer_m, inner_m))
}

fn bell(sigma: &str, truncate: &str) -> Result<KernelSpec> {
    let sigma = parse_distance(sigma)?;
    match truncate.trim().parse::<f64>() {
        Ok(count) if count > 0.0 && count.is_finite() => Ok(KernelSpec::Gauss(sigma, count)),
        _ => Err(Error::usage(format!(
            "--kernel gauss: TRUNCATE '{truncate}': expected a number of standard deviations above zero, such as 4"
        ))),
    }
}

fn rectangle(sides: &str) -> Result<KernelSpec> {
    let parsed = sides
        .split_once(['x', 'X'])
        .and_then(|(rows, cols)| Some((rows.trim().parse::<u64>().ok()?, cols.trim().parse::<u64>().ok()?)));
    let (rows, cols) = parsed.ok_or_else(|| {
        Error::usage(format!("--kernel box:{sides}: expected box:HxW in cells, such as box:3x5"))
    })?;
    crate::kernels::focal::weights::check_sides(rows, cols)?;
    Ok(KernelSpec::Box(rows, cols))
}

/// Rows divided by `;`, weights by blanks.
fn inline(text: &str) -> Result<Weights> {
    let mut rows = Table::default();
    for row in text.split(';') {
        rows.push(row.split_whitespace()).map_err(|fault| {
            Error::usage(format!("--kernel \"{text}\": {fault}; weights are divided by blanks, rows by ';'"))
        })?;
    }
    rows.weights()
}

/// Reads the text of a kernel file: one row a line, weights divided by commas (`comma`) or
/// blanks. Empty lines and what follows `#` are left out. `place` names the file in messages.
///
/// # Errors
/// A field is no number (decimal commas included), rows differ in length, a side is even.
pub fn parse_table(text: &str, comma: bool, place: &str) -> Result<Weights> {
    let mut rows = Table::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let pushed = if comma { rows.push(line.split(',')) } else { rows.push(line.split_whitespace()) };
        pushed.map_err(|fault| {
            let divided = if comma { "commas" } else { "blanks" };
            Error::data(
                format!("{place}, line {}", number + 1),
                fault,
                format!("numbers divided by {divided}, equally many in every row"),
                "write decimals with a point, 0.5",
            )
        })?;
    }
    if rows.count == 0 {
        return Err(Error::data(place, "no numbers", "the weights of a kernel, one row a line", ""));
    }
    rows.weights()
}

/// Rows of numbers as they arrive.
#[derive(Default)]
struct Table {
    values: Vec<f64>,
    count: usize,
}

impl Table {
    /// Adds a row; the error is what was found, for the caller's message.
    fn push<'a>(&mut self, fields: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let before = self.values.len();
        for (column, field) in fields.enumerate() {
            let value = field.trim().parse().map_err(|_| {
                format!("'{}' in row {}, column {}", field.trim(), self.count + 1, column + 1)
            })?;
            if self.values.len() as u64 >= MAX_TAPS {
                return Err(format!("more than {MAX_TAPS} weights"));
            }
            self.values.push(value);
        }
        let (added, expected) = (self.values.len() - before, before.checked_div(self.count));
        self.count += 1;
        match expected {
            Some(expected) if expected != added => {
                Err(format!("{added} weights in row {}, {expected} in the rows before", self.count))
            }
            _ if added == 0 => Err(format!("no weights in row {}", self.count)),
            _ => Ok(()),
        }
    }

    fn weights(self) -> Result<Weights> {
        let cols = self.values.len() / self.count.max(1);
        Weights::new(self.values, self.count, cols, KernelType::F64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(text: &str) -> Result<Built> {
        KernelSpec::parse(text)?.build((1.0, 1.0), |path| panic!("{} is no file", path.display()))
    }

    #[test]
    fn every_form_is_recognised() {
        assert_eq!(build("circle:3").unwrap().weights.sum(), 29.0);
        assert_eq!(build("annulus:3,1").unwrap().weights.sum(), 24.0);
        assert_eq!(build(" annulus:3m, 1m").unwrap().weights.sum(), 24.0);
        assert_eq!(build("gauss:1").unwrap().weights.rows, 9);
        assert_eq!(build("gauss:1,2").unwrap().weights.rows, 5);
        assert_eq!(build("box:3x5").unwrap().weights.cols, 5);
        assert_eq!(build("0 1 0; 1 -4 1; 0 1 0").unwrap().weights, footprint::preset("laplace").unwrap());
        assert_eq!(build("laplace").unwrap().weights.values[4], -4.0);
        assert_eq!(build("1 2 1").unwrap().weights.rows, 1);
        assert_eq!(build("-1e-1").unwrap().weights.values, [-0.1]);
        assert_eq!(KernelSpec::parse("a/k.NPY").unwrap(), KernelSpec::File("a/k.NPY".into()));
        assert_eq!(KernelSpec::parse("3x3.csv").unwrap(), KernelSpec::File("3x3.csv".into()));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "circle:R"),
            ("sobel", "sobel-x"),
            ("kernel.tif", ".npy"),
            ("circle:", "number"),
            ("circle:0", "above zero"),
            ("circle:3 furlong", "furlong"),
            ("circle:1,2", "circle:R"),
            ("circle:1e9 m", "smaller radius"),
            ("annulus:3", "OUTER,INNER"),
            ("annulus:2,4", "OUTER,INNER"),
            ("gauss:1,2,3", "TRUNCATE"),
            ("gauss:1,0", "TRUNCATE"),
            ("gauss:1,nan", "TRUNCATE"),
            ("box:3", "box:HxW"),
            ("box:4x3", "4x3"),
            ("box:-3x3", "box:HxW"),
            ("box:50001x50001", "at most"),
            ("1 2; 3 4", "2x2"),
            ("1 2 3; 4 5", "row 2"),
            ("1 2 x", "'x'"),
            ("0,5 1 0,5", "'0,5'"),
            ("1 2 1;", "row 2"),
            (";", "row 1"),
        ] {
            let error = build(text).unwrap_err();
            assert_eq!(error.exit_code(), crate::error::ExitCode::Usage, "{text}");
            let message = error.to_string();
            assert!(message.contains(part) && message.lines().count() == 1, "{text}: {message}");
        }
    }

    #[test]
    fn text_files_hold_one_row_a_line() {
        let csv = "\u{feff}# weights\n0, 1 ,0\r\n1,-4,1\n\n0,1,0 # last\n";
        assert_eq!(parse_table(csv, true, "k.csv").unwrap(), footprint::preset("laplace").unwrap());
        assert_eq!(parse_table("1\t2 1e0", false, "k.txt").unwrap().values, [1.0, 2.0, 1.0]);
        for (text, comma, part) in [
            ("1,2,1\n1,2\n", true, "line 2"),
            ("0,5 1 0,5", false, "'0,5'"),
            ("0,5;1;0,5", true, "'5;1;0'"),
            ("a,b,c\n1,2,3\n", true, "'a'"),
            ("1,2,", true, "''"),
            ("# nothing\n", true, "no numbers"),
        ] {
            let message = parse_table(text, comma, "k").unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(parse_table("1 2\n3 4\n", false, "k").unwrap_err().to_string().contains("2x2"));
    }

    #[test]
    fn doubtful_kernels_are_built_with_a_warning() {
        assert!(build("annulus:3,3").unwrap().warnings[0].contains("same in cells"));
        assert!(build("0 0 0").unwrap().warnings[0].contains("zero"));
        assert!(build("1 nan 1").unwrap().warnings[0].contains("NaN"));
        assert!(build("circle:3").unwrap().warnings.is_empty());
        assert!(KernelSpec::parse("annulus:3km,1").unwrap().has_metric_radius());
        assert!(!KernelSpec::parse("circle:3").unwrap().has_metric_radius());
    }
}

//! Tables as BIDS has them: tab-separated text with a line of column names, `n/a` for no value.

use crate::error::{Error, Result};

/// A table of text cells, `[row][column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    place: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Line of the file, from 1, of each row.
    lines: Vec<usize>,
}

impl Table {
    /// Reads `text`; `place` is the file's name in errors. Blank lines are left out.
    ///
    /// # Errors
    /// No line of names, a column named twice, or a row with another number of cells.
    pub fn parse(place: &str, text: &str) -> Result<Table> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let Some((_, head)) = lines.next() else {
            return Err(Error::data(place, "no text", "a line of column names and a row per channel", ""));
        };
        let columns: Vec<String> = head.split('\t').map(|cell| cell.trim().to_owned()).collect();
        if columns.len() == 1 && head.contains([',', ';']) {
            let advice = "save it with tabs, as BIDS asks";
            return Err(Error::data(place, "cells between commas", "cells between tabs", advice));
        }
        for (at, name) in columns.iter().enumerate() {
            if columns[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(Error::data(place, format!("two columns '{name}'"), "one", "rename one"));
            }
        }
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for (index, line) in lines {
            let cells: Vec<String> = line.split('\t').map(|cell| cell.trim().to_owned()).collect();
            if cells.len() != columns.len() {
                let place = format!("{place}, line {}", index + 1);
                let expected = format!("{}, one per column", columns.len());
                return Err(Error::data(place, format!("{} cells", cells.len()), expected, ""));
            }
            rows.push(cells);
            numbers.push(index + 1);
        }
        Ok(Table { place: place.to_owned(), columns, rows, lines: numbers })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True for a table of column names alone.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The file's name.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Index of the column called `name`, in any case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// Like [`Table::column`], for one that must be there.
    ///
    /// # Errors
    /// Lists the columns there are.
    pub fn required(&self, name: &str) -> Result<usize> {
        self.column(name).ok_or_else(|| {
            let found = format!("columns {}", self.columns.join(", "));
            Error::data(&self.place, found, format!("a column '{name}'"), "name it in the first line")
        })
    }

    /// A cell; `None` for `n/a` and for an empty one.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        let cell = self.rows.get(row)?.get(column)?.as_str();
        (!cell.is_empty() && !cell.eq_ignore_ascii_case("n/a")).then_some(cell)
    }

    /// A cell that must hold something.
    ///
    /// # Errors
    /// Names the line.
    pub fn text(&self, row: usize, column: usize) -> Result<&str> {
        self.cell(row, column).ok_or_else(|| {
            let expected = format!("a {}", self.columns.get(column).map_or("value", String::as_str));
            Error::data(self.row_place(row), "no value", expected, "")
        })
    }

    /// A finite number; `None` for `n/a`.
    ///
    /// # Errors
    /// Names line, column and text of a cell that is none.
    pub fn number(&self, row: usize, column: usize) -> Result<Option<f64>> {
        let Some(cell) = self.cell(row, column) else { return Ok(None) };
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => {
                let name = self.columns.get(column).map_or("", String::as_str);
                let place = format!("{}, column {name}", self.row_place(row));
                Err(Error::data(place, format!("'{cell}'"), "a number or n/a", ""))
            }
        }
    }

    /// File and line of a row.
    pub fn row_place(&self, row: usize) -> String {
        format!("{}, line {}", self.place, self.lines.get(row).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order_and_case() {
        let text = "\u{feff}type\tName\tstatus\r\nEEG\tFp1\tgood\r\n\r\nEOG\tVEOG\tn/a\r\n";
        let table = Table::parse("c.tsv", text).unwrap();
        let (name, kind, status) =
            (table.column("name").unwrap(), table.column("type").unwrap(), table.column("status").unwrap());
        assert_eq!((table.len(), table.cell(0, name), table.cell(1, kind)), (2, Some("Fp1"), Some("EOG")));
        assert_eq!((table.cell(1, status), table.cell(9, 0)), (None, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let message = |text: &str| Table::parse("c.tsv", text).unwrap_err().to_string();
        assert_eq!(message("name\ttype\nFp1\n"), "c.tsv, line 2: found 1 cells, expected 2, one per column");
        assert_eq!(
            message("name,type\nFp1,EEG\n"),
            "c.tsv: found cells between commas, expected cells between tabs; save it with tabs, as BIDS asks"
        );
        assert_eq!(message("x\tX\n"), "c.tsv: found two columns 'X', expected one; rename one");
        assert!(message(" \n").starts_with("c.tsv: found no text"));
        let table = Table::parse("e.tsv", "name\tx\n\nFp1\t1,5\nFp2\tn/a\nFz\tnan\n").unwrap();
        assert_eq!(
            table.number(0, 1).unwrap_err().to_string(),
            "e.tsv, line 3, column x: found '1,5', expected a number or n/a"
        );
        assert_eq!(table.number(1, 1).unwrap(), None);
        assert!(table.number(2, 1).is_err());
        assert_eq!(
            table.required("y").unwrap_err().to_string(),
            "e.tsv: found columns name, x, expected a column 'y'; name it in the first line"
        );
        assert_eq!(table.text(1, 1).unwrap_err().to_string(), "e.tsv, line 4: found no value, expected a x");
    }
}

//! Columns of an NWB table whose rows have several values each.
//!
//! Values lie flat, row after row; an index column holds the end of each row. Features of spikes
//! come as (spikes, D) with one index, or flat with `_index` = end of each spike's values and
//! `_index_index` = end of each row in `_index` (spec decode 6.2). Storage is gone through once,
//! in its own order, whatever the rows.

use super::numbers::Numbers;
use super::reading::Reader;
use super::session::SpikeTrain;
use crate::error::{Error, Result};

/// Reads an index column of `total` values: ends of rows.
///
/// # Errors
/// It is missing, holds no integers, decreases, or leaves the values.
pub(super) fn ends(reader: &mut Reader, path: &str, total: u64) -> Result<Vec<u64>> {
    let index = open_index(reader, path)?;
    reader.take(index.rows().saturating_mul(8), &index.place)?;
    let mut ends = Vec::new();
    each_end(&index, total, &mut |_, end| {
        ends.push(end);
        Ok(())
    })?;
    let unused = total - ends.last().copied().unwrap_or(0);
    if unused > 0 {
        reader.warnings.push(format!("{}: the last {unused} of {total} values are in no row", index.place));
    }
    Ok(ends)
}

fn open_index(reader: &Reader, path: &str) -> Result<Numbers> {
    let index = reader.require(path, "an index column holds the end of each row")?;
    index.flat()?;
    if !index.dtype.is_integer() {
        return Err(index.wrong(format!("elements of type {}", index.dtype.name()), "unsigned integers"));
    }
    Ok(index)
}

/// Calls `visit` with each entry of an index column: where the entry before ends, and its own end.
fn each_end(index: &Numbers, total: u64, visit: &mut dyn FnMut(u64, u64) -> Result<()>) -> Result<()> {
    let mut values = Vec::new();
    let mut before = 0.0;
    index.each_block(0..index.rows(), &mut |first, bytes| {
        values.clear();
        values.resize(bytes.len() / index.dtype.size(), 0.0);
        // Exact up to 2^53, and no file holds so many values.
        index.convert(bytes, &mut values);
        for (at, &end) in values.iter().enumerate() {
            let place = || format!("{}, index {}", index.place, first + at as u64);
            if end < before {
                let expected = format!("{before} or more: ends of rows do not decrease");
                return Err(Error::data(place(), format!("{end}"), expected, ""));
            }
            if end > total as f64 {
                return Err(Error::data(place(), format!("{end}"), format!("at most {total} values"), ""));
            }
            visit(before as u64, end as u64)?;
            before = end;
        }
        Ok(())
    })
}

/// Gives each train room for its spike times.
pub(super) fn allocate(reader: &mut Reader, ends: &[u64], trains: &mut [SpikeTrain]) -> Result<()> {
    let mut begin = 0;
    for (train, &end) in trains.iter_mut().zip(ends) {
        train.times = reader.column(end - begin, "spike times")?;
        begin = end;
    }
    Ok(())
}

/// Takes a row's values: its number, the first value within it, stored bytes.
type Visit<'a> = &'a mut dyn FnMut(usize, usize, &[u8]) -> Result<()>;

/// Goes through `flat` once and hands each row its values, in one piece or several.
pub(super) fn fill(flat: &Numbers, ends: &[u64], visit: Visit<'_>) -> Result<()> {
    let width = flat.row().saturating_mul(flat.dtype.size() as u64).max(1) as usize;
    let last = ends.last().copied().unwrap_or(0);
    let mut unit = 0;
    flat.each_block(0..last, &mut |first, mut bytes| {
        let mut at = first;
        while !bytes.is_empty() {
            // Rows without values end where the one before does.
            while ends.get(unit).is_some_and(|&end| end <= at) {
                unit += 1;
            }
            let Some(&end) = ends.get(unit) else { return Ok(()) };
            let begin = unit.checked_sub(1).map_or(0, |before| ends[before]);
            let count = (bytes.len() / width).min((end - at) as usize);
            let (head, tail) = bytes.split_at(count * width);
            visit(unit, (at - begin) as usize, head)?;
            (at, bytes) = (at + count as u64, tail);
        }
        Ok(())
    })
}

/// A column of features, its shape checked against the spikes.
pub(super) struct Column {
    flat: Numbers,
    /// End of each train's values in `flat` (rows of it where it has two axes).
    ends: Vec<u64>,
    /// Features of a spike, by train; 0 for trains without spikes.
    widths: Vec<usize>,
}

impl Column {
    /// Opens `table/name` and compares it with the spikes of each train, whose ends are `spikes`.
    ///
    /// # Errors
    /// A missing dataset, a wrong index, or a train whose features are not one row of equal
    /// length for each spike; names the electrode.
    pub fn open(
        reader: &mut Reader,
        table: &str,
        name: &str,
        spikes: &[u64],
        trains: &[SpikeTrain],
    ) -> Result<Column> {
        let path = format!("{table}/{name}");
        let flat = reader.require(&path, "check the name of the column (--features)")?;
        let doubly = format!("{path}_index_index");
        if reader.has(&doubly) {
            return Column::doubly(reader, flat, &path, spikes, trains);
        }
        let width = match flat.shape[..] {
            [_] => 1,
            [_, width] => flat.features(width, "all electrodes")?,
            _ => return Err(flat.wrong(format!("shape {:?}", flat.shape), "(spikes) or (spikes, features)")),
        };
        let ends = ends(reader, &format!("{path}_index"), flat.rows())?;
        check_rows(&flat, &ends, spikes, trains)?;
        let widths = trains.iter().map(|train| if train.times.is_empty() { 0 } else { width }).collect();
        Ok(Column { flat, ends, widths })
    }

    fn doubly(
        reader: &mut Reader,
        flat: Numbers,
        path: &str,
        spikes: &[u64],
        trains: &[SpikeTrain],
    ) -> Result<Column> {
        flat.flat()?;
        let index = open_index(reader, &format!("{path}_index"))?;
        let rows = ends(reader, &format!("{path}_index_index"), index.rows())?;
        check_rows(&flat, &rows, spikes, trains)?;
        reader.take(rows.len() as u64 * 16, &index.place)?;
        let (mut ends, mut widths) = (vec![0; rows.len()], vec![0; rows.len()]);
        let (mut unit, mut spike) = (0, 0u64);
        let label = |unit: usize| trains.get(unit).map_or("", |train| train.label.as_str());
        each_end(&index, flat.rows(), &mut |begin, end| {
            while rows.get(unit).is_some_and(|&last| last <= spike) {
                unit += 1;
                if let Some(slot) = ends.get_mut(unit) {
                    *slot = begin;
                }
            }
            // Spikes of no row: told of as the index was read.
            let (Some(width), Some(slot)) = (widths.get_mut(unit), ends.get_mut(unit)) else { return Ok(()) };
            let first = unit.checked_sub(1).map_or(0, |before| rows[before]) == spike;
            let count = (end - begin) as usize;
            if first {
                *width = if count > 0 { flat.features(count as u64, label(unit))? } else { 0 };
            }
            if count != *width || count == 0 {
                let found = format!("{count} features for a spike of {}", label(unit));
                let expected = if count == 0 { "at least one".into() } else { format!("{width}, as before") };
                return Err(Error::data(format!("{}, index {spike}", index.place), found, expected, ""));
            }
            *slot = end;
            spike += 1;
            Ok(())
        })?;
        // Trains after the last spike have none: they end where the values do.
        for at in 1..ends.len() {
            ends[at] = ends[at].max(ends[at - 1]);
        }
        Ok(Column { flat, ends, widths })
    }
}

/// Compares numbers of spikes and of rows of features, train by train.
fn check_rows(flat: &Numbers, rows: &[u64], spikes: &[u64], trains: &[SpikeTrain]) -> Result<()> {
    if rows.len() != trains.len() {
        let found = format!("features for {} rows", rows.len());
        return Err(flat.wrong(found, format!("{}, the rows of spike_times", trains.len())));
    }
    let mut before = (0, 0);
    for ((&row, &spike), train) in rows.iter().zip(spikes).zip(trains) {
        let (found, expected) = (row - before.0, spike - before.1);
        if found != expected {
            let found = format!("{found} rows for {}", train.label);
            return Err(flat.wrong(found, format!("{expected}, one per spike time")));
        }
        before = (row, spike);
    }
    Ok(())
}

/// Reads columns side by side into the marks of the trains.
pub(super) fn read_columns(reader: &mut Reader, columns: &[Column], trains: &mut [SpikeTrain]) -> Result<()> {
    for (at, train) in trains.iter_mut().enumerate() {
        let width = columns.iter().map(|c| c.widths[at]).fold(0usize, usize::saturating_add);
        train.width = width;
        let values = (train.times.len() as u64).saturating_mul(width as u64);
        train.marks = reader.column(values, "features")?;
    }
    let mut offsets = vec![0; trains.len()];
    let mut scratch = Vec::new();
    for column in columns {
        let (flat, row) = (&column.flat, column.flat.row() as usize);
        fill(flat, &column.ends, &mut |unit, first, bytes| {
            let (Some(train), Some(&width)) = (trains.get_mut(unit), column.widths.get(unit)) else {
                return Ok(());
            };
            let (begin, count) = (first * row, bytes.len() / flat.dtype.size());
            if width == train.width {
                flat.convert(bytes, train.marks.get_mut(begin..begin + count).unwrap_or_default());
                train.release();
                return Ok(());
            }
            scratch.clear();
            scratch.resize(count, 0.0);
            flat.convert(bytes, &mut scratch);
            for (at, &value) in (begin..).zip(&scratch) {
                let place = at / width * train.width + offsets[unit] + at % width;
                if let Some(slot) = train.marks.get_mut(place) {
                    *slot = value;
                }
            }
            train.release();
            Ok(())
        })?;
        for (offset, width) in offsets.iter_mut().zip(&column.widths) {
            *offset += width;
        }
    }
    // A train without spikes has no width of its own in a ragged column.
    let common = trains.iter().map(|train| train.width).find(|&width| width > 0).unwrap_or(0);
    trains.iter_mut().filter(|train| train.times.is_empty()).for_each(|train| train.width = common);
    Ok(())
}

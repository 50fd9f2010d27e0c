//! The result file: netCDF-4 that `xarray.open_dataset` reads like the peer's (spec decode 6.1).
//!
//! [`ResultFile::create`] makes dimensions, coordinates and variables; rows `[time][column]` of
//! any block follow in any order, since the smoother runs backwards, and [`ResultFile::finish`]
//! syncs and renames. Values are computed in f64 or f32 over interior bins and stored as float32
//! over all bins, NaN between. With one state the dimension `states` does not exist, as in the
//! peer's files. Equal results give equal bytes, however the rows were cut into blocks.

mod coordinates;
mod layout;
mod partial;
mod variables;

use crate::io::netcdf::scales::{not_a_number, set_fill};
pub use layout::{Columns, ResultLayout, ResultState};
pub use variables::{Row, Variable};

use crate::array::{Dtype, Real};
use crate::error::{Error, Result};
use crate::io::netcdf::text_attribute;
use crate::io::{self, Attribute, AttributeValue, DatasetId, DatasetSpec, Writer};
use coordinates::Coordinates;
use partial::Partial;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rows of a chunk where the file is compressed (spec 6.1).
pub const CHUNK_ROWS: usize = 4096;
/// Bytes that are converted at a time where it is not.
const PIECE: usize = 4 << 20;
/// Bytes that chunks at work may take, converted, cut, shuffled and deflated, unless a single one
/// takes more.
const CHUNKS_AT_WORK: usize = 256 << 20;

/// A result file under construction; dropped before [`ResultFile::finish`] it is removed.
pub struct ResultFile {
    path: PathBuf,
    writer: Box<dyn Writer>,
    /// Datasets of every variable, one per axis for positions.
    datasets: BTreeMap<Variable, Vec<Slot>>,
    columns: Columns,
    states: usize,
    rows: usize,
    chunk_rows: Option<usize>,
    buffer: Vec<u8>,
}

/// A dataset, and rows of it that wait for the rest of their chunk.
struct Slot {
    id: DatasetId,
    partial: Option<Partial>,
}

impl Slot {
    fn write(&mut self, writer: &mut dyn Writer, first_row: usize, bytes: &[u8]) -> Result<()> {
        let id = self.id;
        match &mut self.partial {
            None => writer.write_rows(id, first_row as u64, bytes),
            Some(partial) => {
                partial.take(first_row, bytes, &mut |first, chunk| writer.write_rows(id, first as u64, chunk))
            }
        }
    }
}

impl ResultFile {
    /// Makes a file beside `path` with all coordinates of `layout`, and room for `variables`.
    ///
    /// `compress` is a deflate level, 1 to 9; without it everything is contiguous.
    ///
    /// # Errors
    /// A layout whose parts do not fit, a variable named twice, or a folder that is not writable.
    pub fn create(
        path: &Path,
        layout: &ResultLayout,
        variables: &[Variable],
        compress: Option<u32>,
    ) -> Result<Self> {
        layout.check()?;
        let rows = layout.time.len();
        let mut file = ResultFile {
            path: path.to_owned(),
            writer: io::create(path)?,
            datasets: BTreeMap::new(),
            columns: Columns::of(layout),
            states: layout.states.len(),
            rows,
            chunk_rows: compress.map(|_| rows.min(CHUNK_ROWS)),
            buffer: Vec::new(),
        };
        Coordinates { writer: file.writer.as_mut(), layout, wide: file.columns.wide }.write()?;
        for &variable in variables {
            let names = variable.names(layout);
            let slots = names.iter().map(|name| file.variable(layout, variable, name, compress));
            let slots = slots.collect::<Result<Vec<_>>>()?;
            file.datasets.insert(variable, slots);
        }
        Ok(file)
    }

    /// Blocks may be of any size. Where the file is compressed those that begin and end at multiples
    /// of this are fastest, with several chunks each: they are compressed in parallel. 1 where it is not.
    pub fn chunk_rows(&self) -> usize {
        self.chunk_rows.unwrap_or(1)
    }

    /// Bytes that writing `posteriors` variables over all bins takes beside the caller's block, at
    /// most, whatever the number of rows.
    pub fn working_bytes(
        layout: &ResultLayout,
        compress: Option<u32>,
        posteriors: usize,
        threads: usize,
    ) -> u64 {
        let row = 4 * layout.state_bins().count();
        let bytes = match compress {
            // A conversion, its copies for the library.
            None => 3 * row.max(PIECE.min(row * layout.time.len())),
            Some(_) => {
                let chunk = row * layout.time.len().min(CHUNK_ROWS);
                chunk * (4 * chunks_at_once(chunk, threads) + posteriors)
            }
        };
        bytes as u64
    }

    /// Writes rows from `first_row` on of a posterior or log likelihood, `[row][computing column]`,
    /// or of state probabilities, `[row][state]`. Blocks in any order, each row once.
    ///
    /// # Errors
    /// A variable that was not asked for, rows that are not whole or came before, or a full disk.
    pub fn write_rows<T: Real>(&mut self, variable: Variable, first_row: usize, rows: &[T]) -> Result<()> {
        let (narrow, wide) = match variable.row() {
            Row::StateBins => (self.columns.places.len(), self.columns.wide),
            Row::States => (self.states, self.states),
            _ => return Err(self.misuse(variable, "its rows are single numbers")),
        };
        if narrow == 0 || !rows.len().is_multiple_of(narrow) {
            return Err(self.misuse(variable, &format!("{} values are no rows of {narrow}", rows.len())));
        }
        let at_once = match self.chunk_rows {
            Some(chunk) => chunk * chunks_at_once(chunk * wide * 4, rayon::current_num_threads()),
            None => (PIECE / (4 * wide)).max(1),
        };
        let all_bins = variable.row() == Row::StateBins;
        let end = first_row.saturating_add(rows.len() / narrow);
        let mut at = first_row;
        while at < end {
            let stop = end.min((at / at_once + 1) * at_once);
            let values = &rows[(at - first_row) * narrow..(stop - first_row) * narrow];
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize((stop - at) * wide * 4, 0);
            let rows = buffer.par_chunks_exact_mut(wide * 4).zip(values.par_chunks_exact(narrow));
            rows.with_min_len(64).for_each(|(out, row)| match all_bins {
                true => self.columns.spread(row, out),
                false => narrowed(row, out),
            });
            self.put(variable, 0, at, &buffer)?;
            self.buffer = buffer;
            at = stop;
        }
        Ok(())
    }

    /// Writes positions or thresholds from `first_row` on: `[row][axis]`, or one number per row.
    ///
    /// # Errors
    /// As [`ResultFile::write_rows`].
    pub fn write_vector(&mut self, variable: Variable, first_row: usize, values: &[f64]) -> Result<()> {
        if !matches!(variable.row(), Row::Position | Row::Number) {
            return Err(self.misuse(variable, "its rows are no float64 numbers"));
        }
        let axes = self.datasets.get(&variable).map_or(1, Vec::len);
        if !values.len().is_multiple_of(axes) {
            return Err(self.misuse(variable, &format!("{} values over {axes} axes", values.len())));
        }
        for axis in 0..axes {
            let along = values.iter().skip(axis).step_by(axes);
            let bytes: Vec<u8> = along.flat_map(|value| value.to_le_bytes()).collect();
            self.put(variable, axis, first_row, &bytes)?;
        }
        Ok(())
    }

    /// Writes the most likely sequence from `first_row` on, given by computing columns; the file
    /// holds indices into `state_bins`.
    ///
    /// # Errors
    /// As [`ResultFile::write_rows`], and columns that are not there.
    pub fn write_bins(&mut self, variable: Variable, first_row: usize, columns: &[usize]) -> Result<()> {
        if variable.row() != Row::Index {
            return Err(self.misuse(variable, "its rows are no indices"));
        }
        let mut bytes = Vec::with_capacity(columns.len() * 8);
        for &column in columns {
            let Some(&place) = self.columns.places.get(column) else {
                return Err(self.misuse(variable, &format!("there is no column {column}")));
            };
            bytes.extend((place as i64).to_le_bytes());
        }
        self.put(variable, 0, first_row, &bytes)
    }

    /// Notes the marginal log likelihood, closes, syncs and renames into place.
    ///
    /// # Errors
    /// Rows are missing, or a full disk; nothing is left then.
    pub fn finish(mut self, marginal_log_likelihood: f64) -> Result<()> {
        let value = AttributeValue::Float(vec![marginal_log_likelihood], Dtype::F64);
        let attribute = Attribute { name: "marginal_log_likelihoods".into(), shape: vec![1], value };
        self.writer.set_attribute("/", &attribute)?;
        self.writer.finish()
    }

    fn put(&mut self, variable: Variable, axis: usize, first_row: usize, bytes: &[u8]) -> Result<()> {
        let Some(slot) = self.datasets.get_mut(&variable).and_then(|slots| slots.get_mut(axis)) else {
            return Err(self.misuse(variable, "it was not asked for"));
        };
        let put = slot.write(self.writer.as_mut(), first_row, bytes);
        put.map_err(|error| match error {
            // Which file is not known further down.
            Error::Failed(reason) if self.chunk_rows.is_some() => self.misuse(variable, &reason),
            other => other,
        })
    }

    fn misuse(&self, variable: Variable, reason: &str) -> Error {
        Error::Failed(format!("{}: cannot write {variable:?}: {reason}", self.path.display()))
    }

    /// Makes one data variable and attaches its dimensions.
    fn variable(
        &mut self,
        layout: &ResultLayout,
        variable: Variable,
        name: &str,
        compress: Option<u32>,
    ) -> Result<Slot> {
        let (length, scale) = match variable.row() {
            Row::StateBins => (Some(self.columns.wide), "state_bins"),
            Row::States if self.states > 1 => (Some(self.states), "states"),
            _ => (None, ""),
        };
        let shape: Vec<u64> = [Some(self.rows), length].into_iter().flatten().map(|n| n as u64).collect();
        let mut chunks = shape.clone();
        if let Some(first) = chunks.first_mut() {
            *first = self.chunk_rows.map_or(*first, |rows| rows as u64);
        }
        let spec = DatasetSpec {
            path: name.to_owned(),
            shape,
            dtype: variable.dtype(),
            chunks: compress.map(|_| chunks),
            deflate: compress,
            fill: not_a_number(variable.dtype()),
        };
        let width = length.unwrap_or(1) * spec.dtype.size();
        let partial = self.chunk_rows.map(|chunk| Partial::new(chunk, self.rows, width));
        let id = self.writer.create(&spec)?;
        set_fill(self.writer.as_mut(), name, variable.dtype())?;
        if let Some(names) = variable.coordinates(layout) {
            self.writer.set_attribute(name, &text_attribute("coordinates", &names))?;
        }
        self.writer.attach_scale(name, 0, "time")?;
        if length.is_some() {
            self.writer.attach_scale(name, 1, scale)?;
        }
        Ok(Slot { id, partial })
    }
}

/// Chunks of so many bytes that are at work together.
fn chunks_at_once(bytes: usize, threads: usize) -> usize {
    (CHUNKS_AT_WORK / (4 * bytes.max(1))).clamp(1, threads.max(1))
}

/// A row of float32 as it is.
fn narrowed<T: Real>(row: &[T], out: &mut [u8]) {
    for (cell, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(row) {
        *cell = (value.widen() as f32).to_le_bytes();
    }
}

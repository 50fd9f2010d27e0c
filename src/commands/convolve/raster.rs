//! The raster of a file as a stack of planes, rows delivered in working values.
//!
//! A raster is an N-D dataset with two chosen axes, rows (y) and columns (x); all other axes
//! count planes, slowest first. Where the chosen axes are not the last two, blocks are read as
//! the file lays them out and turned over here, so that kernels only ever see `[row, column]`.

use crate::array::{ByteOrder, Dtype, Real};
use crate::error::{Error, Result};
use crate::io::netcdf::CfDecoder;
use crate::io::{Block, Dataset};
use std::sync::Arc;

/// From stored elements to working values.
#[derive(Debug, Clone)]
pub enum Decoding {
    /// The numbers as they are.
    Plain(Dtype, ByteOrder),
    /// Nodata and packing as the attributes declare them (spec convolve 7.2, 7.4).
    Cf(CfDecoder),
}

impl Decoding {
    /// The type of the decoded numbers, before any choice of working type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Decoding::Plain(dtype, _) => *dtype,
            Decoding::Cf(decoder) => decoder.decoded(),
        }
    }

    fn decode<T: Real>(&self, bytes: &[u8], out: &mut [T]) {
        match self {
            Decoding::Plain(dtype, order) => T::from_stored(bytes, *dtype, *order, out),
            Decoding::Cf(decoder) => decoder.decode(bytes, out),
        }
    }
}

/// A dataset seen as planes of `height` x `width` cells.
pub struct Raster {
    dataset: Arc<dyn Dataset>,
    decoding: Decoding,
    /// File axis of the rows.
    y_axis: usize,
    /// File axis of the columns.
    x_axis: usize,
}

/// Buffers that reading rows needs, reused from call to call.
#[derive(Debug)]
pub struct ReadScratch<T> {
    bytes: Vec<u8>,
    turned: Vec<T>,
}

impl<T> ReadScratch<T> {
    /// Nothing is allocated yet.
    pub fn empty() -> Self {
        ReadScratch { bytes: Vec::new(), turned: Vec::new() }
    }
}

impl Raster {
    /// Sees `dataset` as planes over its axes `y_axis` and `x_axis`.
    ///
    /// # Errors
    /// The dataset has fewer than two axes, or the two are the same or out of range.
    pub fn new(
        dataset: Arc<dyn Dataset>,
        decoding: Decoding,
        axes: (usize, usize),
        place: &str,
    ) -> Result<Self> {
        let rank = dataset.info().shape.len();
        if rank < 2 {
            return Err(Error::data(
                place,
                format!("{rank} axes"),
                "a raster of at least 2 axes (rows, columns)",
                "name another dataset with --var",
            ));
        }
        if axes.0 == axes.1 || axes.0 >= rank || axes.1 >= rank {
            return Err(Error::usage(format!(
                "--dims: two different axes of the {rank} of {place} are needed"
            )));
        }
        Ok(Raster { dataset, decoding, y_axis: axes.0, x_axis: axes.1 })
    }

    /// Rows of a plane.
    pub fn height(&self) -> usize {
        self.length(self.y_axis)
    }

    /// Columns of a plane.
    pub fn width(&self) -> usize {
        self.length(self.x_axis)
    }

    /// Number of planes.
    pub fn planes(&self) -> u64 {
        self.plane_axes().map(|axis| self.dataset.info().shape[axis]).product()
    }

    /// Lengths of the axes that count planes, slowest first.
    pub fn plane_shape(&self) -> Vec<u64> {
        self.plane_axes().map(|axis| self.dataset.info().shape[axis]).collect()
    }

    /// How stored elements become numbers.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// The dataset behind it.
    pub fn dataset(&self) -> &dyn Dataset {
        self.dataset.as_ref()
    }

    /// Rows of one storage chunk, 1 where the storage has no chunks.
    pub fn chunk_rows(&self) -> u64 {
        self.dataset.info().chunks.as_ref().map_or(1, |chunks| chunks[self.y_axis].max(1))
    }

    /// Bytes of one stored row of a plane.
    pub fn stored_row_bytes(&self) -> u64 {
        let element = match self.decoding {
            Decoding::Plain(dtype, _) => dtype.size(),
            Decoding::Cf(ref decoder) => decoder.stored_size(),
        };
        (self.width() * element) as u64
    }

    fn length(&self, axis: usize) -> usize {
        self.dataset.info().shape[axis] as usize
    }

    fn plane_axes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.dataset.info().shape.len()).filter(|&axis| axis != self.y_axis && axis != self.x_axis)
    }

    /// Reads rows `from..to` of `plane` into `out`, row-major, `width` values a row.
    ///
    /// # Errors
    /// The dataset cannot be read or does not decode.
    pub fn read_rows<T: Real>(
        &self,
        plane: u64,
        rows: std::ops::Range<u64>,
        out: &mut [T],
        scratch: &mut ReadScratch<T>,
    ) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let block = self.block(plane, &rows);
        let ReadScratch { bytes, turned } = scratch;
        if self.y_axis < self.x_axis {
            return self.dataset.with_block(&block, bytes, &mut |stored| {
                self.decoding.decode(stored, out);
                Ok(())
            });
        }
        turned.resize(out.len(), T::NAN);
        self.dataset.with_block(&block, bytes, &mut |stored| {
            self.decoding.decode(stored, turned);
            Ok(())
        })?;
        let (height, width) = ((rows.end - rows.start) as usize, self.width());
        for (column, values) in turned.chunks_exact(height).enumerate() {
            for (row, value) in values.iter().enumerate() {
                out[row * width + column] = *value;
            }
        }
        Ok(())
    }

    fn block(&self, plane: u64, rows: &std::ops::Range<u64>) -> Block {
        let shape = &self.dataset.info().shape;
        let (mut start, mut count) = (vec![0; shape.len()], vec![1; shape.len()]);
        let mut rest = plane;
        for axis in self.plane_axes().collect::<Vec<_>>().into_iter().rev() {
            start[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        (start[self.y_axis], count[self.y_axis]) = (rows.start, rows.end - rows.start);
        count[self.x_axis] = shape[self.x_axis];
        Block { start, count }
    }
}

//! The weights of a focal convolution.

use crate::array::WorkType;
use crate::error::{Error, Result};

/// What type the weights came in; it decides the type of products (spec convolve 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelType {
    /// float64, and everything built by name.
    F64,
    /// float32 and float16.
    F32,
    /// int8, uint8, int16, bool.
    SmallInt,
    /// uint16, int32, uint32, int64, uint64.
    WideInt,
}

/// A kernel: odd number of rows and columns, C order, applied unflipped.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `rows * cols` values, row-major.
    pub values: Vec<f64>,
    /// Rows, odd.
    pub rows: usize,
    /// Columns, odd.
    pub cols: usize,
    /// The type they came in.
    pub kind: KernelType,
}

impl Weights {
    /// Checks the shape and wraps the values.
    ///
    /// # Errors
    ///
    /// A usage error if a side is even or zero, or the number of values is not `rows * cols`.
    pub fn new(values: Vec<f64>, rows: usize, cols: usize, kind: KernelType) -> Result<Self> {
        if rows % 2 == 0 || cols % 2 == 0 || rows.checked_mul(cols) != Some(values.len()) {
            return Err(Error::usage(format!(
                "kernel of {} values in {rows} x {cols}: both sides must be odd",
                values.len()
            )));
        }
        Ok(Weights { values, rows, cols, kind })
    }

    /// True where the peer forms each product in float32 before adding (spec convolve 1.2).
    pub fn products_in_f32(&self, work: WorkType) -> bool {
        work == WorkType::F32 && matches!(self.kind, KernelType::F32 | KernelType::SmallInt)
    }
}

//! The weights of a focal kernel: values, shape `[row, column]`, and the type they came in.
//!
//! The stored type matters to the last bit: a product of weight and cell is formed in the type
//! that numpy would choose for the two, and only then widened (spec convolve 1.2). All weights
//! are held as `f64`; that is exact for every stored type but 64-bit integers beyond 2^53, which
//! are rounded once to the nearest `f64`, just as numpy does when it multiplies them.

use crate::array::{Dtype, WorkType};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Most taps a kernel may have: 4095 x 4095 and a little more (128 MiB of weights).
///
/// Far above any kernel in use, far below what a slip of a unit asks for; it is checked before
/// anything of that size is allocated.
pub const MAX_TAPS: u64 = 1 << 24;

/// Stored types of a kernel, by the type that a product with a `f32` cell takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelType {
    /// 64-bit floating point.
    F64,
    /// 32-bit (and 16-bit) floating point.
    F32,
    /// Types that fit a `f32`: int8, uint8, int16, bool.
    SmallInt,
    /// Types that do not: uint16 and all integers of 32 and 64 bits.
    WideInt,
}

impl KernelType {
    /// The class of a stored element type.
    pub fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F64 => KernelType::F64,
            Dtype::F32 | Dtype::F16 => KernelType::F32,
            Dtype::I8 | Dtype::U8 | Dtype::I16 => KernelType::SmallInt,
            Dtype::U16 | Dtype::I32 | Dtype::U32 | Dtype::I64 | Dtype::U64 => KernelType::WideInt,
        }
    }
}

/// A kernel of `rows` x `cols` weights, row-major, both sides odd.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// `rows * cols` weights, row-major.
    pub values: Vec<f64>,
    /// Odd number of rows (y).
    pub rows: usize,
    /// Odd number of columns (x).
    pub cols: usize,
    /// The type the weights were stored in.
    pub kind: KernelType,
}

/// Checks the sides of a kernel before anything of its size is allocated.
///
/// # Errors
/// A side is even or zero, or there are more than [`MAX_TAPS`] taps. The message names the shape.
pub fn check_sides(rows: u64, cols: u64) -> Result<()> {
    if rows.is_multiple_of(2) || cols.is_multiple_of(2) {
        return Err(Error::usage(format!(
            "kernel of {rows}x{cols} cells: both sides must be odd, so that there is a centre cell"
        )));
    }
    if rows.checked_mul(cols).is_none_or(|taps| taps > MAX_TAPS) {
        return Err(Error::usage(format!(
            "kernel of {rows}x{cols} cells: at most {MAX_TAPS} taps (4095x4095) are possible; \
             take a smaller radius, or check its unit and the cell size"
        )));
    }
    Ok(())
}

impl Weights {
    /// A kernel from its weights, row-major.
    ///
    /// # Errors
    /// A side is even or zero, the kernel is too large, or `values` has not `rows * cols` weights.
    pub fn new(values: Vec<f64>, rows: usize, cols: usize, kind: KernelType) -> Result<Self> {
        check_sides(rows as u64, cols as u64)?;
        if values.len() != rows * cols {
            return Err(Error::usage(format!(
                "kernel of {rows}x{cols} cells: found {} weights, expected {}",
                values.len(),
                rows * cols
            )));
        }
        Ok(Weights { values, rows, cols, kind })
    }

    /// A kernel from an array of any rank, as a file holds it.
    ///
    /// # Errors
    /// The array is not 2-D, or [`Weights::new`] refuses it. The message names the shape.
    pub fn from_shape(values: Vec<f64>, shape: &[u64], kind: KernelType) -> Result<Self> {
        let [rows, cols] = *shape else {
            let sides: Vec<String> = shape.iter().map(u64::to_string).collect();
            return Err(Error::usage(format!(
                "kernel of shape ({}): found {} axes, expected 2 (rows, columns)",
                sides.join(", "),
                shape.len()
            )));
        };
        check_sides(rows, cols)?;
        Weights::new(values, rows as usize, cols as usize, kind)
    }

    /// Rows above and below the centre.
    pub fn half_rows(&self) -> usize {
        self.rows / 2
    }

    /// Columns left and right of the centre.
    pub fn half_cols(&self) -> usize {
        self.cols / 2
    }

    /// True where the exact path forms products in `f32` before it widens them (spec convolve 1.2).
    pub fn products_in_f32(&self, work: WorkType) -> bool {
        work == WorkType::F32 && matches!(self.kind, KernelType::F32 | KernelType::SmallInt)
    }

    /// Sum of the weights, row-major, in `f64`.
    pub fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The kernel divided by its sum, as 64-bit weights whatever it was stored in.
    ///
    /// # Errors
    /// The sum is zero or not finite.
    pub fn normalized(&self) -> Result<Self> {
        let sum = self.sum();
        if sum == 0.0 || !sum.is_finite() {
            return Err(Error::usage(format!(
                "--normalize: the kernel's weights sum to {sum}, so they cannot be divided by their sum; \
                 leave --normalize out"
            )));
        }
        let values = self.values.iter().map(|weight| weight / sum).collect();
        Ok(Weights { values, kind: KernelType::F64, ..*self })
    }

    /// The kernel turned about both axes: correlation with it is true convolution.
    pub fn flipped(&self) -> Self {
        let values = self.values.iter().rev().copied().collect();
        Weights { values, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_must_be_odd_and_within_reason() {
        for (rows, cols) in [(2, 3), (3, 4), (0, 3), (3, 0)] {
            let message = check_sides(rows, cols).unwrap_err().to_string();
            assert!(message.contains(&format!("{rows}x{cols}")), "{message}");
        }
        for side in [50_001, u64::MAX] {
            assert!(check_sides(side, side).unwrap_err().to_string().contains("at most"));
        }
        check_sides(4095, 4095).unwrap();
        assert!(Weights::new(vec![1.0; 8], 3, 3, KernelType::F64).is_err());
        let message = Weights::from_shape(vec![1.0; 3], &[3], KernelType::F64).unwrap_err().to_string();
        assert!(message.contains("1 axes"), "{message}");
        assert!(Weights::from_shape(vec![1.0; 27], &[3, 3, 3], KernelType::F64).is_err());
        assert!(Weights::from_shape(vec![], &[u64::MAX, u64::MAX], KernelType::F64).is_err());
    }

    #[test]
    fn products_follow_the_type_table() {
        for dtype in Dtype::ALL {
            let weights = Weights::new(vec![1.0], 1, 1, KernelType::of(dtype)).unwrap();
            assert!(!weights.products_in_f32(WorkType::F64));
            let narrow = matches!(dtype, Dtype::F16 | Dtype::F32 | Dtype::I8 | Dtype::U8 | Dtype::I16);
            assert_eq!(weights.products_in_f32(WorkType::F32), narrow, "{dtype:?}");
        }
    }

    #[test]
    fn normalizing_needs_a_sum_and_flipping_turns_both_axes() {
        let laplace = Weights::new(vec![0., 1., 0., 1., -4., 1., 0., 1., 0.], 3, 3, KernelType::F64).unwrap();
        assert!(laplace.normalized().unwrap_err().to_string().contains("sum to 0"));
        let row = Weights::new(vec![1., 2., 5.], 1, 3, KernelType::F32).unwrap();
        assert_eq!(row.normalized().unwrap().values, [0.125, 0.25, 0.625]);
        assert_eq!(row.normalized().unwrap().kind, KernelType::F64);
        assert_eq!(row.flipped().values, [5., 2., 1.]);
        let nan = Weights::new(vec![f64::NAN], 1, 1, KernelType::F64).unwrap();
        assert!(nan.normalized().is_err());
    }
}

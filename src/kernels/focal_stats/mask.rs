//! The mask of a focal statistic: which cells of the window count.

use crate::error::{Error, Result};
use crate::kernels::focal::Weights;

/// A 0/1 mask with odd sides, `[row, column]`, as the cells and runs of its ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rows: usize,
    cols: usize,
    taps: Vec<(u32, u32)>,
    runs: Vec<(u32, u32, u32)>,
}

impl Mask {
    /// A mask from weights that are all 0 or 1.
    ///
    /// # Errors
    /// [`Error::Usage`] for an even or zero side and for any other weight, with its place.
    pub fn from_weights(weights: &Weights) -> Result<Self> {
        let (rows, cols, values) = (weights.rows, weights.cols, &weights.values);
        if rows % 2 == 0 || cols % 2 == 0 || rows.checked_mul(cols) != Some(values.len()) {
            return Err(Error::usage(format!(
                "kernel of {rows} x {cols}: both sides must be odd and at least 1"
            )));
        }
        if let Some(at) = values.iter().position(|&w| w != 0.0 && w != 1.0) {
            return Err(Error::usage(format!(
                "kernel row {}, column {}: weight {}, but --stat uses the kernel as a mask of 0 and 1 only; \
                 leave out --normalize or give a circle, annulus or box",
                at / cols,
                at % cols,
                values[at]
            )));
        }
        let mut mask = Mask { rows, cols, taps: Vec::new(), runs: Vec::new() };
        for (a, row) in (0u32..).zip(values.chunks_exact(cols)) {
            for (b, _) in (0u32..).zip(row).filter(|(_, w)| **w == 1.0) {
                mask.taps.push((a, b));
                match mask.runs.last_mut() {
                    Some((row, _, end)) if *row == a && *end == b => *end += 1,
                    _ => mask.runs.push((a, b, b + 1)),
                }
            }
        }
        Ok(mask)
    }

    /// Rows of the window.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the window.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Rows above and below the centre: the halo of a strip.
    pub fn half_rows(&self) -> usize {
        self.rows / 2
    }

    /// Columns beside the centre.
    pub fn half_cols(&self) -> usize {
        self.cols / 2
    }

    /// How many ones.
    pub fn count(&self) -> usize {
        self.taps.len()
    }

    /// The ones as (row, column) in row-major order.
    pub fn taps(&self) -> &[(u32, u32)] {
        &self.taps
    }

    /// Stretches of ones: (row, first column, one past the last column).
    pub fn runs(&self) -> &[(u32, u32, u32)] {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::focal::KernelType;

    fn mask(values: &[f64], rows: usize, cols: usize) -> Result<Mask> {
        Mask::from_weights(&Weights { values: values.to_vec(), rows, cols, kind: KernelType::F64 })
    }

    #[test]
    fn anything_but_zero_and_one_is_refused_with_its_place() {
        let text = |w: &[f64], h, c| mask(w, h, c).unwrap_err().to_string();
        assert!(text(&[0.0, 1.0, 0.0, 1.0, 0.5, 1.0], 2, 3).contains("2 x 3"));
        assert!(text(&[], 0, 0).contains("0 x 0"));
        let mut weights = [1.0; 9];
        weights[5] = 0.25;
        assert!(text(&weights, 3, 3).starts_with("kernel row 1, column 2: weight 0.25"));
        weights[5] = f64::NAN;
        assert!(text(&weights, 3, 3).contains("weight NaN"));
    }

    #[test]
    fn taps_are_row_major_and_runs_cover_them() {
        let mask = mask(&[1.0, 1.0, 0.0, -0.0, 1.0, 1.0, 1.0, 0.0, 1.0], 3, 3).unwrap();
        assert_eq!(mask.taps(), [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 2)]);
        assert_eq!(mask.runs(), [(0, 0, 2), (1, 1, 3), (2, 0, 1), (2, 2, 3)]);
        assert_eq!(mask.count(), 6);
    }
}

//! The definition of the focal convolution: plain, slow, obviously right.
//!
//! Every other path is tested against this one, and this one against the published tool.

use super::{NanRule, Weights};
use crate::array::Real;
use crate::kernels::window::Boundary;

/// A whole raster and how to read beyond its edges.
#[derive(Debug, Clone, Copy)]
pub struct Raster<'a, T> {
    /// Cells, row-major.
    pub values: &'a [T],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// What lies outside.
    pub boundary: Boundary,
}

impl<T: Real> Raster<'_, T> {
    /// The value at a place that may lie far outside; `None` where the boundary has none.
    pub fn at(&self, row: i64, col: i64) -> Option<T> {
        match (self.boundary.map(row, self.height), self.boundary.map(col, self.width)) {
            (Some(i), Some(j)) => self.values.get(i * self.width + j).copied(),
            _ => match self.boundary {
                Boundary::Constant(value) => Some(T::round_from(value)),
                _ => None,
            },
        }
    }
}

/// The convolution of a whole raster, `height * width` values.
pub fn convolve<T: Real>(raster: &Raster<T>, weights: &Weights, nan: NanRule) -> Vec<T> {
    (0..raster.height * raster.width)
        .map(|cell| T::round_from(sum(raster, weights, nan, (cell / raster.width, cell % raster.width))))
        .collect()
}

/// The sum at one cell before the last rounding: taps in row-major order, every product and
/// every addition rounded on its own.
fn sum<T: Real>(raster: &Raster<T>, weights: &Weights, nan: NanRule, (i, j): (usize, usize)) -> f64 {
    let narrow = weights.products_in_f32(T::WORK);
    let (mut total, mut valid) = (0.0, 0.0);
    for (tap, &weight) in weights.values.iter().enumerate() {
        let row = (i + tap / weights.cols) as i64 - (weights.rows / 2) as i64;
        let col = (j + tap % weights.cols) as i64 - (weights.cols / 2) as i64;
        let Some(value) = raster.at(row, col) else { return f64::NAN };
        let value = value.widen();
        match nan {
            NanRule::Footprint if weight == 0.0 => continue,
            NanRule::Ignore if value.is_nan() => continue,
            _ => {}
        }
        total += if narrow { f64::from(weight as f32 * value as f32) } else { weight * value };
        valid += weight;
    }
    if nan == NanRule::Ignore { total / valid } else { total }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::focal::KernelType;

    #[test]
    fn small_sums_by_hand() {
        let values = [1.0, 2.0, f64::NAN, 4.0];
        let weights = Weights::new(vec![2.0, 0.0, 1.0], 1, 3, KernelType::F64).unwrap();
        let run = |boundary, nan| {
            let raster = Raster { values: &values, height: 1, width: 4, boundary };
            convolve(&raster, &weights, nan).iter().map(|v| format!("{v}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(run(Boundary::Nan, NanRule::Propagate), "NaN NaN NaN NaN");
        assert_eq!(run(Boundary::Nearest, NanRule::Propagate), "4 NaN NaN NaN");
        assert_eq!(run(Boundary::Nearest, NanRule::Footprint), "4 NaN 8 NaN");
        assert_eq!(run(Boundary::Constant(10.0), NanRule::Footprint), "22 NaN 8 NaN");
        assert_eq!(run(Boundary::Wrap, NanRule::Ignore), "3.3333333333333335 1 2.6666666666666665 1");
    }

    #[test]
    fn products_of_narrow_kernels_are_rounded_before_they_are_added() {
        let weights = |kind| Weights::new(vec![f64::from(0.1f32)], 1, 1, kind).unwrap();
        let raster =
            Raster { values: &[3e38f32, 16_777_217.0], height: 1, width: 2, boundary: Boundary::Nan };
        assert_eq!(convolve(&raster, &weights(KernelType::F32), NanRule::Propagate)[0], 0.1f32 * 3e38);
        let two = Weights::new(vec![2.0, 0.0, -2.0], 1, 3, KernelType::SmallInt).unwrap();
        let raster = Raster { values: &[3e38f32; 3], height: 1, width: 3, boundary: Boundary::Nan };
        assert!(convolve(&raster, &two, NanRule::Propagate)[1].is_nan());
        let wide = Weights { kind: KernelType::WideInt, ..two };
        assert_eq!(convolve(&raster, &wide, NanRule::Propagate)[1], 0.0);
    }
}

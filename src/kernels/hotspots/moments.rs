//! Count, mean and squared deviations of the valid cells of a plane, in float64.
//!
//! Each row is measured on its own in a fixed order and rows are joined in row order, so the
//! result depends neither on strips nor on threads.

/// Moments of the cells that are not NaN.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Sum of their squared distances from the mean.
    pub squares: f64,
}

/// Running sums of a row, so that additions need not wait for each other.
const LANES: usize = 8;

impl Moments {
    /// Moments of one row, in two passes over it.
    pub fn of_row(cells: &[f32]) -> Self {
        let is = |x: f32| if x.is_nan() { 0.0 } else { 1.0 };
        let count = lane_sum(cells, is);
        if count == 0.0 {
            return Moments::default();
        }
        let mean = lane_sum(cells, |x| if x.is_nan() { 0.0 } else { f64::from(x) }) / count;
        let square = |x: f32| {
            let d = f64::from(x) - mean;
            if x.is_nan() { 0.0 } else { d * d }
        };
        Moments { count: count as u64, mean, squares: lane_sum(cells, square) }
    }

    /// Moments of these cells and `later` ones together.
    pub fn join(self, later: Moments) -> Self {
        if self.count == 0 {
            return later;
        }
        if later.count == 0 {
            return self;
        }
        let (n, m) = (self.count as f64, later.count as f64);
        let apart = later.mean - self.mean;
        Moments {
            count: self.count + later.count,
            mean: self.mean + apart * (m / (n + m)),
            squares: self.squares + later.squares + apart * apart * (n * m / (n + m)),
        }
    }

    /// Population standard deviation.
    pub fn std(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

#[inline(always)]
fn lane_sum(cells: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut blocks = cells.chunks_exact(LANES);
    for block in &mut blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += term(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(blocks.remainder()) {
        *lane += term(*x);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_joined_in_order_are_the_two_pass_moments() {
        let cells: Vec<f32> = (0..1000u32)
            .map(|i| if i % 17 == 3 { f32::NAN } else { 1e6 + (i.wrapping_mul(2_654_435_761) >> 20) as f32 })
            .collect();
        let valid: Vec<f64> = cells.iter().filter(|x| !x.is_nan()).map(|&x| f64::from(x)).collect();
        let mean = valid.iter().sum::<f64>() / valid.len() as f64;
        let var = valid.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / valid.len() as f64;
        for width in [1, 3, 8, 37, 1000] {
            let joined = cells.chunks(width).map(Moments::of_row).fold(Moments::default(), Moments::join);
            assert_eq!(joined.count, valid.len() as u64);
            assert!((joined.mean - mean).abs() <= 1e-14 * mean, "{width}: {} {mean}", joined.mean);
            assert!((joined.std() - var.sqrt()).abs() <= 1e-12 * var.sqrt(), "{width}");
        }
    }
}

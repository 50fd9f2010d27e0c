//! Kernels that are a column times a row (spec convolve 8.2.2).

/// Factors of a rank-1 kernel: `k[a, b] = column[a] * row[b]` within rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// One factor per kernel row.
    pub column: Vec<f64>,
    /// One factor per kernel column.
    pub row: Vec<f64>,
}

/// Factors of `rows x cols` weights (row-major), or `None` if a single entry is off.
///
/// Whole-number kernels get whole-number factors, so that sums over whole numbers stay exact.
/// The bound per entry is that of weights computed as one product or one exponential; a kernel
/// that is only nearly separable is another operator and is refused.
pub fn rank_one(values: &[f64], rows: usize, cols: usize) -> Option<Factors> {
    let largest = values.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?.0;
    let pivot = values[largest];
    if !pivot.is_finite() || pivot == 0.0 {
        return None;
    }
    let (p, q) = (largest / cols, largest % cols);
    let line = &values[p * cols..(p + 1) * cols];
    let factors = if values.iter().all(|&k| k.fract() == 0.0 && k.abs() < 9e15) {
        // The row without its common divisor divides every other row of a rank-1 matrix.
        let divisor = line.iter().fold(0_u64, |d, &k| common_divisor(d, k.abs() as u64)) as f64;
        let row: Vec<f64> = line.iter().map(|k| k / divisor).collect();
        let column = (0..rows).map(|a| values[a * cols + q] / row[q]).collect();
        Factors { column, row }
    } else {
        let column = (0..rows).map(|a| values[a * cols + q]).collect();
        Factors { column, row: line.iter().map(|k| k / pivot).collect() }
    };
    let slack = 8.0_f64.max((values.len() as f64).sqrt() / 2.0) * (f64::EPSILON / 2.0);
    let fits = values
        .iter()
        .enumerate()
        .all(|(at, &k)| (factors.column[at / cols] * factors.row[at % cols] - k).abs() <= slack * k.abs());
    fits.then_some(factors)
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_kernels_get_integer_factors() {
        let sobel = [-1., 0., 1., -2., 0., 2., -1., 0., 1.];
        let factors = rank_one(&sobel, 3, 3).unwrap();
        assert_eq!(factors, Factors { column: vec![1., 2., 1.], row: vec![-1., 0., 1.] });
        let scaled: Vec<f64> = [6., 9., 15., 4., 6., 10., 2., 3., 5.].to_vec();
        let factors = rank_one(&scaled, 3, 3).unwrap();
        assert_eq!(factors, Factors { column: vec![3., 2., 1.], row: vec![2., 3., 5.] });
    }

    #[test]
    fn gaussians_are_separable_and_their_neighbours_are_not() {
        let gauss = |half: i32, s: f64| {
            (-half..=half)
                .flat_map(|y| (-half..=half).map(move |x| (-f64::from(x * x + y * y) / (2.0 * s * s)).exp()))
                .collect::<Vec<_>>()
        };
        for half in [1, 15, 20, 50] {
            let mut k = gauss(half, f64::from(half) / 4.0);
            let side = 2 * half as usize + 1;
            assert!(rank_one(&k, side, side).is_some(), "{half}");
            let middle = k.len() / 2 + 1;
            k[middle] *= 1.0 + 1e-9;
            assert!(rank_one(&k, side, side).is_none(), "{half}");
        }
        assert!(rank_one(&[0., 1., 0., 1., -4., 1., 0., 1., 0.], 3, 3).is_none());
        assert!(rank_one(&[0.0; 9], 3, 3).is_none());
        assert!(rank_one(&[f64::NAN, 1.0, 2.0], 1, 3).is_none());
        assert!(rank_one(&[1.0, f64::INFINITY, 2.0], 1, 3).is_none());
    }
}

//! The definitions: plain loops that the fast variants are tested against.

use super::Tile;

/// Median of `values`, which are reordered: the mean of the two middle ones for an even count;
/// NaN for none.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
    (lower + upper) / 2.0
}

/// Medians over the rows of a tile, one per sample.
pub fn medians(tile: Tile) -> Vec<f64> {
    let at = |row: usize, sample: usize| tile.values[row * tile.stride + sample];
    let column = |sample| (0..tile.rows).map(|row| at(row, sample)).collect::<Vec<_>>();
    (0..tile.samples).map(|sample| median(&mut column(sample))).collect()
}

/// For each prefix of `order` (positions of rows) the sum over samples of the squared difference
/// between the mean of the prefix and `target`.
pub fn sweep(tile: Tile, order: &[u32], target: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; tile.samples];
    let mut losses = Vec::with_capacity(order.len());
    for (k, &row) in order.iter().enumerate() {
        let mut loss = 0.0;
        for (t, sum) in sums.iter_mut().enumerate() {
            *sum += tile.values[row as usize * tile.stride + t];
            loss += (*sum / (k + 1) as f64 - target[t]).powi(2);
        }
        losses.push(loss);
    }
    losses
}

/// `weights` (`rows x cols`, row-major) times `data` (`cols x samples`).
pub fn product(weights: &[f64], (rows, cols): (usize, usize), data: &[f64], samples: usize) -> Vec<f64> {
    let mut out = vec![0.0; rows * samples];
    for row in 0..rows {
        for col in 0..cols {
            let w = weights[row * cols + col];
            for t in 0..samples {
                out[row * samples + t] += w * data[col * samples + t];
            }
        }
    }
    out
}

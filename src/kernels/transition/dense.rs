//! The definition: full matrices, row by row as spec decode 5 writes them. Tests and small jobs.

use super::{Move, StateSpace};

/// Random walk over `places` points `centers[place][axis]`: rows `exp(-|x_p - x_q|^2 / (2 variance))`
/// divided by their sums.
pub fn walk_between(centers: &[f64], axes: usize, variance: f64) -> Vec<f64> {
    let places = centers.len().checked_div(axes).unwrap_or(0);
    let distances: Vec<f64> = (0..places * places)
        .map(|at| {
            let (p, q) = (at / places * axes, at % places * axes);
            let square: f64 = (0..axes).map(|k| (centers[p + k] - centers[q + k]).powi(2)).sum();
            square.sqrt()
        })
        .collect();
    walk_over(&distances, places, variance)
}

/// Random walk over given distances `[from][to]`; those that are no numbers cannot be walked.
pub fn walk_over(distances: &[f64], places: usize, variance: f64) -> Vec<f64> {
    let mut walk: Vec<f64> = distances.iter().map(|&d| weight(d * d, variance)).collect();
    for row in walk.chunks_exact_mut(places.max(1)) {
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|w| *w /= sum);
        }
    }
    walk
}

/// `exp(-square / (2 variance))`, 0 where the square is no number.
pub fn weight(square: f64, variance: f64) -> f64 {
    let weight = (-square / (2.0 * variance)).exp();
    if weight.is_nan() { 0.0 } else { weight }
}

/// The whole matrix `[from column][to column]` for a normalised `walk` `[place][place]`.
pub fn full(states: &StateSpace, walk: &[f64]) -> Vec<f64> {
    let (columns, places) = (states.columns(), states.places());
    let mut matrix = vec![0.0; columns * columns];
    for from in 0..states.states() {
        for to in 0..states.states() {
            for (p, row) in states.range(from).enumerate() {
                for (q, column) in states.range(to).enumerate() {
                    let continuous = match (states.is_spatial(to), states.move_between(from, to)) {
                        (false, _) => 1.0,
                        (true, Some(Move::Walk)) => walk[p * places + q],
                        (true, Some(Move::Identity)) => f64::from(u8::from(p == q)),
                        (true, Some(Move::Uniform) | None) => 1.0 / places as f64,
                    };
                    matrix[row * columns + column] = states.discrete(from, to) * continuous;
                }
            }
        }
    }
    matrix
}

/// `f T` of a square matrix.
pub fn predict(matrix: &[f64], f: &[f64]) -> Vec<f64> {
    let n = f.len();
    (0..n).map(|q| (0..n).map(|p| f[p] * matrix[p * n + q]).sum()).collect()
}

/// `T r` of a square matrix.
pub fn pull_back(matrix: &[f64], r: &[f64]) -> Vec<f64> {
    matrix.chunks_exact(r.len()).map(|row| row.iter().zip(r).map(|(t, r)| t * r).sum()).collect()
}

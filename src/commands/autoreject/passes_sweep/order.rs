//! Rows of one channel in the order of their peak-to-peak, and where each fold finds its own.

use rayon::prelude::*;
use std::ops::Range;

/// Train and test rows of one fold; rows at and beyond the number of epochs are predicted ones.
#[derive(Debug, Clone)]
pub struct FoldRows {
    /// Rows that are averaged.
    pub train: Vec<u32>,
    /// Rows whose median is compared with.
    pub test: Vec<u32>,
}

/// Rows of one channel by ascending peak-to-peak, and where each fold finds its own.
#[derive(Debug)]
pub struct Order {
    /// Rows, ascending.
    pub rows: Vec<u32>,
    /// Where each of them begins in a tile, channel 0.
    pub starts: Vec<usize>,
    /// Per fold: positions among `rows` of train rows (ascending) and of test rows.
    pub folds: Vec<FoldRows>,
    /// Per fold of the grid search: positions of its measured test epochs.
    pub tests: Vec<Vec<u32>>,
}

impl Order {
    /// `ptp` has one value per row.
    pub fn new(ptp: &[f64], folds: &[FoldRows]) -> Self {
        let mut rows: Vec<u32> = (0..ptp.len() as u32).collect();
        rows.sort_by(|&a, &b| ptp[a as usize].total_cmp(&ptp[b as usize]));
        let position = positions(&rows);
        let found = |rows: &[u32]| {
            let mut at: Vec<u32> = rows.iter().map(|&row| position[row as usize]).collect();
            at.sort_unstable();
            at
        };
        let folds = folds.iter().map(|f| FoldRows { train: found(&f.train), test: found(&f.test) }).collect();
        Order { rows, starts: Vec::new(), folds, tests: Vec::new() }
    }

    /// Notes where rows begin in a tile, `starts` being in the order of epochs.
    pub fn place(&mut self, starts: &[usize]) {
        self.starts = self.rows.iter().map(|&row| starts[row as usize]).collect();
    }

    /// Finds the epochs of each of `folds`.
    pub fn find_tests(&mut self, folds: &[Range<usize>]) {
        let position = positions(&self.rows);
        let found = |fold: &Range<usize>| {
            let mut at = position[fold.clone()].to_vec();
            at.sort_unstable();
            at
        };
        self.tests = folds.iter().map(found).collect();
    }
}

/// Where each row stands among `rows`.
fn positions(rows: &[u32]) -> Vec<u32> {
    let mut position = vec![0; rows.len()];
    for (at, &row) in rows.iter().enumerate() {
        position[row as usize] = at as u32;
    }
    position
}

/// The order of each channel of `ptp` `[row][channel]`; a single one where there is one value per
/// row.
pub fn orders(ptp: &[f64], rows: usize, folds: &[FoldRows]) -> Vec<Order> {
    let count = ptp.len() / rows.max(1);
    let column = |c: usize| ptp.iter().skip(c).step_by(count).copied().collect::<Vec<f64>>();
    (0..count).into_par_iter().map(|c| Order::new(&column(c), folds)).collect()
}

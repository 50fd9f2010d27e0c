//! From a position to its interior bin (spec decode 2.3).

use super::PlaceGrid;

/// Finds interior bins of positions; bins outside of the interior are resolved once each.
#[derive(Debug, Clone)]
pub struct BinLookup<'a> {
    grid: &'a PlaceGrid,
    /// Per bin of the grid its interior bin, once known.
    nearest: Vec<Option<usize>>,
}

impl<'a> BinLookup<'a> {
    /// A lookup in `grid`.
    pub fn new(grid: &'a PlaceGrid) -> Self {
        let mut nearest = vec![None; grid.bins()];
        for (index, &bin) in grid.interior_bins.iter().enumerate() {
            nearest[bin] = Some(index);
        }
        BinLookup { grid, nearest }
    }

    /// Index among the interior bins of the one that holds `position` (one value per axis), or, where
    /// that bin is not interior, of the interior bin whose centre is nearest to its centre, the
    /// first one of several. Positions outside of the grid belong to the bins at its ends. None
    /// where a coordinate is not a number.
    pub fn interior_bin(&mut self, position: &[f64]) -> Option<usize> {
        if position.len() != self.grid.axes || position.iter().any(|x| x.is_nan()) {
            return None;
        }
        let mut bin = 0;
        for ((&x, edges), &n) in position.iter().zip(&self.grid.edges).zip(&self.grid.shape) {
            bin = bin * n + axis_bin(edges, x);
        }
        if self.nearest[bin].is_none() {
            self.nearest[bin] = nearest(self.grid, bin);
        }
        self.nearest[bin]
    }
}

/// Bin along one axis: the outer edges do not count, and what lies on the last of the inner
/// edges belongs to the bin below it.
fn axis_bin(edges: &[f64], x: f64) -> usize {
    let inner = &edges[1..edges.len() - 1];
    let above = inner.partition_point(|&edge| edge <= x);
    if inner.last() == Some(&x) { above - 1 } else { above }
}

fn nearest(grid: &PlaceGrid, bin: usize) -> Option<usize> {
    let from = grid.center(bin);
    let mut best: Option<(usize, f64)> = None;
    for (index, &interior) in grid.interior_bins.iter().enumerate() {
        let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
        let distance: f64 = grid.center(interior).iter().zip(from).map(square).sum();
        if best.is_none_or(|(_, least)| distance < least) {
            best = Some((index, distance));
        }
    }
    best.map(|(index, _)| index)
}

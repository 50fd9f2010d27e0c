//! The box around the interior bins of a grid, and where the places lie in it.

use super::simd::vector::Run;
use std::ops::Range;

/// A box of bins: rows along the first axis, columns along the second, rows padded to `stride`.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Bins of the first axis.
    pub first: Range<usize>,
    /// Bins of the second axis.
    pub second: Range<usize>,
    /// Cells from row to row, a multiple of 8.
    pub stride: usize,
    /// Where the places lie.
    pub runs: Vec<Run>,
}

/// From the least to the greatest of `bins`.
fn span(bins: impl Iterator<Item = usize> + Clone) -> Range<usize> {
    let first = bins.clone().min().unwrap_or(0);
    first..bins.max().map_or(first, |last| last + 1)
}

impl Frame {
    /// The box around `interior` (flattened bins, increasing) of the grid with centres `axes`.
    pub fn around(axes: (&[f64], &[f64]), interior: &[usize]) -> Self {
        let wide = axes.1.len().max(1);
        let first = span(interior.iter().map(|bin| bin / wide));
        let second = span(interior.iter().map(|bin| bin % wide));
        let stride = second.len().next_multiple_of(8);
        let mut runs: Vec<Run> = Vec::new();
        for (place, bin) in interior.iter().enumerate() {
            let cell = (bin / wide - first.start) * stride + bin % wide - second.start;
            match runs.last_mut() {
                Some(run) if run.cell + run.length == cell => run.length += 1,
                _ => runs.push(Run { place, cell, length: 1 }),
            }
        }
        Frame { first, second, stride, runs }
    }
}

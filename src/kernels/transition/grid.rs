//! Weights of a walk over a grid: `Gx (x) Gy` on the box around the interior bins.
//!
//! Cells are the box's bins, `[first axis][second axis]`, rows padded to whole cache lines. Cells
//! that are no interior bins are 0 in the source and unused in the result, which is the mask M of
//! `D^-1 M (Gx (x) Gy) M` on both sides.

use super::frame::Frame;
use super::portable::Portable;
use super::simd::product::{Operands, Span, UNITS, most_rows, product};
use super::simd::vector::Run;
use super::{CUTS, LEAST_WEIGHT, dense};
use crate::backend::CpuLevel;
use crate::kernels::simd::AlignedF64;
use std::ops::Range;

/// Separable weights.
#[derive(Debug)]
pub struct Grid {
    rows: usize,
    /// Padded columns.
    stride: usize,
    /// `Gx`, symmetric.
    first: AlignedF64,
    first_stride: usize,
    /// `Gy`, symmetric.
    second: AlignedF64,
    /// For each of [`CUTS`], blocks of the product along the first axis, and along the second.
    spans: Vec<[Vec<Span>; 2]>,
    /// Where the places lie.
    pub runs: Vec<Run>,
    /// All other cells, which are 0 in a source.
    gaps: Vec<Range<usize>>,
}

/// Symmetric weights between `centers`, rows `stride` apart.
fn weights(centers: &[f64], stride: usize, variance: f64) -> AlignedF64 {
    let mut all = AlignedF64::zeros(centers.len() * stride);
    for (p, a) in centers.iter().enumerate() {
        for (q, b) in centers.iter().enumerate() {
            let weight = dense::weight((a - b).powi(2), variance);
            all[p * stride + q] = if weight < LEAST_WEIGHT { 0.0 } else { weight };
        }
    }
    all
}

/// `0..length` in pieces of nearly equal size, at most `most`.
fn pieces(length: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = length.div_ceil(most).max(1);
    (0..count).map(move |i| i * length / count..(i + 1) * length / count)
}

/// Steps at which any of `outputs` has a weight from `cut` on, of a symmetric matrix.
fn reached(
    weights: &[f64],
    (stride, steps): (usize, usize),
    outputs: Range<usize>,
    cut: f64,
) -> Range<usize> {
    let outputs = outputs.start..outputs.end.min(steps);
    let touches = |k: &usize| weights[k * stride..][outputs.clone()].iter().any(|&w| w >= cut);
    let first = (0..steps).find(touches).unwrap_or(0);
    first..(0..steps).rev().find(touches).map_or(first, |k| k + 1)
}

impl Grid {
    /// Weights over the box around `interior`, which is not empty.
    pub fn new(level: CpuLevel, axes: (&[f64], &[f64]), interior: &[usize], variance: f64) -> Self {
        let Frame { first: across, second: along, stride, runs } = Frame::around(axes, interior);
        let (rows, columns) = (across.len(), along.len());
        let first_stride = rows.next_multiple_of(8);
        let first = weights(&axes.0[across], first_stride, variance);
        let second = weights(&axes.1[along], stride, variance);
        let level = level.min(CpuLevel::detect());
        let most_units = UNITS[usize::from(level == CpuLevel::Avx512)];
        let cut_spans = |&cut: &f64| {
            let mut spans = [Vec::new(), Vec::new()];
            for units in pieces(stride / 8, most_units) {
                let along = reached(&second, (stride, columns), units.start * 8..units.end * 8, cut);
                for block in pieces(rows, most_rows(level, units.len())) {
                    let across = reached(&first, (first_stride, rows), block.clone(), cut);
                    spans[0].push(Span { rows: block.clone(), units: units.clone(), steps: across });
                    spans[1].push(Span { rows: block, units: units.clone(), steps: along.clone() });
                }
            }
            spans
        };
        let spans = CUTS.iter().map(cut_spans).collect();
        let mut gaps = Vec::new();
        let mut end = 0;
        for run in &runs {
            gaps.push(end..run.cell);
            end = run.cell + run.length;
        }
        gaps.push(end..rows * stride);
        gaps.retain(|gap| !gap.is_empty());
        Grid { rows, stride, first, first_stride, second, spans, runs, gaps }
    }

    /// Cells of the padded box.
    pub fn cells(&self) -> usize {
        self.rows * self.stride
    }

    /// Multiply-adds of one application.
    pub fn multiply_adds(&self) -> u64 {
        let work = |s: &Span| 8 * s.rows.len() * s.units.len() * s.steps.len();
        self.spans[0].iter().flatten().map(work).sum::<usize>() as u64
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        8 * (self.first.len() + self.second.len()) as u64
    }

    /// Without the padding.
    pub fn portable(&self) -> Portable {
        let columns = self.second.len() / self.stride;
        let square = |weights: &[f64], stride: usize, side: usize| {
            weights.chunks_exact(stride).flat_map(|row| &row[..side]).copied().collect()
        };
        let unpadded = |cell: usize| (cell / self.stride * columns + cell % self.stride) as u32;
        let cells = self.runs.iter().flat_map(|run| run.cell..run.cell + run.length).map(unpadded);
        Portable::Box {
            first: square(&self.first, self.first_stride, self.rows),
            second: square(&self.second, self.stride, columns),
            shape: [self.rows, columns],
            cells: cells.collect(),
        }
    }

    /// `cells = Gx cells Gy`, weights below `CUTS[cut]` left out as far as whole blocks allow;
    /// `middle` is room.
    pub fn apply(&self, level: CpuLevel, cut: usize, cells: &mut [f64], middle: &mut [f64]) {
        for gap in &self.gaps {
            cells[gap.clone()].fill(0.0);
        }
        let [across, along] = &self.spans[cut];
        // The left factor is read one value at a time: of Gx down a row (it is symmetric), of the
        // middle along it.
        let factors = Operands { left: &self.first, left_row: 1, left_step: self.first_stride, right: cells };
        product(level, across, factors, self.stride, middle);
        let factors = Operands { left: middle, left_row: self.stride, left_step: 1, right: &self.second };
        product(level, along, factors, self.stride, cells);
    }
}

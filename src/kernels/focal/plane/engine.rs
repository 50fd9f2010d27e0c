//! The sums of a clean panel, by each method.

use super::tiles::FftEngine;
use super::{Focal, Place, Scratch, padded};
use crate::backend::CpuLevel;
use crate::kernels::focal::runs::{Rectangle, RunPlan};
use crate::kernels::focal::simd::direct::{Rounding, Rows, direct};
use crate::kernels::focal::simd::rows::Finish;
use crate::kernels::focal::simd::runs::{self, Stretch};
use crate::kernels::focal::simd::taps::TapTable;
use crate::kernels::focal::{Method, Recipe, Weights};

/// Rows whose column sums are in work together.
pub(super) const SHARED_ROWS: usize = runs::GROUP;

/// Tables of one method.
#[derive(Debug)]
pub(super) enum Engine {
    Exact,
    Direct(TapTable),
    Separable { column: TapTable, row: TapTable },
    Box { area: Rectangle, value: f64 },
    Runs(RunTable),
    Fft(Box<FftEngine>),
    Fast(TapTable),
}

/// Where sums over each length of run lie, and where each run finds its own.
#[derive(Debug)]
pub(super) struct RunTable {
    value: f64,
    /// Per length: the length, first and last start of its runs among the kernel's columns.
    lengths: Vec<(usize, usize, usize)>,
    /// Per run: offset from the output cell.
    offsets: Vec<usize>,
    /// Elements from one row of sums to the next.
    stride: usize,
    /// Rows of a panel with its margins.
    tall: usize,
}

impl RunTable {
    fn new(plan: &RunPlan, recipe: &Recipe, rows: usize) -> Self {
        let lengths: Vec<_> = plan
            .lengths
            .iter()
            .enumerate()
            .map(|(at, &length)| {
                let starts = plan.runs.iter().filter(|r| r.length == at).map(|r| r.col);
                let first = starts.clone().min().unwrap_or(0);
                (length, first, starts.max().unwrap_or(0))
            })
            .collect();
        let spread = lengths.iter().map(|l| l.2 - l.1).max().unwrap_or(0);
        let stride = padded(recipe.panel_cols.next_multiple_of(64) + spread);
        let tall = recipe.panel_rows + rows - 1;
        let offset = |at: usize, row: usize, col: usize| (at * tall + row) * stride + col - lengths[at].1;
        let offsets = plan.runs.iter().map(|r| offset(r.length, r.row, r.col)).collect();
        RunTable { value: plan.value, lengths, offsets, stride, tall }
    }
}

impl Engine {
    pub(super) fn new(weights: &Weights, recipe: &Recipe, level: CpuLevel) -> Self {
        let (rows, cols) = (weights.rows, weights.cols);
        let trimmed = || TapTable::new(&weights.values, rows, cols, true);
        match &recipe.method {
            Method::Exact => Engine::Exact,
            Method::Direct => Engine::Direct(trimmed()),
            Method::Separable(factors) => Engine::Separable {
                column: TapTable::new(&factors.column, rows, 1, true),
                row: TapTable::new(&factors.row, 1, cols, true),
            },
            Method::Runs(RunPlan { rectangle: Some(area), value, .. }) => {
                Engine::Box { area: *area, value: *value }
            }
            Method::Runs(plan) => Engine::Runs(RunTable::new(plan, recipe, rows)),
            Method::Fft { rows, cols } => {
                Engine::Fft(Box::new(FftEngine::new(weights, (*rows, *cols), level)))
            }
            Method::Fast => Engine::Fast(trimmed()),
        }
    }

    /// Room for sums over runs, and number of lengths.
    pub(super) fn stretched(&self) -> (usize, usize) {
        match self {
            Engine::Runs(table) => {
                (table.lengths.len() * table.tall * table.stride + 64, table.lengths.len())
            }
            Engine::Box { .. } => (0, 1),
            _ => (0, 0),
        }
    }
}

impl Focal {
    /// The sums of a clean patch, and what is left to do to them.
    pub(super) fn compute(&self, place: Place, scratch: &mut Scratch) -> Finish {
        let shape = Rows { stride: scratch.sums_stride, rows: place.rows, cols: place.cols };
        let plain = self.plain();
        match &self.engine {
            Engine::Exact => plain,
            Engine::Direct(taps) => self.direct(taps, shape, scratch, plain),
            Engine::Fft(engine) => self.direct(&engine.taps, shape, scratch, plain),
            Engine::Separable { column, row } => {
                self.separable(column, row, shape, scratch);
                plain
            }
            Engine::Box { area, value } => {
                self.box_sums(*area, shape, scratch);
                Finish { scale: *value, ..plain }
            }
            Engine::Runs(table) => {
                self.run_sums(table, shape, scratch);
                Finish { scale: table.value, ..plain }
            }
            Engine::Fast(taps) => self.direct(taps, shape, scratch, plain),
        }
    }

    fn direct(&self, taps: &TapTable, shape: Rows, scratch: &mut Scratch, finish: Finish) -> Finish {
        let from = (&scratch.patch[..], scratch.stride);
        direct(self.level, Rounding::Fused, taps, from, (&mut scratch.sums, shape));
        finish
    }

    fn separable(&self, column: &TapTable, row: &TapTable, shape: Rows, scratch: &mut Scratch) {
        let stride = scratch.stride;
        for first in (0..shape.rows).step_by(SHARED_ROWS) {
            let rows = SHARED_ROWS.min(shape.rows - first);
            let tall = Rows { stride, rows, cols: shape.cols + row.cols - 1 };
            let from = (&scratch.patch[first * stride..], stride);
            direct(self.level, Rounding::Fused, column, from, (&mut scratch.between, tall));
            let from = (&scratch.between[..], stride);
            let to = &mut scratch.sums[first * shape.stride..];
            direct(self.level, Rounding::Fused, row, from, (to, Rows { rows, ..shape }));
        }
    }

    /// Sums over a rectangle of the window, without any weight.
    pub(super) fn box_sums(&self, area: Rectangle, shape: Rows, scratch: &mut Scratch) {
        let stride = scratch.stride;
        let total = shape.cols + area.cols - 1;
        scratch.stretches.clear();
        scratch.stretches.push(Stretch { length: area.cols, first: 0, cols: shape.cols, to: 0 });
        for first in (0..shape.rows).step_by(SHARED_ROWS) {
            let rows = SHARED_ROWS.min(shape.rows - first);
            let from = &scratch.patch[(first + area.row) * stride + area.col..];
            runs::columns(
                self.level,
                (from, stride),
                area.rows,
                (&mut scratch.between, (stride, rows, total)),
            );
            for r in 0..rows {
                let line = (&mut scratch.between[r * stride..], total);
                let to = &mut scratch.sums[(first + r) * shape.stride..];
                runs::line(self.level, line, &scratch.stretches, to);
            }
        }
    }

    fn run_sums(&self, table: &RunTable, shape: Rows, scratch: &mut Scratch) {
        let stride = scratch.stride;
        let total = shape.cols + self.weights.cols - 1;
        scratch.stretches.clear();
        for (at, &(length, first, last)) in table.lengths.iter().enumerate() {
            let cols = shape.cols + last - first;
            scratch.stretches.push(Stretch { length, first, cols, to: at * table.tall * table.stride });
        }
        for y in 0..shape.rows + self.weights.rows - 1 {
            let line = (&mut scratch.patch[y * stride..], total);
            runs::line(self.level, line, &scratch.stretches, &mut scratch.stretched[y * table.stride..]);
        }
        for i in 0..shape.rows {
            let from = &scratch.stretched[i * table.stride..];
            runs::gather(self.level, from, &table.offsets, &mut scratch.sums[i * shape.stride..], shape.cols);
        }
    }
}

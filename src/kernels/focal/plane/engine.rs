//! The sums of a clean panel, by each method.

use super::piece::Piece;
use super::tiles::FftEngine;
use super::{Buffers, Focal, Output, Place, padded};
use crate::array::Real;
use crate::backend::CpuLevel;
use crate::kernels::focal::runs::{Rectangle, RunPlan};
use crate::kernels::focal::simd::columns::{self, GROUP, OCTET, TALL};
use crate::kernels::focal::simd::direct::{Rounding, Rows, Source, direct, direct_tight};
use crate::kernels::focal::simd::narrow::{NarrowTaps, narrow};
use crate::kernels::focal::simd::rows::{Finish, deliver};
use crate::kernels::focal::simd::runs::{self, Stretch};
use crate::kernels::focal::simd::taps::TapTable;
use crate::kernels::focal::{Method, Recipe, Weights};
use crate::kernels::window::Boundary;

/// Rows whose column sums are in work together.
pub(super) const SHARED_ROWS: usize = GROUP;

/// Rows whose column products are in work together.
const SEPARABLE_ROWS: usize = 8;

/// Tables of one method.
#[derive(Debug)]
pub(super) enum Engine {
    Exact,
    Direct(TapTable),
    Separable { column: TapTable, row: TapTable },
    Box { area: Rectangle, value: f64 },
    Runs(RunTable),
    Fft(Box<FftEngine>),
    Fast(NarrowTaps),
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
            Method::Fast => Engine::Fast(NarrowTaps::new(&weights.values, rows, cols)),
        }
    }

    /// Room for sums over runs, and number of lengths.
    pub(super) fn stretched(&self) -> (usize, usize) {
        match self {
            Engine::Runs(table) => {
                (table.lengths.len() * table.tall * table.stride + 64, table.lengths.len())
            }
            _ => (0, 0),
        }
    }
}

impl Focal {
    /// True where margins beside the raster may be filled in after the column pass: a column
    /// sum of repeated columns is the repeated column sum.
    pub(super) fn fills_sides(&self, boundary: Boundary) -> bool {
        let near = !matches!(boundary, Boundary::Wrap | Boundary::Constant(_));
        near && matches!(self.engine, Engine::Box { .. } | Engine::Separable { .. })
    }

    /// The results of a panel whose clean values lie in `from`.
    pub(super) fn sums<T: Real>(
        &self,
        from: Piece,
        place: Place,
        output: &mut Output<T>,
        buffers: &mut Buffers,
    ) {
        let finish = self.plain();
        let source = (from.values, from.stride);
        match &self.engine {
            Engine::Exact => {}
            Engine::Direct(taps) => self.direct(taps, source, (place, finish), output, buffers),
            Engine::Fft(engine) => self.direct(&engine.taps, source, (place, finish), output, buffers),
            Engine::Separable { column, row } => self.separable((column, row), from, place, output, buffers),
            Engine::Box { area, value } => {
                let finish = Finish { scale: *value, ..finish };
                self.box_rows(*area, from, place, buffers, |i, sums| {
                    deliver(self.level, sums, output.row(place.row + i, place.col, place.cols), finish);
                });
            }
            Engine::Runs(table) => self.run_sums(table, source, place, output, buffers),
            Engine::Fast(taps) => self.narrow_sums(taps, source, place, output, buffers),
        }
    }

    fn direct<T: Real>(
        &self,
        taps: &TapTable,
        from: Source,
        (place, finish): (Place, Finish),
        output: &mut Output<T>,
        buffers: &mut Buffers,
    ) {
        let (rows, cols, width) = (place.rows, place.cols, output.width);
        if let Some(to) = output.in_place(place, finish) {
            return direct_tight(
                self.level,
                taps,
                from,
                (to, Rows { stride: width, rows, cols }),
                finish.stream,
            );
        }
        let stride = buffers.sums_stride;
        direct(self.level, Rounding::Fused, taps, from, (&mut buffers.sums, Rows { stride, rows, cols }));
        for i in 0..rows {
            let sums = &buffers.sums[i * stride..][..cols];
            deliver(self.level, sums, output.row(place.row + i, place.col, cols), finish);
        }
    }

    fn narrow_sums<T: Real>(
        &self,
        taps: &NarrowTaps,
        (from, from_stride): Source,
        place: Place,
        output: &mut Output<T>,
        buffers: &mut Buffers,
    ) {
        let (rows, cols, stride) = (place.rows, place.cols, buffers.sums_stride);
        let (tall, wide) = (rows + self.weights.rows - 1, cols + self.weights.cols - 1);
        for (values, singles) in
            from.chunks(from_stride).zip(buffers.narrow.chunks_mut(buffers.stride)).take(tall)
        {
            values[..wide].iter().zip(singles).for_each(|(v, s)| *s = *v as f32);
        }
        narrow(
            self.level,
            taps,
            (&buffers.narrow, buffers.stride),
            (&mut buffers.sums, Rows { stride, rows, cols }),
        );
        let finish = Finish { scale: taps.scale, ..self.plain() };
        for i in 0..rows {
            let sums = &buffers.sums[i * stride..][..cols];
            deliver(self.level, sums, output.row(place.row + i, place.col, cols), finish);
        }
    }

    /// Column sums of a few rows, then their row sums.
    fn separable<T: Real>(
        &self,
        (column, row): (&TapTable, &TapTable),
        from: Piece,
        place: Place,
        output: &mut Output<T>,
        buffers: &mut Buffers,
    ) {
        let stride = buffers.stride;
        let span = from.span(place.col as i64 - (row.cols / 2) as i64, place.cols + row.cols - 1);
        for first in (0..place.rows).step_by(SEPARABLE_ROWS) {
            let rows = SEPARABLE_ROWS.min(place.rows - first);
            let mut between = std::mem::take(&mut buffers.between);
            let values = (&from.values[first * from.stride + span.offset..], from.stride);
            let have = Rows { stride, rows, cols: span.have };
            direct(self.level, Rounding::Fused, column, values, (&mut between[span.left..], have));
            between.chunks_mut(stride).take(rows).for_each(|line| span.fill(line));
            let part = Place { row: place.row + first, rows, ..place };
            self.direct(row, (&between, stride), (part, self.plain()), output, buffers);
            buffers.between = between;
        }
    }

    /// Sums over a rectangle of the window, without any weight, row by row in order.
    pub(super) fn box_rows(
        &self,
        area: Rectangle,
        from: Piece,
        place: Place,
        buffers: &mut Buffers,
        mut take: impl FnMut(usize, &[f64]),
    ) {
        let Buffers { sums, between, stride, stretched, octets, .. } = buffers;
        let (rows, cols, stride) = (place.rows, place.cols, *stride);
        let start = place.col as i64 - (self.weights.cols / 2) as i64 + area.col as i64;
        let span = from.span(start, cols + area.cols - 1);
        let values = &from.values[area.row * from.stride + span.offset..];
        if area.rows >= TALL {
            let all = (rows + area.rows - 1, span.have);
            columns::octets(self.level, (values, from.stride), all, (octets, stride));
        }
        for first in (0..rows).step_by(SHARED_ROWS) {
            let count = SHARED_ROWS.min(rows - first);
            let values = (&values[first * from.stride..], from.stride);
            let eights = (octets.get(first / OCTET * stride..).unwrap_or_default(), stride);
            let to = (&mut between[span.left..], (stride, count, span.have));
            columns::columns(self.level, values, eights, area.rows, to);
            for i in 0..count {
                let line = &mut between[i * stride..];
                span.fill(line);
                runs::wide(self.level, line, area.cols, (stretched, stride), (sums, cols));
                take(first + i, &sums[..cols]);
            }
        }
    }

    fn run_sums<T: Real>(
        &self,
        table: &RunTable,
        (from, from_stride): Source,
        place: Place,
        output: &mut Output<T>,
        buffers: &mut Buffers,
    ) {
        let Buffers { sums, between, stretched, stretches, .. } = buffers;
        let total = place.cols + self.weights.cols - 1;
        stretches.clear();
        for (at, &(length, first, last)) in table.lengths.iter().enumerate() {
            let cols = place.cols + last - first;
            stretches.push(Stretch { length, first, cols, to: at * table.tall * table.stride });
        }
        for y in 0..place.rows + self.weights.rows - 1 {
            between[..total].copy_from_slice(&from[y * from_stride..][..total]);
            runs::line(self.level, (between, total), stretches, &mut stretched[y * table.stride..]);
        }
        let finish = Finish { scale: table.value, ..self.plain() };
        for i in 0..place.rows {
            runs::gather(self.level, &stretched[i * table.stride..], &table.offsets, sums, place.cols);
            let row = output.row(place.row + i, place.col, place.cols);
            deliver(self.level, &sums[..place.cols], row, finish);
        }
    }
}

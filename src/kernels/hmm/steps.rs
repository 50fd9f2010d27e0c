//! The random walk in logarithms, for the most likely sequence (spec decode 5.3).

use super::simd::max_plus::{Operands, max_plus};
use crate::backend::CpuLevel;
use crate::kernels::simd::AlignedF64;
use crate::kernels::transition::{Frame, Run};

/// Logarithms of a walk's weights. On a grid they are sums of one part per axis, so the best step
/// is found along the second axis and then along the first. Nothing is left out: a step that the
/// matrix could only hold as 0 still has its logarithm.
#[derive(Debug)]
pub struct Steps {
    level: CpuLevel,
    rows: usize,
    columns: usize,
    stride: usize,
    /// Symmetric `[row][row]`; empty where there is one row.
    first: Vec<f64>,
    /// `[to][from]`, padded with -inf.
    second: AlignedF64,
    /// Where the places lie, each run within one row.
    runs: Vec<Run>,
    /// Place of each cell.
    places: Vec<u32>,
}

/// `-square / (2 variance)`, -inf where it is no number.
fn log_weight(square: f64, variance: f64) -> f64 {
    let weight = -square / (2.0 * variance);
    if weight.is_nan() { f64::NEG_INFINITY } else { weight }
}

impl Steps {
    /// For the walk of [`Walk::on_grid`](crate::kernels::transition::Walk::on_grid).
    ///
    /// # Panics
    ///
    /// If there are not one or two axes, or a bin lies outside of the grid.
    pub fn on_grid(level: CpuLevel, axes: &[&[f64]], interior: &[usize], variance: f64) -> Self {
        assert!(axes.len() == 1 || axes.len() == 2);
        let pair: (&[f64], &[f64]) = if axes.len() == 2 { (axes[0], axes[1]) } else { (&[0.0], axes[0]) };
        assert!(interior.iter().all(|&bin| bin < pair.0.len() * pair.1.len()));
        let frame = Frame::around(pair, interior);
        let (across, along) = (&pair.0[frame.first.clone()], &pair.1[frame.second.clone()]);
        let mut first = Vec::new();
        if across.len() > 1 {
            let row = |a: &f64| across.iter().map(|b| log_weight((a - b).powi(2), variance)).collect();
            first = across.iter().flat_map(|a| -> Vec<f64> { row(a) }).collect();
        }
        let square = |to: usize, from: usize| (along[to] - along[from]).powi(2);
        Steps::new(level, (across.len(), along.len(), first), (square, variance), frame.runs)
    }

    /// For the walk of
    /// [`Walk::over_distances`](crate::kernels::transition::Walk::over_distances).
    ///
    /// # Panics
    ///
    /// If the distances are not `places` squared.
    pub fn over_distances(level: CpuLevel, distances: &[f64], places: usize, variance: f64) -> Self {
        assert_eq!(distances.len(), places * places);
        let square = |to: usize, from: usize| distances[from * places + to].powi(2);
        let runs = vec![Run { place: 0, cell: 0, length: places }];
        Steps::new(level, (1, places, Vec::new()), (square, variance), runs)
    }

    fn new(
        level: CpuLevel,
        (rows, columns, first): (usize, usize, Vec<f64>),
        (square, variance): (impl Fn(usize, usize) -> f64, f64),
        runs: Vec<Run>,
    ) -> Self {
        let stride = columns.next_multiple_of(8);
        let mut second = AlignedF64::zeros(columns * stride);
        second.fill(f64::NEG_INFINITY);
        for to in 0..columns {
            for from in 0..columns {
                second[to * stride + from] = log_weight(square(to, from), variance);
            }
        }
        let mut places = vec![0; rows * stride];
        let mut by_row = Vec::new();
        for run in runs {
            for i in 0..run.length {
                places[run.cell + i] = (run.place + i) as u32;
            }
            let mut done = 0;
            while done < run.length {
                let cell = run.cell + done;
                let length = (stride - cell % stride).min(run.length - done);
                by_row.push(Run { place: run.place + done, cell, length });
                done += length;
            }
        }
        let level = level.min(CpuLevel::detect());
        Steps { level, rows, columns, stride, first, second, runs: by_row, places }
    }

    /// Places it is over.
    pub fn places(&self) -> usize {
        self.runs.iter().map(|run| run.length).sum()
    }

    /// Room for one thread's calls.
    pub(super) fn room(&self) -> Room {
        let cells = self.rows * self.stride;
        let mut values = AlignedF64::zeros(cells);
        values.fill(f64::NEG_INFINITY);
        let zeros = || AlignedF64::zeros(cells);
        Room { values, best: [zeros(), zeros()], step: [zeros(), zeros()] }
    }

    /// Of each place, the largest `values[to] + log weight` over the places it may walk to, and the
    /// first place that gives it.
    pub(super) fn best(&self, values: &[f64], room: &mut Room, (best, to): (&mut [f64], &mut [u32])) {
        for run in &self.runs {
            let range = run.place..run.place + run.length;
            room.values[run.cell..][..run.length].copy_from_slice(&values[range]);
        }
        let [second, whole] = &mut room.best;
        let [along, across] = &mut room.step;
        let operands = Operands {
            left: &room.values,
            left_row: self.stride,
            left_step: 1,
            right: &self.second,
            stride: self.stride,
            rows: self.rows,
            steps: self.columns,
        };
        max_plus(self.level, operands, second, along);
        if self.rows > 1 {
            let operands = Operands {
                left: &self.first,
                left_row: self.rows,
                right: second,
                steps: self.rows,
                ..operands
            };
            max_plus(self.level, operands, whole, across);
        }
        self.gather(room, (best, to));
    }

    /// Back from cells to places.
    fn gather(&self, room: &Room, (best, to): (&mut [f64], &mut [u32])) {
        let ([second, whole], [along, across]) = (&room.best, &room.step);
        for run in &self.runs {
            let (cells, places) = (run.cell..run.cell + run.length, run.place..run.place + run.length);
            let to = &mut to[places.clone()];
            if self.rows == 1 {
                best[places].copy_from_slice(&second[cells.clone()]);
                for (to, &step) in to.iter_mut().zip(&along[cells]) {
                    *to = self.places[step.to_bits() as usize];
                }
                continue;
            }
            best[places].copy_from_slice(&whole[cells.clone()]);
            let column = run.cell % self.stride;
            for (i, (to, &row)) in to.iter_mut().zip(&across[cells]).enumerate() {
                let row = row.to_bits() as usize * self.stride;
                *to = self.places[row + along[row + column + i].to_bits() as usize];
            }
        }
    }
}

/// What one thread needs besides.
#[derive(Debug)]
pub(super) struct Room {
    values: AlignedF64,
    best: [AlignedF64; 2],
    step: [AlignedF64; 2],
}

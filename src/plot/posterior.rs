//! Posterior over time as a heat map: time across, position up, states summed; with two axes a map
//! of the marginal along each. The animal's path over it, state probabilities as a strip below.
//!
//! Rows `[time][computing column]` (spec decode 6.1: states in order, interior bins only) are
//! reduced as they stream by, in blocks of any order, to the columns of pixels: memory does not
//! grow with time. A pixel shows the **largest** probability among the rows it stands for, since
//! a replay of a tenth of a second in a recording of ten minutes is a tenth of a pixel wide and
//! vanishes in a mean; where few rows share a pixel the two look alike. State probabilities are means,
//! so that they still add up to one.

mod columns;
mod draw;
mod maps;
mod path;

pub use path::AnimalPath;

use super::Figure;
use crate::array::Real;
use columns::{Columns, NOWHERE, Stripes};
use rayon::prelude::*;

/// Columns of pixels of one strip of time.
const ACROSS: usize = 1280;
/// Longer recordings are folded into strips of about so many seconds, read like lines of text: laps
/// of ten seconds and more can be told apart.
const STRIP_SECONDS: f64 = 300.0;
/// Strips at most; with several maps in each, so many maps.
const MOST_STRIPS: usize = 6;
/// Rows of pixels of one map, at most.
const DOWN: usize = 480;
/// Probabilities are added as integers of this unit: the sum does not depend on the order of rows.
const UNIT: f64 = (1u64 << 32) as f64;

/// Rows and columns of a posterior.
#[derive(Debug, Clone, Copy)]
pub struct PosteriorAxes<'a> {
    /// Decoding times, s, increasing.
    pub time: &'a [f64],
    /// Name of every discrete state, and whether it is a state without positions (one bin).
    pub states: &'a [(&'a str, bool)],
    /// Edges of the place bins along every axis.
    pub edges: &'a [Vec<f64>],
    /// Which bins of the grid are interior, C order.
    pub interior: &'a [bool],
}

/// A picture that is gathered while rows stream by.
#[derive(Debug, Clone)]
pub struct PosteriorPicture {
    columns: Columns,
    strips: usize,
    stripes: Vec<Stripes>,
    /// For every computing column its state and, in `place`, where its mass goes along each axis;
    /// [`NOWHERE`] for states without positions.
    state: Vec<usize>,
    place: Vec<Vec<usize>>,
    names: Vec<String>,
    without_places: bool,
    /// `[pixel column][stripes of all axes]`, largest probability so far, then `[state]` sums.
    cells: Vec<Cells>,
}

/// What one column of pixels has seen.
#[derive(Debug, Clone)]
struct Cells {
    most: Vec<f32>,
    sums: Vec<u64>,
    rows: u64,
}

impl PosteriorPicture {
    /// Nothing seen yet.
    pub fn new(axes: &PosteriorAxes) -> Self {
        let most = (MOST_STRIPS / axes.edges.len().max(1)).max(1);
        let strips = (Columns::duration(axes.time) / STRIP_SECONDS).ceil().clamp(1.0, most as f64) as usize;
        let columns = Columns::new(axes.time, ACROSS * strips);
        let interior: Vec<Vec<usize>> = interior_bins(axes);
        let along = |axis: usize, edges: &[f64]| {
            let mut inside = vec![false; edges.len().saturating_sub(1)];
            interior.iter().for_each(|bin| inside[bin[axis]] = true);
            Stripes::new(edges, &inside, DOWN)
        };
        let stripes: Vec<Stripes> =
            axes.edges.iter().enumerate().map(|(axis, edges)| along(axis, edges)).collect();
        let mut place = vec![Vec::new(); stripes.len()];
        let mut state = Vec::new();
        for (index, &(_, one_bin)) in axes.states.iter().enumerate() {
            state.extend(vec![index; if one_bin { 1 } else { interior.len() }]);
            for (axis, place) in place.iter_mut().enumerate() {
                match one_bin {
                    true => place.push(NOWHERE),
                    false => place.extend(interior.iter().map(|bin| stripes[axis].of_bin[bin[axis]])),
                }
            }
        }
        let height = stripes.iter().map(|s| s.seen.len()).sum();
        let cells = Cells { most: vec![0.0; height], sums: vec![0; axes.states.len()], rows: 0 };
        PosteriorPicture {
            cells: vec![cells; columns.rows.len()],
            columns,
            strips,
            stripes,
            state,
            place,
            names: axes.states.iter().map(|(name, _)| (*name).to_owned()).collect(),
            without_places: axes.states.iter().any(|(_, one_bin)| *one_bin),
        }
    }

    /// Looks at whole rows from `first_row` on, `[row][computing column]`; rows in any order, each
    /// once. Values that are no whole row at the end are left out.
    pub fn add_rows<T: Real>(&mut self, first_row: usize, rows: &[T]) {
        let width = self.state.len().max(1);
        let end = first_row + rows.len() / width;
        let begin = self.columns.rows.partition_point(|&(_, stop)| stop <= first_row);
        let stop = self.columns.rows.partition_point(|&(start, _)| start < end);
        let stop = stop.max(begin);
        let ranges = &self.columns.rows[begin..stop];
        let (stripes, place, state) = (&self.stripes, &self.place, &self.state);
        let cells = self.cells[begin..stop].par_iter_mut().zip(ranges);
        cells.for_each(|(cells, &(from, to))| {
            let mut marginal = vec![0.0f64; cells.most.len()];
            for row in from.max(first_row)..to.min(end) {
                let values = &rows[(row - first_row) * width..][..width];
                cells.look(values, state, (stripes, place), &mut marginal);
            }
        });
    }

    /// Bytes that the picture holds while rows stream by.
    pub fn bytes(&self) -> u64 {
        let cells = self.cells.iter().map(|c| 4 * c.most.len() + 8 * c.sums.len() + 96).sum::<usize>();
        let width = self.state.len() * (1 + self.place.len()) * 8;
        (cells + width + 16 * self.columns.rows.len()) as u64
    }

    /// Draws the picture. `unit` is that of positions, may be empty; the caption is one or more
    /// sentences (model, likelihood, bin widths), what pixels mean is added to it.
    pub fn finish(self, path: Option<&AnimalPath>, unit: &str, caption: &str) -> Figure {
        draw::draw(&self, path, unit, caption)
    }
}

/// Indices along every axis of the interior bins, in flattened order.
fn interior_bins(axes: &PosteriorAxes) -> Vec<Vec<usize>> {
    let shape: Vec<usize> = axes.edges.iter().map(|edges| edges.len().saturating_sub(1)).collect();
    let all: usize = shape.iter().product();
    let bins = axes.interior.iter().take(all).enumerate().filter(|(_, inside)| **inside);
    bins.map(|(flat, _)| {
        let mut rest = flat;
        let mut at = vec![0; shape.len()];
        for (axis, length) in shape.iter().enumerate().rev() {
            at[axis] = rest % length;
            rest /= length;
        }
        at
    })
    .collect()
}

impl Cells {
    /// Looks at one row.
    fn look<T: Real>(
        &mut self,
        values: &[T],
        state: &[usize],
        (stripes, place): (&[Stripes], &[Vec<usize>]),
        marginal: &mut [f64],
    ) {
        marginal.fill(0.0);
        let mut from = 0;
        for (stripes, place) in stripes.iter().zip(place) {
            let marginal = &mut marginal[from..from + stripes.seen.len()];
            for (value, &place) in values.iter().zip(place) {
                if let Some(sum) = marginal.get_mut(place) {
                    *sum += value.widen();
                }
            }
            from += stripes.seen.len();
        }
        for (most, &sum) in self.most.iter_mut().zip(marginal.iter()) {
            // A NaN never is the larger one.
            *most = most.max(sum as f32);
        }
        if self.sums.len() > 1 {
            let mut sums = vec![0.0f64; self.sums.len()];
            for (value, &state) in values.iter().zip(state) {
                sums[state] += value.widen();
            }
            for (all, sum) in self.sums.iter_mut().zip(&sums) {
                *all = all.saturating_add((sum.clamp(0.0, 1.0) * UNIT) as u64);
            }
        }
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests;

//! The search of a threshold over a table of losses (spec autoreject 7, 14).
//!
//! A table holds the loss of every candidate of one channel (or channel type): candidates are the
//! sorted peak-to-peak values, volt or the data's SI unit, duplicates kept; losses are means over
//! folds in the same unit. The searches only look values up. Infinite losses (and what is not a
//! number) cannot be chosen and teach nothing.

mod normal;
mod process;

use crate::error::{Error, Result};
use crate::kernels::legacy_random::LegacyRandom;
use process::Process;

/// Points of the initial grid of a channel's search, besides the last candidate.
pub const LOCAL_GRID: usize = 40;
/// The same for the global threshold.
pub const GLOBAL_GRID: usize = 5;
/// Points chosen after the initial grid.
const ITERATIONS: usize = 10;
/// Thresholds drawn by the random search.
const DRAWS: usize = 20;

/// Losses of all candidates.
#[derive(Debug, Clone, Copy)]
pub struct LossTable<'a> {
    /// Ascending, duplicates kept.
    pub candidates: &'a [f64],
    /// One per candidate; equal candidates have equal losses.
    pub loss: &'a [f64],
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The threshold.
    pub threshold: f64,
    /// Its loss.
    pub loss: f64,
    /// Candidates whose loss was looked up, in that order; of a random threshold the largest
    /// candidate not above it. Empty for the exact search, which sees all.
    pub visited: Vec<usize>,
    /// Smallest loss over the initial grid of the Bayesian search, whichever search this was.
    pub initial_best: f64,
    /// Smallest loss of all candidates.
    pub optimum: f64,
    /// The first candidate of that loss.
    pub optimum_threshold: f64,
}

impl LossTable<'_> {
    /// The first candidate of smallest finite loss.
    fn minimum(&self) -> Result<usize> {
        if self.candidates.len() != self.loss.len() {
            let (found, expected) = (self.loss.len(), self.candidates.len());
            return Err(Error::Failed(format!("{found} losses for {expected} candidate thresholds")));
        }
        first_minimum(self.loss, 0..self.loss.len()).ok_or_else(|| {
            let found = format!("{} candidates, each with a fold that keeps no epoch", self.loss.len());
            Error::data("threshold search", found, "a candidate with a finite loss", "give more epochs")
        })
    }

    /// The largest candidate that is not above `threshold`, the first one if all are.
    fn snap(&self, threshold: f64) -> usize {
        self.candidates.partition_point(|&c| c <= threshold).saturating_sub(1)
    }

    /// Indices of the initial grid: `points` even steps, then the last; each once.
    fn grid(&self, points: usize) -> Vec<usize> {
        let n = self.candidates.len();
        let step = n as f64 / points as f64;
        let mut grid: Vec<usize> = (0..points).map(|i| (i as f64 * step) as usize).collect();
        grid.push(n.saturating_sub(1));
        grid.dedup();
        grid.retain(|&index| index < n);
        grid
    }

    fn found(&self, at: usize, visited: Vec<usize>, grid: usize) -> Result<Found> {
        let initial = first_minimum(self.loss, self.grid(grid)).map_or(f64::INFINITY, |i| self.loss[i]);
        Ok(Found {
            threshold: self.candidates[at],
            loss: self.loss[at],
            visited,
            initial_best: initial,
            optimum: self.loss[self.minimum()?],
            optimum_threshold: self.candidates[self.minimum()?],
        })
    }
}

/// The first of `indices` with the smallest finite loss.
fn first_minimum(loss: &[f64], indices: impl IntoIterator<Item = usize>) -> Option<usize> {
    let mut best: Option<usize> = None;
    for index in indices.into_iter().filter(|&i| loss[i].is_finite()) {
        if best.is_none_or(|b| loss[index] < loss[b]) {
            best = Some(index);
        }
    }
    best
}

/// The peer's Bayesian optimisation: an initial grid of `initial` points and the last candidate,
/// then ten points of least expected improvement under a Gaussian process (spec 7.1).
///
/// # Errors
/// No candidate of the initial grid has a finite loss.
pub fn bayesian(table: &LossTable, initial: usize) -> Result<Found> {
    table.minimum()?;
    let mut visited = table.grid(initial.max(1));
    let Some(mut best) = first_minimum(table.loss, visited.iter().copied()) else {
        let found = format!("no finite loss among {} initial candidates", visited.len());
        return Err(Error::data("threshold search", found, "at least one", "give more epochs"));
    };
    let known: Vec<usize> = visited.iter().copied().filter(|&i| table.loss[i].is_finite()).collect();
    let mut process = Process::new(table.candidates, known.len() + ITERATIONS);
    process.learn(&known, table.loss);
    for _ in 0..ITERATIONS {
        let next = process.least_improvement(table.loss[best]);
        visited.push(next);
        if !table.loss[next].is_finite() {
            // Nothing is learnt from it, so every later iteration would come here again.
            break;
        }
        if table.loss[next] < table.loss[best] {
            best = next;
        }
        process.learn(&[next], table.loss);
    }
    table.found(best, visited, initial.max(1))
}

/// The peer's random search: twenty thresholds, each uniform over `[first, first + last]` of the
/// candidates; the threshold is the number drawn, not a candidate (spec 7.2).
///
/// # Errors
/// No threshold drawn has a finite loss.
pub fn random(table: &LossTable, seed: u32) -> Result<Found> {
    table.minimum()?;
    let (first, last) = (table.candidates[0], table.candidates[table.candidates.len() - 1]);
    let mut random = LegacyRandom::new(seed);
    // A mix-up of the peer between the end of the range and its length: kept.
    let drawn: Vec<f64> = (0..DRAWS).map(|_| random.double() * last + first).collect();
    let visited: Vec<usize> = drawn.iter().map(|&threshold| table.snap(threshold)).collect();
    let Some(best) = first_minimum(table.loss, visited.iter().copied()) else {
        let found = format!("no finite loss among {DRAWS} random thresholds");
        return Err(Error::data("threshold search", found, "at least one", "give another --seed"));
    };
    let at = visited.iter().position(|&v| v == best).unwrap_or(0);
    let found = table.found(best, visited, LOCAL_GRID)?;
    Ok(Found { threshold: drawn[at], ..found })
}

/// The smallest loss of all candidates, at the smallest threshold that has it (spec 14).
///
/// # Errors
/// No candidate has a finite loss.
pub fn exact(table: &LossTable) -> Result<Found> {
    table.found(table.minimum()?, Vec::new(), LOCAL_GRID)
}

#[cfg(test)]
mod tests;

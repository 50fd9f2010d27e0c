//! Weights of a walk along a line of evenly spaced bins: one weight per distance.
//!
//! Cells are the bins from the first interior one to the last, with [`MARGIN`] cells of zeros on
//! either side; cells that are no interior bins are 0 in a source and unused in a result.

use super::portable::Sparse;
use super::simd::along::{Band, Group, MARGIN, along, block, group};
use super::simd::vector::Run;
use super::{CUTS, LEAST_WEIGHT, dense};
use crate::backend::CpuLevel;
use std::ops::Range;

/// Share of a weight by which rounded centres may move it; 1e-306 itself is that far off, weights
/// that can be seen far less.
const ROUNDED: f64 = 2e-11;

/// Weights by distance.
#[derive(Debug)]
pub struct Line {
    bins: usize,
    weights: Vec<f64>,
    /// Where the weight of distance 0 stands.
    own: usize,
    /// For each of [`CUTS`].
    groups: Vec<Vec<Group>>,
    /// Where the places lie.
    pub runs: Vec<Run>,
}

/// Distance from bin to bin, if it is one for all pairs as far as a walk of `variance` can tell.
fn spacing(centers: &[f64], variance: f64) -> Option<f64> {
    let (first, last) = (centers.first()?, centers.last()?);
    let step = (last - first) / (centers.len().max(2) - 1) as f64;
    let off = centers.iter().enumerate().map(|(bin, center)| center - (first + bin as f64 * step));
    let (least, most) = off.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), off| (a.min(off), b.max(off)));
    let reach = (-2.0 * variance * LEAST_WEIGHT.ln()).sqrt().min((last - first).abs());
    ((most - least) * reach / variance <= ROUNDED).then_some(step)
}

fn runs(interior: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, bin) in interior.iter().enumerate() {
        let cell = MARGIN + bin - interior[0];
        match runs.last_mut() {
            Some(run) if run.cell + run.length == cell => run.length += 1,
            _ => runs.push(Run { place, cell, length: 1 }),
        }
    }
    runs
}

/// Which shifts from target to source each group of targets meets within `reach` bins.
fn groups(level: CpuLevel, bins: usize, reach: usize) -> Vec<Group> {
    let (reach, bins, block, group) = (reach as isize, bins as isize, block(level) as isize, group(level));
    (0..bins)
        .step_by(group)
        .map(|target| {
            let first = (-reach).max(block - target - group as isize);
            let end = (reach + block).min(bins - target);
            Group { target: MARGIN + target as usize, first, end: end.max(first) }
        })
        .collect()
}

impl Line {
    /// Weights between the bins `interior` (increasing, not empty) with centres `axis[bin]`; none
    /// where these are not evenly spaced.
    pub fn new(level: CpuLevel, axis: &[f64], interior: &[usize], variance: f64) -> Option<Self> {
        let within: Range<usize> = *interior.first()?..interior.last()? + 1;
        let bins = within.len();
        let step = spacing(&axis[within], variance)?;
        let of = |distance: usize| dense::weight((distance as f64 * step).powi(2), variance);
        let reach_of = |cut: f64| (0..bins).take_while(|&d| of(d) >= cut).last().unwrap_or(0);
        let reach = reach_of(LEAST_WEIGHT);
        let own = reach + block(level);
        let weight = |at: usize| if own.abs_diff(at) <= reach { of(own.abs_diff(at)) } else { 0.0 };
        Some(Line {
            bins,
            weights: (0..=2 * own).map(weight).collect(),
            own,
            groups: CUTS.iter().map(|&cut| groups(level, bins, reach_of(cut))).collect(),
            runs: runs(interior),
        })
    }

    /// Cells with both margins.
    pub fn cells(&self) -> usize {
        self.bins + 2 * MARGIN
    }

    /// Multiply-adds of one application.
    pub fn multiply_adds(&self, level: CpuLevel) -> u64 {
        let steps: isize = self.groups[0].iter().map(|g| g.end - g.first).sum();
        steps as u64 * group(level) as u64
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        8 * self.weights.len() as u64
    }

    /// The weight of every pair of places that reach each other.
    pub fn sparse(&self) -> Sparse {
        let bins: Vec<usize> = self.runs.iter().flat_map(|run| run.cell..run.cell + run.length).collect();
        let of = |to: usize| {
            let weight = |from: &usize| self.weights.get((self.own + from).checked_sub(to)?).copied();
            let pairs = bins.iter().enumerate().filter_map(|(place, from)| Some((place, weight(from)?)));
            pairs.filter(|(_, weight)| *weight > 0.0).collect()
        };
        Sparse::new(bins.iter().map(|to| of(*to)))
    }

    /// `walked[to] = sum over from of source[from] weight(to - from)`, weights below `CUTS[cut]`
    /// left out as far as whole blocks allow. The margins of `source` and its cells between the
    /// runs are 0.
    pub fn apply(&self, level: CpuLevel, cut: usize, source: &[f64], walked: &mut [f64]) {
        along(level, &self.groups[cut], Band { weights: &self.weights, own: self.own }, source, walked);
    }
}

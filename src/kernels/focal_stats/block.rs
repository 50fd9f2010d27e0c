//! All statistics but variety for a block of neighbouring columns at a time.
//!
//! Lanes are columns: every lane adds its window in row-major order, so the bits are those of
//! the definition at any vector length.

// Lanes of several arrays move in step: one index says it plainly and vectorises.
#![allow(clippy::needless_range_loop)]

use super::tile::Tile;
use super::{Place, Statistic};
use crate::array::{Real, WorkType};

/// Columns of a block. Four 512-bit or eight 256-bit vectors of f64: enough sums in flight to
/// hide the latency of additions.
pub(super) const LANES: usize = 32;

/// What to compute of one tile and where it goes.
pub(super) struct Job<'a, T> {
    pub tile: &'a Tile<T>,
    /// Distances of the window's cells from its first one in [`Tile::cells`].
    pub taps: &'a [usize],
    pub statistics: &'a [Statistic],
    pub place: Place,
}

/// Results of one block; only what was asked is filled in.
struct Block<T> {
    count: [f64; LANES],
    mean: [f64; LANES],
    var: [f64; LANES],
    sum: [T; LANES],
    min: [T; LANES],
    max: [T; LANES],
}

/// Every block of a tile.
#[inline(always)]
pub(super) fn tile<T: Real>(job: &Job<'_, T>, out: &mut [&mut [T]]) {
    let (rows, columns) = job.tile.shape();
    for i in 0..rows {
        let whole = job.tile.is_whole(i);
        for first in (0..columns).step_by(LANES) {
            let start = i * job.tile.stride() + first;
            let block = if whole { compute::<T, true>(job, start) } else { compute::<T, false>(job, start) };
            let cells = job.place.cells(i, first..columns.min(first + LANES));
            for (layer, statistic) in out.iter_mut().zip(job.statistics) {
                if *statistic != Statistic::Variety {
                    store(&block, *statistic, &mut layer[cells.clone()]);
                }
            }
        }
    }
}

#[inline(always)]
fn compute<T: Real, const WHOLE: bool>(job: &Job<'_, T>, start: usize) -> Block<T> {
    let zero = T::round_from(0.0);
    let wants = |some: &[Statistic]| some.iter().any(|s| job.statistics.contains(s));
    let cells = &job.tile.cells()[start..];
    let mut block = Block {
        count: [job.taps.len() as f64; LANES],
        mean: [0.0; LANES],
        var: [0.0; LANES],
        sum: [zero; LANES],
        min: [zero; LANES],
        max: [zero; LANES],
    };
    if !WHOLE {
        block.count = counts(cells, job.taps);
    }
    let averages = wants(&[Statistic::Mean, Statistic::Var, Statistic::Std]);
    // In float64 the working sum is the mean's own.
    let one_sum = T::WORK == WorkType::F64;
    if averages || (one_sum && wants(&[Statistic::Sum])) {
        let sums = sums::<T, WHOLE>(cells, job.taps);
        for l in 0..LANES {
            block.mean[l] = sums[l] / block.count[l];
            block.sum[l] = T::round_from(sums[l]);
        }
    }
    if !one_sum && wants(&[Statistic::Sum]) {
        block.sum = working_sums::<T, WHOLE>(cells, job.taps);
    }
    if wants(&[Statistic::Var, Statistic::Std]) {
        let squares = squares::<T, WHOLE>(cells, job.taps, &block.mean);
        for l in 0..LANES {
            block.var[l] = squares[l] / block.count[l];
        }
    }
    // Two loops: sixteen vectors of best values would not fit in the registers of AVX2.
    if wants(&[Statistic::Min, Statistic::Range]) {
        block.min = best(cells, job.taps, f64::INFINITY, |v, best| v < best);
    }
    if wants(&[Statistic::Max, Statistic::Range]) {
        block.max = best(cells, job.taps, f64::NEG_INFINITY, |v, best| v > best);
    }
    block
}

/// The lanes' cells for one tap.
#[inline(always)]
fn lanes<T>(cells: &[T], tap: usize) -> &[T] {
    // A tile is as wide as its blocks, so the cells are always there.
    &cells[tap..tap + LANES]
}

#[inline(always)]
fn counts<T: Real>(cells: &[T], taps: &[usize]) -> [f64; LANES] {
    let mut count = [0.0; LANES];
    for &tap in taps {
        let v = lanes(cells, tap);
        for l in 0..LANES {
            count[l] += if v[l].widen().is_nan() { 0.0 } else { 1.0 };
        }
    }
    count
}

/// Adding +0 for a NaN cell changes no bit: a sum that begins with +0 is never -0.
#[inline(always)]
fn sums<T: Real, const WHOLE: bool>(cells: &[T], taps: &[usize]) -> [f64; LANES] {
    let mut sum = [0.0; LANES];
    for &tap in taps {
        let v = lanes(cells, tap);
        for l in 0..LANES {
            let x = v[l].widen();
            sum[l] += if WHOLE || !x.is_nan() { x } else { 0.0 };
        }
    }
    sum
}

#[inline(always)]
fn working_sums<T: Real, const WHOLE: bool>(cells: &[T], taps: &[usize]) -> [T; LANES] {
    let zero = T::round_from(0.0);
    let mut sum = [zero; LANES];
    for &tap in taps {
        let v = lanes(cells, tap);
        for l in 0..LANES {
            sum[l] = sum[l] + if WHOLE || !v[l].widen().is_nan() { v[l] } else { zero };
        }
    }
    sum
}

#[inline(always)]
fn squares<T: Real, const WHOLE: bool>(cells: &[T], taps: &[usize], mean: &[f64; LANES]) -> [f64; LANES] {
    let mut sum = [0.0; LANES];
    for &tap in taps {
        let v = lanes(cells, tap);
        for l in 0..LANES {
            let x = v[l].widen();
            let d = x - mean[l];
            sum[l] += if WHOLE || !x.is_nan() { d * d } else { 0.0 };
        }
    }
    sum
}

/// The best of each lane; comparisons with NaN are false, so NaN cells drop out by themselves.
#[inline(always)]
fn best<T: Real>(cells: &[T], taps: &[usize], worst: f64, better: impl Fn(T, T) -> bool) -> [T; LANES] {
    let mut best = [T::round_from(worst); LANES];
    for &tap in taps {
        let v = lanes(cells, tap);
        for l in 0..LANES {
            best[l] = if better(v[l], best[l]) { v[l] } else { best[l] };
        }
    }
    best
}

#[inline(always)]
fn store<T: Real>(block: &Block<T>, statistic: Statistic, out: &mut [T]) {
    for (l, o) in out.iter_mut().enumerate().take(LANES) {
        let value = match statistic {
            Statistic::Sum => block.sum[l],
            _ if block.count[l] == 0.0 => T::NAN,
            Statistic::Mean => T::round_from(block.mean[l]),
            Statistic::Var => T::round_from(block.var[l]),
            Statistic::Std => T::round_from(block.var[l].sqrt()),
            Statistic::Min => block.min[l],
            Statistic::Max => block.max[l],
            Statistic::Range => block.max[l] - block.min[l],
            Statistic::Variety => return,
        };
        // Opposite infinities give the one positive NaN, whatever the machine's own sign.
        *o = if value.widen().is_nan() { T::NAN } else { value };
    }
}

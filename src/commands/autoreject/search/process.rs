//! A Gaussian process over the candidates of a threshold, grown point by point (spec 7.1).
//!
//! Kernel `exp(-(a - b)^2 / 2)` with a length of one volt, jitter 1e-10, nothing fitted. With
//! `K = L L'` and `v = L^-1 k` per candidate, a new point adds one row to L, one entry to each v
//! and one to `L^-1 y`; mean and variance are running sums. That is fifty times less work than
//! factoring anew, and each candidate's numbers are made by the same operations in the same order
//! however they are laid out, so they do not depend on the machine's vector width.
//!
//! The peer's points are not all met, nor can they be. With peaks of 1e-4 V the kernel matrix is
//! all ones up to the jitter, and the improvement is so flat around its least point that the
//! rounding of the Cholesky factor picks among some neighbours. The peer's BLAS rounds by
//! processor: given the same losses its kernels for AVX2, AVX and SSE move 15, 15 and 17 of 224
//! thresholds away from its AVX-512 ones, this process 18. It is rounding and no detail of the
//! method: with a factor of 64-bit mantissas, kernel rounded as the peer's or not, as many differ.
//! Losses matter less: one last place of noise on them moves 0 to 5 of the peer's own 64.

use super::normal::{below, density};
use std::sync::LazyLock;

/// Candidates that are worked on together, their sums held in registers.
const LANES: usize = 16;
/// Added to the diagonal of the kernel matrix.
const JITTER: f64 = 1e-10;
/// Added to the deviation before dividing by it.
const GUARD: f64 = 1e-12;
/// Up to this exponent five terms of the exponential's series leave nothing to the last bit.
const SERIES_UP_TO: f64 = 1e-3;

type Lane = [f64; LANES];

/// The process after some observations.
#[derive(Debug)]
pub struct Process<'a> {
    candidates: &'a [f64],
    /// Candidates in blocks of [`LANES`], the last one repeated to fill up.
    blocks: Vec<Lane>,
    /// Observed points, at most `capacity`.
    points: Vec<f64>,
    capacity: usize,
    /// Row i of L, i + 1 entries, from `i (i + 1) / 2` on.
    factor: Vec<f64>,
    /// `L^-1 y`.
    weights: Vec<f64>,
    /// v of each candidate, `[block][point]`.
    solved: Vec<Lane>,
    mean: Vec<Lane>,
    /// Variance explained by the points: the sum of v squared.
    explained: Vec<Lane>,
    /// All exponents are so small that the series serves.
    by_series: bool,
}

/// `exp(-(a - b)^2 / 2)` for small distances.
#[inline(always)]
fn near(a: f64, b: f64) -> f64 {
    let x = -0.5 * (a - b) * (a - b);
    1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0))))
}

impl<'a> Process<'a> {
    /// Nothing observed yet; at most `capacity` points will be.
    pub fn new(candidates: &'a [f64], capacity: usize) -> Self {
        let (first, last) = (candidates.first().copied(), candidates.last().copied());
        let last = last.unwrap_or(0.0);
        let spread = last - first.unwrap_or(0.0);
        let fill = |part: &[f64]| std::array::from_fn(|i| part.get(i).copied().unwrap_or(last));
        let blocks: Vec<Lane> = candidates.chunks(LANES).map(fill).collect();
        Process {
            candidates,
            points: Vec::with_capacity(capacity),
            capacity,
            factor: Vec::with_capacity(capacity * (capacity + 1) / 2),
            weights: Vec::with_capacity(capacity),
            solved: vec![[0.0; LANES]; blocks.len() * capacity],
            mean: vec![[0.0; LANES]; blocks.len()],
            explained: vec![[0.0; LANES]; blocks.len()],
            by_series: 0.5 * spread * spread <= SERIES_UP_TO,
            blocks,
        }
    }

    fn kernel(&self, a: f64, b: f64) -> f64 {
        if self.by_series { near(a, b) } else { (-0.5 * (a - b) * (a - b)).exp() }
    }

    /// Observes the losses of the candidates `indices`, in that order; beyond the capacity
    /// nothing more is learnt.
    pub fn learn(&mut self, indices: &[usize], loss: &[f64]) {
        let known = self.points.len();
        for &index in indices.iter().take(self.capacity - known) {
            self.extend_factor(self.candidates[index], loss[index]);
        }
        for block in 0..self.blocks.len() {
            if self.by_series {
                self.solve_block(block, known, near);
            } else {
                self.solve_block(block, known, |a, b| (-0.5 * (a - b) * (a - b)).exp());
            }
        }
    }

    /// Row of L and entry of `L^-1 y` of the point `x` with loss `y`.
    fn extend_factor(&mut self, x: f64, y: f64) {
        let start = self.factor.len();
        let (mut rest, mut weight) = (1.0 + JITTER, y);
        for (i, &point) in self.points.iter().enumerate() {
            let row = &self.factor[i * (i + 1) / 2..][..i + 1];
            let mut entry = self.kernel(x, point);
            for (l, v) in row.iter().zip(&self.factor[start..]) {
                entry -= l * v;
            }
            entry *= 1.0 / row[i];
            rest -= entry * entry;
            weight -= entry * self.weights[i];
            self.factor.push(entry);
        }
        // In exact arithmetic at least the jitter is left; rounding may eat it among many ties.
        let diagonal = if rest > 0.0 { rest.sqrt() } else { JITTER.sqrt() };
        self.factor.push(diagonal);
        self.weights.push(weight / diagonal);
        self.points.push(x);
    }

    /// v, mean and explained variance of one block for the points from `known` on.
    #[inline(always)]
    fn solve_block(&mut self, block: usize, known: usize, kernel: impl Fn(f64, f64) -> f64) {
        let solved = &mut self.solved[block * self.capacity..][..self.points.len()];
        let (mut mean, mut explained) = (self.mean[block], self.explained[block]);
        let candidates = &self.blocks[block];
        for (j, &point) in self.points.iter().enumerate().skip(known) {
            let row = &self.factor[j * (j + 1) / 2..][..j + 1];
            let mut entry: Lane = [0.0; LANES];
            for (entry, &candidate) in entry.iter_mut().zip(candidates) {
                *entry = kernel(point, candidate);
            }
            for (&l, v) in row[..j].iter().zip(solved.iter()) {
                for lane in 0..LANES {
                    entry[lane] -= l * v[lane];
                }
            }
            let (scale, weight) = (1.0 / row[j], self.weights[j]);
            for lane in 0..LANES {
                entry[lane] *= scale;
                mean[lane] += entry[lane] * weight;
                explained[lane] += entry[lane] * entry[lane];
            }
            solved[j] = entry;
        }
        self.mean[block] = mean;
        self.explained[block] = explained;
    }

    /// Mean and deviation of the loss at a candidate.
    #[cfg(test)]
    pub fn at(&self, index: usize) -> (f64, f64) {
        let (block, lane) = (index / LANES, index % LANES);
        (self.mean[block][lane], deviation(self.explained[block][lane]))
    }

    /// The first candidate of least expected improvement over the loss `best`: the peer takes
    /// the least where the most would be expected.
    pub fn least_improvement(&self, best: f64) -> usize {
        let bounds = self.lower_bounds(best);
        let mut least = f64::INFINITY;
        let mut lowest = 0;
        for (index, &bound) in bounds.iter().enumerate() {
            if bound < least {
                (least, lowest) = (bound, index);
            }
        }
        // What this candidate has is a ceiling; whoever cannot be under it is left out.
        let improvement = |index: usize| {
            let (block, lane) = (index / LANES, index % LANES);
            let deviation = deviation(self.explained[block][lane]);
            (self.mean[block][lane] - best, deviation)
        };
        let (above, spread) = improvement(lowest);
        let ceiling = expected_improvement(above, spread);
        let mut found = (f64::INFINITY, lowest);
        let mut last = (f64::NAN, f64::NAN);
        for (index, _) in bounds.iter().enumerate().filter(|(_, bound)| **bound <= ceiling) {
            let here = improvement(index);
            // Ties stand side by side and are worked out once.
            if here == last {
                continue;
            }
            last = here;
            let value = expected_improvement(here.0, here.1);
            if value < found.0 {
                found = (value, index);
            }
        }
        found.1
    }

    /// A number not above the expected improvement, per candidate: see [`Bound`].
    fn lower_bounds(&self, best: f64) -> Vec<f64> {
        let mut bounds = Vec::with_capacity(self.blocks.len() * LANES);
        let table = &*BOUNDS;
        for (mean, explained) in self.mean.iter().zip(&self.explained) {
            let (mut spread, mut z): (Lane, Lane) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                spread[lane] = (1.0 - explained[lane]).max(0.0).sqrt();
                z[lane] = (mean[lane] - best) / (spread[lane] + GUARD);
            }
            bounds.extend(spread.iter().zip(&z).map(|(&spread, &z)| table.under(spread, z)));
        }
        bounds.truncate(self.candidates.len());
        bounds
    }
}

/// Deviation where `explained` of the variance 1 is explained.
fn deviation(explained: f64) -> f64 {
    (1.0 - explained).max(0.0).sqrt()
}

/// Expected improvement of a normal loss `above` the best one on average, with deviation `spread`.
fn expected_improvement(above: f64, spread: f64) -> f64 {
    let z = above / (spread + GUARD);
    above * below(z) + spread * density(z)
}

/// Tangents under `h(z) = z P(z) + p(z)` (P the probability below z, p the density), which is
/// convex, so that a table and a product tell which candidates cannot be the least. Without the
/// guard in z the expected improvement is `spread h(z)`; the guard takes at most 0.17 of its
/// size away.
struct Bound {
    /// Value and slope of h at the left end of each step.
    tangents: Vec<(f64, f64)>,
}

/// Steps of the table per unit of z, which runs from `-REACH` to `REACH`.
const STEPS: f64 = 64.0;
const REACH: f64 = 8.0;

static BOUNDS: LazyLock<Bound> = LazyLock::new(|| {
    let steps = (2.0 * REACH * STEPS) as usize;
    let left = |i: usize| i as f64 / STEPS - REACH;
    let tangent = |z: f64| (z * below(z) + density(z), below(z));
    Bound { tangents: (0..=steps).map(|i| tangent(left(i))).collect() }
});

impl Bound {
    fn under(&self, spread: f64, z: f64) -> f64 {
        if spread <= 0.0 || z.is_nan() || z < -REACH {
            return f64::NEG_INFINITY;
        }
        let step = ((z + REACH) * STEPS) as usize;
        let step = step.min(self.tangents.len() - 1);
        let (value, slope) = self.tangents[step];
        let tangent = value + slope * (z + REACH - step as f64 / STEPS);
        // Room for the rounding of the table and of the improvement itself.
        spread * (tangent * (1.0 - 1e-9) - 1e-12) - 0.2 * GUARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and deviation by factoring the whole matrix anew: the definition.
    fn refitted(points: &[f64], y: &[f64], x: f64) -> (f64, f64) {
        let kernel = |a: f64, b: f64| (-0.5 * (a - b) * (a - b)).exp();
        let n = points.len();
        let matrix = nalgebra::DMatrix::from_fn(n, n, |i, j| {
            kernel(points[i], points[j]) + if i == j { JITTER } else { 0.0 }
        });
        let factor = matrix.cholesky().unwrap();
        let k = nalgebra::DVector::from_fn(n, |i, _| kernel(points[i], x));
        let alpha = factor.solve(&nalgebra::DVector::from_column_slice(y));
        let mut v = k.clone();
        factor.l().solve_lower_triangular_mut(&mut v);
        (k.dot(&alpha), deviation(v.norm_squared()))
    }

    #[test]
    fn a_grown_process_is_the_refitted_one() {
        // Well apart, so that both are well conditioned; the exponential itself is used.
        let candidates: Vec<f64> = (0..37).map(|i| 0.31 * f64::from(i)).collect();
        let loss: Vec<f64> = candidates.iter().map(|c| (c * 1.3).sin()).collect();
        let mut process = Process::new(&candidates, 12);
        process.learn(&[0, 9, 18, 36], &loss);
        process.learn(&[5], &loss);
        process.learn(&[30], &loss);
        let observed = [0, 9, 18, 36, 5, 30];
        let points: Vec<f64> = observed.iter().map(|&i| candidates[i]).collect();
        let y: Vec<f64> = observed.iter().map(|&i| loss[i]).collect();
        for (index, &x) in candidates.iter().enumerate() {
            let ((mean, spread), (m, s)) = (process.at(index), refitted(&points, &y, x));
            assert!((mean - m).abs() < 1e-9 && (spread - s).abs() < 1e-6, "{index}: {mean} {m} {spread} {s}");
        }
    }

    #[test]
    fn the_series_is_the_exponential() {
        for i in 0..=1000 {
            let distance = (2.0 * SERIES_UP_TO).sqrt() * f64::from(i) / 1000.0;
            let (series, exact) = (near(0.0, distance), (-0.5 * distance * distance).exp());
            assert!((series - exact).abs() <= f64::EPSILON, "{distance}: {series:e} {exact:e}");
        }
    }

    #[test]
    fn bounds_never_hide_the_least_improvement() {
        let mut random = crate::kernels::legacy_random::LegacyRandom::new(11);
        for _ in 0..20_000 {
            let spread = 10f64.powf(-8.0 * random.double());
            let z = 20.0 * random.double() - 10.0;
            let above = z * (spread + GUARD);
            let (under, exact) = (BOUNDS.under(spread, z), expected_improvement(above, spread));
            assert!(under <= exact, "{spread:e} {z}: {under:e} over {exact:e}");
            assert!(
                z < -4.0 || under > 0.5 * exact || spread < 1e-6,
                "{spread:e} {z}: {under:e} of {exact:e}"
            );
        }
    }

    #[test]
    fn the_least_improvement_is_that_of_all_candidates() {
        let candidates: Vec<f64> = (0..200).map(|i| 1e-5 + 1e-7 * f64::from(i)).collect();
        let loss: Vec<f64> = (0..200).map(|i| 1e-6 * (f64::from((i * 37) % 91) + 20.0)).collect();
        let mut process = Process::new(&candidates, 60);
        process.learn(&(0..200).step_by(5).collect::<Vec<_>>(), &loss);
        let values: Vec<f64> = (0..200)
            .map(|i| process.at(i))
            .map(|(mean, spread)| expected_improvement(mean - 2e-5, spread))
            .collect();
        let expected = (0..200).fold(0, |least, i| if values[i] < values[least] { i } else { least });
        assert_eq!(process.least_improvement(2e-5), expected);
    }
}

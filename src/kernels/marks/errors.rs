//! How far an expansion of the position kernel may be off, by distance.
//!
//! [`ErrorTable`] holds the worst errors over the cell and over directions as functions of the
//! distance. From it follows for which electrodes an expansion is admissible whatever the spike
//! ([`ErrorTable::worst`]), and the wider Gaussian that bounds the error of one spike's row from its
//! own weights ([`ErrorTable::ln_error`], see [`certificate`](super::certificate)).

use super::certificate::SPREAD;
use super::expansion::{CELLS, MOST_TERMS, coefficients, polynomials};
use std::sync::OnceLock;

/// Worst errors of one expansion by distance: relative to the kernel, and absolute with the
/// kernel's peak as 1.
#[derive(Debug)]
pub(super) struct ErrorTable {
    ln_relative: Vec<f64>,
    ln_absolute: Vec<f64>,
}

/// Distances of the table lie this far apart (bandwidths).
const STEP: f64 = 0.25;
/// Last distance, where the kernel is 1e-34 of its peak.
const FARTHEST: f64 = 12.5;
/// Directions between an axis and the diagonal; all others are mirror images.
const DIRECTIONS: usize = 11;
/// The samples over the cell and the directions miss the worst place by less than this factor.
const MARGIN: f64 = 1.08;
/// What the logarithm of an error may gain between two distances of the table over the higher of
/// both: it bends by about one per squared bandwidth.
const BETWEEN: f64 = 0.02;

impl ErrorTable {
    /// Tabulates cells of side `cell` (bandwidths), degrees below `q`, one or two axes.
    pub(super) fn new(cell: f64, q: usize, axes: usize) -> Self {
        let samples = Samples::new(cell / 2.0, q);
        let directions = if axes == 2 { DIRECTIONS } else { 1 };
        let (mut ln_relative, mut ln_absolute) = (Vec::new(), Vec::new());
        for k in 0..=(FARTHEST / STEP) as usize {
            let mut worst = (0.0, 0.0);
            for direction in 0..directions {
                let angle = direction as f64 / (DIRECTIONS - 1) as f64 * std::f64::consts::FRAC_PI_4;
                let (sin, cos) = angle.sin_cos();
                let u = k as f64 * STEP;
                let (relative, absolute) = samples.errors(u * cos, (axes == 2).then_some(u * sin));
                worst = (f64::max(worst.0, relative), f64::max(worst.1, absolute));
            }
            ln_relative.push((worst.0 * MARGIN).max(1e-300).ln());
            ln_absolute.push((worst.1 * MARGIN).max(1e-300).ln());
        }
        ErrorTable { ln_relative, ln_absolute }
    }

    /// The table of `CELLS[cell]`, made once per process.
    pub(super) fn shared(cell: usize, q: usize, axes: usize) -> &'static ErrorTable {
        static TABLES: [OnceLock<ErrorTable>; CELLS.len() * (MOST_TERMS + 1) * 2] =
            [const { OnceLock::new() }; CELLS.len() * (MOST_TERMS + 1) * 2];
        let at = (cell * (MOST_TERMS + 1) + q) * 2 + (axes - 1);
        TABLES[at].get_or_init(|| ErrorTable::new(CELLS[cell], q, axes))
    }

    /// Worst of `min(relative, ratio * absolute)` over all distances: with `ratio` the ceiling
    /// over the floor, `|lambda' - lambda|` stays below this times (`lambda` + floor).
    pub(super) fn worst(&self, ln_ratio: f64) -> f64 {
        let parts = self.ln_relative.windows(2).zip(self.ln_absolute.windows(2));
        let worst = parts.map(|(relative, absolute)| {
            // Log-linear between the entries; the smaller of two lines is highest at an end or
            // where they cross.
            let (low, high) = (relative[0], relative[1]);
            let (first, last) = (absolute[0] + ln_ratio, absolute[1] + ln_ratio);
            let ends = low.min(first).max(high.min(last));
            let closing = (high - low) - (last - first);
            let at = if closing == 0.0 { -1.0 } else { (first - low) / closing };
            if (0.0..=1.0).contains(&at) { ends.max(low + at * (high - low)) } else { ends }
        });
        worst.fold(f64::NEG_INFINITY, f64::max).exp()
    }

    /// Logarithm of the least factor with which a Gaussian [`SPREAD`] times as wide as the kernel is
    /// nowhere below the absolute error. Beyond the table it cannot be: there the error falls as the
    /// kernel does, far faster.
    pub(super) fn ln_error(&self) -> f64 {
        let over = |(k, ln): (usize, &f64)| ln + 0.5 * (k as f64 * STEP / SPREAD).powi(2);
        self.ln_absolute.iter().enumerate().map(over).fold(f64::NEG_INFINITY, f64::max) + BETWEEN
    }

    /// Worst relative error up to distance `u`.
    #[cfg(test)]
    pub(super) fn relative_within(&self, u: f64) -> f64 {
        self.ln_relative[..=(u / STEP) as usize].iter().copied().fold(f64::NEG_INFINITY, f64::max).exp()
            / MARGIN
    }

    /// Largest `ln(ceiling / floor)` for which every distance has a relative error of at most
    /// `tolerance` or an absolute one of at most `tolerance` of the floor.
    #[cfg(test)]
    pub(super) fn limit(&self, tolerance: f64) -> f64 {
        let (mut low, mut high) = (-100.0, 200.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.worst(middle) <= tolerance { low = middle } else { high = middle }
        }
        low
    }
}

/// Where the error is looked at inside a cell.
struct Samples {
    half: f64,
    q: usize,
    z: Vec<f64>,
    /// `T_a` at each sample, `[sample][degree]`.
    values: Vec<f64>,
}

impl Samples {
    fn new(half: f64, q: usize) -> Self {
        let count = 2 * q.div_ceil(2) + 3;
        let at = |j: usize| (std::f64::consts::PI * j as f64 / (count - 1) as f64).cos();
        let z: Vec<f64> = (0..count).map(at).collect();
        let mut values = vec![0.0; count * q];
        for (z, row) in z.iter().zip(values.chunks_exact_mut(q)) {
            polynomials(*z, row);
        }
        Samples { half, q, z, values }
    }

    /// Partial sums `[terms 0..=q][sample]` and kernel values for one axis.
    fn axis(&self, u: f64) -> (Vec<f64>, Vec<f64>) {
        let (q, count) = (self.q, self.z.len());
        let mut coefficient = vec![0.0; q];
        coefficients(u, self.half, &mut coefficient);
        let mut sums = vec![0.0; (q + 1) * count];
        for (a, c) in coefficient.iter().enumerate() {
            let (done, next) = sums.split_at_mut((a + 1) * count);
            let values = self.values.iter().skip(a).step_by(q);
            for ((sum, before), t) in next.iter_mut().zip(&done[a * count..]).zip(values) {
                *sum = before + c * t;
            }
        }
        let kernel = self.z.iter().map(|z| (-0.5 * (u - z * self.half).powi(2)).exp()).collect();
        (sums, kernel)
    }

    /// Worst relative and absolute error over the cell for a bin at (`u`, `v`).
    fn errors(&self, u: f64, v: Option<f64>) -> (f64, f64) {
        let (sums, kernel) = self.axis(u);
        let (q, count) = (self.q, self.z.len());
        let mut worst = (0.0, 0.0);
        let mut see = |approximate: f64, exact: f64| {
            let error = (approximate - exact).abs();
            worst = (f64::max(worst.0, error / exact), f64::max(worst.1, error));
        };
        let Some(v) = v else {
            for (sum, exact) in sums[q * count..].iter().zip(&kernel) {
                see(*sum, *exact);
            }
            return worst;
        };
        let (others, other_kernel) = self.axis(v);
        let mut product = vec![0.0; count];
        for (second, second_kernel) in other_kernel.iter().enumerate() {
            product.fill(0.0);
            for b in 0..q {
                // Degree b of the second axis meets degrees below q - b of the first.
                let degree = others[(b + 1) * count + second] - others[b * count + second];
                let first = &sums[(q - b) * count..(q - b + 1) * count];
                for (sum, below) in product.iter_mut().zip(first) {
                    *sum += degree * below;
                }
            }
            for (sum, first_kernel) in product.iter().zip(&kernel) {
                see(*sum, first_kernel * second_kernel);
            }
        }
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative errors up to u = 6 as the specification tabulates them: (1/cell, q, 1-D, 2-D).
    const RELATIVE: [(f64, usize, f64, f64); 15] = [
        (1.5, 5, 8e-2, 2.6),
        (1.5, 6, 1.2e-2, 0.52),
        (1.5, 8, 1.3e-4, 1.1e-2),
        (1.5, 10, 6.8e-7, 1.1e-4),
        (3.0, 5, 9.4e-4, 1.7e-2),
        (3.0, 6, 6.7e-5, 1.7e-3),
        (3.0, 8, 1.9e-7, 9.6e-6),
        (3.0, 10, 2.4e-10, 2.4e-8),
        (4.0, 5, 1.8e-4, 2.8e-3),
        (4.0, 6, 9.5e-6, 2.1e-4),
        (4.0, 8, 1.5e-8, 6.7e-7),
        (4.0, 10, 1e-11, 1e-9),
        (6.0, 5, 1.9e-5, 2.6e-4),
        (6.0, 6, 6.6e-7, 1.3e-5),
        (6.0, 8, 5e-10, 1.8e-8),
    ];

    #[test]
    fn relative_errors_are_those_of_the_specification() {
        for (cells, q, one, two) in RELATIVE {
            for (axes, want) in [(1, one), (2, two)] {
                let got = ErrorTable::new(1.0 / cells, q, axes).relative_within(6.0);
                assert!((got / want).ln().abs() < 0.1, "sigma/{cells} q {q} axes {axes}: {got:e} {want:e}");
            }
        }
    }

    /// Highest ln(ceiling) with a floor of 1e-15: (tolerance, 1/cell, q, 1-D, 2-D).
    const LIMITS: [(f64, f64, usize, f64, f64); 19] = [
        (1e-6, 1.5, 8, -24.0, -31.0),
        (1e-6, 1.5, 9, -20.0, -27.0),
        (1e-6, 1.5, 10, -13.8, -21.0),
        (1e-6, 3.0, 6, -27.0, -32.0),
        (1e-6, 3.0, 7, -20.1, -25.7),
        (1e-6, 3.0, 8, -9.1, -20.7),
        (1e-6, 3.0, 9, 7.0, -13.4),
        (1e-6, 3.0, 10, f64::INFINITY, -3.4),
        (1e-6, 4.0, 6, -24.0, -28.0),
        (1e-6, 4.0, 7, -12.0, -22.6),
        (1e-6, 4.0, 8, 7.2, -14.1),
        (1e-6, 4.0, 9, f64::INFINITY, -1.3),
        (1e-6, 4.0, 10, f64::INFINITY, 16.0),
        (1e-6, 6.0, 6, -13.9, -24.2),
        (1e-6, 6.0, 7, 11.6, -13.1),
        (1e-6, 6.0, 8, f64::INFINITY, 5.5),
        (1e-3, 3.0, 5, -15.4, -26.0),
        (1e-3, 4.0, 5, -2.5, -21.0),
        (1e-3, 4.0, 6, f64::INFINITY, -6.9),
    ];

    #[test]
    fn limits_on_the_ceiling_are_those_of_the_specification() {
        for (tolerance, cells, q, one, two) in LIMITS {
            for (axes, want) in [(1, one), (2, two)] {
                // The margin for what the samples miss is not in the specification's figures.
                let got = ErrorTable::new(1.0 / cells, q, axes).limit(tolerance * MARGIN) + 1e-15f64.ln();
                let slack = if want.fract() == 0.0 { 0.8 } else { 0.4 };
                let right = if want == f64::INFINITY { got > 20.0 } else { (got - want).abs() < slack };
                assert!(right, "tol {tolerance} sigma/{cells} q {q} axes {axes}: {got:.2} {want}");
            }
        }
    }

    #[test]
    fn no_place_in_the_cell_is_worse_than_the_table() {
        let mut chance = crate::kernels::marks::tests::Chance(3);
        for (cells, q) in [(1.0, 12), (1.5, 12), (2.0, 7), (3.0, 9), (4.0, 5), (6.0, 8)] {
            let table = ErrorTable::new(1.0 / cells, q, 2);
            let half = 0.5 / cells;
            let (mut first, mut second) = (vec![0.0; q], vec![0.0; q]);
            let (mut t, mut t2) = (vec![0.0; q], vec![0.0; q]);
            for _ in 0..3000 {
                // Nearer than this some errors vanish at 0, which lines between entries do not follow.
                let (u, angle) = (0.5 + 8.5 * chance.uniform(), std::f64::consts::TAU * chance.uniform());
                let edge = |v: f64| (2.4 * v - 1.2).clamp(-1.0, 1.0);
                let (z, z2) = (edge(chance.uniform()), edge(chance.uniform()));
                let (x, y) = (u * angle.cos(), u * angle.sin());
                coefficients(x, half, &mut first);
                coefficients(y, half, &mut second);
                polynomials(z, &mut t);
                polynomials(z2, &mut t2);
                let mut sum = 0.0;
                for b in 0..q {
                    for a in 0..q - b {
                        sum += first[a] * t[a] * second[b] * t2[b];
                    }
                }
                let exact = (-0.5 * ((x - z * half).powi(2) + (y - z2 * half).powi(2))).exp();
                // The table between its entries, as `worst` reads it.
                let (k, part) = ((u / STEP) as usize, (u / STEP).fract());
                let between = |ln: &[f64]| (ln[k] * (1.0 - part) + ln[k + 1] * part).exp();
                let rounding = 1e-15 * (u * half * 3.0).exp();
                let (error, slack) = ((sum - exact).abs(), 1.02);
                assert!(
                    error / exact <= slack * between(&table.ln_relative) + rounding,
                    "{cells} {q} {u} {angle}"
                );
                assert!(error <= slack * between(&table.ln_absolute) + 1e-16, "{cells} {q} {u} {angle}");
                let wide = (table.ln_error() - 0.5 * (u / SPREAD).powi(2)).exp();
                assert!(error <= wide + 1e-16, "{cells} {q} {u} {angle}: {error:e} {wide:e}");
            }
        }
    }
}

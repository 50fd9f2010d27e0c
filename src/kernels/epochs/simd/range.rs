//! Smallest and largest value, and their difference: the peak-to-peak of a channel's epoch.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Smallest and largest value seen so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    /// Smallest.
    pub least: f64,
    /// Largest.
    pub most: f64,
}

impl Extremes {
    /// Of nothing.
    pub const NONE: Extremes = Extremes { least: f64::INFINITY, most: f64::NEG_INFINITY };

    /// Both together.
    pub fn and(self, other: Extremes) -> Extremes {
        Extremes { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Largest less smallest.
    pub fn peak_to_peak(self) -> f64 {
        self.most - self.least
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(values: &[f64]) -> Extremes {
    // SAFETY: every load lies inside of `values`.
    unsafe {
        let (from, n) = (values.as_ptr(), values.len());
        let mut found = Extremes::NONE;
        let mut at = 0;
        if n >= 4 * L::N {
            let mut least = [L::splat(f64::INFINITY); 4];
            let mut most = [L::splat(f64::NEG_INFINITY); 4];
            while at + 4 * L::N <= n {
                for i in 0..4 {
                    let v = L::load(from.add(at + i * L::N));
                    least[i] = least[i].min(v);
                    most[i] = most[i].max(v);
                }
                at += 4 * L::N;
            }
            let least = least[0].min(least[1]).min(least[2].min(least[3])).to_array();
            let most = most[0].max(most[1]).max(most[2].max(most[3])).to_array();
            for i in 0..L::N {
                found = found.and(Extremes { least: least[i], most: most[i] });
            }
        }
        while at < n {
            let v = *from.add(at);
            found = found.and(Extremes { least: v, most: v });
            at += 1;
        }
        found
    }
}
per_level! { unsafe fn body_at(values: &[f64]) -> Extremes = body }

/// Smallest and largest of `values`, which are numbers.
pub fn extremes(level: CpuLevel, values: &[f64]) -> Extremes {
    // SAFETY: the level is limited to what the machine has.
    unsafe { body_at(level.min(CpuLevel::detect()), values) }
}

/// Largest less smallest of `values`, bit for bit numpy's `ptp`.
pub fn peak_to_peak(level: CpuLevel, values: &[f64]) -> f64 {
    extremes(level, values).peak_to_peak()
}

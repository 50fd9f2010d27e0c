//! Taps from a list, one output row at a time: the rules that must look at every value's place
//! (`footprint`, `ignore`), for the few cells that need them.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// One weight and its place: element offset from the window's first cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tap {
    /// Elements from the first cell of the window, in the patch's stride.
    pub offset: usize,
    /// The weight.
    pub weight: f64,
}

/// Which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Plain sums over the listed taps.
    Sum,
    /// Sum over the taps that meet numbers, divided by the sum of their weights.
    Ignore,
}

#[inline(always)]
unsafe fn row_body<L: Lanes>(taps: &[Tap], from: *const f64, to: &mut [f64], rule: Rule, narrow: bool) {
    // SAFETY: the caller checked that every tap of every column lies in the patch, whole
    // registers included.
    unsafe {
        let mut col = 0;
        while col < to.len() {
            let (mut sum, mut valid) = (L::splat(0.0), L::splat(0.0));
            for tap in taps {
                let (w, x) = (L::splat(tap.weight), L::load(from.add(col + tap.offset)));
                let product = if narrow { w.mul(x).through_f32() } else { w.mul(x) };
                match rule {
                    Rule::Sum => sum = sum.add(product),
                    Rule::Ignore => {
                        sum = sum.add(product.where_number(x));
                        valid = valid.add(w.where_number(x));
                    }
                }
            }
            if rule == Rule::Ignore {
                sum = sum.div(valid);
            }
            let lanes = sum.to_array();
            let end = to.len().min(col + L::N);
            to[col..end].copy_from_slice(&lanes[..end - col]);
            col += L::N;
        }
    }
}
per_level! { unsafe fn row_at(taps: &[Tap], from: *const f64, to: &mut [f64], rule: Rule, narrow: bool) = row_body }

/// Sums for `to.len()` neighbouring cells whose windows start at `from[0]`, `from[1]`, ...;
/// `narrow` forms products in float32. Taps in the order of the list, products and sums rounded
/// each.
///
/// # Panics
///
/// If `from` is too short for a tap, up to 8 elements of overhang included.
pub fn row(level: CpuLevel, taps: &[Tap], from: &[f64], to: &mut [f64], (rule, narrow): (Rule, bool)) {
    let last = taps.iter().map(|t| t.offset).max().unwrap_or(0);
    assert!(from.len() >= last + to.len().next_multiple_of(8));
    // SAFETY: checked above; the level is available (see `Focal`).
    unsafe { row_at(level, taps, from.as_ptr(), to, rule, narrow) }
}

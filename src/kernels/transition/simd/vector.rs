//! Places to cells, cells to places, and sums.

use super::super::{FAINT, FLUSH, LEAST_NORMAL};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Places that lie side by side among the cells.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// First place.
    pub place: usize,
    /// Its cell.
    pub cell: usize,
    /// Places.
    pub length: usize,
}

fn within(runs: &[Run], places: usize, cells: usize) -> bool {
    runs.iter().all(|run| run.place + run.length <= places && run.cell + run.length <= cells)
}

#[derive(Clone, Copy)]
struct Term {
    values: *const f64,
    weight: f64,
    /// Null: 1.
    scale: *const f64,
    add: bool,
}

/// What is there, if anything, plus weight times value times scale, 0 below [`FAINT`]; returns the
/// extremes.
#[inline(always)]
unsafe fn fill_body<L: Lanes>(runs: &[Run], term: Term, cells: *mut f64) -> (f64, f64) {
    // SAFETY: `fill` checked the runs.
    unsafe {
        let (faint, zero) = (L::splat(FAINT), L::splat(0.0));
        let (mut least, mut most) = (f64::INFINITY, LEAST_NORMAL);
        let (mut low, mut high) = (L::splat(least), L::splat(most));
        for run in runs {
            let (to, from) = (cells.add(run.cell), term.values.add(run.place));
            let scale = term.scale.wrapping_add(run.place);
            let mut i = 0;
            while i + L::N <= run.length {
                let mut value = L::load(from.add(i));
                if !term.scale.is_null() {
                    value = value.mul(L::load(scale.add(i)));
                }
                let start = if term.add { L::load(to.add(i)) } else { L::splat(LEAST_NORMAL) };
                let sum = value.fma(L::splat(term.weight), start);
                let sum = zero.select(sum.at_most(faint), sum);
                sum.store(to.add(i));
                (low, high) = (low.min(sum), high.max(sum));
                i += L::N;
            }
            while i < run.length {
                let scale = if term.scale.is_null() { 1.0 } else { *scale.add(i) };
                let start = if term.add { *to.add(i) } else { LEAST_NORMAL };
                let sum = *from.add(i) * scale * term.weight + start;
                let sum = if sum <= FAINT { 0.0 } else { sum };
                *to.add(i) = sum;
                least = if sum < least { sum } else { least };
                most = if sum > most { sum } else { most };
                i += 1;
            }
        }
        let (low, high) = (low.to_array(), high.to_array());
        for lane in 0..L::N {
            least = if low[lane] < least { low[lane] } else { least };
            most = if high[lane] > most { high[lane] } else { most };
        }
        (least, most)
    }
}
per_level! { unsafe fn fill_at(runs: &[Run], term: Term, cells: *mut f64) -> (f64, f64) = fill_body }

/// Writes (or adds, where `add`) `values * weight * scale` of each place to its cell; returns the
/// least and the largest of what stands there then.
///
/// # Panics
///
/// If a run reaches outside of a slice.
pub fn fill(
    level: CpuLevel,
    runs: &[Run],
    (values, weight, scale): (&[f64], f64, Option<&[f64]>),
    add: bool,
    cells: &mut [f64],
) -> (f64, f64) {
    assert!(within(runs, values.len(), cells.len()));
    assert!(scale.is_none_or(|scale| scale.len() >= values.len()));
    let scale = scale.map_or(std::ptr::null(), <[f64]>::as_ptr);
    let term = Term { values: values.as_ptr(), weight, scale, add };
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { fill_at(level.min(CpuLevel::detect()), runs, term, cells.as_mut_ptr()) }
}

#[inline(always)]
unsafe fn collect_body<L: Lanes>(
    cells: *const f64,
    runs: &[Run],
    (scale, constant): (*const f64, f64),
    out: *mut f64,
) {
    // SAFETY: `collect` checked the runs.
    unsafe {
        let (flush, zero) = (L::splat(FLUSH), L::splat(0.0));
        for run in runs {
            let (from, to) = (cells.add(run.cell), out.add(run.place));
            let scale_of = scale.wrapping_add(run.place);
            let mut i = 0;
            while i + L::N <= run.length {
                let value = L::load(from.add(i));
                let factor = if scale.is_null() { L::splat(1.0) } else { L::load(scale_of.add(i)) };
                let value = value.fma(factor, L::splat(constant));
                zero.select(value.at_most(flush), value).store(to.add(i));
                i += L::N;
            }
            while i < run.length {
                let factor = if scale.is_null() { 1.0 } else { *scale_of.add(i) };
                let value = *from.add(i) * factor + constant;
                *to.add(i) = if value <= FLUSH { 0.0 } else { value };
                i += 1;
            }
        }
    }
}
per_level! { unsafe fn collect_at(cells: *const f64, runs: &[Run], linear: (*const f64, f64), out: *mut f64) = collect_body }

#[inline(always)]
unsafe fn stay_body<L: Lanes>(values: &[f64], weight: f64, out: &mut [f64]) {
    // SAFETY: `collect` checked that both are equally long.
    unsafe {
        let (flush, zero, least) = (L::splat(FLUSH), L::splat(0.0), L::splat(LEAST_NORMAL));
        let n = out.len();
        let mut i = 0;
        while i + L::N <= n {
            let to = out.as_mut_ptr().add(i);
            let sum = L::load(values.as_ptr().add(i)).fma(L::splat(weight), L::load(to).add(least));
            zero.select(sum.at_most(flush), sum).store(to);
            i += L::N;
        }
        while i < n {
            let sum = *values.as_ptr().add(i) * weight + (*out.as_ptr().add(i) + LEAST_NORMAL);
            *out.as_mut_ptr().add(i) = if sum <= FLUSH { 0.0 } else { sum };
            i += 1;
        }
    }
}
per_level! { unsafe fn stay_at(values: &[f64], weight: f64, out: &mut [f64]) = stay_body }

/// `out[place] = constant + cell * scale + weighted values that stay`, 0 below [`FLUSH`].
///
/// # Panics
///
/// If a slice is shorter than the places.
pub fn collect<'a>(
    level: CpuLevel,
    walked: super::super::walk::Walked,
    scale: Option<&[f64]>,
    (constant, stay): (f64, impl Iterator<Item = (f64, &'a [f64])>),
    out: &mut [f64],
) {
    let level = level.min(CpuLevel::detect());
    match walked {
        None => out.fill(if constant <= FLUSH { 0.0 } else { constant }),
        Some((cells, runs)) => {
            assert!(within(runs, out.len(), cells.len()));
            assert!(scale.is_none_or(|scale| scale.len() >= out.len()));
            let scale = scale.map_or(std::ptr::null(), <[f64]>::as_ptr);
            // SAFETY: checked; the level is limited to what the machine has.
            unsafe { collect_at(level, cells.as_ptr(), runs, (scale, constant), out.as_mut_ptr()) }
        }
    }
    for (weight, values) in stay {
        assert_eq!(values.len(), out.len());
        // SAFETY: checked.
        unsafe { stay_at(level, values, weight, out) }
    }
}

#[inline(always)]
unsafe fn total_body<L: Lanes>(values: &[f64]) -> f64 {
    // SAFETY: loads stay inside of the slice.
    unsafe {
        let mut sums = [L::splat(0.0); 4];
        let (from, n) = (values.as_ptr(), values.len());
        let mut i = 0;
        while i + 4 * L::N <= n {
            for chain in 0..4 {
                sums[chain] = sums[chain].add(L::load(from.add(i + chain * L::N)));
            }
            i += 4 * L::N;
        }
        let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
        let mut sum: f64 = sum.to_array().iter().sum();
        while i < n {
            sum += *from.add(i);
            i += 1;
        }
        sum
    }
}
per_level! { unsafe fn total_at(values: &[f64]) -> f64 = total_body }

/// The sum of `values`, in a fixed order.
pub fn total(level: CpuLevel, values: &[f64]) -> f64 {
    // SAFETY: the level is limited to what the machine has.
    unsafe { total_at(level.min(CpuLevel::detect()), values) }
}

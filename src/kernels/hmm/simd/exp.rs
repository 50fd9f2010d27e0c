//! `exp(row - largest)` of a whole row.

use crate::backend::CpuLevel;
use crate::kernels::simd::exp::{LOWEST, Source, exp};
use crate::kernels::simd::{Lanes, per_level};

/// The largest finite value, -inf where there is none.
#[inline(always)]
unsafe fn largest<L: Lanes, T: Source>(row: *const T, n: usize) -> f64 {
    // SAFETY: loads stay below `n`.
    unsafe {
        let (bound, none) = (L::splat(f64::MAX), L::splat(f64::NEG_INFINITY));
        let mut most = [none; 4];
        let mut i = 0;
        while i + 4 * L::N <= n {
            for chain in 0..4 {
                let value = T::read::<L>(row.add(i + chain * L::N));
                let value = value.select(value.at_most(bound), none);
                most[chain] = most[chain].max(value);
            }
            i += 4 * L::N;
        }
        let most = most[0].max(most[1]).max(most[2].max(most[3])).to_array();
        let mut best = f64::NEG_INFINITY;
        for &value in &most[..L::N] {
            best = if value > best { value } else { best };
        }
        while i < n {
            let value = (*row.add(i)).wide();
            best = if value.is_finite() && value > best { value } else { best };
            i += 1;
        }
        best
    }
}

/// 0 where it is no number or too low, 1 where it is above the largest.
#[inline(always)]
unsafe fn relative<L: Lanes, const K: usize>(values: [L; K], largest: L) -> [L; K] {
    // SAFETY: registers only.
    unsafe {
        let (lowest, zero) = (L::splat(LOWEST), L::splat(0.0));
        let (mut x, mut given) = (values, values);
        for k in 0..K {
            given[k] = values[k].sub(largest);
            x[k] = given[k].select(lowest.at_most(given[k]), lowest).min(zero);
        }
        let mut results = exp(x);
        for k in 0..K {
            results[k] = results[k].select(lowest.at_most(given[k]), zero);
        }
        results
    }
}

#[inline(always)]
unsafe fn stretch<L: Lanes, T: Source, const K: usize>(row: *const T, n: usize, out: *mut f64, most: f64) {
    // SAFETY: loads and stores stay below `n`; the rest goes through a buffer.
    unsafe {
        let best = L::splat(most);
        let mut i = 0;
        while i + K * L::N <= n {
            let mut values = [best; K];
            for k in 0..K {
                values[k] = T::read::<L>(row.add(i + k * L::N));
            }
            let results = relative(values, best);
            for k in 0..K {
                results[k].store(out.add(i + k * L::N));
            }
            i += K * L::N;
        }
        while i + L::N <= n {
            relative([T::read::<L>(row.add(i))], best)[0].store(out.add(i));
            i += L::N;
        }
        while i < n {
            let left = if n - i < L::N { n - i } else { L::N };
            let mut buffer = [0.0; 8];
            for lane in 0..left {
                buffer[lane] = (*row.add(i + lane)).wide();
            }
            let values = relative([L::load(buffer.as_ptr())], best)[0].to_array();
            for lane in 0..left {
                *out.add(i + lane) = values[lane];
            }
            i += left;
        }
    }
}

#[inline(always)]
unsafe fn row_body<L: Lanes, T: Source>(row: *const T, n: usize, out: *mut f64) -> f64 {
    // SAFETY: passed on.
    unsafe {
        let most = largest::<L, T>(row, n);
        let most = if most == f64::NEG_INFINITY { 0.0 } else { most };
        if L::REGISTERS == 32 {
            stretch::<L, T, 8>(row, n, out, most);
        } else {
            stretch::<L, T, 4>(row, n, out, most);
        }
        most
    }
}

#[inline(always)]
unsafe fn double<L: Lanes>(row: *const f64, n: usize, out: *mut f64) -> f64 {
    // SAFETY: passed on.
    unsafe { row_body::<L, f64>(row, n, out) }
}
#[inline(always)]
unsafe fn single<L: Lanes>(row: *const f32, n: usize, out: *mut f64) -> f64 {
    // SAFETY: passed on.
    unsafe { row_body::<L, f32>(row, n, out) }
}
#[inline(always)]
unsafe fn largest_double<L: Lanes>(row: *const f64, n: usize) -> f64 {
    // SAFETY: passed on.
    unsafe { largest::<L, f64>(row, n) }
}
#[inline(always)]
unsafe fn largest_single<L: Lanes>(row: *const f32, n: usize) -> f64 {
    // SAFETY: passed on.
    unsafe { largest::<L, f32>(row, n) }
}
per_level! { unsafe fn largest_double_at(row: *const f64, n: usize) -> f64 = largest_double }
per_level! { unsafe fn largest_single_at(row: *const f32, n: usize) -> f64 = largest_single }
per_level! { unsafe fn double_at(row: *const f64, n: usize, out: *mut f64) -> f64 = double }
per_level! { unsafe fn single_at(row: *const f32, n: usize, out: *mut f64) -> f64 = single }

/// See [`LogLikelihood::relative`](super::super::LogLikelihood::relative).
pub fn relative_f64(level: CpuLevel, row: &[f64], out: &mut [f64]) -> f64 {
    assert!(out.len() >= row.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { double_at(level.min(CpuLevel::detect()), row.as_ptr(), row.len(), out.as_mut_ptr()) }
}

/// See [`LogLikelihood::relative`](super::super::LogLikelihood::relative).
pub fn relative_f32(level: CpuLevel, row: &[f32], out: &mut [f64]) -> f64 {
    assert!(out.len() >= row.len());
    // SAFETY: checked; the level is limited to what the machine has.
    unsafe { single_at(level.min(CpuLevel::detect()), row.as_ptr(), row.len(), out.as_mut_ptr()) }
}

/// See [`LogLikelihood::largest`](super::super::LogLikelihood::largest).
pub fn largest_f64(level: CpuLevel, row: &[f64]) -> Option<f64> {
    // SAFETY: reads the row alone; the level is limited to what the machine has.
    let most = unsafe { largest_double_at(level.min(CpuLevel::detect()), row.as_ptr(), row.len()) };
    most.is_finite().then_some(most)
}

/// See [`LogLikelihood::largest`](super::super::LogLikelihood::largest).
pub fn largest_f32(level: CpuLevel, row: &[f32]) -> Option<f64> {
    // SAFETY: reads the row alone; the level is limited to what the machine has.
    let most = unsafe { largest_single_at(level.min(CpuLevel::detect()), row.as_ptr(), row.len()) };
    most.is_finite().then_some(most)
}

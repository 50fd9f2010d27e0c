//! `exp(row - largest)` of a whole row.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Below this the exponential is taken as 0: results stay above 1e-300.
const LOWEST: f64 = -690.0;

/// exp on +-ln 2 / 2, constant term first: a Chebyshev series economised to degree 11, relative
/// error 1.6e-17.
const SERIES: [f64; 12] = [
    1.0,
    1.0,
    0.5000000000000019,
    0.16666666666666702,
    0.04166666666648794,
    0.008333333333309507,
    0.0013888888952356135,
    0.00019841269909260645,
    2.480148543844738e-5,
    2.755722491836887e-6,
    2.763265575933203e-7,
    2.5114882786996687e-8,
];

/// High part of ln 2, exact when multiplied by any exponent, and the rest.
const LN_2: [f64; 2] = [0.6931471803691238, 1.9082149292705877e-10];

/// `exp(x)` for `LOWEST <= x <= 0`, to about one unit in the last place. `K` registers go side by
/// side: a series is one long chain, and left to itself the processor overlaps too few of them.
#[inline(always)]
unsafe fn exp<L: Lanes, const K: usize>(x: [L; K]) -> [L; K] {
    // SAFETY: registers only.
    unsafe {
        // Adding 1.5 * 2^52 rounds to an integer, which stays in the low bits.
        let magic = L::splat(6_755_399_441_055_744.0);
        let (mut shifted, mut r) = (x, x);
        for k in 0..K {
            shifted[k] = x[k].fma(L::splat(std::f64::consts::LOG2_E), magic);
            let n = shifted[k].sub(magic);
            r[k] = n.fnma(L::splat(LN_2[1]), n.fnma(L::splat(LN_2[0]), x[k]));
        }
        let mut sum = [L::splat(SERIES[11]); K];
        for term in (0..11).rev() {
            let constant = L::splat(SERIES[term]);
            for k in 0..K {
                sum[k] = sum[k].fma(r[k], constant);
            }
        }
        for k in 0..K {
            sum[k] = sum[k].times_power_of_two(shifted[k]);
        }
        sum
    }
}

/// Where values come from.
trait Source: Copy {
    unsafe fn read<L: Lanes>(from: *const Self) -> L;
    fn wide(self) -> f64;
}
impl Source for f64 {
    #[inline(always)]
    unsafe fn read<L: Lanes>(from: *const f64) -> L {
        // SAFETY: the caller's pointer.
        unsafe { L::load(from) }
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}
impl Source for f32 {
    #[inline(always)]
    unsafe fn read<L: Lanes>(from: *const f32) -> L {
        // SAFETY: the caller's pointer.
        unsafe { L::load_f32(from) }
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

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

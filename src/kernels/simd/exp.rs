//! `exp` of registers of doubles, for arguments that are not positive.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

use super::Lanes;

/// The lowest argument of [`exp`]: results stay above 1e-300.
pub const LOWEST: f64 = -690.0;

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
///
/// # Safety
///
/// As [`Lanes`].
#[inline(always)]
pub unsafe fn exp<L: Lanes, const K: usize>(x: [L; K]) -> [L; K] {
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

/// Numbers that registers of doubles are read from.
///
/// # Safety
///
/// As [`Lanes`].
#[allow(clippy::missing_safety_doc)] // Said once, above.
pub trait Source: Copy {
    /// Reads `L::N` values, widened.
    unsafe fn read<L: Lanes>(from: *const Self) -> L;
    /// The same value in double precision.
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

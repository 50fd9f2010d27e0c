//! Registers of `f32` or `f64` lanes under one trait, for kernels of both precisions.
//!
//! A body generic over [`Real`] is written once and compiled per precision and instruction set:
//! `per_level!` hands it a [`Level`], which names the two registers of the set. Exponential and
//! logarithm are here because a kernel density is made of them.

/// A floating-point type of lanes, with the constants its exponential and logarithm need.
pub trait Element: Copy + Default + PartialOrd + std::fmt::Debug + Send + Sync + 'static {
    /// Adding it leaves the nearest whole number in the lowest bits of the significand.
    const MAGIC: Self;
    /// Coefficients of `2^r` on `[-1/2, 1/2]`, lowest power first: interpolation at the
    /// Chebyshev nodes, relative error 1e-7 and 4e-18.
    const EXP2: &'static [Self];
    /// Coefficients of `atanh(s) / s` in `s^2` for `|s| < 0.172`: 1, 1/3, 1/5 ...
    const ATANH: &'static [Self];
    /// The smallest normal value.
    const TINY: Self;
    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// The same value in double precision.
    fn wide(self) -> f64;
}

impl Element for f32 {
    const MAGIC: f32 = 12_582_912.0;
    const EXP2: &'static [f32] =
        &[1.000_000_1, std::f32::consts::LN_2, 0.240_221_07, 0.055_503_57, 0.009_676_032, 0.001_339_086_3];
    const ATANH: &'static [f32] = &[1.0, 1.0 / 3.0, 0.2, 1.0 / 7.0, 1.0 / 9.0];
    const TINY: f32 = f32::MIN_POSITIVE;
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    const EXP2: &'static [f64] = &[
        1.0,
        std::f64::consts::LN_2,
        2.402_265_069_591_015_8e-1,
        5.550_410_866_482_162e-2,
        9.618_129_107_587_256e-3,
        1.333_355_814_640_647e-3,
        1.540_353_046_372_435_3e-4,
        1.525_273_384_155_677_3e-5,
        1.321_543_253_591_237_5e-6,
        1.017_805_708_773_394_1e-7,
        7.074_194_297_288_521e-9,
        4.455_817_908_336_064_5e-10,
    ];
    const ATANH: &'static [f64] = &[
        1.0,
        1.0 / 3.0,
        0.2,
        1.0 / 7.0,
        1.0 / 9.0,
        1.0 / 11.0,
        1.0 / 13.0,
        1.0 / 15.0,
        1.0 / 17.0,
        1.0 / 19.0,
        1.0 / 21.0,
    ];
    const TINY: f64 = f64::MIN_POSITIVE;
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// A register of `N` lanes.
///
/// # Safety
///
/// All methods need the instruction set of the implementing type, and pointers valid for `N`
/// elements; nothing needs alignment.
#[allow(clippy::missing_safety_doc)] // Said once, above.
pub trait Real: Copy {
    /// Type of a lane.
    type Element: Element;
    /// Lanes of a register.
    const N: usize;
    /// Registers of the instruction set, which bounds the block of accumulators.
    const REGISTERS: usize;
    /// The same value in all lanes.
    unsafe fn splat(value: Self::Element) -> Self;
    /// Reads `N` values.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Writes `N` values.
    unsafe fn store(self, to: *mut Self::Element);
    /// Sum.
    unsafe fn add(self, other: Self) -> Self;
    /// Difference.
    unsafe fn sub(self, other: Self) -> Self;
    /// Product.
    unsafe fn mul(self, other: Self) -> Self;
    /// Quotient.
    unsafe fn div(self, other: Self) -> Self;
    /// `self * factor + term`, one rounding where the instruction set has it, two otherwise.
    unsafe fn fma(self, factor: Self, term: Self) -> Self;
    /// The larger one; `other` where a lane of either is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// `self * 2^n` where `test <= limit`, +0 elsewhere (also where `test` is not a number);
    /// `n` is the whole number in the low bits of `magic` (see [`Element::MAGIC`]).
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self;
    /// Significand in `[1, 2)` and exponent of a positive normal number.
    unsafe fn split(self) -> (Self, Self);
    /// `yes` where `self > limit`, `no` elsewhere.
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self;

    /// `2^-t` where `0 <= t <= limit`, +0 where `t` is larger or not a number. `limit` keeps the
    /// result normal: at most 125 in single precision, 1021 in double.
    #[inline(always)]
    unsafe fn exp2_down(self, limit: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let magic = Self::splat(Self::Element::MAGIC);
            let whole = magic.sub(self);
            let rest = magic.sub(whole).sub(self);
            let (last, others) = match Self::Element::EXP2.split_last() {
                Some(parts) => parts,
                None => return rest,
            };
            let mut value = Self::splat(*last);
            for coefficient in others.iter().rev() {
                value = value.fma(rest, Self::splat(*coefficient));
            }
            value.scale_where(whole, self, limit)
        }
    }

    /// Natural logarithm of a positive normal number.
    #[inline(always)]
    unsafe fn ln(self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let one = Self::splat(Self::Element::of(1.0));
            let root = Self::splat(Self::Element::of(std::f64::consts::SQRT_2));
            let (mantissa, exponent) = self.split();
            let halved = mantissa.mul(Self::splat(Self::Element::of(0.5)));
            let exponent = mantissa.where_above(root, exponent.add(one), exponent);
            let mantissa = mantissa.where_above(root, halved, mantissa);
            let s = mantissa.sub(one).div(mantissa.add(one));
            let square = s.mul(s);
            let mut series = Self::splat(Self::Element::of(0.0));
            for coefficient in Self::Element::ATANH.iter().rev() {
                series = series.fma(square, Self::splat(*coefficient));
            }
            let mantissa_log = series.mul(s.add(s));
            exponent.fma(Self::splat(Self::Element::of(std::f64::consts::LN_2)), mantissa_log)
        }
    }
}

/// The registers of one instruction set.
pub trait Level {
    /// Single precision.
    type Singles: Real<Element = f32>;
    /// Double precision.
    type Doubles: Real<Element = f64>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::CpuLevel;
    use crate::kernels::simd::per_level;

    #[inline(always)]
    unsafe fn both<R: Real>(x: &[R::Element], limit: f64, exp: &mut [R::Element], ln: &mut [R::Element]) {
        // SAFETY: whole registers only.
        unsafe {
            for at in (0..x.len() / R::N * R::N).step_by(R::N) {
                let value = R::load(x.as_ptr().add(at));
                value.exp2_down(R::splat(R::Element::of(limit))).store(exp.as_mut_ptr().add(at));
                value.ln().store(ln.as_mut_ptr().add(at));
            }
        }
    }
    #[inline(always)]
    unsafe fn singles<L: Level>(x: &[f32], limit: f64, exp: &mut [f32], ln: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { both::<L::Singles>(x, limit, exp, ln) }
    }
    #[inline(always)]
    unsafe fn doubles<L: Level>(x: &[f64], limit: f64, exp: &mut [f64], ln: &mut [f64]) {
        // SAFETY: the caller's promise.
        unsafe { both::<L::Doubles>(x, limit, exp, ln) }
    }
    per_level! { unsafe fn singles_at(x: &[f32], limit: f64, exp: &mut [f32], ln: &mut [f32]) = singles }
    per_level! { unsafe fn doubles_at(x: &[f64], limit: f64, exp: &mut [f64], ln: &mut [f64]) = doubles }

    #[test]
    fn exponential_and_logarithm_agree_with_std_at_every_level() {
        let x: Vec<f64> = (0..16_000).map(|i| 1e-3 + f64::from(i) * 0.008).collect();
        let narrow: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        for level in CpuLevel::available() {
            let (mut exp, mut ln) = (vec![9.0; x.len()], vec![9.0; x.len()]);
            let (mut exp32, mut ln32) = (vec![9.0; x.len()], vec![9.0; x.len()]);
            // SAFETY: the level is available.
            unsafe {
                doubles_at(level, &x, 100.0, &mut exp, &mut ln);
                singles_at(level, &narrow, 100.0, &mut exp32, &mut ln32);
            }
            for i in 0..x.len() {
                let (t, t32) = (x[i], f64::from(narrow[i]));
                let close =
                    |got: f64, want: f64, unit: f64| (got - want).abs() <= unit * want.abs().max(1e-300);
                assert!(
                    (ln[i] - t.ln()).abs() <= 1e-15 * (1.0 + t.ln().abs()),
                    "{level:?} ln {t}: {}",
                    ln[i]
                );
                assert!(
                    (f64::from(ln32[i]) - t32.ln()).abs() <= 4e-7 * (1.0 + t32.ln().abs()),
                    "{level:?} {t}"
                );
                if t > 100.0 && t32 > 100.0 {
                    assert_eq!((exp[i], exp32[i]), (0.0, 0.0), "{level:?} {t}");
                } else if t < 99.9 {
                    assert!(close(exp[i], (-t).exp2(), 1e-15), "{level:?} {t}: {} {}", exp[i], (-t).exp2());
                    assert!(close(f64::from(exp32[i]), (-t32).exp2(), 3e-7), "{level:?} {t}: {}", exp32[i]);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_or_huge_weighs_nothing() {
        let x = [f32::NAN, f32::INFINITY, 1e30, 126.0, f32::NAN, 4e9, 125.5, f32::INFINITY];
        let x: Vec<f32> = x.iter().chain(&x).copied().collect();
        let wide: Vec<f64> = x.iter().map(|v| f64::from(*v) * 1e3).collect();
        for level in CpuLevel::available() {
            let (mut exp, mut ln) = (vec![9.0; 16], vec![9.0; 16]);
            let (mut exp64, mut ln64) = (vec![9.0; 16], vec![9.0; 16]);
            // SAFETY: the level is available.
            unsafe {
                singles_at(level, &x, 125.0, &mut exp, &mut ln);
                doubles_at(level, &wide, 1021.0, &mut exp64, &mut ln64);
            }
            assert!(exp.iter().all(|v| *v == 0.0) && exp64.iter().all(|v| *v == 0.0), "{level:?} {exp:?}");
        }
    }
}

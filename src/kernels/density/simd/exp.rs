//! `exp` of numbers that are not positive, written so that a loop of it becomes vector code.
//!
//! Argument reduction by two parts of ln 2, Taylor series of degree 13 in Estrin's form: within 1.1
//! units in the last place of the true value, 0 below -708 (where float64 runs out of normal numbers).

use crate::kernels::simd::Lanes;

/// Adding it rounds to the nearest integer, which then stands in the lowest bits.
const ROUND: f64 = 6755399441055744.0;
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const LEAST: f64 = -708.0;
/// 1/k! for k = 0..=13.
const TAYLOR: [f64; 14] = {
    let mut terms = [1.0; 14];
    let mut k = 1;
    while k < 14 {
        terms[k] = terms[k - 1] / k as f64;
        k += 1;
    }
    terms
};

/// `a * b + c`: fused where `L` is an instruction set that has it, else two roundings (the library
/// call that would fuse them is far slower).
#[inline(always)]
pub fn fused<L: Lanes>(a: f64, b: f64, c: f64) -> f64 {
    if L::N == 2 { a * b + c } else { a.mul_add(b, c) }
}

/// `exp(x)` for `x <= 0`; to be inlined into a loop compiled for `L`.
#[inline(always)]
pub fn exp<L: Lanes>(x: f64) -> f64 {
    let clamped = if x < LEAST { LEAST } else { x };
    let shifted = fused::<L>(clamped, std::f64::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fused::<L>(-n, LN2_LOW, fused::<L>(-n, LN2_HIGH, clamped));
    let t = &TAYLOR;
    let pair = |k: usize| fused::<L>(t[k + 1], r, t[k]);
    let (r2, r4) = (r * r, r * r * r * r);
    let r8 = r4 * r4;
    let low = fused::<L>(fused::<L>(pair(6), r2, pair(4)), r4, fused::<L>(pair(2), r2, pair(0)));
    let high = fused::<L>(pair(12), r4, fused::<L>(pair(10), r2, pair(8)));
    let value = fused::<L>(high, r8, low);
    let scaled = f64::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 52));
    if x < LEAST { 0.0 } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::Portable;

    #[test]
    fn it_is_exp_to_the_last_place_or_two() {
        let worst = (0..200_000).map(|k| {
            let x = -(f64::from(k) * 0.003_54);
            let (found, expected) = (exp::<Portable>(x), x.exp());
            (found - expected).abs() / expected
        });
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 5e-16, "{worst:e}");
        assert_eq!(exp::<Portable>(0.0), 1.0);
        assert_eq!((exp::<Portable>(-708.1), exp::<Portable>(f64::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp::<Portable>(f64::NAN).is_nan());
    }
}

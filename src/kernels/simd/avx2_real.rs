//! Eight single-precision or four double-precision lanes: AVX2 with FMA.

use super::{Avx2, Level, Real};
use std::arch::x86_64::*;

impl Level for Avx2 {
    type Singles = Avx2Singles;
    type Doubles = Avx2Doubles;
}

/// A 256-bit register of `f32`.
#[derive(Debug, Clone, Copy)]
pub struct Avx2Singles(__m256);

// SAFETY (every block below): the trait's contract gives AVX2, FMA and valid pointers.
impl Real for Avx2Singles {
    type Element = f32;
    const N: usize = 8;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Avx2Singles(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Avx2Singles(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx2Singles(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx2Singles(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx2Singles(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx2Singles(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx2Singles(_mm256_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx2Singles(_mm256_fmadd_ps(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        unsafe {
            let keep = _mm256_cmp_ps::<_CMP_LE_OQ>(test.0, limit.0);
            let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(magic.0));
            let bits = _mm256_add_epi32(_mm256_castps_si256(self.0), power);
            Avx2Singles(_mm256_and_ps(keep, _mm256_castsi256_ps(bits)))
        }
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        unsafe {
            let bits = _mm256_castps_si256(self.0);
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff));
            let mantissa = _mm256_or_si256(fraction, _mm256_set1_epi32(0x3f80_0000));
            // The exponent's bits in the lowest place of 2^23 make that number plus them.
            let raised = _mm256_or_si256(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(0x4b00_0000));
            let exponent = _mm256_sub_ps(_mm256_castsi256_ps(raised), _mm256_set1_ps(8_388_735.0));
            (Avx2Singles(_mm256_castsi256_ps(mantissa)), Avx2Singles(exponent))
        }
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        unsafe {
            let above = _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, limit.0);
            Avx2Singles(_mm256_blendv_ps(no.0, yes.0, above))
        }
    }
}

/// A 256-bit register of `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Avx2Doubles(__m256d);

// SAFETY (every block below): the trait's contract gives AVX2, FMA and valid pointers.
impl Real for Avx2Doubles {
    type Element = f64;
    const N: usize = 4;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        unsafe { Avx2Doubles(_mm256_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        unsafe { Avx2Doubles(_mm256_loadu_pd(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        unsafe { _mm256_storeu_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_div_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_max_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx2Doubles(_mm256_fmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        unsafe {
            let keep = _mm256_cmp_pd::<_CMP_LE_OQ>(test.0, limit.0);
            let power = _mm256_slli_epi64::<52>(_mm256_castpd_si256(magic.0));
            let bits = _mm256_add_epi64(_mm256_castpd_si256(self.0), power);
            Avx2Doubles(_mm256_and_pd(keep, _mm256_castsi256_pd(bits)))
        }
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        unsafe {
            let bits = _mm256_castpd_si256(self.0);
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi64x(0x000f_ffff_ffff_ffff));
            let mantissa = _mm256_or_si256(fraction, _mm256_set1_epi64x(0x3ff0_0000_0000_0000));
            // The exponent's bits in the lowest place of 2^52 make that number plus them.
            let raised =
                _mm256_or_si256(_mm256_srli_epi64::<52>(bits), _mm256_set1_epi64x(0x4330_0000_0000_0000));
            let exponent =
                _mm256_sub_pd(_mm256_castsi256_pd(raised), _mm256_set1_pd(4_503_599_627_371_519.0));
            (Avx2Doubles(_mm256_castsi256_pd(mantissa)), Avx2Doubles(exponent))
        }
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        unsafe {
            let above = _mm256_cmp_pd::<_CMP_GT_OQ>(self.0, limit.0);
            Avx2Doubles(_mm256_blendv_pd(no.0, yes.0, above))
        }
    }
}

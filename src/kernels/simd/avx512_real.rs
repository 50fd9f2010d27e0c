//! Sixteen single-precision or eight double-precision lanes: AVX-512 F, DQ, BW and VL.

use super::{Avx512, Level, Real};
use std::arch::x86_64::*;

impl Level for Avx512 {
    type Singles = Avx512Singles;
    type Doubles = Avx512Doubles;
}

/// A 512-bit register of `f32`.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Singles(__m512);

// SAFETY (every block below): the trait's contract gives AVX-512 and valid pointers.
impl Real for Avx512Singles {
    type Element = f32;
    const N: usize = 16;
    const REGISTERS: usize = 32;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        unsafe { Avx512Singles(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        unsafe { Avx512Singles(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx512Singles(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx512Singles(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx512Singles(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx512Singles(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx512Singles(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx512Singles(_mm512_fmadd_ps(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(test.0, limit.0);
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(magic.0));
            let bits = _mm512_castps_si512(self.0);
            Avx512Singles(_mm512_castsi512_ps(_mm512_maskz_add_epi32(keep, bits, power)))
        }
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        unsafe {
            let mantissa = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO>(self.0);
            (Avx512Singles(mantissa), Avx512Singles(_mm512_getexp_ps(self.0)))
        }
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        unsafe {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, limit.0);
            Avx512Singles(_mm512_mask_blend_ps(above, no.0, yes.0))
        }
    }
}

/// A 512-bit register of `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Doubles(__m512d);

// SAFETY (every block below): the trait's contract gives AVX-512 and valid pointers.
impl Real for Avx512Doubles {
    type Element = f64;
    const N: usize = 8;
    const REGISTERS: usize = 32;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        unsafe { Avx512Doubles(_mm512_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        unsafe { Avx512Doubles(_mm512_loadu_pd(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        unsafe { _mm512_storeu_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_div_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_max_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx512Doubles(_mm512_fmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        unsafe {
            let keep = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(test.0, limit.0);
            let power = _mm512_slli_epi64::<52>(_mm512_castpd_si512(magic.0));
            let bits = _mm512_castpd_si512(self.0);
            Avx512Doubles(_mm512_castsi512_pd(_mm512_maskz_add_epi64(keep, bits, power)))
        }
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        unsafe {
            let mantissa = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO>(self.0);
            (Avx512Doubles(mantissa), Avx512Doubles(_mm512_getexp_pd(self.0)))
        }
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        unsafe {
            let above = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(self.0, limit.0);
            Avx512Doubles(_mm512_mask_blend_pd(above, no.0, yes.0))
        }
    }
}

//! Eight lanes: AVX-512 F, DQ, BW and VL.

use super::Lanes;
use std::arch::x86_64::*;

/// A 512-bit register.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(__m512d);

// SAFETY (every block below): the trait's contract gives AVX-512 and valid pointers.
impl Lanes for Avx512 {
    const N: usize = 8;
    const REGISTERS: usize = 32;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        unsafe { Avx512(_mm512_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        unsafe { Avx512(_mm512_loadu_pd(from)) }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> Self {
        unsafe { Avx512(_mm512_cvtps_pd(_mm256_loadu_ps(from))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        unsafe { _mm512_storeu_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, _mm512_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f64) {
        unsafe { _mm512_stream_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, to: *mut f32) {
        unsafe { _mm256_stream_ps(to, _mm512_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_div_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx512(_mm512_fmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn fnma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx512(_mm512_fnmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Avx512(_mm512_abs_pd(self.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_max_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn through_f32(self) -> Self {
        unsafe { Avx512(_mm512_cvtps_pd(_mm512_cvtpd_ps(self.0))) }
    }
    #[inline(always)]
    unsafe fn where_number(self, test: Self) -> Self {
        unsafe {
            let number = _mm512_cmp_pd_mask::<_CMP_ORD_Q>(test.0, test.0);
            Avx512(_mm512_maskz_mov_pd(number, self.0))
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        unsafe {
            // A macro, because a closure would not be compiled for AVX-512.
            macro_rules! row {
                ($i:literal) => {
                    _mm512_loadu_pd(from.add($i * from_stride))
                };
            }
            let (r0, r1, r2, r3) = (row!(0), row!(1), row!(2), row!(3));
            let (r4, r5, r6, r7) = (row!(4), row!(5), row!(6), row!(7));
            let (a0, a1) = (_mm512_unpacklo_pd(r0, r1), _mm512_unpackhi_pd(r0, r1));
            let (a2, a3) = (_mm512_unpacklo_pd(r2, r3), _mm512_unpackhi_pd(r2, r3));
            let (a4, a5) = (_mm512_unpacklo_pd(r4, r5), _mm512_unpackhi_pd(r4, r5));
            let (a6, a7) = (_mm512_unpacklo_pd(r6, r7), _mm512_unpackhi_pd(r6, r7));
            // 128-bit pairs: even quarters, then odd quarters, of two pairs of rows.
            let b0 = _mm512_shuffle_f64x2::<0x88>(a0, a2);
            let b1 = _mm512_shuffle_f64x2::<0x88>(a1, a3);
            let b2 = _mm512_shuffle_f64x2::<0xdd>(a0, a2);
            let b3 = _mm512_shuffle_f64x2::<0xdd>(a1, a3);
            let b4 = _mm512_shuffle_f64x2::<0x88>(a4, a6);
            let b5 = _mm512_shuffle_f64x2::<0x88>(a5, a7);
            let b6 = _mm512_shuffle_f64x2::<0xdd>(a4, a6);
            let b7 = _mm512_shuffle_f64x2::<0xdd>(a5, a7);
            _mm512_storeu_pd(to, _mm512_shuffle_f64x2::<0x88>(b0, b4));
            _mm512_storeu_pd(to.add(to_stride), _mm512_shuffle_f64x2::<0x88>(b1, b5));
            _mm512_storeu_pd(to.add(2 * to_stride), _mm512_shuffle_f64x2::<0x88>(b2, b6));
            _mm512_storeu_pd(to.add(3 * to_stride), _mm512_shuffle_f64x2::<0x88>(b3, b7));
            _mm512_storeu_pd(to.add(4 * to_stride), _mm512_shuffle_f64x2::<0xdd>(b0, b4));
            _mm512_storeu_pd(to.add(5 * to_stride), _mm512_shuffle_f64x2::<0xdd>(b1, b5));
            _mm512_storeu_pd(to.add(6 * to_stride), _mm512_shuffle_f64x2::<0xdd>(b2, b6));
            _mm512_storeu_pd(to.add(7 * to_stride), _mm512_shuffle_f64x2::<0xdd>(b3, b7));
        }
    }
}

//! Four lanes: AVX2 with FMA.

use super::Lanes;
use std::arch::x86_64::*;

/// A 256-bit register.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(__m256d);

// SAFETY (every block below): the trait's contract gives AVX2, FMA and valid pointers.
impl Lanes for Avx2 {
    type Single = __m256;
    type Mask = __m256d;
    const N: usize = 4;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        unsafe { Avx2(_mm256_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        unsafe { Avx2(_mm256_loadu_pd(from)) }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> Self {
        unsafe { Avx2(_mm256_cvtps_pd(_mm_loadu_ps(from))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        unsafe { _mm256_storeu_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, to: *mut f32) {
        unsafe { _mm_storeu_ps(to, _mm256_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f64) {
        unsafe { _mm256_stream_pd(to, self.0) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, to: *mut f32) {
        unsafe { _mm_stream_ps(to, _mm256_cvtpd_ps(self.0)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_div_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx2(_mm256_fmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn fnma(self, factor: Self, term: Self) -> Self {
        unsafe { Avx2(_mm256_fnmadd_pd(self.0, factor.0, term.0)) }
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        unsafe { Avx2(_mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_max_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        unsafe { Avx2(_mm256_min_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> __m256d {
        unsafe { _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, limit.0) }
    }
    #[inline(always)]
    unsafe fn select(self, mask: __m256d, other: Self) -> Self {
        unsafe { Avx2(_mm256_blendv_pd(other.0, self.0, mask)) }
    }
    #[inline(always)]
    unsafe fn add_where(self, mask: __m256d, other: Self) -> Self {
        unsafe { Avx2(_mm256_add_pd(self.0, _mm256_and_pd(mask, other.0))) }
    }
    #[inline(always)]
    unsafe fn all(mask: __m256d) -> bool {
        unsafe { _mm256_movemask_pd(mask) == 0b1111 }
    }
    #[inline(always)]
    unsafe fn sums(rows: *const Self) -> Self {
        unsafe {
            let (a, b) = (_mm256_hadd_pd((*rows).0, (*rows.add(1)).0), (rows.add(2), rows.add(3)));
            let b = _mm256_hadd_pd((*b.0).0, (*b.1).0);
            let low = _mm256_permute2f128_pd::<0x20>(a, b);
            Avx2(_mm256_add_pd(low, _mm256_permute2f128_pd::<0x31>(a, b)))
        }
    }
    #[inline(always)]
    unsafe fn through_f32(self) -> Self {
        unsafe { Avx2(_mm256_cvtps_pd(_mm256_cvtpd_ps(self.0))) }
    }
    #[inline(always)]
    unsafe fn where_number(self, test: Self) -> Self {
        unsafe { Avx2(_mm256_and_pd(self.0, _mm256_cmp_pd::<_CMP_ORD_Q>(test.0, test.0))) }
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, shifted: Self) -> Self {
        unsafe {
            let exponent = _mm256_slli_epi64::<52>(_mm256_castpd_si256(shifted.0));
            Avx2(_mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(self.0), exponent)))
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        unsafe {
            let r0 = _mm256_loadu_pd(from);
            let r1 = _mm256_loadu_pd(from.add(from_stride));
            let r2 = _mm256_loadu_pd(from.add(2 * from_stride));
            let r3 = _mm256_loadu_pd(from.add(3 * from_stride));
            let (a, b) = (_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1));
            let (c, d) = (_mm256_unpacklo_pd(r2, r3), _mm256_unpackhi_pd(r2, r3));
            _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(a, c));
            _mm256_storeu_pd(to.add(to_stride), _mm256_permute2f128_pd::<0x20>(b, d));
            _mm256_storeu_pd(to.add(2 * to_stride), _mm256_permute2f128_pd::<0x31>(a, c));
            _mm256_storeu_pd(to.add(3 * to_stride), _mm256_permute2f128_pd::<0x31>(b, d));
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn single(value: f32) -> __m256 {
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load_single(from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn fma_single(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn widen_single(value: __m256) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm256_castps256_ps128(value), _mm256_extractf128_ps::<1>(value));
            (Avx2(_mm256_cvtps_pd(low)), Avx2(_mm256_cvtps_pd(high)))
        }
    }
}

//! Eight lanes: AVX-512 F, DQ, BW and VL.

use super::Lanes;
use std::arch::x86_64::*;

/// A 512-bit register.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(__m512d);

// SAFETY (every block below): the trait's contract gives AVX-512 and valid pointers.
impl Lanes for Avx512 {
    type Single = __m512;
    type Mask = __mmask8;
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
    unsafe fn min(self, other: Self) -> Self {
        unsafe { Avx512(_mm512_min_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> __mmask8 {
        unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self.0, limit.0) }
    }
    #[inline(always)]
    unsafe fn select(self, mask: __mmask8, other: Self) -> Self {
        unsafe { Avx512(_mm512_mask_blend_pd(mask, other.0, self.0)) }
    }
    #[inline(always)]
    unsafe fn add_where(self, mask: __mmask8, other: Self) -> Self {
        unsafe { Avx512(_mm512_mask_add_pd(self.0, mask, self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn all(mask: __mmask8) -> bool {
        mask == 0xff
    }
    #[inline(always)]
    unsafe fn sums(rows: *const Self) -> Self {
        unsafe {
            // Each step adds halves and packs two registers into one: 8, 4, 2, 1.
            macro_rules! pairs {
                ($i:literal) => {{
                    let (a, b) = ((*rows.add($i)).0, (*rows.add($i + 1)).0);
                    _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b))
                }};
            }
            macro_rules! fold {
                ($a:expr, $b:expr) => {{
                    let (a, b) = ($a, $b);
                    let even = _mm512_shuffle_f64x2::<0x88>(a, b);
                    _mm512_add_pd(even, _mm512_shuffle_f64x2::<0xdd>(a, b))
                }};
            }
            let first = fold!(pairs!(0), pairs!(2));
            Avx512(fold!(first, fold!(pairs!(4), pairs!(6))))
        }
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
    unsafe fn times_power_of_two(self, shifted: Self) -> Self {
        unsafe {
            let exponent = _mm512_slli_epi64::<52>(_mm512_castpd_si512(shifted.0));
            Avx512(_mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(self.0), exponent)))
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        unsafe {
            // Macros, because closures would not be compiled for AVX-512. Half rows i and i + 4
            // share a register: inserting from memory leaves the one shuffle port alone.
            macro_rules! halves {
                ($i:literal, $col:literal) => {
                    _mm512_insertf64x4::<1>(
                        _mm512_castpd256_pd512(_mm256_loadu_pd(from.add($i * from_stride + $col))),
                        _mm256_loadu_pd(from.add(($i + 4) * from_stride + $col)),
                    )
                };
            }
            let even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            let odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            macro_rules! four {
                ($col:literal) => {
                    let (r0, r1) = (halves!(0, $col), halves!(1, $col));
                    let (r2, r3) = (halves!(2, $col), halves!(3, $col));
                    let (a, b) = (_mm512_unpacklo_pd(r0, r1), _mm512_unpackhi_pd(r0, r1));
                    let (c, d) = (_mm512_unpacklo_pd(r2, r3), _mm512_unpackhi_pd(r2, r3));
                    _mm512_storeu_pd(to.add($col * to_stride), _mm512_permutex2var_pd(a, even, c));
                    _mm512_storeu_pd(to.add(($col + 1) * to_stride), _mm512_permutex2var_pd(b, even, d));
                    _mm512_storeu_pd(to.add(($col + 2) * to_stride), _mm512_permutex2var_pd(a, odd, c));
                    _mm512_storeu_pd(to.add(($col + 3) * to_stride), _mm512_permutex2var_pd(b, odd, d));
                };
            }
            four!(0);
            four!(4);
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn single(value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load_single(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn fma_single(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn widen_single(value: __m512) -> (Self, Self) {
        unsafe {
            let (low, high) = (_mm512_castps512_ps256(value), _mm512_extractf32x8_ps::<1>(value));
            (Avx512(_mm512_cvtps_pd(low)), Avx512(_mm512_cvtps_pd(high)))
        }
    }
}

//! Four single-precision or two double-precision lanes in plain Rust, vectorised by the compiler.

use super::{Level, Portable, Real};

impl Level for Portable {
    type Singles = PortableSingles;
    type Doubles = PortableDoubles;
}

/// Plain lanes of `f32`; multiply-add rounds twice, since a library call per lane would be far slower.
#[derive(Debug, Clone, Copy)]
pub struct PortableSingles([f32; 4]);

// SAFETY (whole impl): plain arithmetic; pointers are valid by the trait's contract.
impl Real for PortableSingles {
    type Element = f32;
    const N: usize = 4;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        PortableSingles([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { PortableSingles(from.cast::<[f32; 4]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| self.0[i] / other.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| self.0[i] * factor.0[i] + term.0[i]))
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| {
            let scaled = f32::from_bits(self.0[i].to_bits().wrapping_add(magic.0[i].to_bits() << 23));
            if test.0[i] <= limit.0[i] { scaled } else { 0.0 }
        }))
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        let mantissa = self.0.map(|v| f32::from_bits(v.to_bits() & 0x007f_ffff | 0x3f80_0000));
        // The exponent's bits in the lowest place of 2^23 make that number plus them.
        let exponent = self.0.map(|v| f32::from_bits(v.to_bits() >> 23 | 0x4b00_0000) - 8_388_735.0);
        (PortableSingles(mantissa), PortableSingles(exponent))
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        PortableSingles(std::array::from_fn(|i| if self.0[i] > limit.0[i] { yes.0[i] } else { no.0[i] }))
    }
}

/// Plain lanes of `f64`; multiply-add rounds twice, since a library call per lane would be far slower.
#[derive(Debug, Clone, Copy)]
pub struct PortableDoubles([f64; 2]);

// SAFETY (whole impl): plain arithmetic; pointers are valid by the trait's contract.
impl Real for PortableDoubles {
    type Element = f64;
    const N: usize = 2;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        PortableDoubles([value; 2])
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the trait's contract.
        unsafe { PortableDoubles(from.cast::<[f64; 2]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[f64; 2]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| self.0[i] / other.0[i]))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| self.0[i] * factor.0[i] + term.0[i]))
    }
    #[inline(always)]
    unsafe fn scale_where(self, magic: Self, test: Self, limit: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| {
            let scaled = f64::from_bits(self.0[i].to_bits().wrapping_add(magic.0[i].to_bits() << 52));
            if test.0[i] <= limit.0[i] { scaled } else { 0.0 }
        }))
    }
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        let mantissa =
            self.0.map(|v| f64::from_bits(v.to_bits() & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000));
        // The exponent's bits in the lowest place of 2^52 make that number plus them.
        let exponent = self
            .0
            .map(|v| f64::from_bits(v.to_bits() >> 52 | 0x4330_0000_0000_0000) - 4_503_599_627_371_519.0);
        (PortableDoubles(mantissa), PortableDoubles(exponent))
    }
    #[inline(always)]
    unsafe fn where_above(self, limit: Self, yes: Self, no: Self) -> Self {
        PortableDoubles(std::array::from_fn(|i| if self.0[i] > limit.0[i] { yes.0[i] } else { no.0[i] }))
    }
}

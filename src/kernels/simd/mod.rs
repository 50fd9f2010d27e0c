//! Vectors of `f64` lanes, one type per instruction set.
//!
//! A SIMD kernel is one `#[inline(always)]` body generic over [`Lanes`]; `per_level!` wraps it
//! in one `#[target_feature]` function per [`CpuLevel`](crate::backend::CpuLevel) and picks by the
//! level it is given. Every operation
//! here must be inlined into such a wrapper: called as a function it costs about twenty times
//! as much, so bodies use no closures and no functions without `#[inline(always)]`.
#![allow(unsafe_code)] // Vector instructions: every use names what makes it sound.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_real;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_real;
pub mod exp;
pub mod peak;
mod portable;
mod portable_real;
pub mod real;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use portable::Portable;
pub use real::{Element, Level, Real};

/// A register of `N` double-precision lanes.
///
/// # Safety
///
/// All methods need the instruction set of the implementing type, and pointers valid for `N`
/// elements; loads and stores need no alignment unless they say so.
#[allow(clippy::missing_safety_doc)] // Said once, above.
pub trait Lanes: Copy {
    /// A register of twice as many single-precision lanes.
    type Single: Copy;
    /// One truth value per lane.
    type Mask: Copy;
    /// Lanes of a register.
    const N: usize;
    /// Registers of the instruction set, which bounds the block of accumulators.
    const REGISTERS: usize;
    /// The same value in all lanes.
    unsafe fn splat(value: f64) -> Self;
    /// Reads `N` values.
    unsafe fn load(from: *const f64) -> Self;
    /// Reads `N` single-precision values and widens them.
    unsafe fn load_f32(from: *const f32) -> Self;
    /// Writes `N` values.
    unsafe fn store(self, to: *mut f64);
    /// Rounds to single precision (nearest even) and writes `N` values.
    unsafe fn store_f32(self, to: *mut f32);
    /// Writes past the caches; `to` is aligned to the whole register.
    unsafe fn stream(self, to: *mut f64);
    /// Rounds and writes past the caches; `to` is aligned to half the register.
    unsafe fn stream_f32(self, to: *mut f32);
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
    /// `term - self * factor`, rounded like [`Lanes::fma`].
    unsafe fn fnma(self, factor: Self, term: Self) -> Self;
    /// Magnitude.
    unsafe fn abs(self) -> Self;
    /// The larger one; either one where a lane is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller one; either one where a lane is not a number.
    unsafe fn min(self, other: Self) -> Self;
    /// Where `self <= limit`.
    unsafe fn at_most(self, limit: Self) -> Self::Mask;
    /// `self` where the mask holds, `other` elsewhere.
    unsafe fn select(self, mask: Self::Mask, other: Self) -> Self;
    /// `self + other` where the mask holds, `self` elsewhere.
    unsafe fn add_where(self, mask: Self::Mask, other: Self) -> Self;
    /// True where the mask holds in every lane.
    unsafe fn all(mask: Self::Mask) -> bool;
    /// Lane `i` is the sum over the lanes of `rows[i]`, for `N` registers at `rows`.
    unsafe fn sums(rows: *const Self) -> Self;
    /// Rounds to single precision and widens again.
    unsafe fn through_f32(self) -> Self;
    /// Own value where `test` is a number, +0 where it is not.
    unsafe fn where_number(self, test: Self) -> Self;
    /// `self * 2^n`, where `shifted` is `1.5 * 2^52 + n`, whose low bits are `n`; `self` and the
    /// result must be normal numbers.
    unsafe fn times_power_of_two(self, shifted: Self) -> Self;
    /// Writes the `N` x `N` block at `from` (row stride `from_stride`) transposed to `to`.
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize);

    /// The same single-precision value in all `2 N` lanes.
    unsafe fn single(value: f32) -> Self::Single;
    /// Reads `2 N` single-precision values.
    unsafe fn load_single(from: *const f32) -> Self::Single;
    /// `a * b + c` in single precision, rounded like [`Lanes::fma`].
    unsafe fn fma_single(a: Self::Single, b: Self::Single, c: Self::Single) -> Self::Single;
    /// Both halves, widened.
    unsafe fn widen_single(value: Self::Single) -> (Self, Self);
    /// Asks for the cache line at `at`, which may be any address, for use soon.
    unsafe fn prefetch(at: *const u8);

    /// The lanes as an array, for reductions outside the inner loop.
    #[inline(always)]
    unsafe fn to_array(self) -> [f64; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: N is at most 8.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
}

/// Declares `fn name(level, args)` that runs the lane-generic `body` compiled for `level`.
///
/// The caller guarantees that the machine has `level` (see
/// [`CpuLevel::detect`](crate::backend::CpuLevel::detect)) besides what the body asks.
macro_rules! per_level {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $([$($of:ident: $bound:path),*])? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name $(<$($of: $bound),*>)? (level: $crate::backend::CpuLevel, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2 $(<$($of: $bound),*>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { $body::<$crate::kernels::simd::Avx2 $($(, $of)*)?>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512 $(<$($of: $bound),*>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { $body::<$crate::kernels::simd::Avx512 $($(, $of)*)?>($($arg),*) }
            }
            // SAFETY: the caller promises the level and what the body asks.
            unsafe {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    $crate::backend::CpuLevel::Avx2 => avx2 $(::<$($of),*>)? ($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::backend::CpuLevel::Avx512 => avx512 $(::<$($of),*>)? ($($arg),*),
                    _ => $body::<$crate::kernels::simd::Portable $($(, $of)*)?>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use per_level;

/// `f64` values on a 64-byte boundary: a cache line and the widest register.
#[derive(Debug, Default)]
pub struct AlignedF64 {
    storage: Vec<f64>,
    start: usize,
    len: usize,
}

impl AlignedF64 {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let storage = vec![0.0; len + 8];
        let start = storage.as_ptr().align_offset(64).min(8);
        AlignedF64 { storage, start, len }
    }
}

impl std::ops::Deref for AlignedF64 {
    type Target = [f64];
    #[inline(always)]
    fn deref(&self) -> &[f64] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl std::ops::DerefMut for AlignedF64 {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests;

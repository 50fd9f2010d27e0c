//! One row at a time: widening values on their way in, rounding sums on their way out.

use crate::array::{Real, WorkType};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};
use std::sync::atomic::{Ordering, compiler_fence};

/// What loading saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Largest magnitude; means nothing unless all values were finite.
    pub max: f64,
    /// True where every value was finite.
    pub finite: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Seen { max: 0.0, finite: true }
    }
}

impl Seen {
    /// Both together.
    pub fn and(self, other: Seen) -> Seen {
        Seen { max: self.max.max(other.max), finite: self.finite && other.finite }
    }

    /// One value more.
    pub fn with(self, value: f64) -> Seen {
        self.and(Seen { max: value.abs(), finite: value.is_finite() })
    }
}

#[inline(always)]
unsafe fn widen_as<L: Lanes, const NARROW: bool>(from: *const u8, to: &mut [f64], ahead: usize) -> Seen {
    // SAFETY: `from` has `to.len()` values of 4 or 8 bytes; prefetching may go anywhere.
    unsafe {
        let size = if NARROW { 4 } else { 8 };
        let (mut max, mut odd) = (L::splat(0.0), L::splat(0.0));
        let whole = to.len() - to.len() % L::N;
        let mut at = 0;
        while at < whole {
            let p = from.add(at * size);
            L::prefetch(p.wrapping_add(ahead));
            let v = if NARROW { L::load_f32(p.cast()) } else { L::load(p.cast()) };
            v.store(to.as_mut_ptr().add(at));
            // Keeps the compiler from turning the copy into a separate one in front of the loop.
            compiler_fence(Ordering::SeqCst);
            max = max.max(v.abs());
            // 0 times a finite value is 0; NaN and infinities leave NaN behind.
            odd = v.fma(L::splat(0.0), odd);
            at += L::N;
        }
        let mut seen = Seen::default();
        let (max, odd) = (max.to_array(), odd.to_array());
        for lane in 0..L::N {
            seen = seen.and(Seen { max: max[lane], finite: odd[lane] == 0.0 });
        }
        while at < to.len() {
            let p = from.add(at * size);
            to[at] = if NARROW {
                f64::from(p.cast::<f32>().read_unaligned())
            } else {
                p.cast::<f64>().read_unaligned()
            };
            seen = seen.with(to[at]);
            at += 1;
        }
        seen
    }
}

#[inline(always)]
unsafe fn widen_body<L: Lanes>(from: *const u8, narrow: bool, to: &mut [f64], ahead: usize) -> Seen {
    // SAFETY: passed on.
    unsafe {
        if narrow { widen_as::<L, true>(from, to, ahead) } else { widen_as::<L, false>(from, to, ahead) }
    }
}
per_level! { unsafe fn widen_at(from: *const u8, narrow: bool, to: &mut [f64], ahead: usize) -> Seen = widen_body }

/// Copies working values into float64, exactly. What lies `ahead` elements further on is asked
/// for meanwhile, so that it is in the cache when its turn comes.
///
/// # Panics
///
/// If the lengths differ.
pub fn widen<T: Real>(level: CpuLevel, from: &[T], to: &mut [f64], ahead: usize) -> Seen {
    assert_eq!(from.len(), to.len());
    let ahead = ahead.wrapping_mul(T::WORK.size());
    // SAFETY: the lengths are equal, `WORK` says which of the two types T is, and `Focal` limits
    // the level to what the machine has.
    unsafe { widen_at(level, from.as_ptr().cast(), T::WORK == WorkType::F32, to, ahead) }
}

#[inline(always)]
unsafe fn scan_body<L: Lanes>(from: &[f64], ahead: usize) -> Seen {
    // SAFETY: reads stay within the slice; prefetching may go anywhere.
    unsafe {
        let (mut max, mut odd) = ([L::splat(0.0); 2], [L::splat(0.0); 2]);
        let whole = from.len() - from.len() % (2 * L::N);
        let mut at = 0;
        while at < whole {
            let p = from.as_ptr().add(at);
            for half in 0..2 {
                L::prefetch(p.wrapping_add(ahead + half * L::N).cast());
                let v = L::load(p.add(half * L::N));
                max[half] = max[half].max(v.abs());
                odd[half] = v.fma(L::splat(0.0), odd[half]);
            }
            at += 2 * L::N;
        }
        let mut seen = Seen::default();
        let (max, odd) = (max[0].max(max[1]).to_array(), odd[0].add(odd[1]).to_array());
        for lane in 0..L::N {
            seen = seen.and(Seen { max: max[lane], finite: odd[lane] == 0.0 });
        }
        while at < from.len() {
            seen = seen.with(from[at]);
            at += 1;
        }
        seen
    }
}
per_level! { unsafe fn scan_at(from: &[f64], ahead: usize) -> Seen = scan_body }

/// What [`widen`] sees, without a copy.
pub fn scan(level: CpuLevel, from: &[f64], ahead: usize) -> Seen {
    // SAFETY: the level is available (see `Focal`).
    unsafe { scan_at(level, from, ahead) }
}

/// The values as float64, where that is what they are.
pub fn as_f64<T: Real>(values: &[T]) -> Option<&[f64]> {
    let same = T::WORK == WorkType::F64 && size_of::<T>() == 8 && align_of::<T>() == align_of::<f64>();
    // SAFETY: `WORK` says that T is f64; size and alignment agree.
    same.then(|| unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) })
}

/// The values as float64 to be written, where that is what they are.
pub fn as_f64_mut<T: Real>(values: &mut [T]) -> Option<&mut [f64]> {
    let same = T::WORK == WorkType::F64 && size_of::<T>() == 8 && align_of::<T>() == align_of::<f64>();
    // SAFETY: `WORK` says that T is f64; size and alignment agree; the borrow is passed on.
    same.then(|| unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) })
}

/// The last steps from a sum to a result: `(sum * scale + offset) / divisor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Factor taken out of the sum; 1 for none.
    pub scale: f64,
    /// Constant taken out of the data; 0 for none.
    pub offset: f64,
    /// Sum of weights to divide by; 1 for none.
    pub divisor: f64,
    /// Write past the caches.
    pub stream: bool,
}

#[inline(always)]
unsafe fn put<L: Lanes>(value: L, narrow: bool, stream: bool, to: *mut u8) {
    // SAFETY: the caller's pointer; aligned where `stream` is set.
    unsafe {
        match (narrow, stream) {
            (false, false) => value.store(to.cast()),
            (false, true) => value.stream(to.cast()),
            (true, false) => value.store_f32(to.cast()),
            (true, true) => value.stream_f32(to.cast()),
        }
    }
}

#[inline(always)]
unsafe fn put_row<L: Lanes, const NARROW: bool, const STREAM: bool, const DIVIDE: bool>(
    from: &[f64],
    to: *mut u8,
    finish: Finish,
) {
    // SAFETY: `to` has room for `from.len()` values of 4 or 8 bytes.
    unsafe {
        let size = if NARROW { 4 } else { 8 };
        let one = |v: f64, at: usize| {
            let v = v * finish.scale + finish.offset;
            let v = if DIVIDE { v / finish.divisor } else { v };
            if NARROW {
                to.add(at * 4).cast::<f32>().write_unaligned(v as f32)
            } else {
                to.add(at * 8).cast::<f64>().write_unaligned(v)
            }
        };
        let mut at = 0;
        if STREAM {
            while at < from.len() && !(to as usize + at * size).is_multiple_of(L::N * size) {
                one(from[at], at);
                at += 1;
            }
        }
        let (scale, offset, divisor) =
            (L::splat(finish.scale), L::splat(finish.offset), L::splat(finish.divisor));
        while at + L::N <= from.len() {
            let mut v = L::load(from.as_ptr().add(at)).mul(scale).add(offset);
            if DIVIDE {
                v = v.div(divisor);
            }
            put(v, NARROW, STREAM, to.add(at * size));
            at += L::N;
        }
        while at < from.len() {
            one(from[at], at);
            at += 1;
        }
    }
}

#[inline(always)]
unsafe fn deliver_body<L: Lanes>(from: &[f64], to: *mut u8, narrow: bool, finish: Finish) {
    // SAFETY: passed on.
    unsafe {
        match (narrow, finish.stream, finish.divisor != 1.0) {
            (false, false, false) => put_row::<L, false, false, false>(from, to, finish),
            (false, true, false) => put_row::<L, false, true, false>(from, to, finish),
            (true, false, false) => put_row::<L, true, false, false>(from, to, finish),
            (true, true, false) => put_row::<L, true, true, false>(from, to, finish),
            (false, _, true) => put_row::<L, false, false, true>(from, to, finish),
            (true, _, true) => put_row::<L, true, false, true>(from, to, finish),
        }
    }
}
per_level! { unsafe fn deliver_at(from: &[f64], to: *mut u8, narrow: bool, finish: Finish) = deliver_body }

/// Rounds a row of sums into results.
///
/// # Panics
///
/// If the lengths differ.
pub fn deliver<T: Real>(level: CpuLevel, from: &[f64], to: &mut [T], finish: Finish) {
    assert_eq!(from.len(), to.len());
    // SAFETY: equal lengths; `WORK` says the element size; the level is available (see `Focal`).
    unsafe { deliver_at(level, from, to.as_mut_ptr().cast(), T::WORK == WorkType::F32, finish) }
}

/// Makes streamed rows visible to other threads; once after the last row of a block.
pub fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

//! One row at a time: widening values on their way in, rounding sums on their way out.

use crate::array::{Real, WorkType};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

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
unsafe fn widen_body<L: Lanes>(from: *const f64, narrow: *const f32, to: &mut [f64]) -> Seen {
    // SAFETY: one of the two pointers is null, the other one has `to.len()` values.
    unsafe {
        let (mut max, mut odd) = (L::splat(0.0), L::splat(0.0));
        let whole = to.len() - to.len() % L::N;
        let mut at = 0;
        while at < whole {
            let v = if narrow.is_null() { L::load(from.add(at)) } else { L::load_f32(narrow.add(at)) };
            v.store(to.as_mut_ptr().add(at));
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
            let v = if narrow.is_null() { *from.add(at) } else { f64::from(*narrow.add(at)) };
            to[at] = v;
            seen = seen.with(v);
            at += 1;
        }
        seen
    }
}
per_level! { unsafe fn widen_at(from: *const f64, narrow: *const f32, to: &mut [f64]) -> Seen = widen_body }

/// Copies working values into float64, exactly.
///
/// # Panics
///
/// If the lengths differ.
pub fn widen<T: Real>(level: CpuLevel, from: &[T], to: &mut [f64]) -> Seen {
    assert_eq!(from.len(), to.len());
    let null: *const T = std::ptr::null();
    // SAFETY: the lengths are equal, `WORK` says which of the two types T is, and `Focal` limits
    // the level to what the machine has.
    unsafe {
        match T::WORK {
            WorkType::F64 => widen_at(level, from.as_ptr().cast(), null.cast(), to),
            WorkType::F32 => widen_at(level, null.cast(), from.as_ptr().cast(), to),
        }
    }
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
            while at < from.len() && (to as usize + at * size) % (L::N * size) != 0 {
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

//! The block loop once per instruction set; the compiler vectorises it across columns.

// Reason: functions compiled for an instruction set may only be called after its detection.
#![allow(unsafe_code)]

use super::block::{self, Job};
use crate::array::Real;
use crate::backend::CpuLevel;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<T: Real>(job: &Job<'_, T>, out: &mut [&mut [T]]) {
    block::tile(job, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn avx512<T: Real>(job: &Job<'_, T>, out: &mut [&mut [T]]) {
    block::tile(job, out);
}

/// [`block::tile`] at `level`, which must be one that this machine offers.
pub(super) fn tile<T: Real>(level: CpuLevel, job: &Job<'_, T>, out: &mut [&mut [T]]) {
    match level {
        CpuLevel::Baseline => block::tile(job, out),
        // SAFETY: levels come from CpuLevel::available, which detected these features.
        #[cfg(target_arch = "x86_64")]
        CpuLevel::Avx2 => unsafe { avx2(job, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        CpuLevel::Avx512 => unsafe { avx512(job, out) },
        #[cfg(not(target_arch = "x86_64"))]
        CpuLevel::Avx2 | CpuLevel::Avx512 => block::tile(job, out),
    }
}

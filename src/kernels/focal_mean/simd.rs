//! The row loop once per instruction set; the compiler vectorises it across columns.

// Reason: functions compiled for an instruction set may only be called after its detection.
#![allow(unsafe_code)]

use super::row::{self, Three};
use crate::array::Real;
use crate::backend::CpuLevel;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<T: Real>(rows: &Three<'_>, clean: bool, out: &mut [f64]) -> bool {
    row::mean_row::<T>(rows, clean, out)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn avx512<T: Real>(rows: &Three<'_>, clean: bool, out: &mut [f64]) -> bool {
    row::mean_row::<T>(rows, clean, out)
}

/// [`row::mean_row`] at `level`, which must be one that this machine offers.
pub(super) fn mean_row<T: Real>(level: CpuLevel, rows: &Three<'_>, clean: bool, out: &mut [f64]) -> bool {
    match level {
        CpuLevel::Baseline => row::mean_row::<T>(rows, clean, out),
        // SAFETY: levels come from CpuLevel::available, which detected these features.
        #[cfg(target_arch = "x86_64")]
        CpuLevel::Avx2 => unsafe { avx2::<T>(rows, clean, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        CpuLevel::Avx512 => unsafe { avx512::<T>(rows, clean, out) },
        #[cfg(not(target_arch = "x86_64"))]
        CpuLevel::Avx2 | CpuLevel::Avx512 => row::mean_row::<T>(rows, clean, out),
    }
}

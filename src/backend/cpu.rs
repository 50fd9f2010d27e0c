//! Instruction-set levels of the CPU.

use serde::{Deserialize, Serialize};

/// Instruction sets that kernels are instantiated for. A closed list: every kernel's `match`
/// over it is exhaustive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuLevel {
    /// Portable code: the compiler's baseline for the target (SSE2 on x86-64, NEON on AArch64).
    Baseline,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, DQ, BW and VL (and AVX2, FMA).
    Avx512,
}

impl CpuLevel {
    /// The best level this machine offers; kernels ask at every call, so it costs three loads.
    pub fn detect() -> CpuLevel {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            return if wide { CpuLevel::Avx512 } else { CpuLevel::Avx2 };
        }
        CpuLevel::Baseline
    }

    /// All levels this machine offers, the simplest first; tests walk them.
    pub fn available() -> Vec<CpuLevel> {
        let all = [CpuLevel::Baseline, CpuLevel::Avx2, CpuLevel::Avx512];
        all.into_iter().filter(|level| *level <= CpuLevel::detect()).collect()
    }

    /// Name for reports: `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            CpuLevel::Baseline => "baseline",
            CpuLevel::Avx2 => "avx2",
            CpuLevel::Avx512 => "avx512",
        }
    }
}

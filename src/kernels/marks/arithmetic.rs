//! The two types that blocks are computed in, at every level.

use super::simd::{Asked, registers, run_doubles, run_singles};
use super::tables::Tables;
use super::work::Work;
use crate::backend::CpuLevel;
use crate::kernels::simd::Element;

/// A type that blocks are computed in.
pub(super) trait Arithmetic: Element {
    /// Lanes of a register at this level.
    fn lanes(level: CpuLevel) -> usize;
    /// Computes a block whose `work` holds the decoding spikes.
    fn run(level: CpuLevel, tables: &Tables<Self>, asked: Asked, registers: usize, work: &mut Work<Self>);

    /// Registers and lanes of a register for a block of at most `left` spikes.
    fn block(level: CpuLevel, left: usize) -> (usize, usize) {
        let lanes = Self::lanes(level);
        (registers(left, lanes, if level == CpuLevel::Avx512 { 32 } else { 16 }), lanes)
    }
}

impl Arithmetic for f32 {
    fn lanes(level: CpuLevel) -> usize {
        2 * f64::lanes(level)
    }

    fn run(level: CpuLevel, tables: &Tables<f32>, asked: Asked, registers: usize, work: &mut Work<f32>) {
        run_singles(level, tables, asked, registers, work);
    }
}

impl Arithmetic for f64 {
    fn lanes(level: CpuLevel) -> usize {
        match level {
            CpuLevel::Baseline => 2,
            CpuLevel::Avx2 => 4,
            CpuLevel::Avx512 => 8,
        }
    }

    fn run(level: CpuLevel, tables: &Tables<f64>, asked: Asked, registers: usize, work: &mut Work<f64>) {
        run_doubles(level, tables, asked, registers, work);
    }
}

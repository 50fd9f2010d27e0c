//! Where kernels run: instruction-set levels of the CPU, threads, and (later) devices.
//!
//! Detection happens here and nowhere else; the answers are passed on as plain values.

pub mod cpu;

pub use cpu::CpuLevel;

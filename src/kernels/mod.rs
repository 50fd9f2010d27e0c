//! Numerical kernels: slices in, slices out.
//!
//! A kernel is single-threaded over what it is given, owns no file, clock, log or thread pool.
//! Each has a plain scalar definition and, where it pays, one lane-generic SIMD body that is
//! instantiated per instruction set ([`crate::backend::CpuLevel`]).

pub mod density;
pub mod epochs;
pub mod focal;
pub mod focal_mean;
pub mod focal_stats;
pub mod hmm;
pub mod hotspots;
pub mod legacy_random;
pub mod margins;
pub mod marks;
pub mod realtime;
pub mod ripple;
pub mod simd;
pub mod spline;
pub mod splits;
pub mod transition;
pub mod window;

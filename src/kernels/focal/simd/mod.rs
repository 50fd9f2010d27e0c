//! The vector bodies of the focal kernels, behind safe functions that check their bounds.
#![allow(unsafe_code)]
// Raw pointers keep bounds checks out of the inner loops.
// Register blocks are indexed by row and vector, with bounds known at compile time: iterators over
// them read worse and tempt the compiler to keep them in memory.
#![allow(clippy::needless_range_loop)]

mod blocks;
pub mod columns;
pub mod direct;
pub mod fft;
pub mod listed;
pub mod narrow;
pub mod rows;
pub mod runs;
pub mod survey;
pub mod taps;
mod upright;

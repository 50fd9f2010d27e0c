//! The vector bodies of the focal kernels, behind safe functions that check their bounds.
#![allow(unsafe_code)] // Raw pointers keep bounds checks out of the inner loops.

pub mod direct;
pub mod fft;
pub mod listed;
pub mod narrow;
pub mod rows;
pub mod runs;
pub mod survey;
pub mod taps;

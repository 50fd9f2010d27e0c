//! Lane-generic bodies, one per kernel.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

pub mod keys;
pub mod median;
pub mod predict;
pub mod range;
pub mod rows;
pub mod sweep;

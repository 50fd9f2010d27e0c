//! Lane-generic bodies: sums over all pairs at points, on a grid, and through cells.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

pub mod direct;
pub mod exp;
pub mod far;
pub mod grid;
pub mod moments;

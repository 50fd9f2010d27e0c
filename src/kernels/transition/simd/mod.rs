//! Lane-generic bodies: the two products, packed rows, and what moves places to cells and back.
#![allow(unsafe_code)] // Vector instructions; every use names what makes it sound.
#![allow(clippy::needless_range_loop)] // Blocks of registers are indexed by constants.

pub mod along;
pub mod packed;
pub mod product;
pub mod vector;

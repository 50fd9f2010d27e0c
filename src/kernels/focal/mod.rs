//! Weighted window sums.

pub mod weights;

pub use weights::{KernelType, Weights};

//! (under construction)

pub mod write;

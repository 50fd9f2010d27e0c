//! `nissl`: the heavy analyses of neuroscience and raster labs, fast, with the answers of the
//! Python packages they use today.
//!
//! The binary is a thin edge over this library. Arrows of import run one way:
//! `main -> cli -> commands -> pipeline`, `commands -> kernels -> backend`, `io` implements the
//! pipeline's and its own traits, `report` listens; `tests/layering.rs` holds them.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod array;
pub mod backend;
#[cfg(feature = "cli")]
pub mod cli;
pub mod commands;
pub mod error;
pub mod io;
pub mod kernels;
pub mod pipeline;
#[cfg(feature = "plot")]
pub mod plot;
pub mod report;
pub mod shards;
pub mod units;

pub use error::{Error, Result};

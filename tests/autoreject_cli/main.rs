//! `nissl autoreject` at the command line: what each flag does, what bad input meets, and what
//! several inputs leave behind.
#![cfg(feature = "hdf5")]

#[path = "../common/mod.rs"]
mod common;
mod desk;
mod flags;
mod given;
mod inputs;
mod results;
mod tiny;

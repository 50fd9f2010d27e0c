//! `nissl autoreject` on the real recording of the README against what the package itself made of
//! it, and the pitfalls of real data, through the program.
#![cfg(feature = "hdf5")]

#[path = "../common/mod.rs"]
mod common;
mod pitfalls;
mod real;
mod runs;
mod walks;

//! The program with `--backend cuda` over a simulated driver (see `driver.cpp`): the same sources
//! that a device runs, on the CPU, so that results, copies, launches, lack of memory and several
//! devices are tested where there is no GPU. It is not hardware: speed, and what only a device does,
//! are not seen here.
#![cfg(feature = "cuda")]

#[path = "../common/mod.rs"]
mod common;

mod autoreject;
mod driver;
mod found;

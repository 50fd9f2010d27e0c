//! What `autoreject` writes, read back by us and by the peer's own readers.
#![cfg(feature = "hdf5")]

mod cleaned;
#[path = "../common/mod.rs"]
mod common;
mod logs;
mod opened;
mod peer;
#[path = "../common/python.rs"]
mod python;
mod states;

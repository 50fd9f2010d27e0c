//! Files of `autoreject`: recordings in every storage, tables beside them, and what is refused.

#[path = "../common/mod.rs"]
mod common;
mod made;
mod storage;
mod strangers;
mod tables;

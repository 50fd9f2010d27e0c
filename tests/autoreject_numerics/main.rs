//! The scalar numerics of `autoreject` against the peer's stored numbers: the acceptance ladder of
//! the specification, over the sets of `fixtures/autoreject` (whose REFERENCE.md tells what each
//! array is and where its tolerance comes from). The kernels over whole recordings have their own.

#[path = "../common/mod.rs"]
mod common;

mod labels;
mod retrocompat;
mod searches;
mod sets;
mod splines;
mod tables;

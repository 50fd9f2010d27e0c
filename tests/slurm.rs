//! Job arrays on a real SLURM, started for each test by `tests/slurm/up`: parts, dependent merges,
//! failures that the merge names, parts that are requeued, preempted or warned in mid-work.
//!
//! They wait more than they compute: `cargo test -- --skip on_slurm::` leaves them to another process.

mod common;
#[path = "slurm/on_slurm.rs"]
mod on_slurm;
mod slurm_common;

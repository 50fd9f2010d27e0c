//! Devices against references and the CPU. Built with the feature of a backend; where a backend
//! has no device the tests say so, which is a failure under `NISSL_REQUIRE_ALL=1`.
#![cfg(feature = "wgpu")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../focal_common/mod.rs"]
mod focal_common;

mod cli;
mod convolve;
mod decode;
mod device;

use nissl::backend::device::Devices;
use nissl::backend::{Fit, Request, Work, resolve};

/// The devices of each backend of this build, with at most `limit` bytes of their memory.
pub fn devices(limit: Option<u64>) -> Vec<Devices> {
    let built = [Request::Wgpu];
    built.iter().filter_map(|&request| of(request, limit)).collect()
}

fn of(request: Request, limit: Option<u64>) -> Option<Devices> {
    let all = Fit::Whole { work: Work::default(), f64: None };
    match resolve(request, limit).and_then(|seat| seat.choose(&all)) {
        Ok(backend) => Some(backend.handles),
        Err(error) => {
            assert!(std::env::var("NISSL_REQUIRE_ALL").as_deref() != Ok("1"), "{error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

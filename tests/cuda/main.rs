//! The program with `--backend cuda` over a simulated driver (see `driver.cpp`): the same sources
//! that a device runs, on the CPU, so that results, copies, launches, lack of memory and several
//! devices are tested where there is no GPU. It is not hardware: speed, and what only a device does,
//! are not seen here.
#![cfg(feature = "cuda")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../focal_common/mod.rs"]
mod focal_common;

mod autoreject;
mod chain;
mod convolve;
#[path = "../backends/decode.rs"]
mod decode;
#[path = "../backends/device.rs"]
mod device;
mod driver;
mod found;
mod references;

use nissl::backend::device::Devices;
use nissl::backend::{Fit, Request, Work, resolve};
use std::process::Command;

/// Set where this program itself runs over a driver: the simulated one, or a real one (benches/gpu.sh).
const INSIDE: &str = "NISSL_TEST_ON_CUDA";

/// The devices, for tests that call the library; none outside of
/// [`tests_of_the_library_hold_on_the_simulated_device`].
pub fn devices(limit: Option<u64>) -> Vec<Devices> {
    if std::env::var_os(INSIDE).is_none() {
        return Vec::new();
    }
    let all = Fit::Whole { work: Work::default(), f64: None };
    let backend = resolve(Request::Cuda, limit).and_then(|seat| seat.choose(&all));
    vec![backend.unwrap_or_else(|e| panic!("{e}")).handles]
}

/// A driver is found when a process starts, so those tests run again in a process of their own.
#[test]
fn tests_of_the_library_hold_on_the_simulated_device() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    for (tests, count) in [("convolve::", 3), ("decode::", 4), ("device::", 2), ("chain::on_", 2)] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(INSIDE, "1").env("LD_LIBRARY_PATH", driver::folder()).env("XDG_CACHE_HOME", cache.path());
        let output = common::done(command.args([tests, "--nocapture"]));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("ok. {count} passed")), "{said}");
    }
}

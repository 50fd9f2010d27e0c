//! Where kernels run: instruction-set levels of the CPU, threads, memory, and devices.
//!
//! Detection happens here and nowhere else; the answers are passed on as plain values, each with
//! the reason that the report and `-v` tell.

pub mod cgroup;
pub mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
pub mod device;
pub mod memory;
pub mod seat;
pub mod surroundings;
pub mod threads;
#[cfg(feature = "wgpu")]
pub mod wgpu;

pub use cpu::CpuLevel;
pub use memory::MemoryLimit;
pub use seat::{Backend, Fit, Seat, Work};
pub use surroundings::Surroundings;
pub use threads::ThreadLimit;

use crate::error::{Error, Result};
use device::Device;
use std::sync::Arc;

/// What the user asked for with `--backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Request {
    /// Whatever the plan expects to be fastest among what is here.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA device.
    Cuda,
    /// Any device with Vulkan or Metal.
    Wgpu,
}

impl Request {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Request::Auto => "auto",
            Request::Cpu => "cpu",
            Request::Cuda => "cuda",
            Request::Wgpu => "wgpu",
        }
    }
}

/// Finds what `request` names on this machine; of device memory a run takes at most `limit` bytes.
///
/// # Errors
/// A backend asked for by name is absent; the error says why.
pub fn resolve(request: Request, limit: Option<u64>) -> Result<Seat> {
    let found = match request {
        Request::Auto => None,
        Request::Cpu => Some(Vec::new()),
        named => {
            Some(open(named, limit).map_err(|reason| Error::Unavailable { name: named.name(), reason })?)
        }
    };
    Ok(Seat::new(request, CpuLevel::detect(), limit, found))
}

/// The devices of one backend, at least one; otherwise why there is none.
fn open(request: Request, limit: Option<u64>) -> Result<Vec<Arc<dyn Device>>, String> {
    // Each backend reads it; a build without any does not.
    let _ = limit;
    match request {
        #[cfg(feature = "cuda")]
        Request::Cuda => cuda::devices(limit),
        #[cfg(feature = "wgpu")]
        Request::Wgpu => wgpu::devices(limit),
        other => {
            let name = other.name();
            Err(format!("this nissl was built without the feature {name}; use --backend cpu or auto"))
        }
    }
}

/// Device backends of this build, the one to prefer first.
const BUILT: &[Request] = &[
    #[cfg(feature = "cuda")]
    Request::Cuda,
    #[cfg(feature = "wgpu")]
    Request::Wgpu,
];

/// True where this build can use devices at all.
fn any_built() -> bool {
    !BUILT.is_empty()
}

/// The devices of the first backend that has some; why the others have none is logged.
fn find_any(limit: Option<u64>) -> Vec<Arc<dyn Device>> {
    let found = BUILT.iter().find_map(|&request| match open(request, limit) {
        Ok(devices) => Some(devices),
        Err(why) => {
            tracing::info!("backend {} is not available: {why}", request.name());
            None
        }
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_backend_is_refused_by_name_and_auto_falls_back_to_the_cpu() {
        for absent in [Request::Cuda, Request::Wgpu].into_iter().filter(|request| !BUILT.contains(request)) {
            let message = resolve(absent, None).err().unwrap().to_string();
            assert!(message.contains(absent.name()) && message.contains("without the feature"), "{message}");
        }
        let none = Fit::Not("nothing to do".into());
        assert_eq!(resolve(Request::Auto, None).unwrap().choose(&none).unwrap().name, "cpu");
        assert_eq!(resolve(Request::Cpu, None).unwrap().choose(&none).unwrap().level, CpuLevel::detect());
    }
}

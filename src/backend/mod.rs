//! Where kernels run: instruction-set levels of the CPU, threads, memory, and (later) devices.
//!
//! Detection happens here and nowhere else; the answers are passed on as plain values, each with
//! the reason that the report and `-v` tell.

pub mod cgroup;
pub mod cpu;
pub mod memory;
pub mod surroundings;
pub mod threads;

pub use cpu::CpuLevel;
pub use memory::MemoryLimit;
pub use surroundings::Surroundings;
pub use threads::ThreadLimit;

use crate::error::{Error, Result};
use serde::Serialize;

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
    /// Any device with Vulkan, Metal or DirectX 12.
    Wgpu,
}

/// The backend a run uses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backend {
    /// Its name: `cpu`.
    pub name: &'static str,
    /// Instruction set that its kernels use.
    pub level: CpuLevel,
    /// Why it was taken.
    pub why: String,
}

/// Finds the backend for `request` on this machine.
///
/// # Errors
/// A backend asked for by name is absent; the error says why.
pub fn resolve(request: Request) -> Result<Backend> {
    let cpu = |why: &str| Ok(Backend { name: "cpu", level: CpuLevel::detect(), why: why.into() });
    match request {
        Request::Auto => cpu("auto: this nissl was built for the CPU only"),
        Request::Cpu => cpu("asked for"),
        Request::Cuda => Err(not_built("cuda")),
        Request::Wgpu => Err(not_built("wgpu")),
    }
}

fn not_built(name: &'static str) -> Error {
    let reason = format!("this nissl was built without the feature {name}; use --backend cpu or auto");
    Error::Unavailable { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_backend_is_refused_by_name_and_auto_falls_back_to_the_cpu() {
        let message = resolve(Request::Cuda).unwrap_err().to_string();
        assert!(message.contains("cuda") && message.contains("without the feature"), "{message}");
        assert_eq!(resolve(Request::Auto).unwrap().name, "cpu");
        assert_eq!(resolve(Request::Cpu).unwrap().level, CpuLevel::detect());
    }
}

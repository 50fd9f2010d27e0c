//! The kernels of a device: one module per source, loaded when the first of its kernels is wanted.

use super::compile::{self, Compiled};
use super::driver::{Function, Module, Told};
use crate::backend::device::{Cuda, Kernel};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Modules of one device.
pub struct Modules {
    /// Compute capability.
    capability: (i32, i32),
    /// By the file of the source.
    loaded: Mutex<HashMap<&'static str, Module>>,
}

impl Modules {
    /// None loaded yet.
    pub fn new(capability: (i32, i32)) -> Self {
        Modules { capability, loaded: Mutex::default() }
    }

    /// A kernel, with the context current.
    pub fn function(&self, kernel: &'static Kernel) -> Told<Function> {
        let Some(cuda) = &kernel.cuda else {
            return Err(format!("internal error: the kernel {} has no CUDA source", kernel.name));
        };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match loaded.get(cuda.file) {
            Some(module) => *module,
            None => {
                let module = load(cuda, self.capability)?;
                loaded.insert(cuda.file, module);
                module
            }
        };
        module.function(kernel.name)
    }
}

/// The module of one source: from the cache, compiled now, or as the program carries it, whichever
/// comes first and is to the driver's liking.
fn load(cuda: &Cuda, capability: (i32, i32)) -> Told<Module> {
    let mut refused = Vec::new();
    for attempt in [compile::kept, compile::made, compile::carried] {
        match attempt(cuda, capability) {
            Ok(Some(Compiled { ptx, from })) => match Module::new(&ptx) {
                Ok(module) => {
                    tracing::info!("{}: kernels {from}", cuda.file);
                    return Ok(module);
                }
                // NVRTC may be newer than the driver, and a file in the cache may be cut short.
                Err(reason) => refused.push(format!("{reason} ({from})")),
            },
            Ok(None) => {}
            Err(reason) => refused.push(reason),
        }
    }
    Err(format!("{}: {}", cuda.file, refused.join("; ")))
}

//! NVIDIA devices through the driver that is on the machine, found and loaded at run time.
//!
//! A device is one primary context; a queue is one stream with pinned staging of its own. Kernels
//! are compiled by NVRTC for the device at hand and kept on disk, or come from the PTX that the
//! program carries. So far this ran on a simulated driver only, never on hardware.

mod compile;
mod driver;
mod modules;
mod queue;
mod staging;

use super::device::{Ceilings, Device, DeviceFacts, Queue};
use crate::error::Result;
use driver::{Attribute, Context};
use modules::Modules;
use queue::CudaQueue;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Part of the free device memory that a run takes at most, where no limit is given: the driver and
/// the display want some.
const SHARE: (u64, u64) = (9, 10);

/// Assumed for a context and the kernels of one command from the cache, seconds.
const SET_UP_S: f64 = 0.5;

/// Assumed between host and device, bytes per second: PCIe 3 with 16 lanes. No driver tells it.
const BUS: f64 = 12e9;

/// One device.
struct CudaDevice {
    facts: DeviceFacts,
    shared: Arc<Shared>,
}

/// What the queues of a device share.
struct Shared {
    context: Context,
    modules: Modules,
    /// Bytes that all queues may hold, and do hold.
    limit: u64,
    used: AtomicU64,
}

impl Device for CudaDevice {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn queue(&self) -> Result<Box<dyn Queue>> {
        Ok(Box::new(CudaQueue::new(Arc::clone(&self.shared))?))
    }
}

/// All CUDA devices; of each device's memory a run takes at most `limit` bytes. Otherwise why there
/// is none, in words.
pub fn devices(limit: Option<u64>) -> Result<Vec<Arc<dyn Device>>, String> {
    let version = driver::start()?;
    let count = driver::count()?;
    if count == 0 {
        return Err("the driver shows no CUDA device (see nvidia-smi and CUDA_VISIBLE_DEVICES)".into());
    }
    (0..count).map(|ordinal| device(ordinal, version, limit)).collect()
}

fn device(ordinal: i32, version: i32, limit: Option<u64>) -> Result<Arc<dyn Device>, String> {
    let context = Context::new(ordinal)?;
    let (free, _) = context.memory()?;
    let room = free / SHARE.1 * SHARE.0;
    let memory = limit.map_or(room, |limit| limit.min(room));
    let capability = (context.attribute(Attribute::Major)?, context.attribute(Attribute::Minor)?);
    let facts = DeviceFacts {
        backend: "cuda",
        name: context.name()?,
        driver: format!("CUDA {}.{}", version / 1000, version % 1000 / 10),
        memory,
        largest_buffer: memory,
        f64: true,
        software: false,
        ceilings: ceilings(&context, capability),
        set_up_s: SET_UP_S,
    };
    let shared =
        Shared { context, modules: Modules::new(capability), limit: memory, used: AtomicU64::new(0) };
    Ok(Arc::new(CudaDevice { facts, shared: Arc::new(shared) }))
}

/// Rates from clocks and widths; those of a small old device where the driver does not tell.
fn ceilings(context: &Context, capability: (i32, i32)) -> Ceilings {
    let told = |attribute| context.attribute(attribute).map_or(0.0, f64::from);
    // Kilohertz; two transfers a clock.
    let memory = 2e3 * told(Attribute::MemoryClock) * told(Attribute::BusWidth) / 8.0;
    let clocks = 1e3 * told(Attribute::Clock) * told(Attribute::Multiprocessors);
    // Multiply-adds a clock and multiprocessor: data-centre devices have half as many double units
    // as single ones, the others a sixty-fourth.
    let double = if matches!(capability, (8..=10, 0)) { 64.0 } else { 2.0 };
    let known = memory > 0.0 && clocks > 0.0;
    if !known {
        return Ceilings { bus: BUS, memory: 2e11, flop_f32: 4e12, flop_f64: 6e10, known };
    }
    Ceilings { bus: BUS, memory, flop_f32: clocks * 256.0, flop_f64: clocks * 2.0 * double, known }
}

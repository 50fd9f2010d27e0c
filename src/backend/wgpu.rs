//! Devices with Vulkan or Metal, through `wgpu`: kernels in WGSL, float32 only.
//!
//! WGSL has no float64, so work that needs it is refused by name. The library tells neither the
//! rates of a device nor its memory: both are assumed, conservatively, and the plan says so.

mod kernels;
mod queue;

use super::device::{Ceilings, Device, DeviceFacts, Queue};
use crate::error::{Error, Result};
use kernels::Kernels;
use queue::WgpuQueue;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Device memory taken where the user names no limit: the interface does not tell how much there
/// is, and every card of the last ten years has as much.
const ASSUMED_MEMORY: u64 = 2 << 30;

/// Opening an adapter and loading kernels, seconds; seen between 0.1 and 0.5.
const SET_UP_S: f64 = 0.5;

/// What the devices of one adapter share.
struct Shared {
    device: ::wgpu::Device,
    queue: ::wgpu::Queue,
    facts: DeviceFacts,
    kernels: Kernels,
    /// Bytes allocated by all queues.
    taken: AtomicU64,
    /// The first error that no call could return.
    fault: Mutex<Option<String>>,
    /// Most groups along one axis of a launch.
    groups: u32,
    /// Uniforms begin at multiples of it.
    alignment: u64,
}

/// One adapter.
pub struct WgpuDevice(Arc<Shared>);

/// The best adapters of this machine: all of the best kind, hardware before software.
///
/// # Errors
/// Why there is none.
pub fn devices(limit: Option<u64>) -> Result<Vec<Arc<dyn Device>>, String> {
    let mut wishes = ::wgpu::InstanceDescriptor::new_without_display_handle();
    wishes.backends = ::wgpu::Backends::VULKAN | ::wgpu::Backends::METAL;
    wishes.flags = ::wgpu::InstanceFlags::empty();
    // An allocation near the end of a card's memory is refused instead of pushing others out.
    wishes.memory_budget_thresholds.for_resource_creation = Some(90);
    let instance = ::wgpu::Instance::new(wishes);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(::wgpu::Backends::all()));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    let kind = |adapter: &::wgpu::Adapter| (adapter.get_info().device_type, adapter.get_info().backend);
    let Some(best) = adapters.first().map(kind) else {
        return Err("no Vulkan or Metal adapter was found; install its driver, or use --backend cpu".into());
    };
    // Software devices are all this one CPU.
    let most = if best.0 == ::wgpu::DeviceType::Cpu { 1 } else { usize::MAX };
    let same = adapters.iter().filter(|adapter| kind(adapter) == best).take(most);
    let (mut opened, mut faults) = (Vec::new(), Vec::new());
    for adapter in same {
        match open(adapter, limit) {
            Ok(device) => opened.push(device),
            Err(fault) => faults.push(fault),
        }
    }
    if opened.is_empty() { Err(faults.join("; ")) } else { Ok(opened) }
}

fn open(adapter: &::wgpu::Adapter, limit: Option<u64>) -> Result<Arc<dyn Device>, String> {
    let limits = adapter.limits();
    let asked = ::wgpu::DeviceDescriptor {
        label: Some("nissl"),
        required_limits: limits.clone(),
        memory_hints: ::wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&asked))
        .map_err(|error| format!("{}: {error}", adapter.get_info().name))?;
    let shared = Arc::new(Shared {
        kernels: Kernels::default(),
        taken: AtomicU64::new(0),
        fault: Mutex::new(None),
        groups: limits.max_compute_workgroups_per_dimension,
        alignment: u64::from(limits.min_uniform_buffer_offset_alignment),
        facts: facts(&adapter.get_info(), &limits, limit),
        device,
        queue,
    });
    // Otherwise the library ends the program.
    let keeper = Arc::downgrade(&shared);
    shared.device.on_uncaptured_error(Arc::new(move |error: ::wgpu::Error| {
        if let Some(shared) = keeper.upgrade() {
            shared.keep(error.to_string());
        }
    }));
    Ok(Arc::new(WgpuDevice(shared)))
}

fn rank(kind: ::wgpu::DeviceType) -> u32 {
    match kind {
        ::wgpu::DeviceType::DiscreteGpu => 0,
        ::wgpu::DeviceType::IntegratedGpu => 1,
        ::wgpu::DeviceType::VirtualGpu => 2,
        ::wgpu::DeviceType::Other => 3,
        ::wgpu::DeviceType::Cpu => 4,
    }
}

fn facts(info: &::wgpu::AdapterInfo, limits: &::wgpu::Limits, limit: Option<u64>) -> DeviceFacts {
    let software = info.device_type == ::wgpu::DeviceType::Cpu;
    // Half of what a modest one of each kind reaches.
    let (bus, memory, flop) = match info.device_type {
        ::wgpu::DeviceType::DiscreteGpu => (12e9, 200e9, 4e12),
        ::wgpu::DeviceType::Cpu => (5e9, 5e9, 1e10),
        _ => (12e9, 40e9, 1e12),
    };
    DeviceFacts {
        backend: "wgpu",
        name: info.name.clone(),
        driver: format!("{:?} {} {}", info.backend, info.driver, info.driver_info).trim_end().to_owned(),
        memory: limit.unwrap_or(ASSUMED_MEMORY),
        largest_buffer: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        f64: false,
        software,
        ceilings: Ceilings { bus, memory, flop_f32: flop, flop_f64: 0.0, known: false },
        set_up_s: SET_UP_S,
    }
}

impl Shared {
    fn keep(&self, fault: String) {
        let mut kept = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(fault);
    }

    /// Fails if something went wrong that no call returned.
    fn check(&self) -> Result<()> {
        let kept = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map_or(Ok(()), |fault| Err(self.failed(fault)))
    }

    fn failed(&self, what: &str) -> Error {
        Error::Failed(format!("{} ({}): {}", self.facts.name, self.facts.backend, one_line(what)))
    }

    /// New device memory within the limit, which all queues share.
    fn reserve(&self, bytes: u64, usage: ::wgpu::BufferUsages) -> Result<::wgpu::Buffer> {
        let limit = self.facts.memory;
        let fits = |taken: u64| Some(taken + bytes).filter(|&sum| sum <= limit);
        if let Err(taken) = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            return Err(Error::DeviceMemory { needed: bytes, free: limit - taken.min(limit) });
        }
        let scope = self.device.push_error_scope(::wgpu::ErrorFilter::OutOfMemory);
        let size = bytes.next_multiple_of(4).max(4);
        let made = self.device.create_buffer(&::wgpu::BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        });
        if pollster::block_on(scope.pop()).is_some() {
            self.release(bytes);
            return Err(Error::DeviceMemory { needed: bytes, free: 0 });
        }
        Ok(made)
    }

    fn release(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// Compiler logs have many lines; errors have one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Device for WgpuDevice {
    fn facts(&self) -> &DeviceFacts {
        &self.0.facts
    }

    fn queue(&self) -> Result<Box<dyn Queue>> {
        Ok(Box::new(WgpuQueue::new(Arc::clone(&self.0))?))
    }
}

//! What work on an accelerator needs, and nothing more: memory, copies, launches.
//!
//! Both device backends implement these traits, so that arenas, chunks, queues and the way back
//! to the CPU are written once. A [`Queue`] does what it is told in order; several queues, of one
//! device or of several, run beside each other, which is how copies and work overlap.

use crate::error::{Error, Result};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// The stage of opening devices and loading their kernels, apart from the work itself.
pub const SET_UP: &str = "device set-up";

/// What is known of a device before anything runs on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceFacts {
    /// `cuda` or `wgpu`.
    pub backend: &'static str,
    /// As the driver names it.
    pub name: String,
    /// Driver or interface with its version, as far as it tells.
    pub driver: String,
    /// Device memory a run may use, bytes.
    pub memory: u64,
    /// Longest single buffer, bytes.
    pub largest_buffer: u64,
    /// True where kernels may compute in float64.
    pub f64: bool,
    /// True where the device is this machine's CPU in disguise.
    pub software: bool,
    /// What it can do at most.
    pub ceilings: Ceilings,
    /// Seconds from nothing to the first launch, once per process.
    pub set_up_s: f64,
}

impl DeviceFacts {
    /// Memory for what goes on beside the main work, such as a filter behind a likelihood, bytes.
    pub fn side_memory(&self) -> u64 {
        self.memory / 8
    }

    /// Memory for the main work, bytes.
    pub fn main_memory(&self) -> u64 {
        self.memory - self.side_memory()
    }
}

/// Rates of a device, for the estimate under `--backend auto`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ceilings {
    /// Between host and device, bytes per second.
    pub bus: f64,
    /// Device memory, bytes per second.
    pub memory: f64,
    /// float32 operations per second.
    pub flop_f32: f64,
    /// float64 operations per second; 0 without float64.
    pub flop_f64: f64,
    /// True where the rates come from the driver's facts, false where they are assumed.
    pub known: bool,
}

/// A kernel in the languages it is written in. Sizes are run-time parameters: nothing is compiled
/// per shape.
#[derive(Debug)]
pub struct Kernel {
    /// Entry point.
    pub name: &'static str,
    /// Threads of a group.
    pub group: [u32; 3],
    /// Buffers it is given: bindings `0..buffers` of group 0, all of them storage that the kernel
    /// may read and write; in CUDA the arguments after the parameters, in the same order.
    pub buffers: usize,
    /// Bytes of its parameters, a multiple of 16: a uniform at binding `buffers`; in CUDA one
    /// structure by value, the first argument.
    pub params: usize,
    /// WGSL source; none where WGSL cannot express it.
    pub wgsl: Option<&'static str>,
    /// CUDA C++ with `extern "C"` entry points.
    pub cuda: Option<Cuda>,
}

/// A CUDA source file and what was compiled of it.
#[derive(Debug, Clone, Copy)]
pub struct Cuda {
    /// Its name, for messages and caches.
    pub file: &'static str,
    /// The source; equal for all kernels of the file.
    pub source: &'static str,
    /// Compressed PTX of it, for machines without a compiler.
    pub ptx: &'static [u8],
}

/// Device memory that a queue allocated: a number that only this queue understands.
#[derive(Debug, PartialEq, Eq)]
pub struct Buffer {
    slot: usize,
    bytes: u64,
}

impl Buffer {
    /// For implementations of [`Queue`]: the memory kept in `slot`.
    pub fn new(slot: usize, bytes: u64) -> Self {
        Buffer { slot, bytes }
    }

    /// Where its queue keeps it.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// Length, bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Refuses a stretch that leaves the buffer, or that is not on whole words.
    ///
    /// # Errors
    /// [`Error::Failed`]: a mistake of the program, told instead of writing astray.
    pub fn check(&self, at: u64, length: u64) -> Result<()> {
        let end = at.checked_add(length);
        let inside = end.is_some_and(|end| end <= self.bytes);
        if inside && at.is_multiple_of(4) && length.is_multiple_of(4) {
            return Ok(());
        }
        let bytes = self.bytes;
        Err(Error::Failed(format!("internal error: {length} bytes at {at} of a device buffer of {bytes}")))
    }
}

/// One accelerator.
pub trait Device: Send + Sync {
    /// What is known of it.
    fn facts(&self) -> &DeviceFacts;

    /// A new queue with an arena of its own; the limit of [`DeviceFacts::memory`] holds for all
    /// queues of the device together.
    ///
    /// # Errors
    /// The driver refuses.
    fn queue(&self) -> Result<Box<dyn Queue>>;
}

/// Ordered work on one device. Its buffers form an arena that is freed with the queue.
pub trait Queue: Send {
    /// New memory, contents undefined.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`] where it does not fit.
    fn allocate(&mut self, bytes: u64) -> Result<Buffer>;

    /// Frees all buffers of this queue; those handed out before are void.
    ///
    /// # Errors
    /// Earlier work failed.
    fn clear(&mut self) -> Result<()>;

    /// Copies `bytes` to the device; may return before it is done, `bytes` is free again.
    ///
    /// # Errors
    /// A stretch outside of the buffer; the driver refuses.
    fn upload(&mut self, to: &Buffer, at: u64, bytes: &[u8]) -> Result<()>;

    /// Fills a stretch with zeros.
    ///
    /// # Errors
    /// A stretch outside of the buffer; the driver refuses.
    fn zero(&mut self, buffer: &Buffer, at: u64, bytes: u64) -> Result<()>;

    /// Copies `bytes` bytes from one place of this queue's memory to another, in another buffer.
    ///
    /// # Errors
    /// A stretch outside of its buffer; the driver refuses.
    fn copy(&mut self, from: (&Buffer, u64), to: (&Buffer, u64), bytes: u64) -> Result<()>;

    /// Waits for all earlier work and copies its results to the host.
    ///
    /// # Errors
    /// A stretch outside of the buffer; the driver refuses; earlier work failed.
    fn download(&mut self, from: &Buffer, at: u64, into: &mut [u8]) -> Result<()>;

    /// Loads a kernel, so that its first launch takes no longer than the others.
    ///
    /// # Errors
    /// The kernel is not written for this device or does not compile.
    fn load(&mut self, kernel: &'static Kernel) -> Result<()>;

    /// Starts a kernel on `groups` groups of threads, in order with all else.
    ///
    /// # Errors
    /// As [`Queue::load`]; the driver refuses.
    fn launch(
        &mut self,
        kernel: &'static Kernel,
        groups: [u32; 3],
        buffers: &[&Buffer],
        params: &[u8],
    ) -> Result<()>;

    /// Waits for all earlier work.
    ///
    /// # Errors
    /// Some of it failed.
    fn finish(&mut self) -> Result<()>;
}

/// The devices of a run, best first; cheap to clone.
#[derive(Clone, Default)]
pub struct Devices(Vec<Arc<dyn Device>>);

impl Devices {
    /// Those of `list`; one that stands there twice is treated as two.
    pub fn new(list: Vec<Arc<dyn Device>>) -> Self {
        Devices(list)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Device>> {
        self.0.iter()
    }

    /// True for a run on the CPU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Facts of each.
    pub fn facts(&self) -> Vec<DeviceFacts> {
        self.0.iter().map(|device| device.facts().clone()).collect()
    }

    /// `per_device` queues of each device, one device after the other in turns, so that the first
    /// ones lie on different devices.
    ///
    /// # Errors
    /// A driver refuses.
    pub fn queues(&self, per_device: usize) -> Result<Vec<Box<dyn Queue>>> {
        (0..per_device).flat_map(|_| self.0.iter()).map(|device| device.queue()).collect()
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|device| &device.facts().name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_outside_of_a_buffer_are_refused() {
        let buffer = Buffer::new(0, 64);
        buffer.check(0, 64).unwrap();
        buffer.check(64, 0).unwrap();
        for (at, length) in [(4, 64), (68, 0), (u64::MAX - 3, 8), (2, 4), (0, 6)] {
            assert!(buffer.check(at, length).is_err(), "{at} {length}");
        }
    }
}

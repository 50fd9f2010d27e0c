//! One stream, its arena and its staging.

use super::Shared;
use super::driver::{Function, Memory, Stream, Told};
use super::staging::Staging;
use crate::backend::device::{Buffer, Kernel, Queue};
use crate::error::{Error, Result};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Least length of a buffer: the driver allocates no empty ones.
const LEAST: u64 = 256;

/// Slots that one arena may use.
const SLOTS: usize = 1 << 20;

/// Where the slots of a new arena begin.
fn fresh_slots() -> usize {
    static ARENAS: AtomicUsize = AtomicUsize::new(0);
    ARENAS.fetch_add(1, Ordering::Relaxed) * SLOTS
}

/// Ordered work on one device.
pub struct CudaQueue {
    stream: Stream,
    /// Made with the first copy.
    staging: Option<Staging>,
    arena: Vec<Memory>,
    /// Slots of this arena count from here: no other arena has them.
    first_slot: usize,
    /// Bytes of the arena.
    held: u64,
    /// Kernels used so far, by entry point.
    functions: Vec<(&'static str, Function)>,
    /// Last, so that the context outlives what was made in it.
    shared: Arc<Shared>,
}

impl CudaQueue {
    /// An empty queue on the device that `shared` belongs to.
    pub fn new(shared: Arc<Shared>) -> Result<Self> {
        let stream = shared.context.enter().and_then(|()| Stream::new()).map_err(Error::Failed)?;
        let (arena, functions) = (Vec::new(), Vec::new());
        Ok(CudaQueue { stream, staging: None, arena, first_slot: fresh_slots(), held: 0, functions, shared })
    }

    /// Makes the device the calling thread's: a queue may go from thread to thread.
    fn enter(&self) -> Result<()> {
        self.shared.context.enter().map_err(Error::Failed)
    }

    /// Where a buffer lies.
    fn address(&self, buffer: &Buffer) -> Result<u64> {
        let own = buffer.slot().checked_sub(self.first_slot);
        own.and_then(|at| self.arena.get(at)).map(|memory| memory.at).ok_or_else(|| {
            Error::Failed("internal error: a device buffer of another queue, or of a cleared one".into())
        })
    }

    /// Address of a stretch of a buffer, which must lie inside.
    fn stretch(&self, buffer: &Buffer, at: u64, bytes: u64) -> Result<u64> {
        buffer.check(at, bytes)?;
        Ok(self.address(buffer)? + at)
    }

    fn staged(&mut self, work: impl FnOnce(&mut Staging, &Stream) -> Told<()>) -> Result<()> {
        self.enter()?;
        let mut staging = match self.staging.take() {
            Some(staging) => staging,
            None => Staging::new().map_err(Error::Failed)?,
        };
        let done = work(&mut staging, &self.stream).map_err(Error::Failed);
        self.staging = Some(staging);
        done
    }

    /// The kernel, loaded if it is not.
    fn function(&mut self, kernel: &'static Kernel) -> Result<Function> {
        if let Some((_, function)) = self.functions.iter().find(|(name, _)| *name == kernel.name) {
            return Ok(*function);
        }
        let function = self.shared.modules.function(kernel).map_err(Error::Failed)?;
        self.functions.push((kernel.name, function));
        Ok(function)
    }

    /// Takes `bytes` of what all queues of the device may hold; what is left where that is too much.
    fn reserve(&self, bytes: u64) -> std::result::Result<(), u64> {
        let (used, limit) = (&self.shared.used, self.shared.limit);
        let more = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        match used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(used) => Err(limit.saturating_sub(used)),
        }
    }

    fn give_back(&mut self) -> Result<()> {
        self.enter()?;
        let done = self.stream.wait().map_err(Error::Failed);
        self.arena.clear();
        self.first_slot = fresh_slots();
        self.shared.used.fetch_sub(self.held, Ordering::Relaxed);
        self.held = 0;
        done
    }
}

impl Drop for CudaQueue {
    fn drop(&mut self) {
        // What failed was told when it was asked for.
        let _ = self.give_back();
    }
}

impl Queue for CudaQueue {
    fn allocate(&mut self, bytes: u64) -> Result<Buffer> {
        self.enter()?;
        let whole = bytes.max(LEAST);
        self.reserve(whole).map_err(|free| Error::DeviceMemory { needed: bytes, free })?;
        match Memory::new(whole) {
            Ok(Some(memory)) => {
                self.held += whole;
                self.arena.push(memory);
                Ok(Buffer::new(self.first_slot + self.arena.len() - 1, bytes))
            }
            Ok(None) => {
                self.shared.used.fetch_sub(whole, Ordering::Relaxed);
                let free = self.shared.context.memory().map_err(Error::Failed)?.0;
                Err(Error::DeviceMemory { needed: bytes, free })
            }
            Err(reason) => {
                self.shared.used.fetch_sub(whole, Ordering::Relaxed);
                Err(Error::Failed(reason))
            }
        }
    }

    fn clear(&mut self) -> Result<()> {
        self.give_back()
    }

    fn upload(&mut self, to: &Buffer, at: u64, bytes: &[u8]) -> Result<()> {
        let to = self.stretch(to, at, bytes.len() as u64)?;
        self.staged(|staging, stream| staging.upload(stream, to, bytes))
    }

    fn download(&mut self, from: &Buffer, at: u64, into: &mut [u8]) -> Result<()> {
        let from = self.stretch(from, at, into.len() as u64)?;
        self.staged(|staging, stream| staging.download(stream, from, into))
    }

    fn zero(&mut self, buffer: &Buffer, at: u64, bytes: u64) -> Result<()> {
        let at = self.stretch(buffer, at, bytes)?;
        self.enter()?;
        if bytes == 0 { Ok(()) } else { self.stream.zero(at, bytes).map_err(Error::Failed) }
    }

    fn copy(&mut self, from: (&Buffer, u64), to: (&Buffer, u64), bytes: u64) -> Result<()> {
        let from = self.stretch(from.0, from.1, bytes)?;
        let to = self.stretch(to.0, to.1, bytes)?;
        self.enter()?;
        if bytes == 0 { Ok(()) } else { self.stream.copy(to, from, bytes).map_err(Error::Failed) }
    }

    fn load(&mut self, kernel: &'static Kernel) -> Result<()> {
        self.enter()?;
        self.function(kernel).map(|_| ())
    }

    fn launch(
        &mut self,
        kernel: &'static Kernel,
        groups: [u32; 3],
        buffers: &[&Buffer],
        params: &[u8],
    ) -> Result<()> {
        if buffers.len() != kernel.buffers || params.len() != kernel.params {
            let name = kernel.name;
            return Err(Error::Failed(format!("internal error: arguments of the kernel {name} do not fit")));
        }
        if groups.contains(&0) {
            return Ok(());
        }
        self.enter()?;
        let function = self.function(kernel)?;
        // Parameters at an address that suits every structure.
        let mut aligned = vec![0_u64; params.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut aligned)[..params.len()].copy_from_slice(params);
        let mut addresses =
            buffers.iter().map(|buffer| self.address(buffer)).collect::<Result<Vec<u64>>>()?;
        let mut arguments: Vec<*mut c_void> = Vec::with_capacity(1 + addresses.len());
        arguments.push(aligned.as_mut_ptr().cast());
        arguments.extend(addresses.iter_mut().map(|address| std::ptr::from_mut(address).cast::<c_void>()));
        self.stream.launch(function, (groups, kernel.group), &mut arguments).map_err(Error::Failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.enter()?;
        self.stream.wait().map_err(Error::Failed)
    }
}

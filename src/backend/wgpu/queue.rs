//! Ordered work on a `wgpu` device.

use super::Shared;
use crate::backend::device::{Buffer, Kernel, Queue};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

/// Launches whose parameters can wait together.
const SLOTS: u64 = 64;

/// Bytes that parameters of one launch may have.
const SLOT: u64 = 256;

/// Bytes of a copy to the host at a time.
const STAGING: u64 = 8 << 20;

/// Tells buffers of an earlier arena from those of the present one.
static ARENAS: AtomicU64 = AtomicU64::new(0);

/// One of the queues of a device: an encoder of its own on the shared queue of the library, which
/// keeps the order of what each of them submits.
pub struct WgpuQueue {
    shared: Arc<Shared>,
    buffers: Vec<::wgpu::Buffer>,
    /// Slots of earlier arenas end here.
    base: usize,
    /// Bytes of the arena.
    taken: u64,
    params: ::wgpu::Buffer,
    stride: u64,
    used: u64,
    staging: ::wgpu::Buffer,
    encoder: Option<::wgpu::CommandEncoder>,
}

impl WgpuQueue {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        use ::wgpu::BufferUsages as Usage;
        let stride = SLOT.next_multiple_of(shared.alignment.max(1));
        let make = |size, usage| {
            let label = None;
            shared.device.create_buffer(&::wgpu::BufferDescriptor {
                label,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let params = make(stride * SLOTS, Usage::UNIFORM | Usage::COPY_DST);
        let staging = make(STAGING, Usage::MAP_READ | Usage::COPY_DST);
        shared.check()?;
        let base = ARENAS.fetch_add(1 << 20, Ordering::Relaxed) as usize;
        let (buffers, encoder) = (Vec::new(), None);
        Ok(WgpuQueue { shared, buffers, base, taken: 0, params, stride, used: 0, staging, encoder })
    }

    fn own(&self, buffer: &Buffer) -> Result<&::wgpu::Buffer> {
        buffer
            .slot()
            .checked_sub(self.base)
            .and_then(|index| self.buffers.get(index))
            .ok_or_else(|| Error::Failed("internal error: a device buffer of another arena".into()))
    }

    fn encoder(&mut self) -> &mut ::wgpu::CommandEncoder {
        let device = &self.shared.device;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    /// Hands over what is recorded; later uploads come after it.
    fn submit(&mut self) -> Option<::wgpu::SubmissionIndex> {
        self.used = 0;
        self.encoder.take().map(|encoder| self.shared.queue.submit([encoder.finish()]))
    }

    fn wait(&self, submission_index: Option<::wgpu::SubmissionIndex>) -> Result<()> {
        let waited = self.shared.device.poll(::wgpu::PollType::Wait { submission_index, timeout: None });
        waited.map_err(|error| self.shared.failed(&error.to_string()))?;
        self.shared.check()
    }

    fn bind(
        &self,
        layout: &::wgpu::BindGroupLayout,
        kernel: &Kernel,
        buffers: &[&Buffer],
    ) -> Result<::wgpu::BindGroup> {
        let mut entries = Vec::with_capacity(buffers.len() + 1);
        for (binding, buffer) in (0..).zip(buffers) {
            let resource = self.own(buffer)?.as_entire_binding();
            entries.push(::wgpu::BindGroupEntry { binding, resource });
        }
        let size = ::wgpu::BufferSize::new(kernel.params as u64);
        let resource =
            ::wgpu::BindingResource::Buffer(::wgpu::BufferBinding { buffer: &self.params, offset: 0, size });
        entries.push(::wgpu::BindGroupEntry { binding: buffers.len() as u32, resource });
        let wanted = ::wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        Ok(self.shared.device.create_bind_group(&wanted))
    }

    /// One piece of at most [`STAGING`] bytes.
    fn fetch(&mut self, from: &Buffer, at: u64, into: &mut [u8]) -> Result<()> {
        let bytes = into.len() as u64;
        let source = self.own(from)?.clone();
        let staging = self.staging.clone();
        self.encoder().copy_buffer_to_buffer(&source, at, &staging, 0, Some(bytes));
        let submission = self.submit();
        let (told, answer) = channel();
        self.staging.map_async(::wgpu::MapMode::Read, 0..bytes, move |result| {
            // Nobody listens only where waiting failed.
            let _ = told.send(result);
        });
        self.wait(submission)?;
        let fault = |what: String| self.shared.failed(&what);
        let mapped = answer.recv().map_err(|error| fault(error.to_string()))?;
        mapped.map_err(|error| fault(error.to_string()))?;
        let view = self.staging.get_mapped_range(0..bytes).map_err(|error| fault(error.to_string()))?;
        into.copy_from_slice(&view);
        drop(view);
        self.staging.unmap();
        Ok(())
    }
}

impl Queue for WgpuQueue {
    fn allocate(&mut self, bytes: u64) -> Result<Buffer> {
        use ::wgpu::BufferUsages as Usage;
        let largest = self.shared.facts.largest_buffer;
        if bytes > largest {
            return Err(Error::DeviceMemory { needed: bytes, free: largest });
        }
        let made = self.shared.reserve(bytes, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)?;
        self.taken += bytes;
        self.buffers.push(made);
        Ok(Buffer::new(self.base + self.buffers.len() - 1, bytes))
    }

    fn clear(&mut self) -> Result<()> {
        self.finish()?;
        self.buffers.drain(..).for_each(|buffer| buffer.destroy());
        self.shared.release(std::mem::take(&mut self.taken));
        self.base = ARENAS.fetch_add(1 << 20, Ordering::Relaxed) as usize;
        Ok(())
    }

    fn upload(&mut self, to: &Buffer, at: u64, bytes: &[u8]) -> Result<()> {
        to.check(at, bytes.len() as u64)?;
        // The library writes before the next submission: what is recorded must not see it.
        self.submit();
        self.shared.queue.write_buffer(self.own(to)?, at, bytes);
        Ok(())
    }

    fn zero(&mut self, buffer: &Buffer, at: u64, bytes: u64) -> Result<()> {
        buffer.check(at, bytes)?;
        let target = self.own(buffer)?.clone();
        self.encoder().clear_buffer(&target, at, Some(bytes));
        Ok(())
    }

    fn copy(&mut self, from: (&Buffer, u64), to: (&Buffer, u64), bytes: u64) -> Result<()> {
        from.0.check(from.1, bytes)?;
        to.0.check(to.1, bytes)?;
        let (source, target) = (self.own(from.0)?.clone(), self.own(to.0)?.clone());
        self.encoder().copy_buffer_to_buffer(&source, from.1, &target, to.1, Some(bytes));
        Ok(())
    }

    fn download(&mut self, from: &Buffer, at: u64, into: &mut [u8]) -> Result<()> {
        from.check(at, into.len() as u64)?;
        let mut at = at;
        for piece in into.chunks_mut(STAGING as usize) {
            self.fetch(from, at, piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn load(&mut self, kernel: &'static Kernel) -> Result<()> {
        self.shared.kernels.get(&self.shared, kernel).map(|_| ())
    }

    fn launch(
        &mut self,
        kernel: &'static Kernel,
        groups: [u32; 3],
        buffers: &[&Buffer],
        params: &[u8],
    ) -> Result<()> {
        if groups.contains(&0) {
            return Ok(());
        }
        let fitting = params.len() == kernel.params && params.len() as u64 <= SLOT;
        if !fitting || buffers.len() != kernel.buffers || groups.iter().any(|&g| g > self.shared.groups) {
            return Err(Error::Failed(format!("internal error: {} was launched astray", kernel.name)));
        }
        let loaded = self.shared.kernels.get(&self.shared, kernel)?;
        let bound = self.bind(&loaded.layout, kernel, buffers)?;
        if self.used == SLOTS {
            self.submit();
        }
        let offset = self.used * self.stride;
        self.used += 1;
        self.shared.queue.write_buffer(&self.params, offset, params);
        let mut pass = self.encoder().begin_compute_pass(&Default::default());
        pass.set_pipeline(&loaded.pipeline);
        pass.set_bind_group(0, &bound, &[offset as u32]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let submission = self.submit();
        self.wait(submission)
    }
}

impl Drop for WgpuQueue {
    fn drop(&mut self) {
        self.shared.release(self.taken);
    }
}

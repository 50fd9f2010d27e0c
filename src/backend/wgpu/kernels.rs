//! Kernels, compiled once per device.

use super::Shared;
use crate::backend::device::Kernel;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A kernel ready to be launched.
pub struct Loaded {
    pub(super) pipeline: ::wgpu::ComputePipeline,
    pub(super) layout: ::wgpu::BindGroupLayout,
}

/// All that were asked for so far, by name.
#[derive(Default)]
pub struct Kernels(Mutex<HashMap<&'static str, Arc<Loaded>>>);

impl Kernels {
    /// The kernel, compiled at the first call.
    ///
    /// # Errors
    /// It is not written in WGSL, or does not compile.
    pub(super) fn get(&self, shared: &Shared, kernel: &'static Kernel) -> Result<Arc<Loaded>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = known.get(kernel.name) {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(load(shared, kernel)?);
        known.insert(kernel.name, Arc::clone(&loaded));
        Ok(loaded)
    }
}

fn load(shared: &Shared, kernel: &'static Kernel) -> Result<Loaded> {
    let Some(source) = kernel.wgsl else {
        let reason = format!("the kernel {} is not written in WGSL; use --backend cpu or auto", kernel.name);
        return Err(Error::Unavailable { name: "wgpu", reason });
    };
    let scope = shared.device.push_error_scope(::wgpu::ErrorFilter::Validation);
    let module = shared.device.create_shader_module(::wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: ::wgpu::ShaderSource::Wgsl(source.into()),
    });
    let layout = layout(shared, kernel);
    let pipeline_layout = shared.device.create_pipeline_layout(&::wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = shared.device.create_compute_pipeline(&::wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(kernel.name),
        compilation_options: ::wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    match pollster::block_on(scope.pop()) {
        Some(error) => Err(shared.failed(&format!("kernel {} does not compile: {error}", kernel.name))),
        None => Ok(Loaded { pipeline, layout }),
    }
}

/// Storage buffers first, the parameters after them.
fn layout(shared: &Shared, kernel: &Kernel) -> ::wgpu::BindGroupLayout {
    let entry = |binding: u32, ty| ::wgpu::BindGroupLayoutEntry {
        binding,
        visibility: ::wgpu::ShaderStages::COMPUTE,
        ty,
        count: None,
    };
    let storage = ::wgpu::BindingType::Buffer {
        ty: ::wgpu::BufferBindingType::Storage { read_only: false },
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let uniform = ::wgpu::BindingType::Buffer {
        ty: ::wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: true,
        min_binding_size: ::wgpu::BufferSize::new(kernel.params as u64),
    };
    let count = kernel.buffers as u32;
    let mut entries: Vec<_> = (0..count).map(|binding| entry(binding, storage)).collect();
    entries.push(entry(count, uniform));
    shared
        .device
        .create_bind_group_layout(&::wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}

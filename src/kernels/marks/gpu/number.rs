//! Element types of tables on a device, and the kernels of each.

use super::params::MarksParams;
use crate::backend::device::{Cuda, Kernel};
use crate::kernels::marks::Intensity;
use crate::kernels::marks::tables::Tables;
use crate::kernels::simd::Element;
use bytemuck::Pod;

const SOURCE: &str = include_str!("marks.wgsl");

const CUDA: Cuda =
    Cuda { file: "marks.cu", source: include_str!("marks.cu"), ptx: include_bytes!("marks.ptx.gz") };

/// The kernels of one type.
pub struct Kernels {
    pub moments: Kernel,
    pub along: Kernel,
    pub across: Kernel,
    pub direct: Kernel,
    pub add: Kernel,
}

impl Kernels {
    /// All of them.
    pub fn all(&'static self) -> [&'static Kernel; 5] {
        [&self.moments, &self.along, &self.across, &self.direct, &self.add]
    }
}

const fn kernel(name: &'static str, group: [u32; 3], wgsl: Option<&'static str>) -> Kernel {
    Kernel { name, group, buffers: 8, params: size_of::<MarksParams>(), wgsl, cuda: Some(CUDA) }
}

static SINGLE: Kernels = Kernels {
    moments: kernel("marks_moments", [64, 1, 1], Some(SOURCE)),
    along: kernel("marks_along", [64, 1, 1], Some(SOURCE)),
    across: kernel("marks_across", [64, 1, 1], Some(SOURCE)),
    direct: kernel("marks_direct", [16, 16, 1], Some(SOURCE)),
    add: kernel("marks_add", [64, 1, 1], Some(SOURCE)),
};

static DOUBLE: Kernels = Kernels {
    moments: kernel("marks_moments_f64", [64, 1, 1], None),
    along: kernel("marks_along_f64", [64, 1, 1], None),
    across: kernel("marks_across_f64", [64, 1, 1], None),
    direct: kernel("marks_direct_f64", [16, 16, 1], None),
    add: kernel("marks_add_f64", [64, 1, 1], None),
};

/// f32 or f64.
pub trait Number: Element + Pod {
    /// The kernels in this type.
    const KERNELS: &'static Kernels;
    /// An electrode's tables, where they are of this type.
    fn tables(intensity: &Intensity) -> Option<&Tables<Self>>;
    /// A logarithm, or minus infinity, as the sum of two.
    fn pair(value: f64) -> [Self; 2];
}

impl Number for f32 {
    const KERNELS: &'static Kernels = &SINGLE;
    fn tables(intensity: &Intensity) -> Option<&Tables<f32>> {
        intensity.single()
    }
    fn pair(value: f64) -> [f32; 2] {
        // Minus infinity, where no animal was, must not meet another infinity.
        let value = value.max(-1e30);
        let high = value as f32;
        [high, (value - f64::from(high)) as f32]
    }
}

impl Number for f64 {
    const KERNELS: &'static Kernels = &DOUBLE;
    fn tables(intensity: &Intensity) -> Option<&Tables<f64>> {
        intensity.double()
    }
    fn pair(value: f64) -> [f64; 2] {
        [value, 0.0]
    }
}

//! Working memory of one worker, made once.

use super::{Focal, engine, padded};
use crate::kernels::focal::load::Sides;
use crate::kernels::focal::nonfinite::Marks;
use crate::kernels::focal::simd::columns::OCTET;
use crate::kernels::focal::simd::direct::SLACK;
use crate::kernels::focal::simd::fft::Planes;
use crate::kernels::focal::simd::listed::Tap;
use crate::kernels::focal::simd::runs::{Stretch, levels};
use crate::kernels::focal::{Method, NanRule};
use crate::kernels::simd::AlignedF64;

/// Buffers of one worker.
#[derive(Debug)]
pub struct Scratch {
    /// A panel with its margins.
    pub(super) patch: AlignedF64,
    pub(super) stride: usize,
    pub(super) buffers: Buffers,
    pub(super) planes: Option<Planes>,
    pub(super) marks: Marks,
    pub(super) near: Vec<u8>,
    pub(super) taps: Vec<Tap>,
    pub(super) sides: Sides,
}

/// Where sums come together.
#[derive(Debug)]
pub(super) struct Buffers {
    /// Sums of a panel.
    pub(super) sums: AlignedF64,
    pub(super) sums_stride: usize,
    /// Column sums of a few rows, in rows of `stride` elements.
    pub(super) between: AlignedF64,
    pub(super) stride: usize,
    /// Sums over each length of run.
    pub(super) stretched: AlignedF64,
    /// Sums of eight rows.
    pub(super) octets: AlignedF64,
    pub(super) stretches: Vec<Stretch>,
    pub(super) narrow: Vec<f32>,
}

impl Focal {
    /// Buffers for one worker, for rasters up to `width` columns.
    pub fn scratch(&self, width: usize) -> Scratch {
        let (kh, kw) = (self.weights.rows, self.weights.cols);
        let cols = self.recipe.panel_cols.min(width.max(1));
        let rows = self.recipe.panel_rows + kh - 1;
        let (stride, sums_stride) = (padded(cols + kw + 40), padded(cols + 32));
        let listed = if self.recipe.nan == NanRule::Propagate { 0 } else { kh * kw };
        let (stretched, stretches) = self.engine.stretched();
        // Box sums serve the gate as well.
        let stretched = stretched.max(levels(kw) * stride);
        let planes = match self.recipe.method {
            Method::Fft { rows, cols } => Some(Planes::new(rows, cols, padded(cols))),
            _ => None,
        };
        let narrow = if self.recipe.method == Method::Fast { rows * stride + 64 } else { 0 };
        Scratch {
            patch: AlignedF64::zeros(rows * stride + 64 + SLACK),
            stride,
            buffers: Buffers {
                sums: AlignedF64::zeros(self.recipe.panel_rows * sums_stride + 64 + SLACK),
                sums_stride,
                between: AlignedF64::zeros(engine::SHARED_ROWS * stride + 64),
                stride,
                stretched: AlignedF64::zeros(stretched),
                octets: AlignedF64::zeros(rows / OCTET * stride),
                stretches: Vec::with_capacity(stretches),
                narrow: vec![0.0; narrow],
            },
            planes,
            marks: Marks::new(rows, cols + kw - 1),
            near: Vec::with_capacity(cols),
            taps: Vec::with_capacity(listed),
            sides: Sides::new(kw / 2),
        }
    }
}

//! Parameters of the mark kernels; `marks.wgsl` says what they mean.

use bytemuck::{Pod, Zeroable};

/// What a launch is told.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub(super) struct MarksParams {
    pub spikes: u32,
    pub first: u32,
    pub stride: u32,
    pub width: u32,
    pub encoding: u32,
    pub bins: u32,
    pub degrees: u32,
    pub terms: u32,
    pub cells: u32,
    pub lines: u32,
    pub along: u32,
    pub across: u32,
    pub cut: f32,
    pub floor: f32,
    pub zero: u32,
    pub row: u32,
    pub rows: u32,
    pub marks: u32,
    pub polynomials: u32,
    pub other_polynomials: u32,
    pub along_factors: u32,
    pub across_factors: u32,
    pub scales: u32,
    pub limits: u32,
}

//! Parameters of all focal kernels, one layout for every device language.

use super::DeviceRecipe;
use crate::array::Real;
use crate::kernels::focal::{NanRule, Weights};
use crate::kernels::window::{Boundary, Window};
use bytemuck::{Pod, Zeroable};

/// What a launch is told; `focal.wgsl` says what the fields mean.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct FocalParams {
    pub width: u32,
    pub height: u32,
    pub first: i32,
    pub held: u32,
    pub row: u32,
    pub rows: u32,
    pub kernel_rows: u32,
    pub kernel_cols: u32,
    pub boundary: u32,
    pub rule: u32,
    pub narrow: u32,
    pub count: u32,
    pub constant32: f32,
    pub scale32: f32,
    pub divisor32: f32,
    pub limit32: f32,
    pub constant: f64,
    pub scale: f64,
    pub divisor: f64,
    pub limit: f64,
    pub zero: u32,
    pub flags: u32,
    pub divisor_low: f32,
    pub columns: u32,
}

/// Sums in float32 within a kernel row.
pub const FAST: u32 = 2;

impl FocalParams {
    /// Of a whole run; rows and strip come with each piece.
    pub fn new<T: Real>(window: &Window<T>, weights: &Weights, recipe: &DeviceRecipe) -> Self {
        let sum = weights.sum();
        let constant = match window.boundary {
            Boundary::Constant(value) => value,
            _ => 0.0,
        };
        FocalParams {
            width: window.width as u32,
            height: window.height as u32,
            kernel_rows: weights.rows as u32,
            kernel_cols: weights.cols as u32,
            boundary: match window.boundary {
                Boundary::Nan => 0,
                Boundary::Nearest => 1,
                Boundary::Reflect => 2,
                Boundary::Wrap => 3,
                Boundary::Reflect101 => 4,
                Boundary::Constant(_) => 5,
            },
            rule: match recipe.nan {
                NanRule::Propagate => 0,
                NanRule::Footprint => 1,
                NanRule::Ignore => 2,
            },
            narrow: u32::from(weights.products_in_f32(T::WORK)),
            constant32: constant as f32,
            scale32: 1.0,
            divisor32: sum as f32,
            constant: T::round_from(constant).widen(),
            scale: 1.0,
            divisor: sum,
            flags: if recipe.fast { FAST } else { 0 },
            divisor_low: (sum - f64::from(sum as f32)) as f32,
            ..FocalParams::default()
        }
    }
}

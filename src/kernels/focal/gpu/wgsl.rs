//! The kernels in WGSL and the tables they read.

use super::DeviceRecipe;
use super::params::FocalParams;
use crate::backend::device::Kernel;
use crate::kernels::focal::{NanRule, Weights};
use crate::kernels::window::Boundary;

const SOURCE: &str = include_str!("focal.wgsl");

const fn kernel(name: &'static str) -> Kernel {
    let params = size_of::<FocalParams>();
    Kernel { name, group: [32, 8, 1], buffers: 4, params, wgsl: Some(SOURCE), cuda: None }
}

static DIRECT: Kernel = kernel("focal_direct");
static DOWN: Kernel = kernel("focal_down");
static ALONG: Kernel = kernel("focal_along");

static ONE_PASS: [&Kernel; 1] = [&DIRECT];
static TWO_PASSES: [&Kernel; 2] = [&DOWN, &ALONG];

/// Taps of a block of the kernel, each way: with the outputs of a group they fill its patch.
const BLOCK: usize = 33;

/// The launches of a recipe, in order.
pub fn kernels(recipe: &DeviceRecipe) -> &'static [&'static Kernel] {
    match recipe.factors {
        Some(_) => &TWO_PASSES,
        None => direct(),
    }
}

/// The direct sum.
pub fn direct() -> &'static [&'static Kernel] {
    &ONE_PASS
}

/// What kernels read besides the raster.
pub struct Tables {
    /// Blocks of the kernel, their taps, and the taps of both passes.
    pub words: Vec<[u32; 4]>,
    blocks: u32,
    columns: u32,
    /// The column pass of what stands outside, as a pair of floats.
    outside: [f32; 2],
}

impl Tables {
    /// For one kernel.
    pub fn new(weights: &Weights, recipe: &DeviceRecipe, boundary: Boundary) -> Self {
        let starts = |length: usize| (0..length).step_by(BLOCK);
        let corners: Vec<(usize, usize)> =
            starts(weights.rows).flat_map(|a| starts(weights.cols).map(move |b| (a, b))).collect();
        let mut words = vec![[0; 4]; corners.len()];
        for (block, &(a0, b0)) in corners.iter().enumerate() {
            let start = words.len() as u32;
            push_taps(&mut words, weights, (a0, b0), |k| k != 0.0);
            let middle = words.len() as u32;
            push_taps(&mut words, weights, (a0, b0), |k| k == 0.0);
            words[block] = [(a0 << 16 | b0) as u32, start, middle, words.len() as u32];
        }
        let columns = words.len() as u32;
        let mut outside = [0.0; 2];
        if let Some(factors) = &recipe.factors {
            // Weights of valid cells alone: on finite pieces these are all of them.
            let divisor = if recipe.nan == NanRule::Ignore { weights.sum() } else { 1.0 };
            let line = factors.column.iter().map(|c| c / divisor);
            if let Boundary::Constant(value) = boundary {
                outside = pair(line.clone().sum::<f64>() * f64::from(value as f32));
            }
            words.extend(line.chain(factors.row.iter().copied()).map(|k| tap(0, 0, k)));
        }
        Tables { words, blocks: corners.len() as u32, columns, outside }
    }

    /// `params` for `kernel`.
    pub fn finish(&self, mut params: FocalParams, kernel: &'static Kernel) -> FocalParams {
        (params.count, params.columns) = (self.blocks, self.columns);
        if kernel.name == ALONG.name {
            [params.scale32, params.limit32] = self.outside;
        }
        params
    }
}

fn push_taps(
    words: &mut Vec<[u32; 4]>,
    weights: &Weights,
    (a0, b0): (usize, usize),
    wanted: impl Fn(f64) -> bool,
) {
    for a in a0..weights.rows.min(a0 + BLOCK) {
        for b in b0..weights.cols.min(b0 + BLOCK) {
            let weight = weights.values[a * weights.cols + b];
            if wanted(weight) {
                words.push(tap(a - a0, b - b0, weight));
            }
        }
    }
}

/// Place and weight: two halves of a float, 12 bits each, and the rest.
fn tap(row: usize, column: usize, weight: f64) -> [u32; 4] {
    let [high, rest] = pair(weight);
    let upper = f32::from_bits(high.to_bits() & 0xffff_f000);
    [(row << 16 | column) as u32, upper.to_bits(), (high - upper).to_bits(), rest.to_bits()]
}

/// The nearest float, and what is left.
fn pair(value: f64) -> [f32; 2] {
    let high = value as f32;
    [high, (value - f64::from(high)) as f32]
}

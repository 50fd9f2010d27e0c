//! Weights of a walk between any places, packed by blocks of [`WIDTH`] targets.
//!
//! A block holds, source by source, the weights towards its targets; sources that reach none of
//! them are left out, so a line of places gives a band and a track graph a few stretches. Along
//! places of equal distance all blocks have the same weights but for the rounding of the places:
//! those are stored once, and stay in the first cache.

use super::portable::Sparse;
use super::simd::packed::{Block, WIDTH, packed};
use super::{CUTS, LEAST_WEIGHT, dense};
use crate::backend::CpuLevel;
use crate::kernels::simd::AlignedF64;

/// Weights that differ by less than this share of them come from places that were rounded.
const ROUNDED: f64 = 1e-11;

/// True where `stored` (or its begin) holds the weights of `stretch` as far as they are exact.
fn alike(stored: &[f64], stretch: &[f64]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= ROUNDED * b.abs();
    stored.len() >= stretch.len() && stored.iter().zip(stretch).all(near)
}

/// Packed weights.
#[derive(Debug)]
pub struct Packed {
    places: usize,
    /// For each of [`CUTS`].
    blocks: Vec<Vec<Block>>,
    weights: AlignedF64,
    multiply_adds: u64,
}

impl Packed {
    /// Weights `exp(-square(from, to) / (2 variance))` over `places` places.
    pub fn new(places: usize, square: impl Fn(usize, usize) -> f64, variance: f64) -> Self {
        // Exponents are compared first: nearly all weights of a long line are 0.
        let reach = -2.0 * variance * LEAST_WEIGHT.ln();
        let weight = |from: usize, to: usize| {
            let square = if to < places { square(from, to) } else { f64::INFINITY };
            if square <= reach { dense::weight(square, variance) } else { 0.0 }
        };
        let mut blocks: Vec<Vec<Block>> = vec![Vec::new(); CUTS.len()];
        let mut weights: Vec<f64> = Vec::new();
        let mut multiply_adds = 0;
        // Weights of one target block, and where those of the last block that was stored begin.
        let (mut stretch, mut stored) = (Vec::new(), 0);
        for target in (0..places).step_by(WIDTH) {
            stretch.clear();
            let mut sources = Vec::new();
            for from in 0..places {
                let row: [f64; WIDTH] = std::array::from_fn(|i| weight(from, target + i));
                if row.iter().any(|&w| w >= LEAST_WEIGHT) {
                    stretch.extend(row.map(|w| if w < LEAST_WEIGHT { 0.0 } else { w }));
                    sources.push(from);
                }
            }
            if !alike(&weights[stored..], &stretch) {
                stored = weights.len();
                weights.extend_from_slice(&stretch);
            }
            multiply_adds += stretch.len() as u64;
            let rows = sources.iter().zip(stretch.chunks_exact(WIDTH)).enumerate();
            for (at, (&from, row)) in rows {
                for (list, cut) in blocks.iter_mut().zip(CUTS) {
                    if row.iter().all(|&w| w < cut) {
                        continue;
                    }
                    match list.last_mut() {
                        Some(b) if b.target == target && b.last == from => b.last += 1,
                        _ => list.push(Block {
                            target,
                            first: from,
                            last: from + 1,
                            offset: stored + at * WIDTH,
                        }),
                    }
                }
            }
        }
        let mut aligned = AlignedF64::zeros(weights.len());
        aligned.copy_from_slice(&weights);
        Packed { places, blocks, weights: aligned, multiply_adds }
    }

    /// Room that source and target take.
    pub fn cells(&self) -> usize {
        self.places.next_multiple_of(WIDTH)
    }

    /// Multiply-adds of one application.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        8 * self.weights.len() as u64
    }

    /// The weight of every pair of places that reach each other.
    pub fn sparse(&self) -> Sparse {
        let mut towards = vec![Vec::new(); self.places];
        for block in &self.blocks[0] {
            let rows = self.weights[block.offset..].chunks_exact(WIDTH);
            for (from, row) in (block.first..block.last).zip(rows) {
                for (own, &weight) in towards[block.target..].iter_mut().zip(row).filter(|(_, w)| **w > 0.0) {
                    own.push((from, weight));
                }
            }
        }
        Sparse::new(towards.into_iter())
    }

    /// `walked[to] = sum over from of source[from] weight(from, to)`, weights below `CUTS[cut]` left
    /// out as far as whole blocks allow.
    pub fn apply(&self, level: CpuLevel, cut: usize, source: &[f64], walked: &mut [f64]) {
        packed(level, &self.blocks[cut], &self.weights, source, walked);
    }
}

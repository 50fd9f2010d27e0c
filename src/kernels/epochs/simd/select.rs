//! Medians by a network of comparators, lanes being samples (spec autoreject 14).

use super::super::{Tile, median, network::Network};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Registers of samples that pass through the network together.
const TOGETHER: usize = 2;

#[inline(always)]
unsafe fn columns<L: Lanes, const V: usize>(
    network: &Network,
    values: *mut f64,
    stride: usize,
    out: *mut f64,
) {
    // SAFETY: `medians` checked the tile; the network's rows are below its count.
    unsafe {
        for &(a, b) in network.pairs() {
            let (a, b) = (values.add(a as usize * stride), values.add(b as usize * stride));
            for v in 0..V {
                let (x, y) = (L::load(a.add(v * L::N)), L::load(b.add(v * L::N)));
                x.min(y).store(a.add(v * L::N));
                x.max(y).store(b.add(v * L::N));
            }
        }
        let rows = network.rows();
        let upper = values.add(rows / 2 * stride);
        let lower = values.add((rows - 1) / 2 * stride);
        for v in 0..V {
            let (a, b) = (L::load(lower.add(v * L::N)), L::load(upper.add(v * L::N)));
            // For an odd count both are the same row, and half of twice a value is that value.
            let middle = if rows % 2 == 1 { a } else { a.add(b).mul(L::splat(0.5)) };
            middle.store(out.add(v * L::N));
        }
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(network: &Network, values: *mut f64, shape: (usize, usize), out: *mut f64) {
    // SAFETY: passed on; samples are padded to a multiple of the lanes.
    unsafe {
        let (stride, samples) = shape;
        let mut col = 0;
        while col + TOGETHER * L::N <= samples {
            columns::<L, TOGETHER>(network, values.add(col), stride, out.add(col));
            col += TOGETHER * L::N;
        }
        while col < samples {
            columns::<L, 1>(network, values.add(col), stride, out.add(col));
            col += L::N;
        }
    }
}
per_level! { unsafe fn body_at(network: &Network, values: *mut f64, shape: (usize, usize), out: *mut f64) = body }

/// Finds the medians of many tiles of one height.
#[derive(Debug, Clone)]
pub struct Medians {
    network: Option<Network>,
}

impl Medians {
    /// For tiles of `rows` rows.
    pub fn new(rows: usize) -> Self {
        Medians { network: Network::new(rows) }
    }

    /// Medians over `rows` rows of `values`, `stride` apart, one per sample, as numpy computes
    /// them; samples up to the next multiple of 8 are written too. The rows are reordered sample
    /// by sample; `out` may hold anything.
    ///
    /// # Panics
    ///
    /// If there is no row, the tile is wider than 512 samples, or a buffer is too short.
    pub fn find(
        &self,
        level: CpuLevel,
        values: &mut [f64],
        (stride, rows, samples): (usize, usize, usize),
        out: &mut [f64],
    ) {
        let tile = Tile { values, stride, rows, samples };
        let Some(network) = self.network.as_ref().filter(|network| network.rows() == rows) else {
            return median::medians(level, tile, out);
        };
        let padded = samples.next_multiple_of(8);
        assert!(tile.is_whole() && out.len() >= padded);
        let (values, out) = (values.as_mut_ptr(), out.as_mut_ptr());
        // SAFETY: checked; the level is limited to what the machine has; the stride is a multiple
        // of 8, so registers stay inside of rows.
        unsafe { body_at(level.min(CpuLevel::detect()), network, values, (stride, padded), out) }
    }
}

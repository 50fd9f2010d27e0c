//! Weights times epochs: each channel predicted from the others (spec autoreject 5).
//!
//! A block of six channels by one cache line or more of samples stays in registers while all
//! sources pass by. Every result is one chain of multiply-adds in the order of the sources, so it
//! does not depend on which samples share a call.

use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Columns of a call are a multiple of this.
pub const COLUMNS: usize = 32;

/// Channels computed together.
const BLOCK: usize = 6;

/// Weights laid out for the kernel.
#[derive(Debug, Clone)]
pub struct Predictor {
    rows: usize,
    cols: usize,
    /// Blocks of six rows, source by source.
    packed: Vec<f64>,
}

#[inline(always)]
unsafe fn block<L: Lanes, const V: usize>(
    weights: *const f64,
    cols: usize,
    (from, from_stride): (*const f64, usize),
    (to, to_stride): (*mut f64, usize),
    rows: usize,
) {
    // SAFETY: `product` checked all three buffers.
    unsafe {
        let mut sums = [[L::splat(0.0); V]; BLOCK];
        let (mut weights, mut from) = (weights, from);
        for _ in 0..cols {
            let mut values = [L::splat(0.0); V];
            for v in 0..V {
                values[v] = L::load(from.add(v * L::N));
            }
            for r in 0..BLOCK {
                let w = L::splat(*weights.add(r));
                for v in 0..V {
                    sums[r][v] = w.fma(values[v], sums[r][v]);
                }
            }
            weights = weights.add(BLOCK);
            from = from.add(from_stride);
        }
        // A constant bound keeps the sums in registers.
        for r in 0..BLOCK {
            if r < rows {
                for v in 0..V {
                    sums[r][v].store(to.add(r * to_stride + v * L::N));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(p: &Predictor, from: (*const f64, usize), to: (*mut f64, usize), columns: usize) {
    // SAFETY: passed on.
    unsafe {
        let mut row = 0;
        while row < p.rows {
            let weights = p.packed.as_ptr().add(row * p.cols);
            let left = p.rows - row;
            let mut col = 0;
            while col < columns {
                let source = (from.0.add(col), from.1);
                let target = (to.0.add(row * to.1 + col), to.1);
                if L::REGISTERS == 32 {
                    block::<L, 4>(weights, p.cols, source, target, left);
                    col += 4 * L::N;
                } else {
                    block::<L, 2>(weights, p.cols, source, target, left);
                    col += 2 * L::N;
                }
            }
            row += BLOCK;
        }
    }
}
per_level! { unsafe fn body_at(p: &Predictor, from: (*const f64, usize), to: (*mut f64, usize), columns: usize) = body }

impl Predictor {
    /// Lays out `rows x cols` weights (row-major).
    pub fn new(weights: &[f64], rows: usize, cols: usize) -> Self {
        let blocks = rows.div_ceil(BLOCK);
        let mut packed = vec![0.0; blocks * BLOCK * cols];
        for (at, &w) in weights.iter().enumerate().take(rows * cols) {
            let (row, col) = (at / cols, at % cols);
            packed[row / BLOCK * BLOCK * cols + col * BLOCK + row % BLOCK] = w;
        }
        Predictor { rows, cols, packed }
    }

    /// The weights again, `[row][source]`.
    pub fn weights(&self) -> Vec<f64> {
        let at = |row: usize, col: usize| row / BLOCK * BLOCK * self.cols + col * BLOCK + row % BLOCK;
        (0..self.rows).flat_map(|row| (0..self.cols).map(move |col| self.packed[at(row, col)])).collect()
    }

    /// Predicted channels.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Sources.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// `to[row, column] = sum over sources of weight * from[source, column]`; rows lie `stride`
    /// elements apart. Whatever `to` held is replaced.
    ///
    /// # Panics
    ///
    /// If `columns` is not a multiple of [`COLUMNS`] or a buffer is too short.
    pub fn product(
        &self,
        level: CpuLevel,
        (from, from_stride): (&[f64], usize),
        (to, to_stride): (&mut [f64], usize),
        columns: usize,
    ) {
        if self.rows == 0 || columns == 0 {
            return;
        }
        assert!(columns.is_multiple_of(COLUMNS) && columns <= to_stride);
        assert!(to.len() >= (self.rows - 1) * to_stride + columns);
        assert!(self.cols == 0 || from.len() >= (self.cols - 1) * from_stride + columns);
        let (from, to) = ((from.as_ptr(), from_stride), (to.as_mut_ptr(), to_stride));
        // SAFETY: checked; the level is limited to what the machine has.
        unsafe { body_at(level.min(CpuLevel::detect()), self, from, to, columns) }
    }
}

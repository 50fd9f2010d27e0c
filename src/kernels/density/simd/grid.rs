//! Sums at the points of a grid: the kernel is a product over axes, so with two axes each sample
//! costs one row of exponentials per axis and one outer product.

use super::exp::exp;
use crate::backend::CpuLevel;
use crate::kernels::density::{Samples, peak};
use crate::kernels::simd::{Lanes, per_level};

/// Samples whose outer products are summed together; their factors stay in the second cache.
const BLOCK: usize = 64;
/// Rows and columns of a block of sums in registers: two registers of the widest instruction set.
const ROWS: usize = 4;
const COLUMNS: usize = 16;

/// Kernel factors of a block of samples along one axis, `[sample][point]`, rows `stride` apart.
#[inline(always)]
fn factors<L: Lanes>(samples: Samples, (axis, scale): (usize, f64), points: &[f64], out: &mut [f64]) {
    for (row, sample) in out.chunks_exact_mut(points.len()).zip(samples.positions.chunks_exact(2)) {
        let s = sample[axis];
        for (out, x) in row.iter_mut().zip(points) {
            let d = (x - s) * scale;
            *out = exp::<L>(-d * d);
        }
    }
}

/// Adds the outer products of `count` samples to `COLUMNS` columns of `ROWS` rows of `out`.
#[inline(always)]
unsafe fn product<L: Lanes, const V: usize>(
    (x, x_stride): (*const f64, usize),
    (y, y_stride): (*const f64, usize),
    count: usize,
    out: *mut f64,
) {
    // SAFETY: `body` gives `count` rows of both factors, and whole blocks of `out`.
    unsafe {
        let mut sums = [[L::splat(0.0); V]; ROWS];
        for sample in 0..count {
            let (x, y) = (x.add(sample * x_stride), y.add(sample * y_stride));
            for r in 0..ROWS {
                let factor = L::splat(*x.add(r));
                for v in 0..V {
                    sums[r][v] = factor.fma(L::load(y.add(v * L::N)), sums[r][v]);
                }
            }
        }
        for r in 0..ROWS {
            for v in 0..V {
                let to = out.add(r * y_stride + v * L::N);
                L::load(to).add(sums[r][v]).store(to);
            }
        }
    }
}

/// Adds all samples to `sums`, `[x][y]` with both axes padded to whole blocks.
#[inline(always)]
unsafe fn body<L: Lanes>(samples: Samples, scale: [f64; 2], x: &[f64], y: &[f64], sums: &mut [f64]) {
    assert!(x.len().is_multiple_of(ROWS) && y.len().is_multiple_of(COLUMNS));
    assert!(sums.len() == x.len() * y.len());
    let (mut kx, mut ky) = (vec![0.0; BLOCK * x.len()], vec![0.0; BLOCK * y.len()]);
    let count = samples.len();
    let mut first = 0;
    while first < count {
        let block = samples.part(first, (first + BLOCK).min(count));
        factors::<L>(block, (0, scale[0]), x, &mut kx);
        factors::<L>(block, (1, scale[1]), y, &mut ky);
        if block.weights.is_some() {
            for (index, row) in kx.chunks_exact_mut(x.len()).take(block.len()).enumerate() {
                row.iter_mut().for_each(|k| *k *= block.weight(index));
            }
        }
        for i in (0..x.len()).step_by(ROWS) {
            for j in (0..y.len()).step_by(2 * L::N) {
                // SAFETY: both factors hold `block.len()` rows; `i` and `j` begin whole blocks, and two
                // registers divide the padding of y.
                unsafe {
                    let (kx, ky) = (kx.as_ptr().add(i), ky.as_ptr().add(j));
                    let out = sums.as_mut_ptr().add(i * y.len() + j);
                    product::<L, 2>((kx, x.len()), (ky, y.len()), block.len(), out);
                }
            }
        }
        first += BLOCK;
    }
}
per_level! { unsafe fn body_at(samples: Samples, scale: [f64; 2], x: &[f64], y: &[f64], sums: &mut [f64]) = body }

/// `out[grid point] = sum_i w_i K_h(grid point, sample_i)` in C order over the product of `axes`,
/// the coordinates along each axis; what `out` held is replaced.
///
/// # Panics
///
/// If lengths do not fit: as many axes as the samples have, `out` one value per grid point.
pub fn on_grid(level: CpuLevel, samples: Samples, std: &[f64], axes: &[&[f64]], out: &mut [f64]) {
    samples.check(std, axes.iter().map(|axis| axis.len()).product(), out.len());
    assert!(axes.len() == samples.axes);
    let &[x, y] = axes else {
        return super::direct::at_points(level, samples, std, &points(axes), out);
    };
    if out.is_empty() {
        return;
    }
    // Padding repeats a coordinate: any finite one does.
    let padded = |axis: &[f64], to: usize| {
        let mut axis = axis.to_vec();
        axis.resize(axis.len().next_multiple_of(to), axis[0]);
        axis
    };
    let (wide_x, wide_y) = (padded(x, ROWS), padded(y, COLUMNS));
    let mut sums = vec![0.0; wide_x.len() * wide_y.len()];
    let scale = [0, 1].map(|axis| std::f64::consts::FRAC_1_SQRT_2 / std[axis]);
    // SAFETY: the level is one of this machine; the body checks its lengths.
    unsafe { body_at(level.min(CpuLevel::detect()), samples, scale, &wide_x, &wide_y, &mut sums) };
    for (to, from) in out.chunks_exact_mut(y.len()).zip(sums.chunks_exact(wide_y.len())) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from * peak(std);
        }
    }
}

/// All points of a grid, `[point][axis]`, the last axis fastest.
fn points(axes: &[&[f64]]) -> Vec<f64> {
    let count: usize = axes.iter().map(|axis| axis.len()).product();
    let mut points = Vec::with_capacity(count * axes.len());
    for point in 0..count {
        let start = points.len();
        points.resize(start + axes.len(), 0.0);
        let mut rest = point;
        for (at, axis) in axes.iter().enumerate().rev() {
            points[start + at] = axis[rest % axis.len()];
            rest /= axis.len();
        }
    }
    points
}

//! Complex transforms of many columns at once: a lane is a column, so that no shuffle is needed.
//!
//! Real and imaginary parts lie in two planes. The forward transform goes from natural to
//! digit-reversed order (decimation in frequency), the backward one returns (decimation in
//! time): a product in between needs no order, so none is made. Passes of radix 4, with one of
//! radix 3 in front where the length asks for it, down to cores of 4 or 8 points that need no
//! factors; along rows a core goes forward, meets the spectrum and comes back in registers.

use crate::backend::CpuLevel;
use crate::kernels::simd::{AlignedF64, Lanes, per_level};
use passes::{Points, cores, filtered_cores, get, pass};
use plan::Plan;

mod passes;
mod plan;

/// The planes of a tile and its sizes.
#[derive(Debug, Clone, Copy)]
struct Tile {
    re: *mut f64,
    im: *mut f64,
    stride: usize,
    local: *mut f64,
}

/// The contiguous copy of `L::N` transforms, which spares the cache and the address translation
/// a walk down a tall plane for every pass.
#[inline(always)]
fn local<L: Lanes>(tile: Tile, plan: &Plan) -> Points {
    // 128 bytes more, so that the parts do not fall on the same cache sets.
    Points { re: tile.local, im: tile.local.wrapping_add(plan.length * L::N + 16), stride: L::N }
}

#[inline(always)]
unsafe fn columns_body<L: Lanes>(plan: &Plan, tile: Tile, cols: usize, back: bool) {
    // SAFETY: the planes cover the plan's length and `cols`; `local` holds both parts.
    unsafe {
        let local = local::<L>(tile, plan);
        let mut col = 0;
        while col < cols {
            let plane = Points { re: tile.re.add(col), im: tile.im.add(col), stride: tile.stride };
            if back {
                cores::<L, true>(plan, plane, local);
                for (at, stage) in plan.stages.iter().enumerate().rev() {
                    pass::<L, true>(plan, stage, local, if at == 0 { plane } else { local });
                }
            } else {
                for (at, stage) in plan.stages.iter().enumerate() {
                    pass::<L, false>(plan, stage, if at == 0 { plane } else { local }, local);
                }
                cores::<L, false>(plan, local, plane);
            }
            col += L::N;
        }
    }
}
per_level! { unsafe fn columns_at(plan: &Plan, tile: Tile, cols: usize, back: bool) = columns_body }

/// Rows of a tile, a lane being a row: forward, times the spectrum, backward. With `make` the
/// conjugate of the forward transform, times `make`, becomes the spectrum instead.
#[inline(always)]
unsafe fn rows_body<L: Lanes>(plan: &Plan, tile: Tile, rows: usize, spectrum: *mut f64, make: f64) {
    // SAFETY: the planes cover `rows` and the plan's length; `local` holds both parts, the
    // spectrum both parts of every point.
    unsafe {
        let n = plan.length;
        let local = local::<L>(tile, plan);
        let mut spectrum = spectrum;
        let mut row = 0;
        while row < rows {
            let (re, im) = (tile.re.add(row * tile.stride), tile.im.add(row * tile.stride));
            let mut col = 0;
            while col < n {
                L::transpose(re.add(col), tile.stride, local.re.add(col * L::N), L::N);
                L::transpose(im.add(col), tile.stride, local.im.add(col * L::N), L::N);
                col += L::N;
            }
            for stage in &plan.stages {
                pass::<L, false>(plan, stage, local, local);
            }
            if make != 0.0 {
                cores::<L, false>(plan, local, local);
                for p in 0..n {
                    let v = get::<L>(local, p);
                    v.0.mul(L::splat(make)).store(spectrum.add(2 * p * L::N));
                    v.1.mul(L::splat(-make)).store(spectrum.add((2 * p + 1) * L::N));
                }
            } else {
                filtered_cores::<L>(plan, local, spectrum);
                for stage in plan.stages.iter().rev() {
                    pass::<L, true>(plan, stage, local, local);
                }
                let mut col = 0;
                while col < n {
                    L::transpose(local.re.add(col * L::N), L::N, re.add(col), tile.stride);
                    L::transpose(local.im.add(col * L::N), L::N, im.add(col), tile.stride);
                    col += L::N;
                }
            }
            spectrum = spectrum.add(2 * n * L::N);
            row += L::N;
        }
    }
}
per_level! { unsafe fn rows_at(plan: &Plan, tile: Tile, rows: usize, spectrum: *mut f64, make: f64) = rows_body }

/// A correlation with one kernel by transforms of `rows` x `cols` points, two real tiles at a
/// time.
#[derive(Debug)]
pub struct Transform {
    level: CpuLevel,
    down: Plan,
    across: Plan,
    /// Conjugate transform of the kernel over the number of points, in the order of use.
    spectrum: AlignedF64,
}

/// Planes of two tiles, and room for one transform.
#[derive(Debug)]
pub struct Planes {
    /// First tile, row-major.
    pub re: AlignedF64,
    /// Second tile.
    pub im: AlignedF64,
    /// Elements from one row to the next.
    pub stride: usize,
    local: AlignedF64,
}

impl Planes {
    /// Planes of `rows` x `cols` values, rows `stride` apart.
    pub fn new(rows: usize, cols: usize, stride: usize) -> Self {
        let plane = || AlignedF64::zeros(rows * stride + 8);
        Planes { re: plane(), im: plane(), stride, local: AlignedF64::zeros(16 * rows.max(cols) + 16) }
    }
}

impl Transform {
    /// Sides are powers of two or three times one, at least 16; the kernel (`height` x `width`
    /// weights, row-major) is no larger.
    pub fn new(level: CpuLevel, (rows, cols): (usize, usize), weights: &[f64], width: usize) -> Self {
        assert!(rows % 16 == 0 && cols % 16 == 0 && weights.len().div_ceil(width) <= rows && width <= cols);
        let mut planes = Planes::new(rows, cols, super::super::plane::padded(cols));
        for (line, target) in weights.chunks(width).zip(planes.re.chunks_mut(planes.stride)) {
            target[..width].copy_from_slice(line);
        }
        let mut made = Transform {
            level,
            down: Plan::new(rows),
            across: Plan::new(cols),
            spectrum: AlignedF64::zeros(2 * rows * cols),
        };
        let tile = made.tile(&mut planes);
        let scale = 1.0 / (rows * cols) as f64;
        // SAFETY: as in `run`; the spectrum holds two parts of every point.
        unsafe {
            columns_at(level, &made.down, tile, cols, false);
            rows_at(level, &made.across, tile, rows, made.spectrum.as_mut_ptr(), scale);
        }
        made
    }

    fn tile(&self, planes: &mut Planes) -> Tile {
        let (rows, cols) = (self.down.length, self.across.length);
        let whole = rows * planes.stride;
        assert!(planes.stride >= cols && planes.re.len() >= whole && planes.im.len() >= whole);
        assert!(planes.local.len() >= 16 * rows.max(cols) + 16);
        Tile {
            re: planes.re.as_mut_ptr(),
            im: planes.im.as_mut_ptr(),
            stride: planes.stride,
            local: planes.local.as_mut_ptr(),
        }
    }

    /// Replaces both tiles by their correlations; only the first `cols` columns are brought back.
    pub fn run(&self, planes: &mut Planes, cols: usize) {
        let (rows, all) = (self.down.length, self.across.length);
        let tile = self.tile(planes);
        let spectrum = self.spectrum.as_ptr().cast_mut();
        // SAFETY: `tile` checked the planes; sides are multiples of 16, hence of every register;
        // with `make` 0 the spectrum is only read; the level is available (see `Focal`).
        unsafe {
            columns_at(self.level, &self.down, tile, all, false);
            rows_at(self.level, &self.across, tile, rows, spectrum, 0.0);
            columns_at(self.level, &self.down, tile, cols.min(all), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_of_two_tiles_equal_plain_sums() {
        for level in CpuLevel::available() {
            for (rows, cols) in [(16, 16), (32, 48), (96, 64), (128, 16)] {
                let weights: Vec<f64> = (0..15).map(|i| f64::from(i * i % 7) - 2.5).collect();
                let transform = Transform::new(level, (rows, cols), &weights, 3);
                let mut planes = Planes::new(rows, cols, cols + 8);
                let value = |i: usize, j: usize, t: usize| ((i * 37 + j * 11 + t * 5) % 23) as f64 - 9.0;
                for at in 0..rows * cols {
                    let place = at / cols * (cols + 8) + at % cols;
                    planes.re[place] = value(at / cols, at % cols, 0);
                    planes.im[place] = value(at / cols, at % cols, 1);
                }
                transform.run(&mut planes, cols);
                for at in 0..(rows - 4) * (cols - 2) {
                    let (i, j) = (at / (cols - 2), at % (cols - 2));
                    for (t, plane) in [&planes.re, &planes.im].into_iter().enumerate() {
                        let want: f64 = (0..15).map(|k| weights[k] * value(i + k / 3, j + k % 3, t)).sum();
                        let got = plane[i * (cols + 8) + j];
                        assert!((got - want).abs() < 1e-11, "{level:?} {rows}x{cols} [{i},{j}] {got} {want}");
                    }
                }
            }
        }
    }
}

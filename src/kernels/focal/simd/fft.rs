//! Complex transforms of many columns at once: a lane is a column, so that no shuffle is needed.
//!
//! Real and imaginary parts lie in two planes. The forward transform goes from natural to
//! digit-reversed order (decimation in frequency), the backward one returns (decimation in
//! time): a product in between needs no order, so none is made. Radix 4, with one pass of
//! radix 3 in front or of radix 2 at the end where the length asks for it.

use crate::backend::CpuLevel;
use crate::kernels::simd::{AlignedF64, Lanes, per_level};

/// One pass over a transform: `radix` sub-transforms of `length / radix` points.
#[derive(Debug, Clone, Copy)]
struct Stage {
    radix: usize,
    /// Points of each block that the pass splits.
    length: usize,
    /// Where its factors begin.
    factors: usize,
}

/// Passes and factors for one length.
#[derive(Debug)]
pub struct Plan {
    /// Points of a transform.
    pub length: usize,
    stages: Vec<Stage>,
    /// Real and imaginary part of `exp(-2 pi i r j / length)`, r = 1 .. radix, for each j.
    factors: Vec<f64>,
}

impl Plan {
    /// For `length` points: a power of two or three times one, at least 4.
    pub fn new(length: usize) -> Self {
        let (mut stages, mut factors, mut left) = (Vec::new(), Vec::new(), length);
        while left > 1 {
            let radix = if left % 3 == 0 {
                3
            } else if left % 4 == 0 {
                4
            } else {
                2
            };
            stages.push(Stage { radix, length: left, factors: factors.len() });
            for j in 0..left / radix {
                for r in 1..radix {
                    let (sin, cos) = turn(r * j, left);
                    factors.extend([cos, -sin]);
                }
            }
            left /= radix;
        }
        Plan { length, stages, factors }
    }
}

/// Sine and cosine of `2 pi part / whole`, from angles of at most an eighth of a turn.
fn turn(part: usize, whole: usize) -> (f64, f64) {
    let eighths = 8 * (part % whole) / whole;
    let rest = 8 * (part % whole) - eighths * whole;
    // Within an eighth, measured from its nearer axis.
    let (near, odd) = if eighths % 2 == 0 { (rest, false) } else { (whole - rest, true) };
    let (s, c) = (std::f64::consts::FRAC_PI_4 * (near as f64 / whole as f64)).sin_cos();
    let (s, c) = if odd { (c, s) } else { (s, c) };
    match eighths / 2 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// Where a pass reads or writes: parts of point `p` at `p * stride`.
#[derive(Debug, Clone, Copy)]
struct Points {
    re: *mut f64,
    im: *mut f64,
    stride: usize,
}

/// A complex register.
#[derive(Clone, Copy)]
struct Complex<L>(L, L);

#[inline(always)]
unsafe fn get<L: Lanes>(p: Points, at: usize) -> Complex<L> {
    // SAFETY: the caller's points.
    unsafe { Complex(L::load(p.re.add(at * p.stride)), L::load(p.im.add(at * p.stride))) }
}

#[inline(always)]
unsafe fn set<L: Lanes>(p: Points, at: usize, v: Complex<L>) {
    // SAFETY: the caller's points.
    unsafe {
        v.0.store(p.re.add(at * p.stride));
        v.1.store(p.im.add(at * p.stride));
    }
}

#[inline(always)]
unsafe fn plus<L: Lanes>(a: Complex<L>, b: Complex<L>) -> Complex<L> {
    // SAFETY: inlined into a function compiled for L.
    unsafe { Complex(a.0.add(b.0), a.1.add(b.1)) }
}

#[inline(always)]
unsafe fn minus<L: Lanes>(a: Complex<L>, b: Complex<L>) -> Complex<L> {
    // SAFETY: inlined into a function compiled for L.
    unsafe { Complex(a.0.sub(b.0), a.1.sub(b.1)) }
}

/// `a - i b` forward, `a + i b` backward.
#[inline(always)]
unsafe fn quarter<L: Lanes, const BACK: bool>(a: Complex<L>, b: Complex<L>) -> Complex<L> {
    // SAFETY: inlined into a function compiled for L.
    unsafe { if BACK { Complex(a.0.sub(b.1), a.1.add(b.0)) } else { Complex(a.0.add(b.1), a.1.sub(b.0)) } }
}

/// `a * w` forward, `a * conj(w)` backward.
#[inline(always)]
unsafe fn times<L: Lanes, const BACK: bool>(a: Complex<L>, w: *const f64) -> Complex<L> {
    // SAFETY: `w` points at two factors.
    unsafe {
        let (re, im) = (L::splat(*w), L::splat(*w.add(1)));
        if BACK {
            Complex(a.0.fma(re, a.1.mul(im)), a.0.fnma(im, a.1.mul(re)))
        } else {
            Complex(a.1.fnma(im, a.0.mul(re)), a.1.fma(re, a.0.mul(im)))
        }
    }
}

#[inline(always)]
unsafe fn radix_4<L: Lanes, const BACK: bool>(from: Points, to: Points, at: usize, q: usize, w: *const f64) {
    // SAFETY: four points of one block, and their six factors.
    unsafe {
        let (mut a, mut b) = (get::<L>(from, at), get::<L>(from, at + q));
        let (mut c, mut d) = (get::<L>(from, at + 2 * q), get::<L>(from, at + 3 * q));
        if BACK {
            (b, c, d) =
                (times::<L, BACK>(b, w), times::<L, BACK>(c, w.add(2)), times::<L, BACK>(d, w.add(4)));
        }
        let (even, odd) = (plus(a, c), minus(a, c));
        let (sum, difference) = (plus(b, d), minus(b, d));
        (a, c) = (plus(even, sum), minus(even, sum));
        b = quarter::<L, BACK>(odd, difference);
        d = if BACK { quarter::<L, false>(odd, difference) } else { quarter::<L, true>(odd, difference) };
        if !BACK {
            (b, c, d) =
                (times::<L, BACK>(b, w), times::<L, BACK>(c, w.add(2)), times::<L, BACK>(d, w.add(4)));
        }
        set(to, at, a);
        set(to, at + q, b);
        set(to, at + 2 * q, c);
        set(to, at + 3 * q, d);
    }
}

#[inline(always)]
unsafe fn radix_3<L: Lanes, const BACK: bool>(from: Points, to: Points, at: usize, q: usize, w: *const f64) {
    // SAFETY: three points of one block, and their four factors.
    unsafe {
        let (a, mut b, mut c) = (get::<L>(from, at), get::<L>(from, at + q), get::<L>(from, at + 2 * q));
        if BACK {
            (b, c) = (times::<L, BACK>(b, w), times::<L, BACK>(c, w.add(2)));
        }
        let (sum, difference) = (plus(b, c), minus(b, c));
        let (half, root) = (L::splat(-0.5), L::splat(3.0_f64.sqrt() / 2.0));
        let middle = Complex(sum.0.fma(half, a.0), sum.1.fma(half, a.1));
        let side = Complex(difference.0.mul(root), difference.1.mul(root));
        let mut second = quarter::<L, BACK>(middle, side);
        let mut third =
            if BACK { quarter::<L, false>(middle, side) } else { quarter::<L, true>(middle, side) };
        if !BACK {
            (second, third) = (times::<L, BACK>(second, w), times::<L, BACK>(third, w.add(2)));
        }
        set(to, at, plus(a, sum));
        set(to, at + q, second);
        set(to, at + 2 * q, third);
    }
}

/// One pass over all blocks of a transform; `from` may be `to`.
#[inline(always)]
unsafe fn pass<L: Lanes, const BACK: bool>(plan: &Plan, stage: &Stage, from: Points, to: Points) {
    // SAFETY: the caller's points cover the plan's length.
    unsafe {
        let q = stage.length / stage.radix;
        let factors = plan.factors.as_ptr().add(stage.factors);
        for block in (0..plan.length).step_by(stage.length) {
            match stage.radix {
                4 => {
                    for j in 0..q {
                        radix_4::<L, BACK>(from, to, block + j, q, factors.add(6 * j));
                    }
                }
                3 => {
                    for j in 0..q {
                        radix_3::<L, BACK>(from, to, block + j, q, factors.add(4 * j));
                    }
                }
                // Only ever the last two points: all factors are 1.
                _ => {
                    let (a, b) = (get::<L>(from, block), get::<L>(from, block + 1));
                    set(to, block, plus(a, b));
                    set(to, block + 1, minus(a, b));
                }
            }
        }
    }
}

/// All passes of one transform of `L::N` columns, the first one reading `from`, the last one
/// writing `to`, those between working in `between`.
#[inline(always)]
unsafe fn transform<L: Lanes, const BACK: bool>(plan: &Plan, from: Points, between: Points, to: Points) {
    // SAFETY: passed on.
    unsafe {
        let last = plan.stages.len() - 1;
        for step in 0..=last {
            let stage = &plan.stages[if BACK { last - step } else { step }];
            let source = if step == 0 { from } else { between };
            let target = if step == last { to } else { between };
            pass::<L, BACK>(plan, stage, source, target);
        }
    }
}

/// The planes of a tile and its sizes.
#[derive(Debug, Clone, Copy)]
struct Tile {
    re: *mut f64,
    im: *mut f64,
    stride: usize,
    local: *mut f64,
}

#[inline(always)]
unsafe fn columns_body<L: Lanes>(plan: &Plan, tile: Tile, cols: usize, back: bool) {
    // SAFETY: passed on; `local` holds two parts of `length` registers.
    unsafe {
        let local = Points { re: tile.local, im: tile.local.add(plan.length * L::N), stride: L::N };
        let mut col = 0;
        while col < cols {
            let plane = Points { re: tile.re.add(col), im: tile.im.add(col), stride: tile.stride };
            if back {
                transform::<L, true>(plan, plane, local, plane);
            } else {
                transform::<L, false>(plan, plane, local, plane);
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
    // SAFETY: passed on.
    unsafe {
        let n = plan.length;
        let local = Points { re: tile.local, im: tile.local.add(n * L::N), stride: L::N };
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
            transform::<L, false>(plan, local, local, local);
            if make != 0.0 {
                for p in 0..n {
                    let v = get::<L>(local, p);
                    v.0.mul(L::splat(make)).store(spectrum);
                    v.1.mul(L::splat(-make)).store(spectrum.add(L::N));
                    spectrum = spectrum.add(2 * L::N);
                }
            } else {
                for p in 0..n {
                    let v = get::<L>(local, p);
                    let (re, im) = (L::load(spectrum), L::load(spectrum.add(L::N)));
                    let product = Complex(v.1.fnma(im, v.0.mul(re)), v.1.fma(re, v.0.mul(im)));
                    set(local, p, product);
                    spectrum = spectrum.add(2 * L::N);
                }
                transform::<L, true>(plan, local, local, local);
                let mut col = 0;
                while col < n {
                    L::transpose(local.re.add(col * L::N), L::N, re.add(col), tile.stride);
                    L::transpose(local.im.add(col * L::N), L::N, im.add(col), tile.stride);
                    col += L::N;
                }
            }
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
        Planes { re: plane(), im: plane(), stride, local: AlignedF64::zeros(16 * rows.max(cols)) }
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
        assert!(planes.local.len() >= 16 * rows.max(cols));
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
    fn factors_are_right_to_the_last_bits() {
        for whole in [4_usize, 6, 12, 16, 48, 64, 768] {
            for part in 0..2 * whole {
                let angle = std::f64::consts::TAU * (part % whole) as f64 / whole as f64;
                let (s, c) = turn(part, whole);
                assert!((s - angle.sin()).abs() < 2e-15 && (c - angle.cos()).abs() < 2e-15, "{part}/{whole}");
            }
        }
        assert_eq!(turn(1, 4), (1.0, 0.0));
        assert_eq!(turn(2, 4), (0.0, -1.0));
    }

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

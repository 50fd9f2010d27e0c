//! Complex transforms of many columns at once: a lane is a column, so that no shuffle is needed.
//!
//! Real and imaginary parts lie in two planes. The forward transform goes from natural to
//! digit-reversed order (decimation in frequency), the backward one returns (decimation in
//! time): a product in between needs no order, so none is made. Passes of radix 4, with one of
//! radix 3 in front where the length asks for it, down to cores of 4 or 8 points that need no
//! factors; along rows a core goes forward, meets the spectrum and comes back in registers.

use crate::backend::CpuLevel;
use crate::kernels::simd::{AlignedF64, Lanes, per_level};

/// One pass over a transform: it splits blocks of `radix * part` points.
#[derive(Debug, Clone, Copy)]
struct Stage {
    radix: usize,
    /// Points from one part of a block to the next.
    part: usize,
    /// Where its factors begin.
    factors: usize,
}

/// Passes and factors for one length.
#[derive(Debug)]
pub struct Plan {
    /// Points of a transform.
    pub length: usize,
    /// From the longest blocks down to cores.
    stages: Vec<Stage>,
    /// Points of a core: 4 or 8.
    core: usize,
    /// Real and imaginary part of `exp(-2 pi i r j / length)`, r = 1 .. radix, for each j.
    factors: Vec<f64>,
}

impl Plan {
    /// For `length` points: a power of two from 16 on, or three times one.
    pub fn new(length: usize) -> Self {
        let (mut stages, mut factors, mut left) = (Vec::new(), Vec::new(), length);
        while left > 8 {
            let radix = if left % 3 == 0 { 3 } else { 4 };
            stages.push(Stage { radix, part: left / radix, factors: factors.len() });
            for j in 0..left / radix {
                for r in 1..radix {
                    let (sin, cos) = turn(r * j, left);
                    factors.extend([cos, -sin]);
                }
            }
            left /= radix;
        }
        Plan { length, stages, core: left, factors }
    }
}

/// Sine and cosine of `2 pi part / whole`, from angles of at most an eighth of a turn.
fn turn(part: usize, whole: usize) -> (f64, f64) {
    let eighths = 8 * (part % whole) / whole;
    let rest = 8 * (part % whole) - eighths * whole;
    // Within an eighth, measured from its nearer axis.
    let (near, odd) = if eighths.is_multiple_of(2) { (rest, false) } else { (whole - rest, true) };
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

impl Points {
    /// The points from `p` on.
    #[inline(always)]
    fn from(self, p: usize) -> Self {
        Points {
            re: self.re.wrapping_add(p * self.stride),
            im: self.im.wrapping_add(p * self.stride),
            ..self
        }
    }
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

/// Four points: sums over their quarter turns, without factors.
#[inline(always)]
unsafe fn turn_4<L: Lanes, const BACK: bool>(x: [Complex<L>; 4]) -> [Complex<L>; 4] {
    // SAFETY: inlined into a function compiled for L.
    unsafe {
        let (even, odd) = (plus(x[0], x[2]), minus(x[0], x[2]));
        let (sum, difference) = (plus(x[1], x[3]), minus(x[1], x[3]));
        let second = quarter::<L, BACK>(odd, difference);
        let fourth =
            if BACK { quarter::<L, false>(odd, difference) } else { quarter::<L, true>(odd, difference) };
        [plus(even, sum), second, minus(even, sum), fourth]
    }
}

/// An eighth of a turn: `a (1 - i) / sqrt 2` forward, `a (1 + i) / sqrt 2` backward.
#[inline(always)]
unsafe fn eighth<L: Lanes, const BACK: bool>(a: Complex<L>) -> Complex<L> {
    // SAFETY: inlined into a function compiled for L.
    unsafe {
        let root = L::splat(std::f64::consts::FRAC_1_SQRT_2);
        let (sum, difference) = (a.0.add(a.1), a.1.sub(a.0));
        if BACK {
            Complex(a.0.sub(a.1).mul(root), sum.mul(root))
        } else {
            Complex(sum.mul(root), difference.mul(root))
        }
    }
}

/// `-i a` forward, `i a` backward.
#[inline(always)]
unsafe fn right_angle<L: Lanes, const BACK: bool>(a: Complex<L>) -> Complex<L> {
    // SAFETY: inlined into a function compiled for L.
    unsafe {
        let zero = Complex(L::splat(0.0), L::splat(0.0));
        quarter::<L, BACK>(zero, a)
    }
}

/// Eight points forward: even results first, then odd ones.
#[inline(always)]
unsafe fn eight_forward<L: Lanes>(x: [Complex<L>; 8]) -> [Complex<L>; 8] {
    // SAFETY: inlined into a function compiled for L.
    unsafe {
        let s = [plus(x[0], x[4]), plus(x[1], x[5]), plus(x[2], x[6]), plus(x[3], x[7])];
        let d = [
            minus(x[0], x[4]),
            eighth::<L, false>(minus(x[1], x[5])),
            right_angle::<L, false>(minus(x[2], x[6])),
            eighth::<L, false>(right_angle::<L, false>(minus(x[3], x[7]))),
        ];
        let (s, d) = (turn_4::<L, false>(s), turn_4::<L, false>(d));
        [s[0], s[1], s[2], s[3], d[0], d[1], d[2], d[3]]
    }
}

/// The way back from [`eight_forward`].
#[inline(always)]
unsafe fn eight_back<L: Lanes>(x: [Complex<L>; 8]) -> [Complex<L>; 8] {
    // SAFETY: inlined into a function compiled for L.
    unsafe {
        let s = turn_4::<L, true>([x[0], x[1], x[2], x[3]]);
        let d = turn_4::<L, true>([x[4], x[5], x[6], x[7]]);
        let d = [
            d[0],
            eighth::<L, true>(d[1]),
            right_angle::<L, true>(d[2]),
            eighth::<L, true>(right_angle::<L, true>(d[3])),
        ];
        [
            plus(s[0], d[0]),
            plus(s[1], d[1]),
            plus(s[2], d[2]),
            plus(s[3], d[3]),
            minus(s[0], d[0]),
            minus(s[1], d[1]),
            minus(s[2], d[2]),
            minus(s[3], d[3]),
        ]
    }
}

/// One pass over all blocks of a transform; `from` may be `to`.
#[inline(always)]
unsafe fn pass<L: Lanes, const BACK: bool>(plan: &Plan, stage: &Stage, from: Points, to: Points) {
    // SAFETY: the caller's points cover the plan's length.
    unsafe {
        let q = stage.part;
        let mut block = 0;
        while block < plan.length {
            let (mut f, mut t) = (from.from(block), to.from(block));
            let mut w = plan.factors.as_ptr().add(stage.factors);
            for _ in 0..q {
                if stage.radix == 4 {
                    let mut x = [get::<L>(f, 0), get::<L>(f, q), get::<L>(f, 2 * q), get::<L>(f, 3 * q)];
                    if BACK {
                        x = [
                            x[0],
                            times::<L, true>(x[1], w),
                            times::<L, true>(x[2], w.add(2)),
                            times::<L, true>(x[3], w.add(4)),
                        ];
                    }
                    x = turn_4::<L, BACK>(x);
                    if !BACK {
                        x = [
                            x[0],
                            times::<L, false>(x[1], w),
                            times::<L, false>(x[2], w.add(2)),
                            times::<L, false>(x[3], w.add(4)),
                        ];
                    }
                    set(t, 0, x[0]);
                    set(t, q, x[1]);
                    set(t, 2 * q, x[2]);
                    set(t, 3 * q, x[3]);
                    w = w.add(6);
                } else {
                    radix_3::<L, BACK>(f, t, q, w);
                    w = w.add(4);
                }
                (f, t) = (f.from(1), t.from(1));
            }
            block += stage.radix * q;
        }
    }
}

#[inline(always)]
unsafe fn radix_3<L: Lanes, const BACK: bool>(from: Points, to: Points, q: usize, w: *const f64) {
    // SAFETY: three points of one block, and their four factors.
    unsafe {
        let (a, mut b, mut c) = (get::<L>(from, 0), get::<L>(from, q), get::<L>(from, 2 * q));
        if BACK {
            (b, c) = (times::<L, BACK>(b, w), times::<L, BACK>(c, w.add(2)));
        }
        let (sum, difference) = (plus(b, c), minus(b, c));
        let (half, root) = (L::splat(-0.5), L::splat(0.866_025_403_784_438_6));
        let middle = Complex(sum.0.fma(half, a.0), sum.1.fma(half, a.1));
        let side = Complex(difference.0.mul(root), difference.1.mul(root));
        let mut second = quarter::<L, BACK>(middle, side);
        let mut third =
            if BACK { quarter::<L, false>(middle, side) } else { quarter::<L, true>(middle, side) };
        if !BACK {
            (second, third) = (times::<L, BACK>(second, w), times::<L, BACK>(third, w.add(2)));
        }
        set(to, 0, plus(a, sum));
        set(to, q, second);
        set(to, 2 * q, third);
    }
}

#[inline(always)]
unsafe fn read<L: Lanes, const N: usize>(p: Points) -> [Complex<L>; N] {
    // SAFETY: the caller's points.
    unsafe {
        let mut x = [Complex(L::splat(0.0), L::splat(0.0)); N];
        for i in 0..N {
            x[i] = get(p, i);
        }
        x
    }
}

#[inline(always)]
unsafe fn write<L: Lanes, const N: usize>(p: Points, x: [Complex<L>; N]) {
    // SAFETY: the caller's points.
    unsafe {
        for i in 0..N {
            set(p, i, x[i]);
        }
    }
}

/// All cores of a transform, one way.
#[inline(always)]
unsafe fn cores<L: Lanes, const BACK: bool>(plan: &Plan, from: Points, to: Points) {
    // SAFETY: the caller's points cover the plan's length.
    unsafe {
        let mut block = 0;
        while block < plan.length {
            let (f, t) = (from.from(block), to.from(block));
            if plan.core == 4 {
                write(t, turn_4::<L, BACK>(read(f)));
            } else {
                let x = read(f);
                write(t, if BACK { eight_back::<L>(x) } else { eight_forward::<L>(x) });
            }
            block += plan.core;
        }
    }
}

/// The product with `N` points of the spectrum, real and imaginary registers by turns.
#[inline(always)]
unsafe fn product<L: Lanes, const N: usize>(mut x: [Complex<L>; N], spectrum: *const f64) -> [Complex<L>; N] {
    // SAFETY: the caller's spectrum has N points left.
    unsafe {
        for i in 0..N {
            let re = L::load(spectrum.add(2 * i * L::N));
            let im = L::load(spectrum.add((2 * i + 1) * L::N));
            x[i] = Complex(x[i].1.fnma(im, x[i].0.mul(re)), x[i].1.fma(re, x[i].0.mul(im)));
        }
        x
    }
}

/// All cores forward, times the spectrum, and back.
#[inline(always)]
unsafe fn filtered_cores<L: Lanes>(plan: &Plan, points: Points, spectrum: *const f64) {
    // SAFETY: the caller's points and spectrum cover the plan's length.
    unsafe {
        let mut block = 0;
        while block < plan.length {
            let p = points.from(block);
            let s = spectrum.add(2 * block * L::N);
            if plan.core == 4 {
                write(p, turn_4::<L, true>(product(turn_4::<L, false>(read(p)), s)));
            } else {
                write(p, eight_back::<L>(product(eight_forward::<L>(read(p)), s)));
            }
            block += plan.core;
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

//! Butterflies and passes over the points of `L::N` transforms at once.

use super::plan::{Plan, Stage};
use crate::kernels::simd::Lanes;

/// Where a pass reads or writes: parts of point `p` at `p * stride`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points {
    pub re: *mut f64,
    pub im: *mut f64,
    pub stride: usize,
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
pub(super) struct Complex<L>(pub L, pub L);

#[inline(always)]
pub(super) unsafe fn get<L: Lanes>(p: Points, at: usize) -> Complex<L> {
    // SAFETY: the caller's points.
    unsafe { Complex(L::load(p.re.add(at * p.stride)), L::load(p.im.add(at * p.stride))) }
}

#[inline(always)]
pub(super) unsafe fn set<L: Lanes>(p: Points, at: usize, v: Complex<L>) {
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
pub(super) unsafe fn pass<L: Lanes, const BACK: bool>(plan: &Plan, stage: &Stage, from: Points, to: Points) {
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
pub(super) unsafe fn cores<L: Lanes, const BACK: bool>(plan: &Plan, from: Points, to: Points) {
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
pub(super) unsafe fn filtered_cores<L: Lanes>(plan: &Plan, points: Points, spectrum: *const f64) {
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

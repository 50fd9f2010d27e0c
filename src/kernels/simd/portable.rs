//! Two lanes in plain Rust: the baseline of every target, vectorised by the compiler.

use super::Lanes;

/// A pair of values; multiply-add rounds twice, since a library call per lane would be far slower.
#[derive(Debug, Clone, Copy)]
pub struct Portable([f64; 2]);

// SAFETY (whole impl): plain arithmetic; pointers are valid by the trait's contract.
impl Lanes for Portable {
    type Single = [f32; 4];
    type Mask = [bool; 2];
    const N: usize = 2;
    const REGISTERS: usize = 16;
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        Portable([value; 2])
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Portable(from.cast::<[f64; 2]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn load_f32(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        let pair = unsafe { from.cast::<[f32; 2]>().read_unaligned() };
        Portable([f64::from(pair[0]), f64::from(pair[1])])
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[f64; 2]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[f32; 2]>().write_unaligned([self.0[0] as f32, self.0[1] as f32]) }
    }
    #[inline(always)]
    unsafe fn stream(self, to: *mut f64) {
        // SAFETY: the trait's contract.
        unsafe { self.store(to) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { self.store_f32(to) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Portable([self.0[0] + other.0[0], self.0[1] + other.0[1]])
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Portable([self.0[0] - other.0[0], self.0[1] - other.0[1]])
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Portable([self.0[0] * other.0[0], self.0[1] * other.0[1]])
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Portable([self.0[0] / other.0[0], self.0[1] / other.0[1]])
    }
    #[inline(always)]
    unsafe fn fma(self, factor: Self, term: Self) -> Self {
        Portable([self.0[0] * factor.0[0] + term.0[0], self.0[1] * factor.0[1] + term.0[1]])
    }
    #[inline(always)]
    unsafe fn fnma(self, factor: Self, term: Self) -> Self {
        Portable([term.0[0] - self.0[0] * factor.0[0], term.0[1] - self.0[1] * factor.0[1]])
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        Portable(self.0.map(f64::abs))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        let larger = |a: f64, b: f64| if a > b { a } else { b };
        Portable([larger(self.0[0], other.0[0]), larger(self.0[1], other.0[1])])
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        let min = |a: f64, b: f64| if a < b { a } else { b };
        Portable([min(self.0[0], other.0[0]), min(self.0[1], other.0[1])])
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> [bool; 2] {
        [self.0[0] <= limit.0[0], self.0[1] <= limit.0[1]]
    }
    #[inline(always)]
    unsafe fn select(self, mask: [bool; 2], other: Self) -> Self {
        let pick = |i: usize| if mask[i] { self.0[i] } else { other.0[i] };
        Portable([pick(0), pick(1)])
    }
    #[inline(always)]
    unsafe fn add_where(self, mask: [bool; 2], other: Self) -> Self {
        let add = |i: usize| if mask[i] { self.0[i] + other.0[i] } else { self.0[i] };
        Portable([add(0), add(1)])
    }
    #[inline(always)]
    unsafe fn all(mask: [bool; 2]) -> bool {
        mask[0] && mask[1]
    }
    #[inline(always)]
    unsafe fn sums(rows: *const Self) -> Self {
        // SAFETY: two registers, by the trait's contract.
        let (a, b) = unsafe { (*rows, *rows.add(1)) };
        Portable([a.0[0] + a.0[1], b.0[0] + b.0[1]])
    }
    #[inline(always)]
    unsafe fn through_f32(self) -> Self {
        Portable(self.0.map(|v| f64::from(v as f32)))
    }
    #[inline(always)]
    unsafe fn where_number(self, test: Self) -> Self {
        let keep = |v: f64, t: f64| if t.is_nan() { 0.0 } else { v };
        Portable([keep(self.0[0], test.0[0]), keep(self.0[1], test.0[1])])
    }
    #[inline(always)]
    unsafe fn times_power_of_two(self, shifted: Self) -> Self {
        let scale = |v: f64, s: f64| f64::from_bits(v.to_bits().wrapping_add(s.to_bits() << 52));
        Portable([scale(self.0[0], shifted.0[0]), scale(self.0[1], shifted.0[1])])
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        // SAFETY: both blocks are valid by the trait's contract.
        unsafe {
            let (a, b) = (Self::load(from).0, Self::load(from.add(from_stride)).0);
            Portable([a[0], b[0]]).store(to);
            Portable([a[1], b[1]]).store(to.add(to_stride));
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {}
    #[inline(always)]
    unsafe fn single(value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load_single(from: *const f32) -> [f32; 4] {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn fma_single(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn widen_single(value: [f32; 4]) -> (Self, Self) {
        let [a, b, c, d] = value.map(f64::from);
        (Portable([a, b]), Portable([c, d]))
    }
}

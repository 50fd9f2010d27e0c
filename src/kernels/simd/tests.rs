use super::*;
use crate::backend::CpuLevel;

#[inline(always)]
unsafe fn every_operation<L: Lanes>(x: &[f64; 8], y: &[f64; 8], out: &mut [[f64; 8]; 9]) {
    // SAFETY: N is at most 8.
    unsafe {
        for at in (0..8).step_by(L::N) {
            let (a, b) = (L::load(x.as_ptr().add(at)), L::load(y.as_ptr().add(at)));
            let results = [
                a.add(b),
                a.sub(b),
                a.mul(b),
                a.div(b),
                a.abs(),
                a.max(b),
                a.through_f32(),
                a.where_number(b),
                L::splat(2.0).fma(a, b),
            ];
            for (row, value) in out.iter_mut().zip(results) {
                value.store(row.as_mut_ptr().add(at));
            }
        }
    }
}
per_level! { unsafe fn run(x: &[f64; 8], y: &[f64; 8], out: &mut [[f64; 8]; 9]) = every_operation }

#[inline(always)]
unsafe fn turn<L: Lanes>(from: &[f64; 64], to: &mut [f64; 64]) {
    // SAFETY: 8 is a multiple of N.
    unsafe {
        for y in (0..8).step_by(L::N) {
            for x in (0..8).step_by(L::N) {
                L::transpose(from.as_ptr().add(y * 8 + x), 8, to.as_mut_ptr().add(x * 8 + y), 8);
            }
        }
    }
}
per_level! { unsafe fn transpose_8x8(from: &[f64; 64], to: &mut [f64; 64]) = turn }

#[test]
fn every_level_computes_what_plain_arithmetic_does() {
    let x = [1.5, -2.0, 0.1, 1e300, -0.0, 3.0, 1e-310, 7.0];
    let y = [0.5, 3.0, f64::NAN, 2.0, 5.0, -1.0, 1e-310, 7.0];
    for level in CpuLevel::available() {
        let mut got = [[0.0; 8]; 9];
        // SAFETY: the level is available.
        unsafe { run(level, &x, &y, &mut got) };
        for i in 0..8 {
            let (a, b) = (x[i], y[i]);
            let kept = if b.is_nan() { 0.0 } else { a };
            let want =
                [a + b, a - b, a * b, a / b, a.abs(), f64::NAN, f64::from(a as f32), kept, 2.0 * a + b];
            for (row, want) in got.iter().zip(want) {
                assert!(
                    row[i].to_bits() == want.to_bits() || want.is_nan(),
                    "{level:?} {a} {b}: {} {want}",
                    row[i]
                );
            }
            assert!(b.is_nan() || got[5][i] == a.max(b), "{level:?}");
        }
    }
}

#[test]
fn transposes_turn_rows_into_columns() {
    let from: [f64; 64] = std::array::from_fn(|i| i as f64);
    for level in CpuLevel::available() {
        let mut to = [0.0; 64];
        // SAFETY: the level is available.
        unsafe { transpose_8x8(level, &from, &mut to) };
        assert!((0..64).all(|i| to[i] == from[i % 8 * 8 + i / 8]), "{level:?} {to:?}");
    }
}

#[test]
fn aligned_values_start_on_a_cache_line() {
    for len in [0, 1, 7, 8, 1000] {
        let values = AlignedF64::zeros(len);
        assert_eq!((values.len(), values.as_ptr() as usize % 64), (len, 0));
    }
}

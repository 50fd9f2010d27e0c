//! The inner products of lanes: mark weights, and weights (or moments) times broadcast values.
//!
//! One micro-kernel does all the work beside the weights: `V` registers of lanes times `K`
//! broadcast values into `V x K` accumulators. It turns weights into sums at bins or moments of
//! cells, moments into fields, and fields into sums at bins.
#![allow(unsafe_code)] // Pointers into tables and scratch whose sizes are checked where they are made.

use crate::kernels::marks::tables::{GROUP, TILE, Tables};
use crate::kernels::simd::Real;

/// Adds the squared distances of `V` registers of decoding spikes to one encoding spike.
#[inline(always)]
pub(super) unsafe fn add_squares<R: Real, const V: usize>(
    total: &mut [R; V],
    theirs: *const R::Element,
    columns: usize,
    ours: *const R::Element,
) {
    // SAFETY: `theirs` has `columns` values, `ours` `columns` rows of V registers.
    unsafe {
        for k in 0..columns {
            let their = R::splat(*theirs.add(k));
            for (v, sum) in total.iter_mut().enumerate() {
                let apart = R::load(ours.add((k * V + v) * R::N)).sub(their);
                *sum = apart.fma(apart, *sum);
            }
        }
    }
}

/// Mark weights of `count` encoding spikes from `first` on.
#[inline(always)]
pub(super) unsafe fn weigh<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    first: usize,
    count: usize,
    spikes: *const R::Element,
    weights: *mut R::Element,
) {
    // SAFETY: the tile lies inside the tables; the buffers were fitted.
    unsafe {
        // A width known to the compiler keeps the decoding marks in registers.
        match tables.width {
            2 => weigh_wide::<R, V>((tables, 2), first, count, spikes, weights),
            4 => weigh_wide::<R, V>((tables, 4), first, count, spikes, weights),
            width => weigh_wide::<R, V>((tables, width), first, count, spikes, weights),
        }
    }
}

#[inline(always)]
unsafe fn weigh_wide<R: Real, const V: usize>(
    (tables, width): (&Tables<R::Element>, usize),
    first: usize,
    count: usize,
    spikes: *const R::Element,
    weights: *mut R::Element,
) {
    // SAFETY: as `weigh`.
    unsafe {
        let cut = R::splat(tables.cut);
        let marks = tables.marks.as_ptr().add(first * width);
        for i in 0..count {
            let mut distance = [R::splat(R::Element::default()); V];
            add_squares::<R, V>(&mut distance, marks.add(i * width), width, spikes);
            for (v, distance) in distance.into_iter().enumerate() {
                distance.exp2_down(cut).store(weights.add((i * V + v) * R::N));
            }
        }
    }
}

/// The micro-kernel: `sums[k][v] += sum_i vectors[i][v] * values[k][i]`.
#[inline(always)]
pub(super) unsafe fn accumulate<R: Real, const V: usize, const K: usize>(
    sums: &mut [[R; V]; K],
    vectors: *const R::Element,
    count: usize,
    values: [*const R::Element; K],
) {
    // SAFETY: `count` rows of V registers, `count` values in each stream.
    unsafe {
        for i in 0..count {
            let mut row = [R::splat(R::Element::default()); V];
            for (v, lane) in row.iter_mut().enumerate() {
                *lane = R::load(vectors.add((i * V + v) * R::N));
            }
            for (sums, values) in sums.iter_mut().zip(&values) {
                let value = R::splat(*values.add(i));
                for (sum, lane) in sums.iter_mut().zip(&row) {
                    *sum = lane.fma(value, *sum);
                }
            }
        }
    }
}

/// Runs the micro-kernel for `K` streams and adds to (or begins) their sums at `out[k]`.
#[inline(always)]
unsafe fn project<R: Real, const V: usize, const K: usize>(
    vectors: *const R::Element,
    count: usize,
    values: [*const R::Element; K],
    begin: bool,
    out: *mut R::Element,
) {
    // SAFETY: as `accumulate`; `out` has K rows of V registers.
    unsafe {
        let mut sums = [[R::splat(R::Element::default()); V]; K];
        accumulate::<R, V, K>(&mut sums, vectors, count, values);
        for (k, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let to = out.add((k * V + v) * R::N);
                let sum = if begin { sum } else { R::load(to).add(sum) };
                sum.store(to);
            }
        }
    }
}

/// `K` streams of values, `[k][spike]`: rows of a table, or products of rows of two.
#[inline(always)]
unsafe fn streams<R: Real, const K: usize>(
    tables: &[(*const R::Element, usize)],
    pairs: &[[u32; 2]],
    count: usize,
    strip: *mut R::Element,
) -> [*const R::Element; K] {
    // SAFETY: rows are padded to whole registers (`PAD`); the strip has K rows of TILE.
    unsafe {
        let (table, stride) = tables[0];
        let first: [_; K] = std::array::from_fn(|k| table.wrapping_add(pairs[k][0] as usize * stride));
        let Some((table, stride)) = tables.get(1) else { return first };
        let second: [_; K] = std::array::from_fn(|k| table.wrapping_add(pairs[k][1] as usize * stride));
        // One loop for all rows: each end of a loop costs a wrong guess of its length.
        for i in (0..count).step_by(R::N) {
            for k in 0..K {
                let product = R::load(first[k].add(i)).mul(R::load(second[k].add(i)));
                product.store(strip.add(k * TILE + i));
            }
        }
        std::array::from_fn(|k| strip.wrapping_add(k * TILE).cast_const())
    }
}

/// Projects one tile of weights on all `pairs`.
#[inline(always)]
pub(super) unsafe fn project_pairs<R: Real, const V: usize>(
    (weights, count): (*const R::Element, usize),
    tables: &[(*const R::Element, usize)],
    pairs: &[[u32; 2]],
    strip: *mut R::Element,
    (begin, out): (bool, *mut R::Element),
) {
    // SAFETY: the parts' own contracts; `out` has a row of V registers per pair.
    unsafe {
        macro_rules! group {
            ($k:literal, $pairs:expr, $at:expr) => {{
                let values = streams::<R, $k>(tables, $pairs, count, strip);
                project::<R, V, $k>(weights, count, values, begin, out.add($at * V * R::N));
            }};
        }
        let (sixes, rest) = pairs.split_at(pairs.len() / GROUP * GROUP);
        for (at, pairs) in sixes.chunks_exact(GROUP).enumerate() {
            group!(6, pairs, at * GROUP);
        }
        let (threes, ones) = rest.split_at(rest.len() / 3 * 3);
        if !threes.is_empty() {
            group!(3, threes, sixes.len());
        }
        for (at, pair) in ones.chunks_exact(1).enumerate() {
            group!(1, pair, sixes.len() + threes.len() + at);
        }
    }
}

//! The inner products of lanes: mark weights, and weights (or moments) times broadcast values.
//!
//! One micro-kernel does all the work beside the weights: `V` registers of lanes times `K`
//! broadcast values into `V x K` accumulators. It turns weights into sums at bins or moments of
//! cells, moments into fields, and fields into sums at bins.
#![allow(unsafe_code)] // Pointers into tables and scratch whose sizes are checked where they are made.

use crate::kernels::marks::tables::{PAIRS, TILE, Tables};
use crate::kernels::simd::{Element, Real};

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

/// `T_0 .. T_{q-1}` of `count` offsets: `[degree][spike]`, rows of TILE. Made anew for every block, from
/// one number instead of `q` that would come from memory.
#[inline(always)]
pub(super) unsafe fn polynomials<R: Real>(
    (offsets, count): (*const R::Element, usize),
    q: usize,
    to: *mut R::Element,
) {
    // SAFETY: offsets are padded to whole registers (`PAD`); `to` has `q` rows of TILE.
    unsafe {
        for i in (0..count).step_by(R::N) {
            let z = R::load(offsets.add(i));
            let twice = z.add(z);
            let (mut before, mut here) = (z, R::splat(R::Element::of(1.0)));
            for a in 0..q {
                here.store(to.add(a * TILE + i));
                (before, here) = (here, twice.mul(here).sub(before));
            }
        }
    }
}

/// Products of the rows of two tables, `[pair][spike]`.
#[inline(always)]
unsafe fn products<R: Real>(
    tables: [(*const R::Element, usize); 2],
    pairs: &[[u32; 2]],
    count: usize,
    strip: *mut R::Element,
) {
    // SAFETY: rows are padded to whole registers (`PAD`); the strip has a row of TILE for each pair.
    unsafe {
        for (k, pair) in pairs.iter().enumerate() {
            let row = |at: usize| tables[at].0.wrapping_add(pair[at] as usize * tables[at].1);
            let (first, second, to) = (row(0), row(1), strip.add(k * TILE));
            for i in (0..count).step_by(R::N) {
                R::load(first.add(i)).mul(R::load(second.add(i))).store(to.add(i));
            }
        }
    }
}

/// Projects one tile of weights on all `pairs`: on rows of the table, or on products of rows of two.
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
        for (chunk, pairs) in pairs.chunks(PAIRS).enumerate() {
            let out = out.add(chunk * PAIRS * V * R::N);
            if let [first, second] = *tables {
                products::<R>([first, second], pairs, count, strip);
            }
            let row = |k: usize| match *tables {
                [(table, stride)] => table.wrapping_add(pairs[k][0] as usize * stride),
                _ => strip.wrapping_add(k * TILE).cast_const(),
            };
            macro_rules! group {
                ($k:literal, $at:expr) => {{
                    let values: [_; $k] = std::array::from_fn(|k| row($at + k));
                    project::<R, V, $k>(weights, count, values, begin, out.add($at * V * R::N));
                }};
            }
            let mut at = 0;
            while at + 6 <= pairs.len() {
                group!(6, at);
                at += 6;
            }
            if at + 3 <= pairs.len() {
                group!(3, at);
                at += 3;
            }
            while at < pairs.len() {
                group!(1, at);
                at += 1;
            }
        }
    }
}

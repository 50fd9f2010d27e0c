//! Medians over rows, one per sample, by counting (spec autoreject 6, 14).
//!
//! Lanes are samples. A pivot is moved until exactly half of the rows lie at or below it, by
//! Newton's rule on the counts with the bracket as a guard; the two rows next to it are then the
//! middle ones. About six passes over rows that lie in cache, whatever their number, against
//! n log^2 n comparators of a sorting network and the gathers of a selection per sample.

use super::super::{Tile, scalar};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Lanes, per_level};

/// Counting passes before ties are suspected.
const COUNTING: usize = 12;

/// Passes between values of the data before a lane is selected by itself.
const NARROWING: usize = 40;

/// Rows at or below `pivot` in every lane.
#[inline(always)]
unsafe fn count<L: Lanes>(values: *const f64, stride: usize, rows: usize, pivot: L) -> L {
    // SAFETY: the caller's tile.
    unsafe {
        let one = L::splat(1.0);
        let mut counts = [L::splat(0.0); 4];
        let mut row = 0;
        while row + 4 <= rows {
            for i in 0..4 {
                let v = L::load(values.add((row + i) * stride));
                counts[i] = counts[i].add_where(v.at_most(pivot), one);
            }
            row += 4;
        }
        while row < rows {
            let v = L::load(values.add(row * stride));
            counts[0] = counts[0].add_where(v.at_most(pivot), one);
            row += 1;
        }
        counts[0].add(counts[1]).add(counts[2].add(counts[3]))
    }
}

/// What lies around a pivot: count and largest at or below it, smallest above it.
#[derive(Clone, Copy)]
struct Around<L> {
    count: L,
    below: L,
    above: L,
}

#[inline(always)]
unsafe fn around<L: Lanes>(values: *const f64, stride: usize, rows: usize, pivot: L) -> Around<L> {
    // SAFETY: the caller's tile.
    unsafe {
        let (least, most) = (L::splat(f64::NEG_INFINITY), L::splat(f64::INFINITY));
        let one = L::splat(1.0);
        let mut found = [Around { count: L::splat(0.0), below: least, above: most }; 2];
        let mut row = 0;
        while row < rows {
            for i in 0..2 {
                if row + i < rows {
                    let v = L::load(values.add((row + i) * stride));
                    let low = v.at_most(pivot);
                    found[i].count = found[i].count.add_where(low, one);
                    found[i].below = found[i].below.max(v.select(low, least));
                    found[i].above = found[i].above.min(most.select(low, v));
                }
            }
            row += 2;
        }
        Around {
            count: found[0].count.add(found[1].count),
            below: found[0].below.max(found[1].below),
            above: found[0].above.min(found[1].above),
        }
    }
}

/// Sum, smallest and largest of every lane.
#[inline(always)]
unsafe fn survey<L: Lanes>(values: *const f64, stride: usize, rows: usize) -> (L, L, L) {
    // SAFETY: the caller's tile.
    unsafe {
        let mut sums = [L::splat(0.0); 4];
        let mut least = [L::splat(f64::INFINITY); 2];
        let mut most = [L::splat(f64::NEG_INFINITY); 2];
        for row in 0..rows {
            let v = L::load(values.add(row * stride));
            sums[row % 4] = sums[row % 4].add(v);
            least[row % 2] = least[row % 2].min(v);
            most[row % 2] = most[row % 2].max(v);
        }
        let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
        (sum, least[0].min(least[1]), most[0].max(most[1]))
    }
}

/// Mean distance from `pivot` times the number of rows.
#[inline(always)]
unsafe fn spread<L: Lanes>(values: *const f64, stride: usize, rows: usize, pivot: L) -> L {
    // SAFETY: the caller's tile.
    unsafe {
        let mut sums = [L::splat(0.0); 4];
        for row in 0..rows {
            sums[row % 4] = sums[row % 4].add(L::load(values.add(row * stride)).sub(pivot).abs());
        }
        sums[0].add(sums[1]).add(sums[2].add(sums[3]))
    }
}

/// The medians of one register of samples; false where some lane did not settle.
#[inline(always)]
unsafe fn lanes<L: Lanes>(values: *const f64, stride: usize, rows: usize, out: *mut f64) -> bool {
    // SAFETY: the caller's tile and `out` hold whole registers.
    unsafe {
        let n = L::splat(rows as f64);
        let odd = rows % 2 == 1;
        // An odd count is settled on either side of its middle row.
        let (goal, slack) = (L::splat(rows as f64 / 2.0), L::splat(if odd { 0.5 } else { 0.0 }));
        let (sum, least, most) = survey::<L>(values, stride, rows);
        let (mut low, mut high) = (least, most);
        let mut pivot = sum.div(n);
        let mut slope =
            n.div(spread::<L>(values, stride, rows, pivot).div(n).mul(L::splat(std::f64::consts::PI)));
        let mut counted = count::<L>(values, stride, rows, pivot);
        let mut exact = counted.sub(goal).abs().at_most(slack);
        let (half, tiny) = (L::splat(0.5), L::splat(f64::MIN_POSITIVE));
        let mut pass = 0;
        while pass < COUNTING && !L::all(exact) {
            let short = counted.at_most(goal);
            low = low.max(pivot.select(short, low));
            high = high.min(high.select(short, pivot));
            let newton = goal.sub(counted).fma(L::splat(1.0).div(slope), pivot);
            let middle = low.add(high).mul(half);
            // Inside of the bracket, or its middle; a pivot that is not a number fails both tests.
            let inside = newton.select(low.at_most(newton), middle);
            let next = inside.select(inside.at_most(high), middle);
            let next = pivot.select(exact, next);
            let now = count::<L>(values, stride, rows, next);
            let (run, rise) = (next.sub(pivot), now.sub(counted));
            // The secant where both ends moved; what was known of the slope elsewhere.
            let usable = tiny.at_most(rise.mul(run));
            slope = rise.div(run).select(usable, slope);
            (pivot, counted) = (next, now);
            exact = counted.sub(goal).abs().at_most(slack);
            pass += 1;
        }
        let found = around::<L>(values, stride, rows, pivot);
        if L::all(exact) {
            settled::<L>(found, odd, goal).store(out);
            return true;
        }
        tied::<L>((values, stride, rows), (found, exact), (low, high, least, most), out)
    }
}

/// The median next to a pivot that has half of the rows at or below it.
#[inline(always)]
unsafe fn settled<L: Lanes>(found: Around<L>, odd: bool, goal: L) -> L {
    // SAFETY: registers only.
    unsafe {
        if odd {
            found.above.select(found.count.at_most(goal), found.below)
        } else {
            found.below.add(found.above).mul(L::splat(0.5))
        }
    }
}

/// Narrows a bracket of data values until it holds one: where several rows share the middle
/// value, no pivot splits them in half.
#[inline(always)]
unsafe fn tied<L: Lanes>(
    (values, stride, rows): (*const f64, usize, usize),
    (found, exact): (Around<L>, L::Mask),
    (low, high, least, most): (L, L, L, L),
    out: *mut f64,
) -> bool {
    // SAFETY: the caller's tile and `out` hold whole registers.
    unsafe {
        let odd = rows % 2 == 1;
        let goal = L::splat(rows as f64 / 2.0);
        // The lower middle row is the first with at least so many rows at or below it.
        let wanted = L::splat(rows.div_ceil(2) as f64);
        let mut result = settled::<L>(found, odd, goal);
        let (yes, no) = (L::splat(1.0), L::splat(0.0));
        let mut done = yes.select(exact, no);
        let (mut from, mut to) = (least, most);
        let mut pass = 0;
        while pass < NARROWING {
            let pivot = match pass {
                0 => low,
                1 => high,
                _ => {
                    let middle = from.add(to.sub(from).mul(L::splat(0.5)));
                    middle.select(middle.at_most(to), from)
                }
            };
            let found = around::<L>(values, stride, rows, pivot);
            // The pivot is the only value left: it is the lower middle row.
            let single = yes.select(to.at_most(from), no);
            let closed =
                yes.select(to.at_most(pivot), no).mul(yes.select(pivot.at_most(from), no)).mul(single);
            let upper = pivot.select(wanted.add(yes).at_most(found.count), found.above);
            let value = if odd { pivot } else { pivot.add(upper).mul(L::splat(0.5)) };
            let fresh = closed.mul(yes.sub(done));
            result = value.select(yes.at_most(fresh), result);
            done = done.add(fresh);
            if L::all(yes.at_most(done)) {
                result.store(out);
                return true;
            }
            let enough = wanted.at_most(found.count);
            // A pivot outside of the bracket, or not a number, must not widen it.
            to = to.min(found.below.select(enough, to));
            from = from.max(from.select(enough, found.above));
            pass += 1;
        }
        false
    }
}

#[inline(always)]
unsafe fn body<L: Lanes>(
    values: *const f64,
    stride: usize,
    rows: usize,
    samples: usize,
    out: *mut f64,
) -> u64 {
    // SAFETY: `medians` checked the tile and `out`.
    unsafe {
        let (mut col, mut open) = (0, 0_u64);
        while col < samples {
            if !lanes::<L>(values.add(col), stride, rows, out.add(col)) {
                open |= 1 << (col / 8).min(63);
            }
            col += L::N;
        }
        open
    }
}
per_level! { unsafe fn body_at(values: *const f64, stride: usize, rows: usize, samples: usize, out: *mut f64) -> u64 = body }

/// Medians over the rows of `tile`, one per sample, as numpy computes them; samples up to the
/// next multiple of 8 are written too. `out` may hold anything.
///
/// # Panics
///
/// If the tile has no row or is wider than 512 samples, or a buffer is too short.
pub fn medians(level: CpuLevel, tile: Tile, out: &mut [f64]) {
    let samples = tile.samples.next_multiple_of(8);
    assert!(tile.is_whole() && tile.rows > 0 && out.len() >= samples && samples <= 512);
    let (values, out_at) = (tile.values.as_ptr(), out.as_mut_ptr());
    // SAFETY: checked; the stride is a multiple of 8, so registers stay inside of rows.
    let open =
        unsafe { body_at(level.min(CpuLevel::detect()), values, tile.stride, tile.rows, samples, out_at) };
    for group in (0..samples / 8).filter(|group| open & (1 << group) != 0) {
        for sample in group * 8..group * 8 + 8 {
            let mut column: Vec<f64> =
                (0..tile.rows).map(|row| tile.values[row * tile.stride + sample]).collect();
            out[sample] = scalar::median(&mut column);
        }
    }
}

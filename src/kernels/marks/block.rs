//! One block of decoding spikes against all encoding spikes, lanes = decoding spikes.
//!
//! One micro-kernel does all the work beside the weights: `V` registers of lanes times `K`
//! broadcast values into `V x K` accumulators. It turns weights into sums at bins (direct).
#![allow(unsafe_code)] // Pointers into tables and scratch whose sizes are checked where they are made.

use super::tables::{Direct, Scheme, Tables};
use crate::backend::CpuLevel;
use crate::kernels::simd::{Element, Level, Real, per_level};

/// Encoding spikes whose weights are kept at a time: sums within a tile are rounded apart from
/// the sum over tiles, which keeps single precision near the rounding of one operation.
pub(super) const TILE: usize = 128;
/// Broadcast values per pass: 6 x 4 registers of 32 or 6 x 2 of 16.
const GROUP: usize = 6;

/// Working memory of a block.
#[derive(Debug, Default)]
pub(super) struct Work<E> {
    /// Decoding marks `[feature][lane]`, then positions `[axis][lane]`.
    pub(super) spikes: Vec<E>,
    /// `[spike of the tile][lane]`.
    weights: Vec<E>,
    /// `[value of the group][spike of the tile]`.
    strip: Vec<E>,
    /// Sums `[slot][lane]`.
    pub(super) sums: Vec<E>,
}

impl<E: Element> Work<E> {
    /// Makes room for `lanes` lanes; allocates only when it grows.
    pub(super) fn fit(&mut self, tables: &Tables<E>, lanes: usize, slots: usize) {
        let grow = |buffer: &mut Vec<E>, len: usize| {
            if buffer.len() < len {
                buffer.resize(len, E::default());
            }
        };
        grow(&mut self.spikes, (tables.width + tables.axes) * lanes);
        grow(&mut self.weights, TILE * lanes);
        grow(&mut self.strip, GROUP * TILE);
        grow(&mut self.sums, slots * lanes);
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.spikes.len() + self.weights.len() + self.strip.len() + self.sums.len();
        numbers * size_of::<E>()
    }
}

/// Adds the squared distances of `V` registers of decoding spikes to one encoding spike.
#[inline(always)]
unsafe fn add_squares<R: Real, const V: usize>(
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
unsafe fn weigh<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    first: usize,
    count: usize,
    spikes: *const R::Element,
    weights: *mut R::Element,
) {
    // SAFETY: the tile lies inside the tables; the buffers were fitted.
    unsafe {
        let cut = R::splat(tables.cut);
        let marks = tables.marks.as_ptr();
        for i in 0..count {
            let mut distance = [R::splat(R::Element::default()); V];
            add_squares::<R, V>(&mut distance, marks.add((first + i) * tables.width), tables.width, spikes);
            for (v, distance) in distance.into_iter().enumerate() {
                distance.exp2_down(cut).store(weights.add((i * V + v) * R::N));
            }
        }
    }
}

/// The micro-kernel: `sums[k][v] += sum_i vectors[i][v] * values[k][i]`.
#[inline(always)]
unsafe fn accumulate<R: Real, const V: usize, const K: usize>(
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
    // SAFETY: rows hold `count` values, of which whole registers are read only inside; the strip
    // has K rows of TILE.
    unsafe {
        let mut rows = [strip.cast_const(); K];
        for (k, (row, pair)) in rows.iter_mut().zip(pairs).enumerate() {
            let (first, stride) = tables[0];
            let first = first.add(pair[0] as usize * stride);
            let Some((second, stride)) = tables.get(1) else {
                *row = first;
                continue;
            };
            let second = second.add(pair[1] as usize * stride);
            let to = strip.add(k * TILE);
            let whole = count / R::N * R::N;
            for i in (0..whole).step_by(R::N) {
                R::load(first.add(i)).mul(R::load(second.add(i))).store(to.add(i));
            }
            for i in whole..count {
                *to.add(i) = R::Element::of((*first.add(i)).wide() * (*second.add(i)).wide());
            }
            *row = to;
        }
        rows
    }
}

/// Projects one tile of weights on all `pairs`.
#[inline(always)]
unsafe fn project_pairs<R: Real, const V: usize>(
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
        for (at, pairs) in pairs.chunks(GROUP).enumerate() {
            let at = at * GROUP;
            match pairs.len() {
                6 => group!(6, pairs, at),
                5 => group!(5, pairs, at),
                4 => group!(4, pairs, at),
                3 => group!(3, pairs, at),
                2 => group!(2, pairs, at),
                _ => group!(1, pairs, at),
            }
        }
    }
}

/// Direct sums `[interior bin][lane]`.
#[inline(always)]
unsafe fn direct_sums<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    direct: &Direct<R::Element>,
    work: &mut Work<R::Element>,
) {
    let total = tables.spikes();
    let mut at = 0;
    while at < total {
        let count = TILE.min(total - at);
        // SAFETY: rows of the factors hold all spikes; the buffers were fitted.
        unsafe {
            weigh::<R, V>(tables, at, count, work.spikes.as_ptr(), work.weights.as_mut_ptr());
            let mut rows = [(direct.factors[0].as_ptr().add(at), total); 2];
            if let Some(second) = direct.factors.get(1) {
                rows[1] = (second.as_ptr().add(at), total);
            }
            project_pairs::<R, V>(
                (work.weights.as_ptr(), count),
                &rows[..direct.factors.len()],
                &direct.pairs,
                work.strip.as_mut_ptr(),
                (at == 0, work.sums.as_mut_ptr()),
            );
        }
        at += count;
    }
}

/// Sums of one block, then their logarithms in place.
#[inline(always)]
unsafe fn block<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    slots: usize,
    work: &mut Work<R::Element>,
) {
    // SAFETY: the caller fitted the work for V registers of lanes.
    unsafe {
        match &tables.scheme {
            Scheme::Direct(direct) => direct_sums::<R, V>(tables, direct, work),
        }
        let tiny = R::splat(R::Element::TINY);
        let sums = work.sums.as_mut_ptr();
        for at in (0..slots * V * R::N).step_by(R::N) {
            R::load(sums.add(at)).max(tiny).ln().store(sums.add(at));
        }
    }
}

/// Densities of one block of decoding spikes at their own positions: `sums[lane]`.
#[inline(always)]
unsafe fn densities<R: Real, const V: usize>(tables: &Tables<R::Element>, work: &mut Work<R::Element>) {
    // SAFETY: the caller fitted the work; `weights` has room for one row.
    unsafe {
        let zero = R::splat(R::Element::default());
        let cut = R::splat(R::Element::of(if size_of::<R::Element>() == 4 { 120.0 } else { 1000.0 }));
        let (marks, positions) = (tables.marks.as_ptr(), tables.positions.as_ptr());
        let (ours, places) = (work.spikes.as_ptr(), work.spikes.as_ptr().add(tables.width * V * R::N));
        let mut totals = [zero; V];
        let mut tile = [zero; V];
        for i in 0..tables.spikes() {
            let mut distance = [zero; V];
            add_squares::<R, V>(&mut distance, marks.add(i * tables.width), tables.width, ours);
            add_squares::<R, V>(&mut distance, positions.add(i * tables.axes), tables.axes, places);
            for v in 0..V {
                tile[v] = tile[v].add(distance[v].exp2_down(cut));
                if i % TILE == TILE - 1 {
                    totals[v] = totals[v].add(tile[v]);
                    tile[v] = zero;
                }
            }
        }
        for v in 0..V {
            totals[v].add(tile[v]).store(work.sums.as_mut_ptr().add(v * R::N));
        }
    }
}

/// What a block is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// Logarithms of the sums at this many slots.
    Bins(usize),
    /// Sums at the spikes' own positions.
    OwnPositions,
}

/// Registers a block takes for `left` spikes of `N` lanes each.
pub(super) fn registers(left: usize, lanes: usize, all: usize) -> usize {
    match left.div_ceil(lanes) {
        0 | 1 => 1,
        2 => 2,
        _ if all >= 32 => 4,
        _ => 2,
    }
}

#[inline(always)]
unsafe fn any_block<R: Real>(
    tables: &Tables<R::Element>,
    asked: Asked,
    registers: usize,
    work: &mut Work<R::Element>,
) {
    // SAFETY: the caller fitted the work for this many registers.
    unsafe {
        match (asked, registers) {
            (Asked::Bins(slots), 1) => block::<R, 1>(tables, slots, work),
            (Asked::Bins(slots), 2) => block::<R, 2>(tables, slots, work),
            (Asked::Bins(slots), _) => block::<R, 4>(tables, slots, work),
            (Asked::OwnPositions, 1) => densities::<R, 1>(tables, work),
            (Asked::OwnPositions, 2) => densities::<R, 2>(tables, work),
            (Asked::OwnPositions, _) => densities::<R, 4>(tables, work),
        }
    }
}

#[inline(always)]
unsafe fn singles<L: Level>(tables: &Tables<f32>, asked: Asked, registers: usize, work: &mut Work<f32>) {
    // SAFETY: the caller's promise.
    unsafe { any_block::<L::Singles>(tables, asked, registers, work) }
}
#[inline(always)]
unsafe fn doubles<L: Level>(tables: &Tables<f64>, asked: Asked, registers: usize, work: &mut Work<f64>) {
    // SAFETY: the caller's promise.
    unsafe { any_block::<L::Doubles>(tables, asked, registers, work) }
}
per_level! { unsafe fn singles_at(tables: &Tables<f32>, asked: Asked, registers: usize, work: &mut Work<f32>) = singles }
per_level! { unsafe fn doubles_at(tables: &Tables<f64>, asked: Asked, registers: usize, work: &mut Work<f64>) = doubles }

/// One block in single precision; `work` is fitted for `registers` registers of lanes.
pub(super) fn run_singles(
    level: CpuLevel,
    tables: &Tables<f32>,
    asked: Asked,
    registers: usize,
    work: &mut Work<f32>,
) {
    // SAFETY: the level is limited to the machine's; `Work::fit` made the buffers.
    unsafe { singles_at(level.min(CpuLevel::detect()), tables, asked, registers, work) }
}

/// One block in double precision, likewise.
pub(super) fn run_doubles(
    level: CpuLevel,
    tables: &Tables<f64>,
    asked: Asked,
    registers: usize,
    work: &mut Work<f64>,
) {
    // SAFETY: as above.
    unsafe { doubles_at(level.min(CpuLevel::detect()), tables, asked, registers, work) }
}

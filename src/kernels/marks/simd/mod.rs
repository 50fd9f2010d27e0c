//! One block of decoding spikes against all encoding spikes, lanes = decoding spikes.
#![allow(unsafe_code)] // Pointers into tables and scratch whose sizes are checked where they are made.

mod coefficients;
mod finish;
mod product;

use super::boxes::{PIECE, apart};
use super::layout::Cell;
use super::moments::{Axis, Expansion, Moments};
use super::tables::{Direct, GROUP, Scheme, TILE, Tables};
use super::work::Work;
use crate::backend::CpuLevel;
use crate::kernels::simd::{Element, Level, Real, per_level};
pub(super) use coefficients::coefficients_of;
pub(super) use finish::{Found, MOST_LANES, finish};
use product::{accumulate, add_squares, polynomials, project_pairs, weigh};

/// Direct sums `[interior bin][lane]`.
#[inline(always)]
unsafe fn direct_sums<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    direct: &Direct<R::Element>,
    work: &mut Work<R::Element>,
) {
    let total = tables.spikes();
    for (tile, at) in (0..total).step_by(TILE).enumerate() {
        let count = TILE.min(total - at);
        // SAFETY: a tile of the factors holds TILE values for every bin; the buffers were fitted.
        unsafe {
            weigh::<R, V>(tables, at, count, work.spikes.as_ptr(), work.weights.as_mut_ptr());
            let row =
                |axis: usize| direct.factors[axis].as_ptr().wrapping_add(tile * direct.bins[axis] * TILE);
            let axes = direct.factors.len();
            let rows = [(row(0), TILE), (row(axes - 1), TILE)];
            project_pairs::<R, V>(
                (work.weights.as_ptr(), count),
                &rows[..axes],
                &direct.pairs,
                work.strip.as_mut_ptr(),
                (at == 0, work.sums.as_mut_ptr()),
            );
        }
    }
}

/// Moments of one cell for each term of an expansion: `[term][lane]`.
#[inline(always)]
unsafe fn cell_moments<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    moments: &Moments<R::Element>,
    (cell, expansion): (&Cell, &Expansion<R::Element>),
    work: &mut Work<R::Element>,
    out: *mut R::Element,
) {
    let (first, total) = (cell.first, cell.count);
    let (q, terms) = (expansion.q, &expansion.terms);
    let boxed = !moments.boxes.is_empty();
    let (step, size) = if boxed { (PIECE, 2 * tables.width) } else { (TILE, 0) };
    let (mut begin, mut at) = (true, 0);
    while at < total {
        let count = step.min(total - at);
        let edges = cell.boxes + at / step * size;
        if boxed && apart(&work.bounds, &moments.boxes[edges..edges + size], tables.cut.wide()) {
            at += count;
            continue;
        }
        // SAFETY: the offsets are padded to whole registers; the polynomials' buffer holds TILE values
        // of every degree on each axis.
        unsafe {
            weigh::<R, V>(tables, first + at, count, work.spikes.as_ptr(), work.weights.as_mut_ptr());
            let mut rows = [(work.polynomials.as_ptr(), TILE); 2];
            for (axis, offsets) in moments.offsets.iter().enumerate() {
                let to = work.polynomials.as_mut_ptr().add(axis * q * TILE);
                polynomials::<R>((offsets.as_ptr().add(first + at), count), q, to);
                rows[axis].0 = to.cast_const();
            }
            project_pairs::<R, V>(
                (work.weights.as_ptr(), count),
                &rows[..moments.offsets.len()],
                terms,
                work.strip.as_mut_ptr(),
                (begin, out),
            );
        }
        begin = false;
        at += count;
    }
    if begin {
        // SAFETY: the cell's moments are a row of V registers for each term.
        unsafe { out.write_bytes(0, terms.len() * V * R::N) };
    }
}

/// Contracts the moments of one row of cells (`terms` for each) along it: for each degree across,
/// values at the bins.
#[inline(always)]
unsafe fn contract_row<R: Real, const V: usize>(
    moments: &Moments<R::Element>,
    expansion: &Expansion<R::Element>,
    (row, terms): (usize, usize),
    from: *const R::Element,
    to: *mut R::Element,
) {
    let (q, degrees) = (expansion.q, expansion.firsts.len());
    let Axis { factors, starts, bands } = &expansion.along;
    let cells = &moments.cells[moments.rows[row].0..moments.rows[row].1];
    // Degrees across outside of groups of bins: the moments of one degree stay in the first cache
    // while all groups read them.
    for (b, term) in expansion.firsts.iter().enumerate() {
        for (group, (first, last)) in bands.iter().enumerate() {
            if !moments.reached[group] {
                continue;
            }
            let near = cells.partition_point(|cell| cell.column < *first);
            let far = cells.partition_point(|cell| cell.column < *last);
            // SAFETY: the group's factors hold 6 bins of `last - first` lines of `q` degrees.
            unsafe {
                let mut sums = [[R::splat(R::Element::default()); V]; GROUP];
                for (at, cell) in cells[near..far].iter().enumerate() {
                    let line = factors.as_ptr().add(starts[group] + (cell.column - first) * q);
                    let values = std::array::from_fn(|k| line.wrapping_add(k * (last - first) * q));
                    let vectors = from.add(((near + at) * terms + term) * V * R::N);
                    accumulate::<R, V, GROUP>(&mut sums, vectors, q - b, values);
                }
                for (k, sums) in sums.into_iter().enumerate() {
                    let bin = (group * GROUP + k) * moments.rows.len() + row;
                    for (v, sum) in sums.into_iter().enumerate() {
                        sum.store(to.add(((bin * degrees + b) * V + v) * R::N));
                    }
                }
            }
        }
    }
}

/// Contracts the fields across the rows: sums at the bins.
#[inline(always)]
unsafe fn contract_rows<R: Real, const V: usize>(
    moments: &Moments<R::Element>,
    (across, q): (&Axis<R::Element>, usize),
    from: *const R::Element,
    to: *mut R::Element,
) {
    for (bin, groups) in moments.wanted.iter().enumerate() {
        for group in groups {
            let (first, last) = across.bands[*group];
            let count = (last - first) * q;
            // SAFETY: the group's factors hold 6 bins of `count` values.
            unsafe {
                let values = across.factors.as_ptr().add(across.starts[*group]);
                let values = std::array::from_fn(|k| values.wrapping_add(k * count));
                let vectors = from.add((bin * moments.rows.len() + first) * q * V * R::N);
                let mut sums = [[R::splat(R::Element::default()); V]; GROUP];
                accumulate::<R, V, GROUP>(&mut sums, vectors, count, values);
                let slot = (bin * across.bands.len() + group) * GROUP;
                for (k, sums) in sums.into_iter().enumerate() {
                    for (v, sum) in sums.into_iter().enumerate() {
                        sum.store(to.add(((slot + k) * V + v) * R::N));
                    }
                }
            }
        }
    }
}

/// Sums by moments; where rows are to be certified, by fewer of them, with the bounds of their errors.
#[inline(always)]
unsafe fn moment_sums<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    moments: &Moments<R::Element>,
    pass: Pass,
    work: &mut Work<R::Element>,
) {
    let certified = moments.certified.as_ref().filter(|_| pass == Pass::Certified);
    let expansion = certified.map_or(&moments.full, |certified| &certified.expansion);
    let count = expansion.terms.len();
    // SAFETY: the caller fitted the work to these tables.
    unsafe {
        for (row, (first, last)) in moments.rows.iter().enumerate() {
            for (at, cell) in moments.cells[*first..*last].iter().enumerate() {
                let out = work.moments.as_mut_ptr().add(at * count * V * R::N);
                cell_moments::<R, V>(tables, moments, (cell, expansion), work, out);
            }
            let from = work.moments.as_ptr();
            let to = if expansion.across.is_some() { &mut work.fields } else { &mut work.sums };
            contract_row::<R, V>(moments, expansion, (row, count), from, to.as_mut_ptr());
            if let Some(certified) = certified {
                let error = &certified.error;
                let to = if error.across.is_some() { &mut work.error_fields } else { &mut work.errors };
                contract_row::<R, V>(moments, error, (row, count), from, to.as_mut_ptr());
            }
        }
        if let Some(across) = &expansion.across {
            let (from, to) = (work.fields.as_ptr(), work.sums.as_mut_ptr());
            contract_rows::<R, V>(moments, (across, expansion.q), from, to);
        }
        if let Some(across) = certified.and_then(|certified| certified.error.across.as_ref()) {
            let (from, to) = (work.error_fields.as_ptr(), work.errors.as_mut_ptr());
            contract_rows::<R, V>(moments, (across, 1), from, to);
        }
    }
}

/// Logarithms in place.
#[inline(always)]
unsafe fn logarithms<R: Real>(sums: &mut [R::Element]) {
    // SAFETY: whole registers.
    unsafe {
        let tiny = R::splat(R::Element::TINY);
        for sums in sums.chunks_exact_mut(R::N) {
            R::load(sums.as_ptr()).max(tiny).ln().store(sums.as_mut_ptr());
        }
    }
}

/// Sums of one block, and what bounds their errors, then their logarithms in place.
#[inline(always)]
unsafe fn block<R: Real, const V: usize>(
    tables: &Tables<R::Element>,
    (slots, pass): (usize, Pass),
    work: &mut Work<R::Element>,
) {
    // SAFETY: the caller fitted the work for V registers of lanes.
    unsafe {
        match &tables.scheme {
            Scheme::Direct(direct) => direct_sums::<R, V>(tables, direct, work),
            Scheme::Moments(moments) => moment_sums::<R, V>(tables, moments, pass, work),
        }
        logarithms::<R>(&mut work.sums[..slots * V * R::N]);
        if let (Pass::Certified, Some(moments)) = (pass, tables.moments()) {
            logarithms::<R>(&mut work.errors[..slots * V * R::N]);
            excess::<R, V>(moments, work);
        }
    }
}

/// The largest distance of a bound's logarithm from that of its sum, or of the floor, over the bins.
#[inline(always)]
unsafe fn excess<R: Real, const V: usize>(moments: &Moments<R::Element>, work: &mut Work<R::Element>) {
    let floors = moments.certified.as_ref().map_or(&[][..], |certified| &certified.floors);
    let (sums, errors) = (work.sums.as_ptr(), work.errors.as_ptr());
    // SAFETY: the caller fitted the work for V registers of lanes at every slot.
    unsafe {
        let mut worst = [R::splat(R::Element::of(f64::NEG_INFINITY)); V];
        for (slot, floor) in moments.slots.iter().zip(floors) {
            let floor = R::splat(*floor);
            for (v, worst) in worst.iter_mut().enumerate() {
                let at = (*slot as usize * V + v) * R::N;
                let over = R::load(errors.add(at)).sub(R::load(sums.add(at)).max(floor));
                *worst = over.max(*worst);
            }
        }
        for (v, worst) in worst.into_iter().enumerate() {
            worst.store(work.excess.as_mut_ptr().add(v * R::N));
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

/// Which expansion a block takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Fewer terms, with bounds of the errors.
    Certified,
    /// Enough for every spike.
    Full,
}

/// What a block is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// Logarithms of the sums at this many slots.
    Bins(usize, Pass),
    /// Sums at the spikes' own positions.
    OwnPositions,
}

/// Registers a block takes for `left` spikes of `lanes` each: one, or all that a set of `all`
/// registers can accumulate in.
pub(super) fn registers(left: usize, lanes: usize, all: usize) -> usize {
    match left <= lanes {
        true => 1,
        false if all >= 32 => 4,
        false => 2,
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
            (Asked::Bins(slots, pass), 1) => block::<R, 1>(tables, (slots, pass), work),
            (Asked::Bins(slots, pass), _) if R::REGISTERS >= 32 => block::<R, 4>(tables, (slots, pass), work),
            (Asked::Bins(slots, pass), _) => block::<R, 2>(tables, (slots, pass), work),
            (Asked::OwnPositions, 1) => densities::<R, 1>(tables, work),
            (Asked::OwnPositions, _) if R::REGISTERS >= 32 => densities::<R, 4>(tables, work),
            (Asked::OwnPositions, _) => densities::<R, 2>(tables, work),
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

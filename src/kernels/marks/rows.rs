//! Rows of log intensities, block by block: those that fewer terms certify, then the others.

use super::Intensity;
use super::arithmetic::Arithmetic;
use super::boxes::BOXED;
use super::simd::{Asked, Found, MOST_LANES, Pass, finish};
use super::tables::{Scaling, Tables};
use super::work::Work;
use crate::backend::CpuLevel;
use crate::kernels::simd::Element;

/// How much of what was computed lies on the floor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floored {
    /// Decoding spikes on the floor in every bin.
    pub spikes: usize,
    /// Values (spike, bin) on the floor.
    pub values: usize,
}

impl std::ops::AddAssign for Floored {
    fn add_assign(&mut self, other: Floored) {
        self.spikes += other.spikes;
        self.values += other.values;
    }
}

impl Intensity {
    /// Log intensities of all `marks` (`[spike, feature]`) into `out` (`[spike, bin]`).
    pub(super) fn rows<E: Arithmetic, T: Element>(
        &self,
        level: CpuLevel,
        tables: &Tables<E>,
        (marks, out): (&[f64], &mut [T]),
        work: &mut Work<E>,
    ) -> Floored {
        let count = out.len() / self.bins().max(1);
        let mut floored = Floored::default();
        let mut at = 0;
        while at < count {
            let (used, lanes) = E::block(level, count - at);
            let end = count.min(at + lanes * used);
            work.fit(tables, lanes * used, tables.slots());
            work.rows.clear();
            work.rows.extend(at..end);
            floored += self.block(level, (tables, tables.first_pass()), (marks, &mut *out), work);
            at = end;
            // What was not certified waits for a full block, and at the end for none.
            while work.again.len() >= lanes * used || (at == count && !work.again.is_empty()) {
                let waiting = work.again.len().min(lanes * used);
                work.rows.clear();
                work.rows.extend(work.again.drain(..waiting));
                floored += self.block(level, (tables, Pass::Full), (marks, &mut *out), work);
            }
        }
        floored
    }

    /// For each of `marks` (`[spike, feature]`) the logarithm of the largest ratio of bound and sum (or
    /// floor) over the bins; empty where nothing can be certified.
    pub(super) fn excesses(&self, marks: &[f64]) -> Vec<f64> {
        let (mut single, mut double) = (Work::default(), Work::default());
        match (self.single(), self.double()) {
            (Some(tables), _) => self.tried(tables, marks, &mut single),
            (_, Some(tables)) => self.tried(tables, marks, &mut double),
            _ => Vec::new(),
        }
    }

    fn tried<E: Arithmetic>(&self, tables: &Tables<E>, marks: &[f64], work: &mut Work<E>) -> Vec<f64> {
        let (level, width, mut found) = (CpuLevel::detect(), self.marks.columns().max(1), Vec::new());
        while found.len() < marks.len() / width {
            let left = marks.len() / width - found.len();
            let (used, lanes) = E::block(level, left);
            work.fit(tables, used * lanes, tables.slots());
            let rows = marks[found.len() * width..].chunks_exact(width).take(used * lanes);
            self.sums(level, (tables, tables.first_pass(), used), rows, work);
            found.extend(work.excess[..left.min(used * lanes)].iter().map(|excess| excess.wide()));
        }
        found
    }

    /// Logarithms of the sums of a block of `rows`, in `work`, which is fitted for `used` registers.
    fn sums<'a, E: Arithmetic>(
        &self,
        level: CpuLevel,
        (tables, pass, used): (&Tables<E>, Pass, usize),
        rows: impl ExactSizeIterator<Item = &'a [f64]> + Clone,
        work: &mut Work<E>,
    ) {
        let (width, lanes, count) = (self.marks.columns(), used * E::lanes(level), rows.len());
        turn(&self.marks, rows, lanes, &mut work.spikes);
        if width >= BOXED {
            work.enclose(width, lanes, count);
        }
        E::run(level, tables, Asked::Bins(tables.slots(), pass), used, work);
    }

    /// The rows that `work` names, of which those that are not certified are put off.
    fn block<E: Arithmetic, T: Element>(
        &self,
        level: CpuLevel,
        (tables, pass): (&Tables<E>, Pass),
        (marks, out): (&[f64], &mut [T]),
        work: &mut Work<E>,
    ) -> Floored {
        let width = self.marks.columns();
        let (used, lanes) = E::block(level, work.rows.len());
        let all = used * lanes;
        work.fit(tables, all, tables.slots());
        let rows = std::mem::take(&mut work.rows);
        let chosen = rows.iter().map(|row| &marks[row * width..(row + 1) * width]);
        self.sums(level, (tables, pass, used), chosen, work);
        let mut certified = [true; MOST_LANES];
        if let (Pass::Certified, Some(certificate)) = (pass, &self.choice.certificate) {
            for (certified, excess) in certified.iter_mut().zip(work.excess.iter()) {
                *certified = excess.wide() + certificate.ln_excess <= 0.0;
            }
            let put_off = rows.iter().zip(&certified).filter(|(_, certified)| !**certified);
            work.again.extend(put_off.map(|(row, _)| row));
        }
        let found = Found {
            tables,
            sums: &work.sums,
            lanes: all,
            rows: &rows,
            certified: &certified,
            log_scale: &self.log_scale,
            floor_ln: self.floor_ln,
        };
        let floored = finish(level, &found, out);
        work.rows = rows;
        floored
    }
}

/// Scales `rows` into `[column][lane]`; idle lanes hold zeros.
pub(super) fn turn<'a, E: Element>(
    scaling: &Scaling,
    rows: impl Iterator<Item = &'a [f64]> + Clone,
    lanes: usize,
    to: &mut [E],
) {
    for (k, column) in to.chunks_exact_mut(lanes).take(scaling.columns()).enumerate() {
        column.fill(E::default());
        for (to, row) in column.iter_mut().zip(rows.clone()) {
            *to = scaling.apply(k, row[k]);
        }
    }
}

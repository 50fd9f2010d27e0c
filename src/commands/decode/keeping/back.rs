//! Blocks of the way back that are done, kept beside the output for a run that goes on: posteriors
//! as the output holds them, what they say, and the last row in full, from which the smoother goes on.

use super::super::passes_smooth::{OfRow, Posteriors, Told};
use crate::commands::keep::Keeper;
use crate::error::Result;
use crate::io::kept::Stretch;
use crate::pipeline::{Chunk, Sink};

/// Records of the way back.
const BACK: u64 = 1;
/// Numbers of a row's estimates: bin, mean position, two thresholds.
const ESTIMATES: usize = 9;

/// Keeps every block before it is written.
pub struct KeepingBack<'a, 'b, 'c> {
    inner: Posteriors<'a>,
    keeper: &'c mut Keeper<'b>,
    columns: usize,
    /// Nothing is kept where the run was not asked to: blocks are as large as the output.
    keeps: bool,
}

impl<'a, 'b, 'c> KeepingBack<'a, 'b, 'c> {
    /// `inner`, with blocks of rows of `columns` values kept by `keeper` if `keeps`.
    pub fn new(inner: Posteriors<'a>, keeper: &'c mut Keeper<'b>, (columns, keeps): (usize, bool)) -> Self {
        KeepingBack { inner, keeper, columns, keeps }
    }

    /// Writes the blocks at the head of `blocks` that an earlier run kept; how many rows those are, and
    /// the posterior of the last one in full, if there is any.
    ///
    /// # Errors
    /// The disk fails.
    pub fn replay(&mut self, blocks: impl Iterator<Item = Chunk>) -> Result<(u64, Option<Vec<f64>>)> {
        let KeepingBack { inner, keeper, columns, .. } = self;
        let (mut done, mut known, mut blocks) = (0, None, blocks.peekable());
        let shape = Shape::of(inner, *columns);
        keeper.replay(|Stretch { plane, start, end }, bytes| {
            let fits = |block: &Chunk| plane == BACK && (block.start, block.end) == (start, end);
            let Some(block) = blocks.peek().copied().filter(fits) else { return Ok(false) };
            let Some((posterior, last, told)) = shape.read(block.len() as usize, bytes) else {
                return Ok(false);
            };
            inner.put(start as usize, &posterior, &told)?;
            (done, known) = (done + block.len(), Some(last));
            blocks.next();
            Ok(true)
        })?;
        Ok((done, known))
    }
}

impl Sink for KeepingBack<'_, '_, '_> {
    type Buffer = Vec<f64>;

    fn write(&mut self, chunk: &Chunk, posterior: &Vec<f64>) -> Result<()> {
        let told = self.inner.tell(posterior);
        if self.keeps {
            let shape = Shape::of(&self.inner, self.columns);
            let at = Stretch { plane: BACK, start: chunk.start, end: chunk.end };
            self.keeper.push(at, |bytes| shape.fill(posterior, &told, bytes))?;
        }
        self.inner.put(chunk.start as usize, posterior, &told)
    }
}

/// How a block lies in its record.
#[derive(Debug, Clone, Copy)]
struct Shape {
    columns: usize,
    states: usize,
    /// A picture looks at more digits than the output holds.
    in_full: bool,
    estimates: bool,
}

impl Shape {
    fn of(posteriors: &Posteriors<'_>, columns: usize) -> Self {
        let asked = posteriors.estimator.estimates;
        Shape {
            columns,
            states: posteriors.estimator.chain.states().states(),
            in_full: posteriors.onlooker.is_some(),
            estimates: asked.map || asked.mean || asked.hpd,
        }
    }

    fn fill(self, posterior: &[f64], told: &Told, bytes: &mut Vec<u8>) {
        let last = &posterior[..self.columns.min(posterior.len())];
        let estimates =
            told.found.iter().flat_map(|row| std::iter::once(row.map as f64).chain(row.mean).chain(row.hpd));
        match self.in_full {
            true => bytes.extend(posterior.iter().flat_map(|value| value.to_le_bytes())),
            false => bytes.extend(posterior.iter().flat_map(|&value| (value as f32).to_le_bytes())),
        }
        let wide = last.iter().chain(&told.sums).copied().chain(estimates);
        bytes.extend(wide.flat_map(f64::to_le_bytes));
    }

    /// Posterior, its first row in full, and what it says; none where the record has another length.
    fn read(self, rows: usize, bytes: &[u8]) -> Option<(Vec<f64>, Vec<f64>, Told)> {
        let values = rows * self.columns;
        let (narrow, sums) = (values * if self.in_full { 8 } else { 4 }, rows * self.states);
        let found = if self.estimates { rows * ESTIMATES } else { 0 };
        if bytes.len() != narrow + (self.columns + sums + found) * 8 {
            return None;
        }
        let (posterior, rest) = bytes.split_at(narrow);
        let wide = |bytes: &[u8]| -> Vec<f64> {
            bytes.as_chunks::<8>().0.iter().map(|&value| f64::from_le_bytes(value)).collect()
        };
        let posterior = match self.in_full {
            true => wide(posterior),
            false => posterior.as_chunks::<4>().0.iter().map(|&v| f32::from_le_bytes(v).into()).collect(),
        };
        let rest = wide(rest);
        let (last, rest) = rest.split_at(self.columns);
        let (sums, found) = rest.split_at(sums);
        let found = found.as_chunks::<ESTIMATES>().0.iter().map(|&[map, a, b, c, d, e, f, half, most]| {
            OfRow { map: map as usize, mean: [a, b, c, d, e, f], hpd: [half, most] }
        });
        Some((posterior, last.to_vec(), Told { sums: sums.to_vec(), found: found.collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_as_it_was_written() {
        let posterior: Vec<f64> = (0..12).map(|i| 1.0 / f64::from(i + 3)).collect();
        let row = |at: usize| OfRow { map: at, mean: [0.1; 6], hpd: [0.3, f64::MIN_POSITIVE] };
        let told = Told { sums: vec![0.1, 0.9, 0.3, 0.7, 0.5, 0.5], found: (0..3).map(row).collect() };
        for in_full in [true, false] {
            let shape = Shape { columns: 4, states: 2, in_full, estimates: true };
            let mut bytes = Vec::new();
            shape.fill(&posterior, &told, &mut bytes);
            let (back, last, said) = shape.read(3, &bytes).unwrap();
            let narrowed = |v: &f64| if in_full { *v } else { f64::from(*v as f32) };
            assert_eq!(back, posterior.iter().map(narrowed).collect::<Vec<_>>());
            assert_eq!((last.as_slice(), said), (&posterior[..4], told.clone()));
            assert!(shape.read(2, &bytes).is_none());
            assert!(Shape { estimates: false, ..shape }.read(3, &bytes).is_none());
        }
    }
}

//! Rows of log likelihood that are done, kept beside the output for a run that goes on.

mod back;

pub use back::KeepingBack;

use super::passes_likelihood::{LikelihoodRows, Value};
use super::store::Stored;
use crate::commands::keep::Keeper;
use crate::error::Result;
use crate::io::kept::Stretch;
use crate::pipeline::{Chunk, Sink};
use std::marker::PhantomData;
use std::ops::Range;

/// Records of the likelihood.
const LIKELIHOOD: u64 = 0;

/// Keeps every chunk before it goes on, so that a run that is stopped can go on from it; adds up
/// the spikes at the floor of all chunks, its own and those of the earlier run.
pub struct Keeping<'a, 'b, K, T> {
    inner: &'a mut K,
    keeper: &'a mut Keeper<'b>,
    columns: usize,
    /// Spikes at the floor, by train.
    pub floored: Vec<u64>,
    element: PhantomData<fn() -> T>,
}

impl<'a, 'b, T: Value, K: Sink<Buffer = LikelihoodRows<T>>> Keeping<'a, 'b, K, T> {
    /// `inner`, with rows of `columns` values and counts of `trains` trains kept by `keeper`.
    pub fn new(inner: &'a mut K, keeper: &'a mut Keeper<'b>, (columns, trains): (usize, usize)) -> Self {
        Keeping { inner, keeper, columns, floored: vec![0; trains], element: PhantomData }
    }

    /// The time bin of `rows` at which an earlier run began to keep, if it did.
    ///
    /// # Errors
    /// The disk fails.
    pub fn first(&mut self, rows: &Range<u64>) -> Result<Option<u64>> {
        let first = self.keeper.first()?.filter(|first| first.plane == LIKELIHOOD);
        Ok(first.map(|first| first.start).filter(|start| rows.contains(start)))
    }

    /// Hands on what an earlier run kept of the time bins `rows`; the first one that is missing.
    ///
    /// # Errors
    /// The disk fails.
    pub fn replay(&mut self, rows: &Range<u64>) -> Result<u64> {
        let Keeping { inner, keeper, columns, floored, .. } = self;
        let (mut next, mut out) = (rows.start, LikelihoodRows::<T>::empty());
        keeper.replay(|Stretch { plane, start, end }, bytes| {
            let fits = plane == LIKELIHOOD && start == next && end <= rows.end;
            let count = if fits { (end - start) as usize } else { 0 };
            let values = count * *columns * size_of::<T>();
            if !fits || bytes.len() != values + (count + floored.len()) * 8 {
                return Ok(false);
            }
            let (first, rest) = bytes.split_at(values);
            let (offsets, counts) = rest.split_at(count * 8);
            out.values.resize(count * *columns, T::default());
            <T as Stored>::read(first, &mut out.values);
            out.offset.resize(count, 0.0);
            <f64 as Stored>::read(offsets, &mut out.offset);
            out.floored = counts.as_chunks::<8>().0.iter().map(|&count| u64::from_le_bytes(count)).collect();
            add(floored, &out.floored);
            inner.write(&Chunk { index: 0, plane: 0, start, end }, &out)?;
            next = end;
            Ok(true)
        })?;
        Ok(next)
    }
}

impl<T: Value, K: Sink<Buffer = LikelihoodRows<T>>> Sink for Keeping<'_, '_, K, T> {
    type Buffer = LikelihoodRows<T>;

    fn write(&mut self, chunk: &Chunk, rows: &LikelihoodRows<T>) -> Result<()> {
        let at = Stretch { plane: LIKELIHOOD, start: chunk.start, end: chunk.end };
        self.keeper.push(at, |bytes| {
            T::push_le(&rows.values, bytes);
            f64::push(&rows.offset, bytes);
            bytes.extend(rows.floored.iter().flat_map(|count| count.to_le_bytes()));
        })?;
        add(&mut self.floored, &rows.floored);
        self.inner.write(chunk, rows)
    }
}

fn add(sums: &mut [u64], more: &[u64]) {
    sums.iter_mut().zip(more).for_each(|(sum, count)| *sum += count);
}

//! Rows of log likelihood that are done, kept beside the output for a run that goes on.

use super::passes_likelihood::{LikelihoodRows, Value};
use super::store::Stored;
use crate::error::Result;
use crate::io::kept::{Kept, Stretch};
use crate::pipeline::{Chunk, Sink};
use std::marker::PhantomData;
use std::ops::Range;

/// Keeps every chunk before it goes on, so that a run that is stopped can go on from it.
pub struct Keeping<'a, K, T> {
    inner: &'a mut K,
    kept: Option<&'a mut Kept>,
    columns: usize,
    bytes: Vec<u8>,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: Value, K: Sink<Buffer = LikelihoodRows<T>>> Keeping<'a, K, T> {
    /// `inner`, with rows of `columns` values kept in `kept`, if anywhere.
    pub fn new(inner: &'a mut K, kept: Option<&'a mut Kept>, columns: usize) -> Self {
        Keeping { inner, kept, columns, bytes: Vec::new(), element: PhantomData }
    }

    /// Hands on what an earlier run kept of the time bins `rows`; the first one that is missing.
    ///
    /// # Errors
    /// The disk fails.
    pub fn replay(&mut self, rows: &Range<u64>) -> Result<u64> {
        let mut next = rows.start;
        let Some(kept) = &mut self.kept else { return Ok(next) };
        let mut out = LikelihoodRows::<T>::empty();
        while let Some(Stretch { start, end, .. }) = kept.next(&mut self.bytes)? {
            let fits = start == next && end <= rows.end;
            let count = if fits { (end - start) as usize } else { 0 };
            let values = count * self.columns * size_of::<T>();
            if !fits || self.bytes.len() != values + count * 8 {
                kept.reject(&self.bytes);
                break;
            }
            let (first, last) = self.bytes.split_at(values);
            out.values.resize(count * self.columns, T::default());
            <T as Stored>::read(first, &mut out.values);
            out.offset.resize(count, 0.0);
            <f64 as Stored>::read(last, &mut out.offset);
            self.inner.write(&Chunk { index: 0, plane: 0, start, end }, &out)?;
            next = end;
        }
        Ok(next)
    }
}

impl<T: Value, K: Sink<Buffer = LikelihoodRows<T>>> Sink for Keeping<'_, K, T> {
    type Buffer = LikelihoodRows<T>;

    fn write(&mut self, chunk: &Chunk, rows: &LikelihoodRows<T>) -> Result<()> {
        if let Some(kept) = &mut self.kept {
            self.bytes.clear();
            T::push_le(&rows.values, &mut self.bytes);
            f64::push(&rows.offset, &mut self.bytes);
            kept.push(Stretch { plane: 0, start: chunk.start, end: chunk.end }, &self.bytes)?;
        }
        self.inner.write(chunk, rows)
    }
}

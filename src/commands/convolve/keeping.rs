//! Strips that are done, kept beside the output for a run that goes on.

use super::bind::Tally;
use super::sink::{ResultSink, StripOut};
use crate::array::{ByteOrder, Real};
use crate::commands::keep::Keeper;
use crate::error::Result;
use crate::io::kept::Stretch;
use crate::kernels::focal::BlockCounts;
use crate::pipeline::{Chunk, Sink};
use std::ops::Range;

/// Keeps every strip before it goes on, so that a run that is stopped can go on from it; adds up
/// the counts of all strips, its own and those of the earlier run.
pub struct KeepingSink<'a, 'b, T> {
    inner: ResultSink<'a, T>,
    keeper: &'a mut Keeper<'b>,
    tally: &'a mut Tally,
}

impl<'a, 'b, T: Real> KeepingSink<'a, 'b, T> {
    /// `inner`, with strips kept by `keeper` and counted in `tally`.
    pub fn new(inner: ResultSink<'a, T>, keeper: &'a mut Keeper<'b>, tally: &'a mut Tally) -> Self {
        KeepingSink { inner, keeper, tally }
    }

    /// Plane and row at which an earlier run began to keep, if it did.
    ///
    /// # Errors
    /// The disk fails.
    pub fn first(&mut self) -> Result<Option<(u64, u64)>> {
        Ok(self.keeper.first()?.map(|first| (first.plane, first.start)))
    }

    /// Hands on what an earlier run kept from row `from.1` of plane `from.0` on, of planes of the
    /// rows `rows`, `width` cells each; where the work goes on: a plane and a row of it.
    ///
    /// # Errors
    /// The disk fails.
    pub fn replay(
        &mut self,
        from: (u64, u64),
        (rows, width): (&Range<u64>, u64),
        out: &mut StripOut<T>,
    ) -> Result<(u64, u64)> {
        let mut next = from;
        let KeepingSink { inner, keeper, tally } = self;
        let hot = inner.has_classes();
        keeper.replay(|Stretch { plane, start, end }, bytes| {
            let fits = (plane, start) == next && end <= rows.end;
            let cells = if fits { ((end - start) * width) as usize } else { 0 };
            let wanted = cells * (out.layers.len() * T::WORK.size() + usize::from(hot));
            if !fits || bytes.len() != wanted + COUNTS {
                return Ok(false);
            }
            let (mut rest, counts) = bytes.split_at(wanted);
            for layer in &mut out.layers {
                let (own, more) = rest.split_at(cells * T::WORK.size());
                layer.resize(cells, T::NAN);
                T::from_stored(own, T::WORK.dtype(), ByteOrder::Little, layer);
                rest = more;
            }
            out.classes = rest.iter().map(|&class| i8::from_le_bytes([class])).collect();
            out.counts = counts_of(counts);
            tally.add(out.counts);
            inner.write(&Chunk { index: 0, plane, start, end }, out)?;
            next = if end == rows.end { (plane + 1, rows.start) } else { (plane, end) };
            Ok(true)
        })?;
        Ok(next)
    }
}

impl<T: Real> Sink for KeepingSink<'_, '_, T> {
    type Buffer = StripOut<T>;

    fn write(&mut self, chunk: &Chunk, out: &StripOut<T>) -> Result<()> {
        let at = Stretch { plane: chunk.plane, start: chunk.start, end: chunk.end };
        self.keeper.push(at, |bytes| {
            out.layers.iter().for_each(|layer| T::push_le(layer, bytes));
            bytes.extend(out.classes.iter().map(|class| class.to_le_bytes()[0]));
            let BlockCounts { fft_tiles, fft_refused, nonfinite } = out.counts;
            bytes.extend([fft_tiles, fft_refused, nonfinite].iter().flat_map(|count| count.to_le_bytes()));
        })?;
        self.tally.add(out.counts);
        self.inner.write(chunk, out)
    }
}

/// Bytes of the counts behind a strip.
const COUNTS: usize = 24;

fn counts_of(bytes: &[u8]) -> BlockCounts {
    let mut counts = bytes.as_chunks::<8>().0.iter().map(|&count| u64::from_le_bytes(count));
    let mut count = || counts.next().unwrap_or(0);
    BlockCounts { fft_tiles: count(), fft_refused: count(), nonfinite: count() }
}

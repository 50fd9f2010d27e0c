//! From appended bytes to chunks: rows are gathered into bands, bands cut into chunks.
//!
//! A band is a run of whole rows along one axis (the first, unless the chunks are flat there or
//! the rows are huge), as high as one chunk; it is contiguous in the C-order stream. All its
//! chunks are compressed at once, in parallel, and written in order, so equal data give equal files.
//! A contiguous dataset is cut the same way, without chunks.

mod tiles;

use super::pack::pack;
use crate::io::DatasetSpec;
use rayon::prelude::*;
use rust_hdf5::{DatatypeMessage, H5Dataset, H5Type, Hdf5Error};
use tiles::{flatten, usual_chunks};

#[cfg(test)]
use tiles::MOST;

/// A chunk's position in the grid and its bytes as the file will hold them.
pub(super) type Chunk = (Vec<usize>, Vec<u8>);

/// One dataset's way into the file.
pub(super) struct Bands {
    shape: Vec<usize>,
    /// Chunk shape, or the shape of a band for contiguous storage.
    tile: Vec<usize>,
    chunked: bool,
    deflate: Option<u32>,
    element: usize,
    /// The axis along which bands follow each other; the tile is 1 on all before it.
    axis: usize,
    /// Elements already in the file.
    done: usize,
    gathered: Vec<u8>,
}

impl Bands {
    /// Decides on chunks and bands; found and expected where the chunk shape does not fit.
    pub(super) fn new(spec: &DatasetSpec) -> Result<Self, (String, String)> {
        let element = spec.dtype.size();
        let empty = spec.shape.is_empty() || spec.shape.contains(&0);
        // Nothing to cut: scalars and empty arrays stay contiguous.
        let chunked = !empty && (spec.chunks.is_some() || spec.deflate.is_some());
        let mut tile = match &spec.chunks {
            Some(chunks) if chunked => {
                if chunks.len() != spec.shape.len() || chunks.contains(&0) {
                    return Err((
                        format!("chunks {chunks:?}"),
                        format!("lengths for the axes {:?}", spec.shape),
                    ));
                }
                chunks.iter().zip(&spec.shape).map(|(&chunk, &length)| chunk.min(length)).collect()
            }
            _ if chunked => usual_chunks(&spec.shape, element as u64),
            _ => spec.shape.clone(),
        };
        let axis = flatten(&mut tile, &spec.shape, element as u64);
        Ok(Bands {
            shape: spec.shape.iter().map(|&n| n as usize).collect(),
            tile: tile.iter().map(|&n| n as usize).collect(),
            chunked,
            deflate: spec.deflate.filter(|_| chunked).map(|level| level.clamp(1, 9)),
            element,
            axis,
            done: 0,
            gathered: Vec::new(),
        })
    }

    /// Chunk shape, where there are chunks.
    pub(super) fn chunks(&self) -> Option<&[usize]> {
        self.chunked.then_some(&self.tile)
    }

    /// Compression level, where there is compression.
    pub(super) fn deflate(&self) -> Option<u32> {
        self.deflate
    }

    /// Single bytes have nothing to shuffle.
    pub(super) fn shuffle(&self) -> bool {
        self.element > 1
    }

    /// Takes the next bytes of the stream, whose total the caller has checked.
    pub(super) fn append(&mut self, dataset: &H5Dataset, mut bytes: &[u8]) -> Result<(), Hdf5Error> {
        while !bytes.is_empty() {
            let wanted = self.band_bytes();
            if self.gathered.is_empty() && bytes.len() >= wanted {
                let (band, rest) = bytes.split_at(wanted);
                self.write(dataset, band)?;
                bytes = rest;
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(wanted - self.gathered.len()));
            self.gathered.reserve_exact(wanted - self.gathered.len());
            self.gathered.extend_from_slice(part);
            bytes = rest;
            if self.gathered.len() == wanted {
                let band = std::mem::take(&mut self.gathered);
                self.write(dataset, &band)?;
                self.gathered = band;
                self.gathered.clear();
            }
        }
        if self.done == self.shape.iter().product::<usize>() {
            self.gathered = Vec::new();
        }
        Ok(())
    }

    /// Elements behind one index of the band axis.
    fn row(&self) -> usize {
        self.shape.iter().skip(self.axis + 1).product()
    }

    /// First index and extent of the next band on every axis.
    fn next(&self) -> (Vec<usize>, Vec<usize>) {
        let mut start = vec![0; self.shape.len()];
        let mut extent = self.shape.clone();
        let mut rest = self.done / self.row().max(1);
        for axis in (0..self.shape.len().min(self.axis + 1)).rev() {
            let length = self.shape[axis].max(1);
            start[axis] = rest % length;
            rest /= length;
            extent[axis] = self.tile[axis].min(self.shape[axis] - start[axis]);
        }
        (start, extent)
    }

    fn band_bytes(&self) -> usize {
        self.next().1.iter().product::<usize>() * self.element
    }

    fn write(&mut self, dataset: &H5Dataset, band: &[u8]) -> Result<(), Hdf5Error> {
        let (start, extent) = self.next();
        if self.chunked {
            for (at, chunk) in self.packed(band, &start, &extent)? {
                self.put_chunk(dataset, &at, &chunk)?;
            }
        } else {
            self.put(dataset, band, &start, &extent)?;
        }
        self.done += band.len() / self.element;
        Ok(())
    }

    /// Writes a rectangular part of contiguous storage.
    pub(super) fn put(
        &self,
        dataset: &H5Dataset,
        part: &[u8],
        start: &[usize],
        extent: &[usize],
    ) -> Result<(), Hdf5Error> {
        match self.element {
            _ if self.shape.is_empty() => dataset.write_raw_bytes(part),
            1 => write_slice::<1>(dataset, part, start, extent),
            2 => write_slice::<2>(dataset, part, start, extent),
            4 => write_slice::<4>(dataset, part, start, extent),
            _ => write_slice::<8>(dataset, part, start, extent),
        }
    }

    /// Writes one chunk as [`Bands::packed`] made it.
    pub(super) fn put_chunk(&self, dataset: &H5Dataset, at: &[usize], chunk: &[u8]) -> Result<(), Hdf5Error> {
        match self.deflate {
            Some(_) => dataset.write_chunk_raw_at(at, chunk, 0),
            None => dataset.write_chunk_at(at, chunk),
        }
    }

    /// True while nothing was appended.
    pub(super) fn is_untouched(&self) -> bool {
        self.done == 0 && self.gathered.is_empty()
    }

    /// Bytes of one row of the first axis.
    pub(super) fn row_bytes(&self) -> usize {
        self.shape.iter().skip(1).product::<usize>() * self.element
    }

    /// Rows of the first axis in a chunk; 1 where there are no chunks.
    pub(super) fn chunk_rows(&self) -> usize {
        if self.chunked { self.tile.first().copied().unwrap_or(1) } else { 1 }
    }

    /// Start and extent of `bytes` worth of rows from `first` on.
    pub(super) fn rows(&self, first: usize, bytes: usize) -> (Vec<usize>, Vec<usize>) {
        let mut start = vec![0; self.shape.len()];
        let mut extent = self.shape.clone();
        if let (Some(start), Some(extent)) = (start.first_mut(), extent.first_mut()) {
            (*start, *extent) = (first, bytes.checked_div(self.row_bytes()).unwrap_or(0));
        }
        (start, extent)
    }

    /// The chunks of a part that begins at a chunk and ends at one or at the array's edge, each
    /// with its position in the grid, compressed in parallel.
    pub(super) fn packed(
        &self,
        band: &[u8],
        start: &[usize],
        extent: &[usize],
    ) -> Result<Vec<Chunk>, Hdf5Error> {
        let first: Vec<usize> = start.iter().zip(&self.tile).map(|(s, t)| s / t).collect();
        let grid: Vec<usize> = extent.iter().zip(&self.tile).map(|(&e, &t)| e.div_ceil(t)).collect();
        let within = |mut number: usize| {
            let mut at = vec![0; grid.len()];
            for axis in (0..grid.len()).rev() {
                at[axis] = number % grid[axis];
                number /= grid[axis];
            }
            at
        };
        let count: usize = grid.iter().product();
        (0..count)
            .into_par_iter()
            .map(|number| {
                let within = within(number);
                let chunk = self.gather(band, extent, &within);
                let at = within.iter().zip(&first).map(|(a, f)| a + f).collect();
                match self.deflate {
                    Some(level) => Ok((at, pack(chunk, self.element, level)?)),
                    None => Ok((at, chunk)),
                }
            })
            .collect()
    }

    /// The chunk at grid position `at` of the band, zeros beyond the array's edge.
    fn gather(&self, band: &[u8], extent: &[usize], at: &[usize]) -> Vec<u8> {
        let axes = self.tile.len();
        let last = axes - 1;
        let from: Vec<usize> = at.iter().zip(&self.tile).map(|(a, t)| a * t).collect();
        let count: Vec<usize> =
            (0..axes).map(|axis| self.tile[axis].min(extent[axis] - from[axis])).collect();
        let mut chunk = vec![0; self.tile.iter().product::<usize>() * self.element];
        let run = count[last] * self.element;
        let rows: usize = count[..last].iter().product();
        for number in 0..rows {
            let (mut rest, mut source, mut target) = (number, 0, 0);
            let (mut source_stride, mut target_stride) = (extent[last], self.tile[last]);
            for axis in (0..last).rev() {
                let index = rest % count[axis];
                rest /= count[axis];
                source += (from[axis] + index) * source_stride;
                target += index * target_stride;
                source_stride *= extent[axis];
                target_stride *= self.tile[axis];
            }
            let source = (source + from[last]) * self.element;
            let target = target * self.element;
            chunk[target..target + run].copy_from_slice(&band[source..source + run]);
        }
        chunk
    }
}

/// An element as bytes in file order, whatever its type.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Raw<const N: usize>([u8; N]);

impl<const N: usize> H5Type for Raw<N> {
    fn hdf5_type() -> DatatypeMessage {
        DatatypeMessage::Opaque { size: N as u32, tag: String::new() }
    }
    fn element_size() -> usize {
        N
    }
}

fn write_slice<const N: usize>(
    dataset: &H5Dataset,
    band: &[u8],
    start: &[usize],
    extent: &[usize],
) -> Result<(), Hdf5Error> {
    let elements: Vec<Raw<N>> = band.as_chunks::<N>().0.iter().map(|&bytes| Raw(bytes)).collect();
    dataset.write_slice(start, extent, &elements)
}

#[cfg(test)]
mod tests;

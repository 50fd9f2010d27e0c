//! From a linear store of elements to a hyper-rectangle in C order.
//!
//! Axes are slowest first. A block of a C-order array is a set of equally long contiguous runs at
//! ascending offsets ([`Runs`]); [`read_rectangle`] reads them so that neither a few long nor
//! very many short runs are slow. A Fortran-order array is a C-order array with its axes
//! reversed: [`read_fortran`] reads it piece by piece and transposes each piece in cache.

use super::{Block, DatasetInfo, StoredType};
use crate::error::{Error, Result};

/// A store that answers positioned reads; `offset` counts from the first element's first byte.
pub(crate) trait ReadAt {
    /// Fills `out` from `offset` on.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;
}

/// Runs at least this long are read straight into place; a system call costs about as much as
/// copying 4 KiB.
const LONG_RUN: usize = 16 << 10;
/// Window that shorter runs are picked from.
const WINDOW: usize = 256 << 10;
/// Piece of a Fortran-order block that is transposed at once; fits in the second-level cache.
const PIECE: usize = 1 << 20;
/// Least extent of a piece along the last axis, so that whole cache lines are written.
const PIECE_LAST: u64 = 16;
/// Tile edge of the transposition inside a piece.
const TILE: usize = 32;

/// Checks a block against the dataset's shape and the buffer's size.
///
/// # Errors
/// Names the axis where the block leaves the array, or the two sizes.
pub(crate) fn check(place: &str, info: &DatasetInfo, block: &Block, out: usize) -> Result<()> {
    let axes = info.shape.len();
    if block.start.len() != axes || block.count.len() != axes {
        let found = format!("a block of {} axes", block.count.len());
        return Err(Error::data(place, found, format!("{axes} axes"), ""));
    }
    for (axis, &length) in info.shape.iter().enumerate() {
        let (start, count) = (block.start[axis], block.count[axis]);
        if start.checked_add(count).is_none_or(|end| end > length) {
            return Err(Error::data(
                format!("{place}, axis {axis}"),
                format!("a block of {count} from {start}"),
                format!("at most {length} in all"),
                "",
            ));
        }
    }
    let element = element_size(&info.stored);
    let bytes = byte_length(&block.count, element);
    if bytes != Some(out as u64) {
        let wanted = bytes.map_or("more than 64 bits".to_owned(), |b| b.to_string());
        return Err(Error::data(place, format!("a buffer of {out} bytes"), wanted, ""));
    }
    Ok(())
}

/// Bytes of one stored element of a type that has blocks.
pub(crate) fn element_size(stored: &StoredType) -> usize {
    match stored {
        StoredType::Number(dtype, _) => dtype.size(),
        _ => 1,
    }
}

/// Bytes of an array, or `None` beyond what a file or address space holds.
pub(crate) fn byte_length(shape: &[u64], element: usize) -> Option<u64> {
    // An empty axis makes an empty array however long the others claim to be.
    if shape.contains(&0) {
        return Some(0);
    }
    let bytes = shape.iter().try_fold(element as u64, |bytes, &length| bytes.checked_mul(length))?;
    (bytes <= i64::MAX as u64).then_some(bytes)
}

/// The contiguous runs of a block of a C-order array.
pub(crate) struct Runs {
    /// Bytes of one run.
    pub length: usize,
    /// Offset of the first run.
    first: u64,
    /// Count and stride in bytes of the axes outside a run, slowest first.
    outer: Vec<(u64, u64)>,
}

impl Runs {
    /// `start` and `count` lie inside `shape`, whose bytes fit in 63 bits.
    pub(crate) fn new(shape: &[u64], start: &[u64], count: &[u64], element: usize) -> Self {
        let (mut stride, mut length, mut first) = (element as u64, element as u64, 0);
        let mut outer = Vec::new();
        let mut contiguous = true;
        for axis in (0..shape.len()).rev() {
            first += start[axis] * stride;
            if contiguous {
                length = count[axis] * stride;
                contiguous = count[axis] == shape[axis];
            } else if count[axis] != 1 {
                outer.push((count[axis], stride));
            }
            stride *= shape[axis];
        }
        outer.reverse();
        Runs { length: length as usize, first, outer }
    }

    /// Offset of the block's only run, if it is one.
    pub(crate) fn single(&self) -> Option<u64> {
        self.outer.is_empty().then_some(self.first)
    }

    /// Calls `each` with every run's offset, ascending.
    fn for_each(&self, mut each: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let mut index = vec![0u64; self.outer.len()];
        let mut offset = self.first;
        loop {
            each(offset)?;
            let mut axis = self.outer.len();
            loop {
                if axis == 0 {
                    return Ok(());
                }
                axis -= 1;
                let (count, stride) = self.outer[axis];
                index[axis] += 1;
                if index[axis] < count {
                    offset += stride;
                    break;
                }
                offset -= (count - 1) * stride;
                index[axis] = 0;
            }
        }
    }

    /// Where the last run ends.
    fn end(&self) -> u64 {
        let last: u64 = self.outer.iter().map(|&(count, stride)| (count - 1) * stride).sum();
        self.first + last + self.length as u64
    }
}

/// Reads a block of a C-order array into `out`; arguments as checked by [`check`].
pub(crate) fn read_rectangle(
    source: &dyn ReadAt,
    shape: &[u64],
    block: &Block,
    element: usize,
    out: &mut [u8],
) -> Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    let runs = Runs::new(shape, &block.start, &block.count, element);
    let mut rest = out.chunks_exact_mut(runs.length);
    let sparse = runs.outer.last().is_some_and(|&(_, stride)| stride >= 8 * runs.length.max(512) as u64);
    if runs.length >= LONG_RUN || sparse {
        return runs.for_each(|offset| rest.next().map_or(Ok(()), |run| source.read_at(offset, run)));
    }
    let end = runs.end();
    let (mut window, mut window_start) = (Vec::new(), 0u64);
    runs.for_each(|offset| {
        let inside =
            offset >= window_start && offset + runs.length as u64 <= window_start + window.len() as u64;
        if !inside {
            window.resize((end - offset).min(WINDOW as u64) as usize, 0);
            window_start = offset;
            source.read_at(offset, &mut window)?;
        }
        let at = (offset - window_start) as usize;
        if let Some(run) = rest.next() {
            run.copy_from_slice(&window[at..at + runs.length]);
        }
        Ok(())
    })
}

/// Reads a block of a Fortran-order array into `out` in C order; arguments as for [`read_rectangle`].
pub(crate) fn read_fortran(
    source: &dyn ReadAt,
    shape: &[u64],
    block: &Block,
    element: usize,
    out: &mut [u8],
) -> Result<()> {
    if shape.len() < 2 || out.is_empty() {
        return read_rectangle(source, shape, block, element, out);
    }
    let file_shape: Vec<u64> = shape.iter().rev().copied().collect();
    let piece = piece_shape(&block.count, element);
    let mut scratch = Vec::new();
    for_each_piece(&block.count, &piece, &mut |start, count| {
        let in_file = Block {
            start: start.iter().zip(&block.start).map(|(a, b)| a + b).rev().collect(),
            count: count.iter().rev().copied().collect(),
        };
        scratch.resize(count.iter().product::<u64>() as usize * element, 0);
        read_rectangle(source, &file_shape, &in_file, element, &mut scratch)?;
        match element {
            1 => transpose::<1>(&scratch, count, start, &block.count, out),
            2 => transpose::<2>(&scratch, count, start, &block.count, out),
            4 => transpose::<4>(&scratch, count, start, &block.count, out),
            _ => transpose::<8>(&scratch, count, start, &block.count, out),
        }
        Ok(())
    })
}

/// Extent of one piece: the slowest axes of the file are cut first, so that runs stay long.
fn piece_shape(count: &[u64], element: usize) -> Vec<u64> {
    let mut piece = count.to_vec();
    let last = count.len() - 1;
    let least = |axis: usize| if axis == last { PIECE_LAST.min(count[last]) } else { 1 };
    for axis in (0..=last).rev() {
        let bytes = |piece: &[u64]| piece.iter().map(|&n| n as u128).product::<u128>() * element as u128;
        while bytes(&piece) > PIECE as u128 && piece[axis] > least(axis) {
            piece[axis] = piece[axis].div_ceil(2).max(least(axis));
        }
    }
    piece
}

/// Called with start and extent of each piece.
type EachPiece<'a> = dyn FnMut(&[u64], &[u64]) -> Result<()> + 'a;

/// Walks over `count` in pieces, the last axis slowest (ascending in a Fortran-order file).
fn for_each_piece(count: &[u64], piece: &[u64], each: &mut EachPiece) -> Result<()> {
    let mut start = vec![0u64; count.len()];
    loop {
        let here: Vec<u64> =
            start.iter().zip(count.iter().zip(piece)).map(|(&s, (&n, &p))| p.min(n - s)).collect();
        each(&start, &here)?;
        let mut axis = 0;
        loop {
            if axis == count.len() {
                return Ok(());
            }
            start[axis] += piece[axis];
            if start[axis] < count[axis] {
                break;
            }
            start[axis] = 0;
            axis += 1;
        }
    }
}

/// Puts a Fortran-order piece of shape `count` at `start` of the C-order array `out` of shape `whole`.
fn transpose<const N: usize>(piece: &[u8], count: &[u64], start: &[u64], whole: &[u64], out: &mut [u8]) {
    let (source, _) = piece.as_chunks::<N>();
    let (target, _) = out.as_chunks_mut::<N>();
    let last = count.len() - 1;
    let count: Vec<usize> = count.iter().map(|&n| n as usize).collect();
    let mut target_stride = vec![1usize; last + 1];
    for axis in (0..last).rev() {
        target_stride[axis] = target_stride[axis + 1] * whole[axis + 1] as usize;
    }
    let base: usize = start.iter().zip(&target_stride).map(|(&s, &stride)| s as usize * stride).sum();
    let middle: usize = count[1..last].iter().product();
    let step = count[..last].iter().product::<usize>();
    for m in 0..middle {
        // Index along the axes between the first and the last, second axis fastest as in the file.
        let (mut rest, mut to) = (m, base);
        for axis in 1..last {
            to += rest % count[axis] * target_stride[axis];
            rest /= count[axis];
        }
        let from = m * count[0];
        for i0 in (0..count[0]).step_by(TILE) {
            for j0 in (0..count[last]).step_by(TILE) {
                for i in i0..(i0 + TILE).min(count[0]) {
                    let row = to + i * target_stride[0];
                    let columns = j0..(j0 + TILE).min(count[last]);
                    let cells = &mut target[row + columns.start..row + columns.end];
                    for (cell, j) in cells.iter_mut().zip(columns) {
                        *cell = source[from + i + j * step];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>);
    impl ReadAt for Bytes {
        fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            out.copy_from_slice(&self.0[offset as usize..][..out.len()]);
            Ok(())
        }
    }

    /// Elements of `element` bytes whose value is their index in C order.
    fn numbered(shape: &[u64], element: usize, fortran: bool) -> Bytes {
        let cells: u64 = shape.iter().product();
        let mut bytes = vec![0; cells as usize * element];
        for c in 0..cells {
            let (mut rest, mut index) = (c, vec![0; shape.len()]);
            for axis in (0..shape.len()).rev() {
                index[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            let f = (0..shape.len()).rev().fold(0, |at, axis| at * shape[axis] + index[axis]);
            let at = if fortran { f } else { c } as usize * element;
            let value = c.to_le_bytes();
            bytes[at..at + element].copy_from_slice(&value[..element]);
        }
        Bytes(bytes)
    }

    fn expected(shape: &[u64], block: &Block, element: usize) -> Vec<u8> {
        let cells: u64 = block.count.iter().product();
        let mut out = Vec::new();
        for c in 0..cells {
            let (mut rest, mut at, mut stride) = (c, 0, 1);
            for axis in (0..shape.len()).rev() {
                at += (block.start[axis] + rest % block.count[axis]) * stride;
                rest /= block.count[axis];
                stride *= shape[axis];
            }
            out.extend(&at.to_le_bytes()[..element]);
        }
        out
    }

    #[test]
    fn every_block_of_both_orders_is_the_one_asked_for() {
        let cases: [(&[u64], &[u64], &[u64]); 11] = [
            (&[], &[], &[]),
            (&[9], &[2], &[5]),
            (&[70, 90], &[0, 0], &[70, 90]),
            (&[70, 90], &[3, 0], &[50, 90]),
            (&[70, 90], &[3, 7], &[61, 40]),
            (&[5, 0], &[1, 0], &[3, 0]),
            (&[3, 4, 50], &[1, 1, 2], &[2, 3, 47]),
            (&[40, 3, 2], &[5, 0, 1], &[35, 3, 1]),
            (&[4, 5, 6, 7], &[1, 0, 2, 3], &[3, 5, 1, 4]),
            (&[3, 40_000], &[0, 5], &[3, 39_000]),
            (&[40_000, 33], &[100, 1], &[39_000, 32]),
        ];
        for (shape, start, count) in cases {
            for element in [1, 2, 4, 8] {
                let block = Block { start: start.to_vec(), count: count.to_vec() };
                let wanted = expected(shape, &block, element);
                let mut out = vec![0xaa; wanted.len()];
                let c = numbered(shape, element, false);
                read_rectangle(&c, shape, &block, element, &mut out).unwrap();
                assert!(out == wanted, "C {shape:?} {block:?} {element}");
                out.fill(0xaa);
                let f = numbered(shape, element, true);
                read_fortran(&f, shape, &block, element, &mut out).unwrap();
                assert!(out == wanted, "Fortran {shape:?} {block:?} {element}");
            }
        }
    }

    #[test]
    fn sizes_beyond_a_file_are_no_sizes() {
        assert_eq!(byte_length(&[1 << 40, 1 << 40], 8), None);
        assert_eq!(byte_length(&[u64::MAX], 1), None);
        assert_eq!(byte_length(&[u64::MAX, 0], 8), Some(0));
        assert_eq!(byte_length(&[], 8), Some(8));
    }
}

//! The reverse of the shuffle filter.
//!
//! A shuffled chunk holds the first bytes of all its elements, then all second bytes, and so on:
//! byte `b` of element `e` stands at `b * elements + e`. [`gather`] reads a run of elements from
//! such planes straight into its place in the output, so that no unshuffled chunk is ever built.

/// Elements converted at a time: one SIMD register of each plane.
const STEP: usize = 16;

/// Writes the elements `first ..` of `planes` (`elements` elements of `size` bytes) into `out`,
/// as many as fit. Bytes beyond `elements * size` in `planes` are not shuffled and never asked for.
pub(super) fn gather(planes: &[u8], elements: usize, size: usize, first: usize, out: &mut [u8]) {
    match size {
        2 => gather_wide::<2>(planes, elements, first, out),
        4 => gather_wide::<4>(planes, elements, first, out),
        8 => gather_wide::<8>(planes, elements, first, out),
        _ => gather_any(planes, elements, size, first, out),
    }
}

fn gather_any(planes: &[u8], elements: usize, size: usize, first: usize, out: &mut [u8]) {
    for (byte, plane) in planes.chunks_exact(elements.max(1)).take(size).enumerate() {
        let cells = out.chunks_exact_mut(size);
        cells.zip(&plane[first..]).for_each(|(cell, &value)| cell[byte] = value);
    }
}

fn gather_wide<const N: usize>(planes: &[u8], elements: usize, first: usize, out: &mut [u8]) {
    let count = out.len() / N;
    let plane = |byte: usize| &planes[byte * elements + first..byte * elements + first + count];
    let rows: [&[u8]; N] = std::array::from_fn(plane);
    let whole = count - count % STEP;
    let (body, tail) = out.split_at_mut(whole * N);
    for (step, cells) in body.chunks_exact_mut(STEP * N).enumerate() {
        let mut lanes = [[0u8; STEP]; N];
        for (lane, row) in lanes.iter_mut().zip(&rows) {
            lane.copy_from_slice(&row[step * STEP..(step + 1) * STEP]);
        }
        interleave::<N>(&lanes, cells);
    }
    for (i, cell) in tail.chunks_exact_mut(N).enumerate() {
        for (value, row) in cell.iter_mut().zip(&rows) {
            *value = row[whole + i];
        }
    }
}

/// Interleaves `N` lanes of 16 bytes (`N` a power of two): each of log2(N) rounds interleaves the
/// first half of the lanes with the second, a form that compiles to unpack instructions.
#[inline(always)]
fn interleave<const N: usize>(lanes: &[[u8; STEP]; N], cells: &mut [u8]) {
    let mut now = *lanes;
    for _ in 0..N.trailing_zeros() {
        let mut next = [[0u8; STEP]; N];
        for (i, pair) in next.chunks_exact_mut(2).enumerate() {
            let (low, high) = zip_lanes(&now[i], &now[i + N / 2]);
            pair[0] = low;
            pair[1] = high;
        }
        now = next;
    }
    for (cell, lane) in cells.chunks_exact_mut(STEP).zip(&now) {
        cell.copy_from_slice(lane);
    }
}

#[inline(always)]
fn zip_lanes(a: &[u8; STEP], b: &[u8; STEP]) -> ([u8; STEP], [u8; STEP]) {
    let (mut low, mut high) = ([0; STEP], [0; STEP]);
    for i in 0..STEP / 2 {
        low[2 * i] = a[i];
        low[2 * i + 1] = b[i];
        high[2 * i] = a[STEP / 2 + i];
        high[2 * i + 1] = b[STEP / 2 + i];
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The filter forwards, from its definition.
    fn shuffle(data: &[u8], size: usize) -> Vec<u8> {
        (0..size).flat_map(|byte| data.chunks_exact(size).map(move |cell| cell[byte])).collect()
    }

    #[test]
    fn gather_undoes_shuffle_for_every_size_start_and_length() {
        for size in [2, 3, 4, 5, 8, 12, 16] {
            for elements in [1usize, 7, 15, 16, 17, 40, 131] {
                let data: Vec<u8> = (0..elements * size).map(|i| (i * 37 + i / 251) as u8).collect();
                let planes = shuffle(&data, size);
                for first in [0, elements / 3, elements / 2, elements - 1] {
                    for count in [0, 1, (elements - first) / 2, elements - first] {
                        let mut out = vec![0xEE; count * size];
                        gather(&planes, elements, size, first, &mut out);
                        assert_eq!(
                            out,
                            data[first * size..(first + count) * size],
                            "{size} {elements} {first} {count}"
                        );
                    }
                }
            }
        }
    }
}

//! Shuffle and deflate of one chunk, as HDF5's filters of that name.

use flate2::{Compress, Compression, FlushCompress, Status};
use rust_hdf5::Hdf5Error;

/// Shuffles and deflates one chunk.
pub(super) fn pack(chunk: Vec<u8>, element: usize, level: u32) -> Result<Vec<u8>, Hdf5Error> {
    let chunk = if element > 1 { shuffled(&chunk, element) } else { chunk };
    let mut deflate = Compress::new(Compression::new(level), true);
    let mut out = Vec::with_capacity(chunk.len() / 2 + 1024);
    loop {
        let used = deflate.total_in() as usize;
        let status = deflate
            .compress_vec(&chunk[used..], &mut out, FlushCompress::Finish)
            .map_err(|e| Hdf5Error::InvalidState(e.to_string()))?;
        if status == Status::StreamEnd {
            return Ok(out);
        }
        out.reserve(chunk.len() / 4 + 1024);
    }
}

/// First all first bytes of the elements, then all second ones, and so on.
fn shuffled(chunk: &[u8], element: usize) -> Vec<u8> {
    let count = chunk.len() / element;
    let mut out = vec![0; chunk.len()];
    for (place, bytes) in out.chunks_exact_mut(count).enumerate() {
        for (byte, value) in bytes.iter_mut().zip(chunk.chunks_exact(element)) {
            *byte = value[place];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffling_groups_bytes_of_one_place() {
        assert_eq!(shuffled(&[1, 2, 3, 4, 5, 6], 2), [1, 3, 5, 2, 4, 6]);
    }
}

//! How large a chunk and a band are.

/// Most bytes a band may have: a chunk shape that would need more is made flatter.
pub const MOST: u64 = 32 << 20;
/// Bytes of a chunk where the caller asks for compression and leaves the shape to us.
const CHUNK: u64 = 512 << 10;
/// Edge of such a chunk along the last two axes.
const EDGE: u64 = 256;

/// About [`CHUNK`] bytes: square-like over the last two axes, flat before them.
pub fn usual_chunks(shape: &[u64], element: u64) -> Vec<u64> {
    let mut chunks = vec![1; shape.len()];
    let mut room = (CHUNK / element).max(1);
    for axis in (0..shape.len()).rev() {
        let edge = if shape.len() == 1 { room } else { EDGE.min(room) };
        // The axis before last takes what the last one left, so that narrow arrays have full chunks.
        let edge = if axis + 2 == shape.len() { room } else { edge };
        chunks[axis] = shape[axis].min(edge).max(1);
        room = (room / chunks[axis]).max(1);
        if axis + 2 <= shape.len() {
            break;
        }
    }
    chunks
}

/// Makes a tile flatter until a band has at most [`MOST`] bytes; returns the axis of the bands.
pub fn flatten(tile: &mut [u64], shape: &[u64], element: u64) -> usize {
    let band = |tile: &[u64], axis: usize| {
        shape[axis + 1..].iter().fold(tile[axis].saturating_mul(element), |b, &n| b.saturating_mul(n))
    };
    let mut axis = 0;
    while axis < tile.len() {
        while band(tile, axis) > MOST && tile[axis] > 1 {
            tile[axis] = tile[axis].div_ceil(2);
        }
        if band(tile, axis) <= MOST || axis + 1 == tile.len() {
            break;
        }
        axis += 1;
    }
    axis
}

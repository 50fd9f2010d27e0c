//! From the memory limit to the height of strips (spec convolve 9).

use crate::error::{Error, Result};
use serde::Serialize;

/// A strip's input buffer larger than this gains nothing: it only delays the first result.
pub const ENOUGH_BYTES: u64 = 4 << 20;

/// The same where devices compute: a strip is cut into pieces that overlap.
pub const ENOUGH_FOR_DEVICES: u64 = 64 << 20;

/// What one strip of a job takes, as far as it is known before running.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Rows of a plane.
    pub height: u64,
    /// Columns of a plane.
    pub width: u64,
    /// Extra rows on each side of a strip.
    pub halo: u64,
    /// Strips start on multiples of this many rows.
    pub block_rows: u64,
    /// Rows of one storage chunk of the input; 1 without chunks.
    pub chunk_rows: u64,
    /// Bytes of a working value.
    pub value_bytes: u64,
    /// Bytes of one stored row of the input.
    pub stored_row_bytes: u64,
    /// Bytes of all results of one cell.
    pub result_bytes: u64,
    /// Bytes that do not depend on the strip: kernel tables, scratch of all workers.
    pub fixed_bytes: u64,
    /// Bytes of a strip's input beyond which nothing is gained.
    pub enough_bytes: u64,
}

/// How a plane is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StripPlan {
    /// Rows of a strip (the last one of a plane may be shorter).
    pub rows: u64,
    /// Strips of one plane.
    pub per_plane: u64,
    /// Extra rows on each side.
    pub halo: u64,
    /// Strips in flight on each side of the computation.
    pub in_flight: u64,
    /// Predicted peak of buffers and tables, bytes (the program itself comes on top).
    pub memory_bytes: u64,
}

impl Needs {
    /// Bytes with strips of `rows` rows, `in_flight` of them on each side.
    fn bytes(&self, rows: u64, in_flight: u64) -> u64 {
        let held = (rows + 2 * self.halo).min(self.height + 2 * self.halo);
        let input = held.saturating_mul(self.width * self.value_bytes);
        let carried = (2 * self.halo).min(held) * self.width * self.value_bytes;
        // A read touches at most one chunk more than the rows asked for, at either end.
        let stored = (rows + 2 * self.chunk_rows.min(self.height)) * self.stored_row_bytes;
        let results = rows * self.width * self.result_bytes;
        // One result buffer more for the bytes on their way out, one for the writer's chunks.
        (input * in_flight)
            .saturating_add(carried + stored)
            .saturating_add(results * (in_flight + 2))
            .saturating_add(self.fixed_bytes)
    }

    /// Cuts planes so that everything fits in `memory` bytes.
    ///
    /// # Errors
    /// Not even one block of rows fits; the error tells the least memory that works.
    pub fn cut(&self, memory: u64) -> Result<StripPlan> {
        let block = self.block_rows.max(1);
        let whole = self.height.max(1).div_ceil(block) * block;
        let wished = (self.enough_bytes / (self.width * self.value_bytes).max(1)).max(4 * self.halo);
        let wished = round_to(wished, block, self.chunk_rows).min(whole);
        let fitting = |in_flight| {
            (self.bytes(block, in_flight) <= memory).then(|| {
                let (mut low, mut high) = (1, wished.div_ceil(block));
                while low < high {
                    let middle = (low + high).div_ceil(2);
                    if self.bytes(middle * block, in_flight) <= memory {
                        low = middle
                    } else {
                        high = middle - 1
                    }
                }
                (aligned_down(low * block, block, self.chunk_rows), in_flight)
            })
        };
        let (rows, in_flight) = fitting(2).or_else(|| fitting(1)).ok_or_else(|| Error::Memory {
            limit: memory,
            least: self.bytes(block, 1),
            what: format!("{} rows of {} cells with their halo", block, self.width),
        })?;
        Ok(StripPlan {
            rows,
            per_plane: self.height.div_ceil(rows),
            halo: self.halo,
            in_flight,
            memory_bytes: self.bytes(rows, in_flight),
        })
    }
}

/// The least multiple of `block` that is at least `rows`, and of the chunk height too where
/// that is not much more.
fn round_to(rows: u64, block: u64, chunk_rows: u64) -> u64 {
    let both = least_common_multiple(block, chunk_rows.max(1));
    let step = if both <= 4 * rows.max(block) { both } else { block };
    rows.div_ceil(step).max(1) * step
}

/// `rows` itself, or a little less where that falls on chunk borders.
fn aligned_down(rows: u64, block: u64, chunk_rows: u64) -> u64 {
    let both = least_common_multiple(block, chunk_rows.max(1));
    if both <= rows { rows / both * both } else { rows }
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needs() -> impl Strategy<Value = Needs> {
        (0u64..5000, 1u64..5000, 0u64..200, 1u64..300, 1u64..600, 0u64..10_000_000).prop_map(
            |(height, width, halo, block_rows, chunk_rows, fixed_bytes)| Needs {
                height,
                width,
                halo,
                block_rows,
                chunk_rows,
                value_bytes: 8,
                stored_row_bytes: 4 * width,
                result_bytes: 8,
                fixed_bytes,
                enough_bytes: ENOUGH_BYTES,
            },
        )
    }

    proptest! {
        #[test]
        fn strips_fit_the_limit_and_stand_on_the_block_grid(needs in needs(), memory in 1u64..200_000_000) {
            match needs.cut(memory) {
                Ok(plan) => {
                    prop_assert!(plan.memory_bytes <= memory);
                    prop_assert_eq!(plan.rows % needs.block_rows, 0);
                    prop_assert!(plan.rows > 0);
                }
                Err(Error::Memory { least, .. }) => {
                    prop_assert!(least > memory);
                    prop_assert!(needs.cut(least).is_ok());
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
        }
    }
}

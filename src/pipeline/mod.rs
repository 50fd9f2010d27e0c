//! The streaming loop and the contracts of its three parties.
//!
//! A run is a sequence of [`Chunk`]s. A [`Source`] fills one input buffer per chunk, a [`Pass`]
//! turns input buffers into output buffers, a [`Sink`] takes output buffers in chunk order.
//! [`run`](run::run) overlaps the three with a fixed number of recycled buffers, so memory is
//! bounded by construction and results cannot depend on timing.

pub mod chunk;
pub mod run;

use crate::error::Result;

pub use chunk::Chunk;

/// Fills input buffers, chunk after chunk, in order.
pub trait Source: Send {
    /// What a chunk's input lies in.
    type Buffer: Send;
    /// Reads `chunk` into `buffer`, which holds whatever an earlier chunk left there.
    fn read(&mut self, chunk: &Chunk, buffer: &mut Self::Buffer) -> Result<()>;
}

/// Turns one chunk's input into its output; owns no file and takes no time.
///
/// `process` runs inside the rayon pool of the run and may split its chunk over it; the split
/// must not show in the result.
pub trait Pass: Sync {
    /// Input buffer.
    type In: Send;
    /// Output buffer.
    type Out: Send;
    /// Computes one chunk; `output` holds whatever an earlier chunk left there.
    fn process(&self, chunk: &Chunk, input: &mut Self::In, output: &mut Self::Out) -> Result<()>;
}

/// Takes output buffers in chunk order.
pub trait Sink: Send {
    /// What a chunk's output lies in.
    type Buffer: Send;
    /// Consumes one chunk's output.
    fn write(&mut self, chunk: &Chunk, buffer: &Self::Buffer) -> Result<()>;
}

//! Position from unsorted spikes tick by tick, with marks learned on the way (spec decode 8.1-8.3).
//!
//! Every electrode keeps the marks of past spikes with the bin the animal was in. A spike is
//! estimated on arrival: all kept marks are weighted by a Gaussian of their distance, the weights
//! are summed by bin, divided by occupancy and normalised ([`Encoder`]). A tick multiplies the
//! estimates of its spikes with the likelihood of how many there were, and that with the prior that
//! movement makes of the last posterior ([`Decoder`]). [`Estimator`] puts both together.
//!
//! Times are samples of the spike clock, positions are in the unit of the bins, marks `[channel]` in
//! any unit (µV by habit); posteriors are `[state][bin]`. Arithmetic is float64 whatever type marks
//! are kept in. All memory is taken, and touched, when a value is made; after that nothing here
//! allocates.
//!
//! * [`definition`]: plain scalar sums over lists of marks, the oracle of the tests;
//! * [`Store`]: kept marks by place bin, so that weights are summed in registers and nothing is
//!   scattered into the histogram.

mod credible;
mod decoder;
pub mod definition;
mod encoder;
mod estimator;
mod movement;
mod occupancy;
mod simd;
mod spikes;
mod store;
mod track;

pub use credible::{Credible, greatest};
pub use decoder::{Decoder, Evidence};
pub use encoder::{Encoder, MarkKernel};
pub use estimator::{Estimator, Parameters, SLOTS, SpikeOutcome, Summary};
pub use movement::{Movement, Movements, WalkScale};
pub use occupancy::Occupancy;
pub use simd::Mark;
pub use spikes::{Dedup, Spikes, Waiting};
pub use store::Store;
pub use track::Track;

/// Numbers that are touched now, so that no page has to be found for them later.
fn touched<T: Clone>(len: usize, value: T) -> Vec<T> {
    // A zeroed allocation would be left to the page faults of the first ticks.
    let mut values = Vec::with_capacity(len);
    values.resize(len, value);
    values
}

#[cfg(test)]
mod tests;

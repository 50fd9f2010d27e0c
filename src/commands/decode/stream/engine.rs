//! What a decoder of events is, and what a tick leaves (spec decode 8.3, 8.4).
//!
//! Times are samples of the spike clock; positions are in the unit of the bins. Posteriors are
//! `[state][bin]`, likelihoods `[bin]`.

pub use crate::kernels::realtime::SLOTS;

/// Sizes and labels of what an engine gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Rows of the posterior.
    pub states: usize,
    /// Bins of a row.
    pub bins: usize,
    /// One name per state.
    pub state_names: Vec<String>,
    /// `[axis][bin]`: coordinates of the bins' centres.
    pub centers: Vec<Vec<f64>>,
}

/// What one tick leaves; all buffers are sized once.
#[derive(Debug, Clone, PartialEq)]
pub struct TickRecord {
    /// Which decoder wrote it; set by the shell.
    pub rank: i32,
    /// When the tick was, samples.
    pub tick: i64,
    /// First sample of the spikes used.
    pub lower: i64,
    /// First sample behind the spikes used.
    pub upper: i64,
    /// `[state][bin]`.
    pub posterior: Box<[f64]>,
    /// `[bin]`, sums to 1.
    pub likelihood: Box<[f64]>,
    /// Speed at the last position sample, 0 before the first.
    pub velocity: f64,
    /// Bins of the posterior, summed over states, that hold the credible share.
    pub credible_posterior: i32,
    /// The same of the likelihood.
    pub credible_likelihood: i32,
    /// Electrodes of spikes whose own estimate is sharp, slot = spike order modulo [`SLOTS`]; -1 = none.
    pub encoder_credible: [i32; SLOTS],
    /// Bin of the greatest probability of those spikes; -1 = none.
    pub encoder_best: [i32; SLOTS],
    /// Spikes used.
    pub spikes: i32,
    /// Bit 0: a ripple is on; filled by the shell.
    pub ripple: u8,
}

impl TickRecord {
    /// A record of zeros with buffers of `shape`.
    pub fn new(shape: &Shape) -> Self {
        TickRecord {
            rank: 0,
            tick: 0,
            lower: 0,
            upper: 0,
            posterior: vec![0.0; shape.states * shape.bins].into_boxed_slice(),
            likelihood: vec![0.0; shape.bins].into_boxed_slice(),
            velocity: 0.0,
            credible_posterior: 0,
            credible_likelihood: 0,
            encoder_credible: [-1; SLOTS],
            encoder_best: [-1; SLOTS],
            spikes: 0,
            ripple: 0,
        }
    }
}

/// What became of the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Ticks.
    pub ticks: u64,
    /// Position samples taken.
    pub positions: u64,
    /// Position samples of no number, of a wrong width, or outside of the bins; not taken.
    pub bad_positions: u64,
    /// Spikes that came.
    pub spikes: u64,
    /// Spikes that entered a tick.
    pub used: u64,
    /// No channel of the mark over the amplitude limit.
    pub below_amplitude: u64,
    /// Too few stored marks nearby, or none at all: no estimate.
    pub without_marks: u64,
    /// Of an electrode that nobody named.
    pub unknown_electrode: u64,
    /// Mark of another width than the electrode's.
    pub wrong_width: u64,
    /// Mark with a value that is no finite number.
    pub non_finite: u64,
    /// Before the first position sample, where the engine needs one.
    pub before_position: u64,
    /// Overwritten before any tick could use them, or behind the last tick's bin when they came.
    pub dropped: u64,
    /// Removed as duplicates.
    pub duplicates: u64,
    /// Ticks whose evidence left nothing, so that the prior was taken.
    pub fallbacks: u64,
    /// Marks stored by training.
    pub stored: u64,
}

/// A decoder of events.
///
/// `position`, `spike` and `tick` allocate nothing, take no lock, print nothing, and never panic,
/// whatever the event holds; what they cannot use they count. Events come in the order of the
/// stream; at equal times position, spike, tick.
pub trait Engine: Send {
    /// Sizes and labels of the records.
    fn shape(&self) -> Shape;

    /// The animal was at `coordinates` at sample `at`; without a speed it is taken from the last
    /// two samples.
    fn position(&mut self, at: i64, coordinates: &[f32], speed: Option<f32>);

    /// A spike of `electrode` at sample `at`.
    fn spike(&mut self, at: i64, electrode: u16, mark: &[f32]);

    /// The tick at sample `at`: fills everything of `record` but `rank` and `ripple`. Where the
    /// record's buffers have another size than [`Engine::shape`] says, only what fits is filled.
    fn tick(&mut self, at: i64, record: &mut TickRecord);

    /// What became of the events so far.
    fn counts(&self) -> Counts;
}

/// Copies what fits.
pub(super) fn fill(to: &mut [f64], from: &[f64]) {
    let length = to.len().min(from.len());
    to[..length].copy_from_slice(&from[..length]);
}

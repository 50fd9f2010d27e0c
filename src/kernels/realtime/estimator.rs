//! Encoders and decoder together: positions, spikes and ticks in, posteriors out.

use super::credible::{Credible, greatest};
use super::decoder::{Decoder, Evidence};
use super::encoder::{Encoder, MarkKernel};
use super::movement::{Movement, Movements, WalkScale};
use super::occupancy::Occupancy;
use super::simd::Mark;
use super::spikes::{Dedup, Spikes};
use super::touched;
use super::track::Track;
use crate::backend::CpuLevel;

/// Spikes of one tick that are named.
pub const SLOTS: usize = 10;

/// All that an [`Estimator`] is made by.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Place bins.
    pub track: Track,
    /// Electrodes.
    pub electrodes: usize,
    /// Channels of a mark.
    pub width: usize,
    /// Marks kept of each electrode.
    pub capacity: usize,
    /// Kernel of the marks.
    pub kernel: MarkKernel,
    /// A mark without a channel above this is passed over.
    pub amplitude: f64,
    /// Channels farther than this from the one of the greatest magnitude count as 0 where there are
    /// more than twice as many and one.
    pub channel_distance: Option<usize>,
    /// Channels that count as 0, by electrode; electrodes behind the end have none.
    pub dead_channels: Vec<Vec<usize>>,
    /// From this speed on marks and occupancy are learned.
    pub velocity_threshold: f64,
    /// Learn nothing.
    pub frozen: bool,
    /// Spikes that wait for their tick.
    pub spike_buffer: usize,
    /// Length of a time bin, samples.
    pub bin_samples: i64,
    /// The same, seconds.
    pub bin_seconds: f64,
    /// Samples from the end of the bin to its tick.
    pub delay_samples: i64,
    /// Credible share.
    pub credible_level: f64,
    /// Spikes of at most so many credible bins are named.
    pub credible_max: i32,
    /// What makes two spikes one.
    pub dedup: Dedup,
    /// Probability that a state stays.
    pub diagonal: f64,
    /// Movement `[from][to]`; one state that moves uniformly is the peer's decoder.
    pub movements: Vec<Vec<Movement>>,
    /// Lengths of the walk.
    pub walk: WalkScale,
}

/// What became of a spike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpikeOutcome {
    /// It waits for its tick.
    Estimated,
    /// Came before the animal was seen.
    BeforePosition,
    /// There is no such electrode.
    UnknownElectrode,
    /// Not as many channels as marks have.
    WrongWidth,
    /// A channel is no finite number.
    NonFinite,
    /// No channel above the limit.
    BelowAmplitude,
    /// No estimate: too few marks near, or nothing visited yet; the mark may be learned all the same.
    WithoutMarks,
}

/// What a tick says besides its distributions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// First sample of the spikes used.
    pub lower: i64,
    /// First sample behind them.
    pub upper: i64,
    /// Spikes used.
    pub spikes: usize,
    /// Duplicates removed.
    pub duplicates: u64,
    /// Whether evidence and prior met.
    pub evidence: Evidence,
    /// Bins of the posterior, summed over states, that hold the credible share.
    pub credible_posterior: i32,
    /// The same of the likelihood.
    pub credible_likelihood: i32,
    /// Electrode (index) of spikes with a sharp estimate, slot = spike order modulo [`SLOTS`]; -1 = none.
    pub sharp_electrodes: [i32; SLOTS],
    /// Bin of the greatest value of their estimates; -1 = none.
    pub sharp_bins: [i32; SLOTS],
}

/// Decodes position from spikes as they come, with marks kept as `E`.
#[derive(Debug)]
pub struct Estimator<E> {
    parameters: Parameters,
    encoders: Vec<Encoder<E>>,
    /// Of the encoders, which all see the same samples.
    occupancy: Occupancy,
    decoder_occupancy: Occupancy,
    spikes: Spikes,
    decoder: Decoder,
    credible: Credible,
    /// `[bin]`: estimate of the last spike.
    estimate: Vec<f64>,
    /// `[channel]`: its mark as it is compared.
    mark: Vec<E>,
    last: Option<Whereabouts>,
    stored: u64,
}

/// Last position sample.
#[derive(Debug, Clone, Copy)]
struct Whereabouts {
    bin: usize,
    stored_bin: usize,
    velocity: f64,
}

impl<E: Mark> Estimator<E> {
    /// Takes all memory that will be needed.
    ///
    /// # Panics
    ///
    /// If there is no channel, mark or spike to keep, or movements are not square.
    pub fn new(level: CpuLevel, parameters: Parameters) -> Self {
        let (track, gaps) = (&parameters.track, parameters.track.gaps());
        let bins = track.bins();
        let size = (parameters.capacity, parameters.width, bins);
        let movements = Movements::new(track, parameters.diagonal, &parameters.movements, parameters.walk);
        Estimator {
            encoders: (0..parameters.electrodes)
                .map(|_| Encoder::new(level, size, parameters.kernel))
                .collect(),
            occupancy: Occupancy::new(0.0, gaps),
            decoder_occupancy: Occupancy::new(1.0, gaps),
            spikes: Spikes::new(parameters.spike_buffer, bins),
            decoder: Decoder::new(movements, parameters.electrodes, parameters.bin_seconds),
            credible: Credible::new(parameters.credible_level, bins),
            estimate: touched(bins, 1.0),
            mark: touched(parameters.width, E::of(1.0)),
            last: None,
            stored: 0,
            parameters,
        }
    }

    /// The animal is at `position` with `velocity`; false, and nothing done, outside of the bins or
    /// where either is no finite number.
    pub fn position(&mut self, position: f64, velocity: f64) -> bool {
        let track = &self.parameters.track;
        let (Some(bin), Some(stored_bin)) = (track.bin_of(position), track.stored_bin(position)) else {
            return false;
        };
        if !velocity.is_finite() {
            return false;
        }
        self.last = Some(Whereabouts { bin, stored_bin, velocity });
        if self.trains() {
            self.occupancy.add(bin);
            self.decoder_occupancy.add(bin);
        }
        true
    }

    fn trains(&self) -> bool {
        let fast = |at: &Whereabouts| at.velocity.abs() >= self.parameters.velocity_threshold;
        !self.parameters.frozen && self.last.as_ref().is_some_and(fast)
    }

    /// A spike of the electrode with index `electrode` at sample `at`.
    pub fn spike(&mut self, at: i64, electrode: usize, mark: &[E]) -> SpikeOutcome {
        if electrode >= self.encoders.len() {
            return SpikeOutcome::UnknownElectrode;
        }
        if mark.len() != self.mark.len() {
            return SpikeOutcome::WrongWidth;
        }
        if !mark.iter().all(|value| value.wide().is_finite()) {
            return SpikeOutcome::NonFinite;
        }
        let Some(last) = self.last else { return SpikeOutcome::BeforePosition };
        self.take_mark(electrode, mark);
        if !self.mark.iter().any(|value| value.wide() > self.parameters.amplitude) {
            return SpikeOutcome::BelowAmplitude;
        }
        let density = (self.occupancy.shares(), self.parameters.track.delta());
        let encoder = &mut self.encoders[electrode];
        let estimated = encoder.estimate(&self.mark, last.stored_bin, density, &mut self.estimate);
        if estimated {
            let credible = self.credible.count(&self.estimate);
            let best = greatest(&self.estimate) as i32;
            self.spikes.push((at, electrode), Some(last.bin), (credible, best), &self.estimate);
        }
        if self.trains() {
            self.stored += u64::from(self.encoders[electrode].learn(&self.mark, last.stored_bin));
        }
        if estimated { SpikeOutcome::Estimated } else { SpikeOutcome::WithoutMarks }
    }

    /// The mark as it is compared: dead and distant channels at 0.
    fn take_mark(&mut self, electrode: usize, mark: &[E]) {
        self.mark.copy_from_slice(mark);
        let zero = E::of(0.0);
        for &channel in self.parameters.dead_channels.get(electrode).map_or(&[][..], Vec::as_slice) {
            if let Some(value) = self.mark.get_mut(channel) {
                *value = zero;
            }
        }
        let Some(distance) = self.parameters.channel_distance else { return };
        if self.mark.len() <= distance.saturating_mul(2).saturating_add(1) {
            return;
        }
        let mut largest = 0;
        for (channel, value) in self.mark.iter().enumerate() {
            if value.wide().abs() > self.mark[largest].wide().abs() {
                largest = channel;
            }
        }
        for (channel, value) in self.mark.iter_mut().enumerate() {
            if channel.abs_diff(largest) > distance {
                *value = zero;
            }
        }
    }

    /// Takes the tick at sample `at`.
    pub fn tick(&mut self, at: i64) -> Summary {
        let upper = at.saturating_sub(self.parameters.delay_samples);
        let lower = upper.saturating_sub(self.parameters.bin_samples);
        let duplicates = self.spikes.choose(lower, upper, self.parameters.dedup);
        let (mut sharp_electrodes, mut sharp_bins) = ([-1; SLOTS], [-1; SLOTS]);
        for (order, (spike, _)) in self.spikes.chosen().enumerate() {
            if let Some(bin) = spike.bin {
                self.decoder.fired(spike.electrode, bin);
            }
            if spike.credible <= self.parameters.credible_max {
                sharp_electrodes[order % SLOTS] = spike.electrode as i32;
                sharp_bins[order % SLOTS] = spike.best;
            }
        }
        let estimates = self.spikes.chosen().map(|(_, estimate)| estimate);
        let evidence = self.decoder.tick(estimates, self.decoder_occupancy.shares());
        Summary {
            lower,
            upper,
            spikes: self.spikes.chosen().len(),
            duplicates,
            evidence,
            credible_posterior: self.credible.count(self.decoder.places()),
            credible_likelihood: self.credible.count(self.decoder.likelihood()),
            sharp_electrodes,
            sharp_bins,
        }
    }

    /// What it was made by.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The encoder of an electrode.
    pub fn encoder(&mut self, electrode: usize) -> Option<&mut Encoder<E>> {
        self.encoders.get_mut(electrode)
    }

    /// `[bin]`: estimate of the last spike that had one.
    pub fn estimate(&self) -> &[f64] {
        &self.estimate
    }

    /// Bins of the last estimate that hold the credible share.
    pub fn credible(&mut self) -> i32 {
        self.credible.count(&self.estimate)
    }

    /// Occupancy of the encoders.
    pub fn occupancy(&self) -> &Occupancy {
        &self.occupancy
    }

    /// Speed at the last position sample, 0 before the first.
    pub fn velocity(&self) -> f64 {
        self.last.map_or(0.0, |last| last.velocity)
    }

    /// The decoder after the last tick.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Spikes that no tick looked at and none will.
    pub fn dropped(&self) -> u64 {
        self.spikes.dropped()
    }

    /// Marks kept by learning, those replaced since included.
    pub fn stored(&self) -> u64 {
        self.stored
    }
}

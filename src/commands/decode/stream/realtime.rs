//! The `realtime` likelihood: marks learned on the way, posteriors over the bins of a track of arms
//! (spec decode 8.1-8.3).
//!
//! Positions are one coordinate, in the unit of the bins; speeds are in that unit per second where
//! they are not given. All marks of all electrodes have the configured number of channels.

use super::config::{Algorithm, Movement as Moves, RealtimeConfig};
use super::electrodes::Electrodes;
use super::engine::{Counts, Engine, Shape, TickRecord, fill};
use super::speed::Speed;
use crate::backend::CpuLevel;
use crate::kernels::realtime::{
    Dedup, Estimator, Evidence, MarkKernel, Movement, Parameters, SpikeOutcome, Track, WalkScale,
};

/// The estimator behind the trait.
#[derive(Debug)]
pub struct Realtime {
    shape: Shape,
    electrodes: Electrodes,
    /// Marks are kept as events bring them, in single precision: nothing is lost by that.
    estimator: Estimator<f32>,
    speed: Speed,
    counts: Counts,
}

impl Realtime {
    /// Takes all memory that the stream will need.
    pub fn new(level: CpuLevel, config: &RealtimeConfig, dedup: Dedup) -> Self {
        Realtime {
            shape: shape(config),
            electrodes: Electrodes::new(&config.electrodes),
            estimator: Estimator::new(level, parameters(config, dedup)),
            speed: Speed::new(config.clock, 1),
            counts: Counts::default(),
        }
    }
}

/// Sizes and labels of the records that a configuration leads to.
pub fn shape(config: &RealtimeConfig) -> Shape {
    let state_names = match config.algorithm {
        Algorithm::Decoder => vec!["state".to_owned()],
        Algorithm::Classifier => config.classifier.states.clone(),
    };
    let (states, bins) = (state_names.len(), config.bins.count);
    Shape { states, bins, state_names, centers: vec![config.bins.centers()] }
}

fn parameters(config: &RealtimeConfig, dedup: Dedup) -> Parameters {
    let (bins, kernel, states) = (&config.bins, &config.kernel, &config.classifier);
    let dead = |electrode: &u16| {
        let own = config.dead_channels.iter().filter(|(of, _)| of == electrode);
        own.flat_map(|(_, channels)| channels.iter().copied()).collect()
    };
    let movement = |moves: &Moves| match moves {
        Moves::Identity => Movement::Identity,
        Moves::RandomWalk => Movement::Walk,
        Moves::Uniform => Movement::Uniform,
    };
    Parameters {
        track: Track::new((bins.lower, bins.upper, bins.count), &bins.arms),
        electrodes: config.electrodes.len(),
        width: config.mark_dim,
        capacity: config.marks,
        kernel: MarkKernel {
            std: kernel.std,
            reach: kernel.n_std * kernel.std,
            demanded: if kernel.use_filter { kernel.n_marks_min } else { 0 },
        },
        amplitude: config.spike_amplitude,
        channel_distance: config.channel_distance,
        dead_channels: config.electrodes.iter().map(dead).collect(),
        velocity_threshold: config.velocity_threshold,
        frozen: config.frozen,
        spike_buffer: config.spike_buffer,
        bin_samples: config.bin_samples,
        bin_seconds: config.bin_seconds(),
        delay_samples: config.delay_samples,
        credible_level: config.credible_level,
        credible_max: config.credible_max,
        dedup,
        diagonal: states.diagonal,
        movements: match config.algorithm {
            Algorithm::Decoder => vec![vec![Movement::Uniform]],
            Algorithm::Classifier => {
                states.movement.iter().map(|row| row.iter().map(movement).collect()).collect()
            }
        },
        walk: WalkScale { per_bin: states.cm_per_bin, std: states.gaussian_std },
    }
}

impl Engine for Realtime {
    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn position(&mut self, at: i64, coordinates: &[f32], speed: Option<f32>) {
        let velocity = self.speed.at(at, coordinates, speed);
        match coordinates {
            [position] if self.estimator.position(f64::from(*position), velocity) => {
                self.speed.keep(at, coordinates, velocity);
                self.counts.positions += 1;
            }
            _ => self.counts.bad_positions += 1,
        }
    }

    fn spike(&mut self, at: i64, electrode: u16, mark: &[f32]) {
        self.counts.spikes += 1;
        let Some(electrode) = self.electrodes.index(electrode) else {
            self.counts.unknown_electrode += 1;
            return;
        };
        let counts = &mut self.counts;
        match self.estimator.spike(at, electrode, mark) {
            SpikeOutcome::Estimated => {}
            SpikeOutcome::BeforePosition => counts.before_position += 1,
            SpikeOutcome::UnknownElectrode => counts.unknown_electrode += 1,
            SpikeOutcome::WrongWidth => counts.wrong_width += 1,
            SpikeOutcome::NonFinite => counts.non_finite += 1,
            SpikeOutcome::BelowAmplitude => counts.below_amplitude += 1,
            SpikeOutcome::WithoutMarks => counts.without_marks += 1,
        }
    }

    fn tick(&mut self, at: i64, record: &mut TickRecord) {
        let summary = self.estimator.tick(at);
        self.counts.ticks += 1;
        self.counts.used += summary.spikes as u64;
        self.counts.duplicates += summary.duplicates;
        self.counts.fallbacks += u64::from(summary.evidence == Evidence::Contradicted);
        record.tick = at;
        (record.lower, record.upper) = (summary.lower, summary.upper);
        fill(&mut record.posterior, self.estimator.decoder().posterior());
        fill(&mut record.likelihood, self.estimator.decoder().likelihood());
        record.velocity = self.estimator.velocity();
        record.credible_posterior = summary.credible_posterior;
        record.credible_likelihood = summary.credible_likelihood;
        for (slot, index) in record.encoder_credible.iter_mut().zip(summary.sharp_electrodes) {
            *slot =
                usize::try_from(index).ok().and_then(|index| self.electrodes.id(index)).map_or(-1, i32::from);
        }
        record.encoder_best = summary.sharp_bins;
        record.spikes = i32::try_from(summary.spikes).unwrap_or(i32::MAX);
    }

    fn counts(&self) -> Counts {
        Counts { dropped: self.estimator.dropped(), stored: self.estimator.stored(), ..self.counts }
    }
}

//! The `realtime` likelihood behind the trait.

use super::config::{Algorithm, Movement as Moves, RealtimeConfig};
use super::engines;
use super::{Counts, Engine, Shape, TickRecord};
use crate::backend::CpuLevel;
use crate::kernels::realtime::*;

/// Estimator of marks learned on the way.
pub struct Realtime {
    shape: Shape,
    estimator: Estimator<f32>,
    electrodes: Vec<u16>,
    counts: Counts,
    last: Option<(i64, f64)>,
    clock: f64,
}

impl Realtime {
    /// Takes all memory.
    pub fn new(level: CpuLevel, config: &RealtimeConfig, dedup: Dedup) -> Self {
        let b = &config.bins;
        let movements = match config.algorithm {
            Algorithm::Decoder => vec![vec![Movement::Uniform]],
            Algorithm::Classifier => {
                let one = |m: &Moves| match m {
                    Moves::Identity => Movement::Identity,
                    Moves::RandomWalk => Movement::Walk,
                    Moves::Uniform => Movement::Uniform,
                };
                config.classifier.movement.iter().map(|row| row.iter().map(one).collect()).collect()
            }
        };
        let parameters = Parameters {
            track: Track::new((b.lower, b.upper, b.count), &b.arms),
            electrodes: config.electrodes.len(),
            width: config.mark_dim,
            capacity: config.marks,
            kernel: MarkKernel {
                std: config.kernel.std,
                reach: config.kernel.std * config.kernel.n_std,
                demanded: if config.kernel.use_filter { config.kernel.n_marks_min } else { 0 },
            },
            amplitude: config.spike_amplitude,
            channel_distance: config.channel_distance,
            dead_channels: Vec::new(),
            velocity_threshold: config.velocity_threshold,
            frozen: config.frozen,
            spike_buffer: config.spike_buffer,
            bin_samples: config.bin_samples,
            bin_seconds: config.bin_seconds(),
            delay_samples: config.delay_samples,
            credible_level: config.credible_level,
            credible_max: config.credible_max,
            dedup,
            diagonal: config.classifier.diagonal,
            movements,
            walk: WalkScale { per_bin: config.classifier.cm_per_bin, std: config.classifier.gaussian_std },
        };
        Realtime {
            shape: engines::shape(config),
            estimator: Estimator::new(level, parameters),
            electrodes: config.electrodes.clone(),
            counts: Counts::default(),
            last: None,
            clock: config.clock,
        }
    }
}

impl Engine for Realtime {
    fn shape(&self) -> Shape {
        self.shape.clone()
    }
    fn position(&mut self, at: i64, coordinates: &[f32], speed: Option<f32>) {
        let [x] = coordinates else { return self.counts.bad_positions += 1 };
        let x = f64::from(*x);
        let speed = match (speed, self.last) {
            (Some(speed), _) => f64::from(speed),
            (None, Some((then, there))) if at > then => (x - there).abs() / ((at - then) as f64 / self.clock),
            _ => 0.0,
        };
        match self.estimator.position(x, speed) {
            true => {
                self.counts.positions += 1;
                self.last = Some((at, x));
            }
            false => self.counts.bad_positions += 1,
        }
    }
    fn spike(&mut self, at: i64, electrode: u16, mark: &[f32]) {
        self.counts.spikes += 1;
        let index = self.electrodes.iter().position(|&e| e == electrode).unwrap_or(usize::MAX);
        match self.estimator.spike(at, index, mark) {
            SpikeOutcome::Estimated => {}
            SpikeOutcome::BeforePosition => self.counts.before_position += 1,
            SpikeOutcome::UnknownElectrode => self.counts.unknown_electrode += 1,
            SpikeOutcome::WrongWidth => self.counts.wrong_width += 1,
            SpikeOutcome::NonFinite => self.counts.non_finite += 1,
            SpikeOutcome::BelowAmplitude => self.counts.below_amplitude += 1,
            SpikeOutcome::WithoutMarks => self.counts.without_marks += 1,
        }
    }
    fn tick(&mut self, at: i64, record: &mut TickRecord) {
        let summary = self.estimator.tick(at);
        self.counts.ticks += 1;
        self.counts.used += summary.spikes as u64;
        self.counts.duplicates += summary.duplicates;
        (record.tick, record.lower, record.upper) = (at, summary.lower, summary.upper);
        record.spikes = summary.spikes as i32;
        record.velocity = self.estimator.velocity();
        record.credible_posterior = summary.credible_posterior;
        record.credible_likelihood = summary.credible_likelihood;
        record.encoder_credible = summary.sharp_electrodes;
        record.encoder_best = summary.sharp_bins;
        for slot in &mut record.encoder_credible {
            *slot =
                usize::try_from(*slot).ok().and_then(|s| self.electrodes.get(s)).map_or(-1, |&e| e.into());
        }
        let decoder = self.estimator.decoder();
        record.posterior.copy_from_slice(decoder.posterior());
        record.likelihood.copy_from_slice(decoder.likelihood());
    }
    fn counts(&self) -> Counts {
        self.counts
    }
}

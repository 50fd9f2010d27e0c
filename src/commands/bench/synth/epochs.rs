//! Epochs of EEG, `[epoch, channel, sample]`, volts: smooth sources with a 1/f spectrum seen by
//! neighbouring electrodes alike, an evoked response, sensor noise; in a share of the epochs
//! electrode pops or a movement of the head.

use super::Draws;
use serde::Serialize;

const SOURCES: usize = 20;
/// Standard deviation of a source, V.
const SOURCE: f64 = 12e-6;
/// Time constants of the processes that a source is the sum of, samples: about 1/f together.
const CONSTANTS: [f64; 3] = [4.0, 40.0, 400.0];
/// Radius of the head, m.
const RADIUS: f64 = 0.095;

/// Shape of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Epochs {
    /// Epochs.
    pub epochs: usize,
    /// Channels.
    pub channels: usize,
    /// Samples of an epoch.
    pub samples: usize,
    /// Samples per second.
    pub sfreq: f64,
    /// Share of epochs with artefacts.
    pub artefacts: f64,
}

impl Epochs {
    /// Values of all.
    pub fn values(&self) -> u64 {
        (self.epochs * self.channels * self.samples) as u64
    }

    /// Names and positions of the channels: spread evenly over the upper two thirds of a head,
    /// metres, head frame.
    pub fn cap(&self) -> (Vec<String>, Vec<[f64; 3]>) {
        let places = (0..self.channels).map(|channel| {
            let z = 1.0 - 1.3 * (channel as f64 + 0.5) / self.channels as f64;
            let around = std::f64::consts::PI * (1.0 + 5f64.sqrt()) * channel as f64;
            let flat = (1.0 - z * z).sqrt();
            [flat * around.cos(), flat * around.sin(), z].map(|x| x * RADIUS)
        });
        ((1..=self.channels).map(|channel| format!("E{channel}")).collect(), places.collect())
    }
}

/// How the electrodes see the sources.
#[derive(Debug)]
pub struct Head {
    shape: Epochs,
    /// `[channel][source]`.
    mixing: Vec<f64>,
    evoked: Vec<f64>,
    noise: Vec<f64>,
}

impl Head {
    /// That of a recording.
    pub fn new(shape: Epochs) -> Head {
        let mut draws = Draws::new("head", 0);
        let sources: Vec<([f64; 3], f64)> = (0..SOURCES)
            .map(|_| {
                let towards = [draws.bell(), draws.bell(), draws.bell()];
                let length = towards.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-9);
                (towards.map(|x| x / length), draws.sign())
            })
            .collect();
        let (_, places) = shape.cap();
        let seen = |place: &[f64; 3], towards: &[f64; 3], width: f64| {
            let cosine: f64 = place.iter().zip(towards).map(|(a, b)| a / RADIUS * b).sum();
            ((cosine - 1.0) / width).exp()
        };
        let (mut mixing, mut evoked, mut noise) = (Vec::new(), Vec::new(), Vec::new());
        for place in &places {
            let gain = (0.15 * draws.bell()).exp();
            mixing.extend(sources.iter().map(|(towards, sign)| gain * sign * seen(place, towards, 0.25)));
            evoked.push(gain * seen(place, &[0.0, -0.6, 0.8], 0.4));
            noise.push(gain * 1.5e-6 * (0.3 * draws.bell()).exp());
        }
        Head { shape, mixing, evoked, noise }
    }

    /// Epoch `index`, `[channel][sample]`, into `out`.
    pub fn epoch(&self, index: usize, out: &mut [f64]) {
        let samples = self.shape.samples.max(1);
        let mut draws = Draws::new("epoch", index as u64);
        let sources: Vec<f64> = (0..SOURCES).flat_map(|_| activity(&mut draws, samples)).collect();
        let at = |sample: usize| sample as f64 / samples as f64;
        let response: Vec<f64> =
            (0..samples).map(|t| 4e-6 * (-0.5 * ((at(t) - 0.4) / 0.05).powi(2)).exp()).collect();
        for (channel, row) in out.chunks_exact_mut(samples).enumerate() {
            let (evoked, noise) = (self.evoked[channel], self.noise[channel]);
            for (value, response) in row.iter_mut().zip(&response) {
                *value = evoked * response + noise * draws.bell();
            }
            let weights = &self.mixing[channel * SOURCES..][..SOURCES];
            for (weight, source) in weights.iter().zip(sources.chunks_exact(samples)) {
                for (value, source) in row.iter_mut().zip(source) {
                    *value += weight * source;
                }
            }
        }
        if draws.unit() < self.shape.artefacts {
            self.spoil(&mut draws, out);
        }
    }

    /// Pops on a few channels, or a movement on many.
    fn spoil(&self, draws: &mut Draws, out: &mut [f64]) {
        let (channels, samples) = (self.shape.channels, self.shape.samples.max(1));
        let moved = draws.unit() < 0.25;
        let mut hit: Vec<bool> = (0..channels).map(|_| draws.unit() < 0.6 && moved).collect();
        for _ in 0..1 + draws.below((channels / 10).max(2)) {
            let channel = draws.below(channels);
            hit[channel] = true;
        }
        for (row, _) in out.chunks_exact_mut(samples).zip(&hit).filter(|(_, hit)| **hit) {
            let (middle, width) = (draws.unit(), 0.02 + 0.2 * draws.unit());
            let size = draws.sign() * (80e-6 + 200e-6 * draws.unit());
            for (sample, value) in row.iter_mut().enumerate() {
                let apart = (sample as f64 / samples as f64 - middle) / width;
                *value += size * if moved { apart.tanh() } else { (-0.5 * apart * apart).exp() };
            }
        }
    }
}

/// One source: autoregressive processes of several time constants, summed.
fn activity(draws: &mut Draws, samples: usize) -> Vec<f64> {
    let scale = SOURCE / (CONSTANTS.len() as f64).sqrt();
    let mut processes = CONSTANTS.map(|constant| {
        let keeps = (-1.0 / constant).exp();
        (draws.bell(), keeps, (1.0 - keeps * keeps).sqrt())
    });
    let next = |_| {
        let mut sum = 0.0;
        for (value, keeps, gets) in &mut processes {
            *value = *keeps * *value + *gets * draws.bell();
            sum += *value;
        }
        scale * sum
    };
    (0..samples).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_do_not_depend_on_what_was_made_before_and_look_like_eeg() {
        let shape = Epochs { epochs: 40, channels: 32, samples: 250, sfreq: 250.0, artefacts: 0.3 };
        let (head, again) = (Head::new(shape), Head::new(shape));
        let size = shape.channels * shape.samples;
        let mut all = vec![0.0; shape.epochs * size];
        all.chunks_exact_mut(size).enumerate().for_each(|(index, out)| head.epoch(index, out));
        let mut one = vec![1.0; size];
        for index in [39, 0, 17] {
            again.epoch(index, &mut one);
            assert_eq!(one, all[index * size..][..size], "epoch {index}");
        }
        let ptp = |row: &[f64]| {
            let (low, high) = row.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            high - low
        };
        let mut amplitudes: Vec<f64> = all.chunks_exact(shape.samples).map(ptp).collect();
        amplitudes.sort_by(f64::total_cmp);
        let median = amplitudes[amplitudes.len() / 2];
        assert!((10e-6..150e-6).contains(&median), "{median}");
        assert!(amplitudes[amplitudes.len() - 1] > 3.0 * median, "artefacts stand out");
    }
}

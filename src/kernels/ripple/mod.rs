//! Ripples in the local field potential, sample by sample (spec decode 8.4: runs beside the decoder).
//!
//! Input: frames `[channel]` of one rate, any unit, float64 inside. Nothing looks ahead and nothing
//! allocates after [`Detector::new`]. For every channel, with `x` its sample:
//!
//! 1. **Band**: `y = H(x)`, H a Butterworth band-pass between the edges (150 to 250 Hz) as sections of
//!    second order ([`BandPass`]): the analogue prototype of order n (poles `exp(i pi (2 k + n + 1) /
//!    (2 n))`) is moved by `s -> (s^2 + w0^2) / (B s)` and the bilinear transform, edges prewarped by
//!    `w = 2 rate tan(pi f / rate)`, `B = w2 - w1`, `w0^2 = w1 w2`: 2 n poles, -3.01 dB at the edges.
//! 2. **Envelope**: `p += a (y^2 - p)`, `a = 1 - exp(-1 / (smoothing rate))`, `e = sqrt(2 p)`: squared and
//!    smoothed by one pole; the amplitude of a steady sine.
//! 3. **Running estimate**: with n the samples so far and `b = max(1 / n, 1 / (memory rate))`,
//!    `d = e - m`, `m += b d`, `v = (1 - b) (v + b d^2)`: mean and variance of all samples at first, then
//!    of an exponential window. Ripples take part; against the memory they are short.
//! 4. **Deviation**: `z = (e - m) / sqrt(v)`, m and v of before this sample; 0 where v is 0.
//!
//! Over the channels: a ripple **begins** when at least [`Settings::needed`] of them have
//! `z > threshold`, unless the one before began less than `lockout` ago, or the estimate is younger
//! than `warm_up`. It **ends** when fewer have `z > release`. Counting channels, rather than taking
//! their mean, keeps one that is broken from making or hiding ripples. A sample that is no finite
//! number leaves its channel as it was, with `z = 0`, and is counted.

mod band_pass;

pub use band_pass::BandPass;

use crate::error::{Error, Result};

/// Below this a state is 0: denormal numbers are a hundred times slower.
const FLUSH: f64 = 1e-150;

/// How ripples are found; times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Samples per second.
    pub rate: f64,
    /// Edges of the band, Hz.
    pub band: (f64, f64),
    /// Order of the prototype; the filter has twice as many poles.
    pub order: usize,
    /// Time constant of the envelope.
    pub smoothing: f64,
    /// Time constant of mean and variance.
    pub memory: f64,
    /// Standard deviations above the mean at which a ripple begins.
    pub threshold: f64,
    /// Standard deviations above the mean at which it ends.
    pub release: f64,
    /// Least time from one beginning to the next.
    pub lockout: f64,
    /// Time before the first one can begin.
    pub warm_up: f64,
    /// Channels that must agree.
    pub needed: usize,
}

impl Default for Settings {
    /// 150 to 250 Hz of a field potential at 1.5 kHz.
    fn default() -> Self {
        Settings {
            rate: 1500.0,
            band: (150.0, 250.0),
            order: 4,
            smoothing: 0.004,
            memory: 30.0,
            threshold: 3.0,
            release: 1.0,
            lockout: 0.1,
            warm_up: 1.0,
            needed: 1,
        }
    }
}

/// One channel at work.
#[derive(Debug, Clone)]
struct Channel {
    filter: BandPass,
    power: f64,
    mean: f64,
    variance: f64,
    samples: u64,
    deviation: f64,
}

/// Finds ripples in frames of some channels.
#[derive(Debug, Clone)]
pub struct Detector {
    settings: Settings,
    channels: Vec<Channel>,
    /// Weights of a new sample in power and, at least, in mean and variance.
    smooth: f64,
    forget: f64,
    lockout: u64,
    warm_up: u64,
    frames: u64,
    began: Option<u64>,
    on: bool,
    begun: u64,
    not_finite: u64,
}

impl Detector {
    /// For frames of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Usage`] where the band does not lie between 0 and half the rate, or another setting
    /// has no meaning.
    pub fn new(settings: &Settings, channels: usize) -> Result<Self> {
        let positive = [
            ("smoothing", settings.smoothing),
            ("memory", settings.memory),
            ("threshold", settings.threshold),
        ];
        if let Some((name, found)) =
            positive.into_iter().find(|(_, value)| !(*value > 0.0 && value.is_finite()))
        {
            return Err(Error::usage(format!("ripple {name} {found}: expected a number above 0")));
        }
        for (name, found) in [("lockout", settings.lockout), ("warm-up", settings.warm_up)] {
            if !(found >= 0.0 && found.is_finite()) {
                return Err(Error::usage(format!("ripple {name} {found} s: expected at least 0")));
            }
        }
        if settings.release.is_nan() || settings.release > settings.threshold {
            let (release, threshold) = (settings.release, settings.threshold);
            let message = format!("ripple release {release}: expected at most the threshold, {threshold}");
            return Err(Error::usage(message));
        }
        if channels == 0 || settings.needed == 0 || settings.needed > channels {
            let needed = settings.needed;
            return Err(Error::usage(format!(
                "ripples in {needed} of {channels} channels: expected at least 1, and no more than there are"
            )));
        }
        let filter = BandPass::new(settings.order, settings.band, settings.rate)?;
        let channel = Channel { filter, power: 0.0, mean: 0.0, variance: 0.0, samples: 0, deviation: 0.0 };
        Ok(Detector {
            channels: vec![channel; channels],
            smooth: -(-1.0 / (settings.smoothing * settings.rate)).exp_m1(),
            forget: (1.0 / (settings.memory * settings.rate)).min(1.0),
            lockout: (settings.lockout * settings.rate).round() as u64,
            warm_up: (settings.warm_up * settings.rate).round() as u64,
            frames: 0,
            began: None,
            on: false,
            begun: 0,
            not_finite: 0,
            settings: settings.clone(),
        })
    }

    /// Takes one frame and tells whether a ripple is on. Channels that the frame lacks count as not
    /// finite; values beyond the channels are passed over.
    pub fn frame(&mut self, values: &[f32]) -> bool {
        let level = if self.on { self.settings.release } else { self.settings.threshold };
        let mut above = 0;
        for (index, channel) in self.channels.iter_mut().enumerate() {
            match values.get(index) {
                Some(value) if value.is_finite() => {
                    channel.take(f64::from(*value), self.smooth, self.forget);
                }
                _ => {
                    channel.deviation = 0.0;
                    self.not_finite += 1;
                }
            }
            above += usize::from(channel.deviation > level);
        }
        let enough = above >= self.settings.needed;
        let locked = self.began.is_some_and(|began| self.frames - began < self.lockout);
        if self.on {
            self.on = enough;
        } else if enough && !locked && self.frames >= self.warm_up {
            self.on = true;
            self.began = Some(self.frames);
            self.begun += 1;
        }
        self.frames += 1;
        self.on
    }

    /// Whether a ripple is on.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Ripples begun so far.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Samples that were no finite numbers, or missing.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// Standard deviations of a channel's envelope above its mean.
    pub fn deviation(&self, channel: usize) -> Option<f64> {
        self.channels.get(channel).map(|channel| channel.deviation)
    }

    /// Envelope of a channel, in its unit.
    pub fn envelope(&self, channel: usize) -> Option<f64> {
        self.channels.get(channel).map(|channel| (2.0 * channel.power).sqrt())
    }
}

impl Channel {
    fn take(&mut self, value: f64, smooth: f64, forget: f64) {
        let band = self.filter.step(value);
        self.power += smooth * (band * band - self.power);
        if self.power < FLUSH {
            self.power = 0.0;
        }
        let envelope = (2.0 * self.power).sqrt();
        let apart = envelope - self.mean;
        self.deviation = if self.variance > 0.0 { apart / self.variance.sqrt() } else { 0.0 };
        self.samples += 1;
        let weight = (1.0 / self.samples as f64).max(forget);
        self.mean += weight * apart;
        self.variance = (1.0 - weight) * (self.variance + weight * apart * apart);
    }
}

#[cfg(test)]
mod tests;

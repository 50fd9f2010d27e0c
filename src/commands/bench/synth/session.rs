//! Recording sessions: an animal on a line or in an arena, electrodes with units that fire at a
//! place each and have a waveform feature vector each. Seconds, centimetres, microvolts.

use super::Draws;
use serde::Serialize;

/// Units of an electrode.
const UNITS: usize = 8;
/// Breadth of a place field, cm.
const FIELD: f64 = 15.0;

/// Shape of a session. Encoding spikes fall into the time of the walk, decoding ones into the time
/// that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Session {
    /// Place bins along x and y; 0 for a line.
    pub bins: (usize, usize),
    /// Side of a bin, cm.
    pub bin: f64,
    /// Position samples.
    pub samples: usize,
    /// Position samples per second.
    pub rate: f64,
    /// Time bins to decode.
    pub decode: usize,
    /// Their width, s.
    pub step: f64,
    /// True where the walk itself is decoded; else the decoded time comes after it.
    pub itself: bool,
    /// Electrodes.
    pub electrodes: usize,
    /// Encoding spikes of each.
    pub encoding: usize,
    /// Decoding spikes of each, besides; 0 where the walk itself is decoded.
    pub decoding: usize,
    /// Features of a spike.
    pub features: usize,
    /// Scatter of a unit's features, uV.
    pub scatter: f64,
}

impl Session {
    /// Axes of a position.
    pub fn axes(&self) -> usize {
        if self.bins.1 == 0 { 1 } else { 2 }
    }

    /// Length of the walk, s.
    pub fn walk_s(&self) -> f64 {
        self.samples as f64 / self.rate
    }

    /// Time bins start here, s.
    pub fn decode_from(&self) -> f64 {
        if self.itself { 0.0 } else { self.walk_s() + 1.0 }
    }

    /// Bytes of the file, about.
    pub fn bytes(&self) -> u64 {
        let spikes = (self.electrodes * (self.encoding + self.decoding)) as u64;
        spikes * (8 + 4 * self.features as u64)
            + (self.samples * 8 * (1 + self.axes()) + 8 * self.decode) as u64
    }

    /// Where the animal is at `t`: every bin is passed; fast along x, slow along y, without a common
    /// period. cm.
    pub fn at(&self, t: f64) -> [f64; 2] {
        let size = [self.bins.0 as f64 * self.bin, self.bins.1 as f64 * self.bin];
        let fast = if self.bins.1 == 0 { 0.0731 * self.bins.0 as f64 } else { 7.31 };
        let triangle = |phase: f64| 2.0 * (phase - (phase + 0.5).floor()).abs();
        [size[0] * triangle(t / fast), size[1] * triangle(t / (7.31 * 13.618))]
    }

    /// Times of the position samples, s.
    pub fn times(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.samples).map(|sample| sample as f64 / self.rate)
    }

    /// Position of a sample; the first and the last one are corners of the grid, which spans them.
    pub fn position(&self, sample: usize) -> [f64; 2] {
        match sample {
            0 => [0.0; 2],
            last if last + 1 == self.samples => {
                [self.bins.0 as f64 * self.bin, self.bins.1 as f64 * self.bin]
            }
            _ => self.at(sample as f64 / self.rate),
        }
    }

    /// Times of the bins to decode, s.
    pub fn decode_times(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.decode).map(|bin| self.decode_from() + bin as f64 * self.step)
    }

    /// Spikes of an electrode in order: their times, and their features `[spike][feature]`.
    pub fn spikes(&self, electrode: usize) -> (Vec<f64>, Vec<f32>) {
        let mut draws = Draws::new("electrode", electrode as u64);
        let units: Vec<(Vec<f64>, [f64; 2])> = (0..UNITS)
            .map(|_| {
                let marks = (0..self.features).map(|_| draws.between(40.0, 190.0)).collect();
                let side = |draws: &mut Draws, bins: usize| draws.between(0.1, 0.9) * bins as f64 * self.bin;
                (marks, [side(&mut draws, self.bins.0), side(&mut draws, self.bins.1)])
            })
            .collect();
        let mut times = sorted_times(&mut draws, self.encoding, (0.0, self.walk_s()));
        let decoded = (self.decode_from(), self.decode_from() + self.decode as f64 * self.step);
        times.extend(sorted_times(&mut draws, self.decoding, decoded));
        let mut marks = Vec::with_capacity(times.len() * self.features);
        for &t in &times {
            let place = self.at(t);
            let mut reach = [0.0; UNITS];
            let mut sum = 0.0;
            for (reach, (_, centre)) in reach.iter_mut().zip(&units) {
                let apart: f64 = centre.iter().zip(&place).map(|(a, b)| (a - b) * (a - b)).sum();
                sum += (-0.5 * apart / (FIELD * FIELD)).exp() + 0.02;
                *reach = sum;
            }
            let drawn = draws.unit() * sum;
            let unit = reach.iter().position(|reach| drawn < *reach).unwrap_or(UNITS - 1);
            marks.extend(units[unit].0.iter().map(|mark| (mark + self.scatter * draws.bell()) as f32));
        }
        (times, marks)
    }
}

/// `count` times within an interval, ascending.
fn sorted_times(draws: &mut Draws, count: usize, (from, to): (f64, f64)) -> Vec<f64> {
    let mut times: Vec<f64> = (0..count).map(|_| draws.between(from, to)).collect();
    times.sort_unstable_by(f64::total_cmp);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn electrodes_are_their_own_and_times_ascend() {
        let session = Session {
            bins: (50, 40),
            bin: 2.0,
            samples: 1000,
            rate: 50.0,
            decode: 100,
            step: 0.02,
            itself: false,
            electrodes: 3,
            encoding: 200,
            decoding: 50,
            features: 4,
            scatter: 14.0,
        };
        let (times, marks) = session.spikes(2);
        assert_eq!((times.len(), marks.len()), (250, 1000));
        assert!(times.is_sorted() && times[199] < 20.0 && times[200] >= 21.0 && times[249] < 23.0);
        assert_eq!(session.spikes(2), (times.clone(), marks));
        assert_ne!(session.spikes(1).0, times);
        assert_eq!((session.position(0), session.position(999)), ([0.0; 2], [100.0, 80.0]));
        let line = Session { bins: (100, 0), ..session };
        assert!(line.axes() == 1 && line.times().all(|t| (0.0..=200.0).contains(&line.at(t)[0])));
    }
}

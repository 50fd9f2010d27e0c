//! Event streams of a rig: positions on a track with a stem and two arms, spikes of many
//! electrodes. Times are samples of the clock; the records are those of `nissl decode --stream`.

use super::Draws;
use serde::Serialize;

/// Samples per second.
pub const CLOCK: f64 = 30_000.0;
/// Samples between positions, thirty a second.
const STEP: i64 = 1000;
/// Samples of a tick, six milliseconds.
pub const TICK: i64 = 180;
const FIRST: i64 = 3_000_000;
/// Bins of the stem and of both arms, both ends included.
pub const ARMS: [(i64, i64); 3] = [(0, 8), (13, 24), (29, 40)];
const UNITS: usize = 4;
/// Values of a mark.
pub const FEATURES: usize = 4;

/// Shape of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Events {
    /// Electrodes, counted from 1.
    pub electrodes: usize,
    /// Room for marks of each.
    pub marks: usize,
    /// Length, s.
    pub seconds: usize,
}

/// What happens between two positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// Time of the position, samples.
    pub at: i64,
    /// Bin of the animal.
    pub place: f32,
    /// Spikes after it, in order: time, electrode, mark.
    pub spikes: Vec<(i64, u16, [f32; FEATURES])>,
}

/// The places and marks of all units.
#[derive(Debug)]
pub struct Rig {
    shape: Events,
    lap: Vec<f64>,
    /// Of each electrode and unit.
    units: Vec<([f64; FEATURES], f64)>,
}

impl Events {
    /// Positions of all.
    pub fn positions(&self) -> usize {
        self.seconds * 30
    }

    /// Spikes a second of one electrode: its buffer is full after two thirds of the time.
    pub fn rate(&self) -> f64 {
        1.5 * self.marks as f64 / self.seconds.max(1) as f64
    }

    /// Ticks of all, about.
    pub fn ticks(&self) -> u64 {
        (self.seconds as f64 * CLOCK / TICK as f64) as u64
    }

    /// Bytes of the file, about.
    pub fn bytes(&self) -> u64 {
        (self.positions() * 24) as u64 + (self.rate() * (self.seconds * self.electrodes) as f64) as u64 * 32
    }
}

impl Rig {
    /// That of a stream.
    pub fn new(shape: Events) -> Rig {
        let [stem, left, right] = ARMS;
        let out = |(low, high): (i64, i64)| low..=high;
        let mut lap: Vec<i64> = Vec::new();
        // Out along the stem and one arm and back, then the other.
        for arm in [left, right] {
            lap.extend(out(stem).chain(out(arm)).chain(out(arm).rev()).chain(out(stem).rev()));
        }
        let bins: Vec<i64> = ARMS.into_iter().flat_map(out).collect();
        let mut draws = Draws::new("rig", 0);
        let unit = |_| {
            let mark = std::array::from_fn(|_| draws.between(60.0, 220.0));
            (mark, bins[draws.below(bins.len())] as f64)
        };
        let units = (0..shape.electrodes * UNITS).map(unit).collect();
        Rig { shape, lap: lap.into_iter().map(|bin| bin as f64).collect(), units }
    }

    /// Position `index` and the spikes until the next one.
    pub fn piece(&self, index: usize) -> Piece {
        let mut draws = Draws::new("events", index as u64);
        let at = FIRST + index as i64 * STEP;
        // Ten bins a second.
        let place = self.lap[index / 3 % self.lap.len()];
        let wanted = self.shape.rate() / 30.0;
        let mut spikes = Vec::new();
        for electrode in 0..self.shape.electrodes {
            let units = &self.units[electrode * UNITS..][..UNITS];
            let likely = |centre: f64| 0.1 + (-0.5 * (place - centre).powi(2) / 4.0).exp();
            let sum: f64 = units.iter().map(|unit| likely(unit.1)).sum();
            // Whole spikes, and one more by chance: the mean is what is wanted.
            for _ in 0..(wanted + draws.unit()) as usize {
                let mut drawn = draws.unit() * sum;
                let chosen = units.iter().find(|unit| {
                    drawn -= likely(unit.1);
                    drawn < 0.0
                });
                let centre = chosen.or(units.last()).map_or([0.0; FEATURES], |unit| unit.0);
                let mark = centre.map(|centre| (centre + 12.0 * draws.bell()) as f32);
                spikes.push((at + 1 + draws.below(STEP as usize - 1) as i64, electrode as u16 + 1, mark));
            }
        }
        spikes.sort_by_key(|&(at, electrode, _)| (at, electrode));
        Piece { at, place: place as f32, spikes }
    }

    /// Time of the end, samples.
    pub fn end(&self) -> i64 {
        FIRST + self.shape.positions() as i64 * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_their_own_and_as_many_spikes_as_wanted() {
        let shape = Events { electrodes: 8, marks: 2000, seconds: 60 };
        let rig = Rig::new(shape);
        let pieces: Vec<Piece> = (0..shape.positions()).map(|index| rig.piece(index)).collect();
        assert_eq!(Rig::new(shape).piece(700), pieces[700]);
        let spikes: Vec<_> = pieces.iter().flat_map(|piece| &piece.spikes).collect();
        assert!(spikes.is_sorted_by_key(|spike| spike.0));
        let each = spikes.len() as f64 / 8.0;
        assert!((each / 3000.0 - 1.0).abs() < 0.05, "{each}");
        assert!(pieces.iter().all(|piece| (0.0..=40.0).contains(&piece.place)));
    }
}

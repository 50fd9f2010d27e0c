//! Where events come from: the trait, and the replay of a recording.
//!
//! A replay holds the whole recording as events in single precision, ready to be handed out: no
//! file is touched and nothing is allocated from the first event on. At equal times position
//! comes first, then spike, field potential, tick (spec decode 8.4).

use super::event::{Event, Kind};
use crate::error::Result;

/// What the loop needs of the world, so that it can be tested without one.
pub trait World {
    /// Nanoseconds of a clock that never goes back.
    fn now(&self) -> u64;
    /// Sleeps about so many nanoseconds.
    fn sleep(&self, ns: u64);
    /// True once somebody wants the stream to end.
    fn stopped(&self) -> bool;
    /// A tick was made.
    fn ticked(&self);
}

/// What a source has.
#[derive(Debug)]
pub enum Next<'a> {
    /// An event, and when its last byte was here; nothing where it lay ready all the time.
    Event(Event<'a>, Option<u64>),
    /// Nothing yet; ask again.
    Nothing,
    /// Nothing any more.
    Over,
}

/// Events in the order of the stream.
pub trait Source {
    /// The next one; waits a moment at most, so that its caller can look around.
    ///
    /// # Errors
    /// The file or pipe cannot be read.
    fn next(&mut self, world: &dyn World) -> Result<Next<'_>>;
}

/// A spike of a replay.
#[derive(Debug, Clone, Copy)]
struct Spike {
    at: i64,
    electrode: u16,
    /// Its mark in [`Replay::marks`].
    start: usize,
    width: usize,
}

/// A recorded channel of field potential: samples at even steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lfp {
    /// Time of the first sample, seconds.
    pub start: f64,
    /// Samples per second.
    pub rate: f64,
    /// Samples.
    pub values: Vec<f32>,
}

/// A recording as events.
#[derive(Debug, Default)]
pub struct Replay {
    clock: f64,
    position_times: Vec<i64>,
    coordinates: Vec<f32>,
    axes: usize,
    spikes: Vec<Spike>,
    marks: Vec<f32>,
    lfp: Lfp,
    ticks: Vec<i64>,
    /// How many of positions, spikes, field potentials and ticks were handed out.
    done: [usize; 4],
}

impl Replay {
    /// An empty one by a clock of so many samples per second.
    pub fn new(clock: f64) -> Self {
        Replay { clock, ..Replay::default() }
    }

    /// Seconds as samples of the clock.
    pub fn samples(&self, seconds: f64) -> i64 {
        (seconds * self.clock).round() as i64
    }

    /// Takes positions: times in seconds, ascending, and coordinates `[sample][axis]`.
    pub fn positions(&mut self, times: &[f64], coordinates: &[f64], axes: usize) {
        self.position_times = times.iter().map(|&time| self.samples(time)).collect();
        self.coordinates = coordinates.iter().map(|&value| value as f32).collect();
        self.axes = axes;
    }

    /// Takes the spikes of an electrode: times in seconds, marks `[spike][feature]`.
    pub fn electrode(&mut self, electrode: u16, times: &[f64], marks: &[f64], width: usize) {
        for (spike, &time) in times.iter().enumerate() {
            let start = self.marks.len() + spike * width;
            self.spikes.push(Spike { at: self.samples(time), electrode, start, width });
        }
        self.marks.extend(marks.iter().map(|&value| value as f32));
    }

    /// Takes the field potential.
    pub fn field_potential(&mut self, lfp: Lfp) {
        self.lfp = lfp;
    }

    /// Samples of the field potential per second.
    pub fn lfp_rate(&self) -> f64 {
        self.lfp.rate
    }

    /// Ticks at these times, seconds, ascending, instead of at even steps.
    pub fn ticks(&mut self, times: &[f64]) {
        self.ticks = times.iter().map(|&time| self.samples(time)).collect();
    }

    /// Puts the spikes of all electrodes in order of time; at equal times electrodes come as they
    /// were taken.
    pub fn settle(&mut self) {
        self.spikes.sort_by_key(|spike| spike.at);
    }

    /// Events of positions, spikes, field potential and ticks.
    pub fn counts(&self) -> [usize; 4] {
        [self.position_times.len(), self.spikes.len(), self.lfp.values.len(), self.ticks.len()]
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> u64 {
        let [positions, spikes, lfp, ticks] = self.counts();
        let floats = self.coordinates.len() + self.marks.len() + lfp;
        (8 * (positions + ticks) + size_of::<Spike>() * spikes + 4 * floats) as u64
    }

    /// Times of the events that are next of their kind.
    fn heads(&self) -> [Option<i64>; 4] {
        let [position, spike, lfp, tick] = self.done;
        let sample = || (lfp < self.lfp.values.len()).then(|| self.lfp.start + lfp as f64 / self.lfp.rate);
        [
            self.position_times.get(position).copied(),
            self.spikes.get(spike).map(|spike| spike.at),
            sample().map(|time| self.samples(time)),
            self.ticks.get(tick).copied(),
        ]
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event<'_>> {
        let heads = self.heads();
        // The first of equal ones: their order is that of the heads.
        let (which, at) =
            heads.iter().enumerate().filter_map(|(w, at)| at.map(|at| (w, at))).min_by_key(|head| head.1)?;
        let index = self.done[which];
        self.done[which] += 1;
        let (kind, channel, values): (Kind, u16, &[f32]) = match which {
            0 => {
                let range = index * self.axes..(index + 1) * self.axes;
                (Kind::Position, 0, self.coordinates.get(range).unwrap_or_default())
            }
            1 => {
                let spike = self.spikes.get(index)?;
                let mark = self.marks.get(spike.start..spike.start + spike.width).unwrap_or_default();
                (Kind::Spike, spike.electrode, mark)
            }
            2 => (Kind::Lfp, 0, self.lfp.values.get(index..index + 1).unwrap_or_default()),
            _ => (Kind::Tick, 0, &[]),
        };
        Some(Event { kind, channel, at, values })
    }
}

impl Source for Replay {
    fn next(&mut self, _world: &dyn World) -> Result<Next<'_>> {
        Ok(self.event().map_or(Next::Over, |event| Next::Event(event, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_kind() {
        let mut replay = Replay::new(1000.0);
        replay.positions(&[0.001, 0.002], &[5.0, 6.0, 7.0, 8.0], 2);
        replay.electrode(9, &[0.002, 0.004], &[1.0, 2.0, 3.0, 4.0], 2);
        replay.electrode(3, &[0.0, 0.002], &[5.0, 6.0], 1);
        replay.field_potential(Lfp { start: 0.002, rate: 500.0, values: vec![0.5, 0.25] });
        replay.ticks(&[0.002, 0.0041]);
        replay.settle();
        assert_eq!((replay.counts(), replay.bytes() > 0), ([2, 4, 2, 2], true));
        let mut seen = Vec::new();
        while let Some(event) = replay.event() {
            seen.push((event.kind, event.channel, event.at, event.values.to_vec()));
        }
        let expected = [
            (Kind::Spike, 3, 0, vec![5.0]),
            (Kind::Position, 0, 1, vec![5.0, 6.0]),
            (Kind::Position, 0, 2, vec![7.0, 8.0]),
            (Kind::Spike, 9, 2, vec![1.0, 2.0]),
            (Kind::Spike, 3, 2, vec![6.0]),
            (Kind::Lfp, 0, 2, vec![0.5]),
            (Kind::Tick, 0, 2, vec![]),
            (Kind::Spike, 9, 4, vec![3.0, 4.0]),
            (Kind::Lfp, 0, 4, vec![0.25]),
            (Kind::Tick, 0, 4, vec![]),
        ];
        assert_eq!(seen, expected);
    }
}

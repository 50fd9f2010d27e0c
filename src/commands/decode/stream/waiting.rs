//! Spikes with their log intensities that wait for a tick.

/// One spike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spike {
    /// When it was, samples.
    pub(super) at: i64,
    /// Place of its electrode.
    pub(super) electrode: usize,
    /// Bins of its own intensity that hold the credible share.
    pub(super) credible: i32,
    /// Bin of its greatest intensity.
    pub(super) best: i32,
    /// How many came before it.
    order: u64,
    /// Row of its log intensities.
    row: usize,
}

/// Room for some spikes; rows are given back when their tick is done.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    bins: usize,
    /// `[row][bin]`.
    intensities: Vec<T>,
    free: Vec<usize>,
    held: Vec<Spike>,
    /// The first so many of `held` are those of the tick at hand.
    chosen: usize,
    arrived: u64,
}

impl<T: Copy + Default> Waiting<T> {
    /// For `capacity` spikes over `bins`.
    pub(super) fn new(capacity: usize, bins: usize) -> Self {
        let mut intensities = Vec::with_capacity(capacity * bins);
        // Written, not zeroed: so that pages are there before the first spike.
        intensities.resize_with(capacity * bins, || std::hint::black_box(T::default()));
        let (free, held) = ((0..capacity).rev().collect(), Vec::with_capacity(capacity));
        Waiting { bins, intensities, free, held, chosen: 0, arrived: 0 }
    }

    /// Takes a spike; false where there is no room.
    pub(super) fn push(
        &mut self,
        (at, electrode): (i64, usize),
        (credible, best): (i32, i32),
        intensity: &[T],
    ) -> bool {
        let Some(row) = self.free.pop() else { return false };
        self.intensities[row * self.bins..(row + 1) * self.bins].copy_from_slice(intensity);
        self.held.push(Spike { at, electrode, credible, best, order: self.arrived, row });
        self.arrived += 1;
        true
    }

    /// Chooses the spikes of `lower <= time < upper`, by electrode, then time, then arrival. Earlier
    /// ones came too late for their tick: they are let go, and their number is returned.
    pub(super) fn choose(&mut self, lower: i64, upper: i64) -> u64 {
        let free = &mut self.free;
        let before = self.held.len();
        self.held.retain(|spike| {
            let late = spike.at < lower;
            if late {
                free.push(spike.row);
            }
            !late
        });
        let late = before - self.held.len();
        self.held.sort_unstable_by_key(|spike| (spike.at >= upper, spike.electrode, spike.at, spike.order));
        self.chosen = self.held.partition_point(|spike| spike.at < upper);
        late as u64
    }

    /// The spikes chosen, with their log intensities.
    pub(super) fn chosen(&self) -> impl Iterator<Item = (&Spike, &[T])> {
        let spikes = self.held[..self.chosen].iter();
        spikes.map(|spike| (spike, &self.intensities[spike.row * self.bins..(spike.row + 1) * self.bins]))
    }

    /// Gives the rows of the chosen back.
    pub(super) fn let_go(&mut self) {
        for spike in self.held.drain(..self.chosen) {
            self.free.push(spike.row);
        }
        self.chosen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spikes_are_ordered_and_rows_come_back() {
        let mut waiting = Waiting::<f32>::new(5, 1);
        for (name, spike) in [(5, 1), (7, 0), (5, 0), (5, 1), (2, 0)].into_iter().enumerate() {
            assert!(waiting.push(spike, (1, 1), &[name as f32]));
        }
        assert!(!waiting.push((5, 0), (1, 1), &[9.0]), "full");
        assert_eq!(waiting.choose(3, 7), 1, "one is late");
        let names = |waiting: &Waiting<f32>| waiting.chosen().map(|(_, row)| row[0]).collect::<Vec<_>>();
        assert_eq!(names(&waiting), [2.0, 0.0, 3.0]);
        waiting.let_go();
        assert_eq!((waiting.choose(7, 9), names(&waiting)), (0, vec![1.0]));
        waiting.let_go();
        for round in 0..100 {
            assert!(waiting.push((round, 0), (1, 1), &[round as f32]));
            waiting.choose(round, round + 1);
            assert_eq!(names(&waiting), [round as f32]);
            waiting.let_go();
        }
    }
}

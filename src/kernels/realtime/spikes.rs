//! Spikes that wait for their tick, and which of them count (spec decode 8.3 steps 1, 2).

use super::touched;

/// What makes two spikes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dedup {
    /// Equal time and electrode: the one stored first stays.
    #[default]
    Electrode,
    /// Equal time, as the peer has it: of two the one stored first stays, of more none.
    Peer,
}

/// One spike that waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// When it was, samples.
    pub at: i64,
    /// Index of its electrode.
    pub electrode: usize,
    /// The animal's bin on arrival, none outside of the bins.
    pub bin: Option<usize>,
    /// Bins of its estimate that hold the credible share.
    pub credible: i32,
    /// Bin of its estimate's greatest value.
    pub best: i32,
    /// How many came before it.
    order: u64,
    /// Whether a tick has looked at it.
    seen: bool,
}

/// A ring of spikes; the oldest is overwritten when it is full.
#[derive(Debug)]
pub struct Spikes {
    capacity: usize,
    bins: usize,
    rows: Vec<Waiting>,
    /// Times of the rows apart, since every tick reads all of them.
    times: Vec<i64>,
    /// `[row][bin]`.
    estimates: Vec<f64>,
    written: u64,
    dropped: u64,
    /// Rows of the tick at hand, in order.
    chosen: Vec<u32>,
    /// End of the last tick's bin.
    passed: i64,
}

impl Spikes {
    /// Room for `capacity` spikes with estimates over `bins`.
    ///
    /// # Panics
    ///
    /// If there is no room, or more than 32-bit rows.
    pub fn new(capacity: usize, bins: usize) -> Self {
        assert!(capacity > 0 && u32::try_from(capacity).is_ok());
        let nobody =
            Waiting { at: -1, electrode: 0, bin: None, credible: -1, best: -1, order: 1, seen: true };
        let mut chosen = touched(capacity, u32::MAX);
        chosen.clear();
        Spikes {
            capacity,
            bins,
            rows: touched(capacity, nobody),
            times: touched(capacity, -1),
            estimates: touched(capacity * bins, 1.0),
            written: 0,
            dropped: 0,
            chosen,
            passed: i64::MIN,
        }
    }

    /// Stores a spike with its estimate (`[bin]`; what is longer than a row is cut).
    pub fn push(
        &mut self,
        (at, electrode): (i64, usize),
        bin: Option<usize>,
        (credible, best): (i32, i32),
        estimate: &[f64],
    ) {
        let row = (self.written % self.capacity as u64) as usize;
        if self.written >= self.capacity as u64 && !self.rows[row].seen {
            self.dropped += 1;
        }
        let length = estimate.len().min(self.bins);
        self.estimates[row * self.bins..][..length].copy_from_slice(&estimate[..length]);
        self.times[row] = at;
        self.rows[row] = Waiting { at, electrode, bin, credible, best, order: self.written, seen: false };
        self.written += 1;
    }

    /// Chooses the spikes of `lower <= time < upper` by time, those stored first first, without
    /// duplicates; tells how many duplicates there were.
    pub fn choose(&mut self, lower: i64, upper: i64, dedup: Dedup) -> u64 {
        self.passed = self.passed.max(upper);
        self.chosen.clear();
        let held = self.written.min(self.capacity as u64) as usize;
        for (row, &at) in self.times[..held].iter().enumerate() {
            if at >= lower && at < upper {
                self.chosen.push(row as u32);
                self.rows[row].seen = true;
            }
        }
        let found = self.chosen.len();
        let rows = &self.rows;
        let of = |row: u32| &rows[row as usize];
        match dedup {
            Dedup::Peer => {
                self.chosen.sort_unstable_by_key(|&row| (of(row).at, of(row).order));
                keep_of_runs(&mut self.chosen, |a, b| of(a).at == of(b).at, |length| length < 3);
            }
            Dedup::Electrode => {
                self.chosen.sort_unstable_by_key(|&row| (of(row).at, of(row).electrode, of(row).order));
                let same = |a, b| (of(a).at, of(a).electrode) == (of(b).at, of(b).electrode);
                keep_of_runs(&mut self.chosen, same, |_| true);
                self.chosen.sort_unstable_by_key(|&row| (of(row).at, of(row).order));
            }
        }
        (found - self.chosen.len()) as u64
    }

    /// The spikes chosen last, in order, with their estimates.
    pub fn chosen(&self) -> impl ExactSizeIterator<Item = (&Waiting, &[f64])> {
        self.chosen.iter().map(|&row| {
            let row = row as usize;
            (&self.rows[row], &self.estimates[row * self.bins..(row + 1) * self.bins])
        })
    }

    /// Spikes that no tick has looked at and none will: overwritten, or come after their bin.
    pub fn dropped(&self) -> u64 {
        let held = self.written.min(self.capacity as u64) as usize;
        let late = self.rows[..held].iter().filter(|row| !row.seen && row.at < self.passed);
        self.dropped + late.count() as u64
    }
}

/// Of each run of alike neighbours keeps the first where `keep` says so of its length.
fn keep_of_runs(rows: &mut Vec<u32>, same: impl Fn(u32, u32) -> bool, keep: impl Fn(usize) -> bool) {
    let (mut kept, mut first) = (0, 0);
    while first < rows.len() {
        let mut end = first + 1;
        while end < rows.len() && same(rows[first], rows[end]) {
            end += 1;
        }
        if keep(end - first) {
            rows[kept] = rows[first];
            kept += 1;
        }
        first = end;
    }
    rows.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(spikes: &Spikes) -> Vec<f64> {
        spikes.chosen().map(|(_, estimate)| estimate[0]).collect()
    }

    #[test]
    fn duplicates_go_by_either_rule() {
        let mut spikes = Spikes::new(20, 1);
        let events = [(5, 1), (3, 0), (5, 0), (7, 0), (7, 1), (7, 2), (8, 2), (8, 2), (8, 2), (9, 3), (9, 3)];
        for (name, (at, electrode)) in events.into_iter().enumerate() {
            spikes.push((at, electrode), None, (1, 1), &[name as f64]);
        }
        assert_eq!(spikes.choose(0, 100, Dedup::Peer), 1 + 3 + 3 + 1);
        assert_eq!(names(&spikes), [1.0, 0.0, 9.0]);
        assert_eq!(spikes.choose(0, 100, Dedup::Electrode), 3);
        assert_eq!(names(&spikes), [1.0, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0]);
        assert_eq!((spikes.choose(3, 5, Dedup::Peer), names(&spikes)), (0, vec![1.0]), "closed on the left");
    }

    #[test]
    fn times_of_nothing_written_match_nothing() {
        let mut spikes = Spikes::new(2000, 3);
        assert_eq!((spikes.choose(-90, 90, Dedup::Peer), spikes.chosen().len()), (0, 0));
        for at in [0, -1, i64::MIN, i64::MAX, -90] {
            spikes.push((at, 0), Some(0), (1, 1), &[1.0, 2.0, 3.0]);
        }
        assert_eq!((spikes.choose(-90, 90, Dedup::Peer), spikes.chosen().len()), (0, 3));
        assert_eq!((spikes.choose(i64::MIN, i64::MAX, Dedup::Peer), spikes.chosen().len()), (0, 4));
    }

    #[test]
    fn what_no_tick_saw_is_dropped() {
        let mut spikes = Spikes::new(3, 1);
        for at in 0..5 {
            spikes.push((at, 0), None, (1, 1), &[at as f64]);
        }
        assert_eq!(spikes.dropped(), 2, "overwritten");
        spikes.choose(2, 4, Dedup::Electrode);
        assert_eq!((names(&spikes), spikes.dropped()), (vec![2.0, 3.0], 2));
        spikes.push((1, 0), None, (1, 1), &[9.0]);
        assert_eq!(spikes.dropped(), 3, "late");
        spikes.choose(4, 5, Dedup::Electrode);
        assert_eq!(spikes.dropped(), 3);
    }
}

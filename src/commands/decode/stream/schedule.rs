//! When to tick, and which events to believe.
//!
//! Times are samples of the stream's clock. Without tick records a tick is due every step from the
//! first event on; the tick at T is made when an event later than T shows that T is over, so that
//! position and spike come before a tick at the same time. The first tick record ends that for good.
//!
//! A time far from those before it is not believed until a second event agrees, so that one bad
//! record neither asks for a million ticks nor makes all later events look late. No ticks are made
//! over such a gap.

use super::event::Kind;

/// Seconds from one event to the next that are believed at once.
pub const GAP_S: f64 = 60.0;
/// Times beyond this are no times: sums with delays must stay numbers.
const FARTHEST: i64 = 1 << 60;

/// Events that were odd in their times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Oddities {
    /// Spikes earlier than the event before; used as far as their tick is still to come.
    pub late_spikes: u64,
    /// Positions, ticks and field potentials earlier than the one before of their kind; not used.
    pub out_of_order: u64,
    /// Positions, ticks and field potentials at the time of the one before of their kind; not used.
    pub duplicate: u64,
    /// Events far from all before, which no second one confirmed; not used.
    pub far: u64,
    /// Gaps that a second event confirmed.
    pub jumps: u64,
}

/// Makes ticks and judges times.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Samples from tick to tick; none where only records tick.
    step: Option<f64>,
    gap: i64,
    /// Where counting began, and ticks since.
    origin: i64,
    made: u64,
    newest: Option<i64>,
    suspect: Option<i64>,
    /// Times of the last position, tick and field potential.
    last: [Option<i64>; 3],
    oddities: Oddities,
}

impl Schedule {
    /// Ticks every `step` samples (at least 1) of a clock, or only where records say so.
    pub fn new(step: Option<f64>, clock: f64) -> Self {
        Schedule {
            step: step.map(|step| step.max(1.0)),
            gap: (GAP_S * clock) as i64,
            origin: 0,
            made: 0,
            newest: None,
            suspect: None,
            last: [None; 3],
            oddities: Oddities::default(),
        }
    }

    /// True where the event is to be used. Ticks that are due before it, by [`Schedule::due`], come
    /// first.
    pub fn admits(&mut self, kind: Kind, at: i64) -> bool {
        if !self.believes(at) {
            return false;
        }
        let newest = *self.newest.get_or_insert_with(|| {
            self.origin = at;
            at
        });
        let of_kind = match kind {
            Kind::Position => &mut self.last[0],
            Kind::Tick => &mut self.last[1],
            Kind::Lfp => &mut self.last[2],
            Kind::Spike | Kind::End => {
                self.oddities.late_spikes += u64::from(kind == Kind::Spike && at < newest);
                self.newest = Some(newest.max(at));
                return true;
            }
        };
        match of_kind {
            Some(last) if at < *last => self.oddities.out_of_order += 1,
            Some(last) if at == *last => self.oddities.duplicate += 1,
            _ => {
                *of_kind = Some(at);
                self.newest = Some(newest.max(at));
                if kind == Kind::Tick {
                    self.step = None;
                }
                return true;
            }
        }
        false
    }

    fn believes(&mut self, at: i64) -> bool {
        let near = |other: i64, gap: i64| at.abs_diff(other) <= gap.unsigned_abs();
        let sane = at.unsigned_abs() <= FARTHEST as u64;
        match (self.newest, self.suspect) {
            _ if !sane => {}
            (None, _) => return true,
            (Some(newest), _) if near(newest, self.gap) => {
                self.suspect = None;
                return true;
            }
            (_, Some(suspect)) if near(suspect, self.gap) => {
                self.oddities.jumps += 1;
                (self.suspect, self.newest, self.last, self.made) = (None, None, [None; 3], 0);
                return true;
            }
            _ => self.suspect = Some(at),
        }
        self.oddities.far += 1;
        false
    }

    /// The next tick that is due before an event at `at`; each is given once.
    pub fn due(&mut self, at: i64) -> Option<i64> {
        let step = self.step?;
        self.newest?;
        // Counted from the origin, so that a step of no whole number of samples does not drift.
        let next = self.origin.saturating_add(((self.made + 1) as f64 * step).round() as i64);
        (next < at).then(|| {
            self.made += 1;
            next
        })
    }

    /// The newest time seen.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Samples since the first event, or since the last jump.
    pub fn elapsed(&self) -> i64 {
        self.newest.map_or(0, |newest| newest.saturating_sub(self.origin))
    }

    /// What was odd so far.
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ticks that come before an event at `at`, if it is used.
    fn see(schedule: &mut Schedule, kind: Kind, at: i64) -> Option<Vec<i64>> {
        schedule.admits(kind, at).then(|| std::iter::from_fn(|| schedule.due(at)).collect())
    }

    #[test]
    fn ticks_are_made_behind_events_of_their_own_time() {
        let mut schedule = Schedule::new(Some(180.0), 30_000.0);
        assert_eq!(schedule.due(i64::MAX), None, "nothing happened yet");
        assert_eq!(see(&mut schedule, Kind::Spike, 1000), Some(vec![]));
        assert_eq!(see(&mut schedule, Kind::Spike, 1180), Some(vec![]));
        assert_eq!(see(&mut schedule, Kind::Spike, 1181), Some(vec![1180]));
        assert_eq!(see(&mut schedule, Kind::Spike, 1720), Some(vec![1360, 1540]));
        assert_eq!(std::iter::from_fn(|| schedule.due(1721)).collect::<Vec<_>>(), [1720]);
    }

    #[test]
    fn steps_of_no_whole_samples_do_not_drift() {
        let mut schedule = Schedule::new(Some(1.5), 1000.0);
        schedule.admits(Kind::Position, 0);
        let ticks: Vec<i64> = std::iter::from_fn(|| schedule.due(12)).collect();
        assert_eq!(ticks, [2, 3, 5, 6, 8, 9, 11]);
    }

    #[test]
    fn tick_records_take_over() {
        let mut schedule = Schedule::new(Some(10.0), 1000.0);
        assert_eq!(see(&mut schedule, Kind::Spike, 0), Some(vec![]));
        assert_eq!(see(&mut schedule, Kind::Tick, 10), Some(vec![]));
        assert_eq!(see(&mut schedule, Kind::Spike, 1000), Some(vec![]));
        assert!(!schedule.admits(Kind::Tick, 10) && !schedule.admits(Kind::Tick, 9));
        assert!(schedule.admits(Kind::Tick, 11), "late among spikes, yet in order among ticks");
        let oddities = schedule.oddities();
        assert_eq!((oddities.duplicate, oddities.out_of_order, oddities.late_spikes), (1, 1, 0));
    }

    #[test]
    fn late_spikes_are_used_and_late_positions_not() {
        let mut schedule = Schedule::new(None, 1000.0);
        assert!(schedule.admits(Kind::Position, 100) && schedule.admits(Kind::Spike, 200));
        assert!(schedule.admits(Kind::Spike, 150) && !schedule.admits(Kind::Position, 99));
        assert!(schedule.admits(Kind::Position, 160));
        assert_eq!(schedule.newest(), Some(200));
        assert_eq!((schedule.oddities().late_spikes, schedule.oddities().out_of_order), (1, 1));
    }

    #[test]
    fn a_time_far_off_needs_a_witness() {
        let mut schedule = Schedule::new(Some(6.0), 1000.0);
        assert!(schedule.admits(Kind::Spike, 0));
        for strange in [i64::MAX, i64::MIN, 1 << 50] {
            assert!(!schedule.admits(Kind::Spike, strange));
            assert!(schedule.admits(Kind::Spike, 5), "one bad record changes nothing");
        }
        // A rig that was stopped and begun anew.
        assert!(!schedule.admits(Kind::Spike, -10_000_000));
        assert_eq!(see(&mut schedule, Kind::Position, -9_999_990), Some(vec![]));
        assert_eq!(see(&mut schedule, Kind::Spike, -9_999_980), Some(vec![-9_999_984]));
        assert_eq!((schedule.oddities().far, schedule.oddities().jumps), (4, 1));
    }

    proptest! {
        #[test]
        fn ticks_rise_and_are_bounded_whatever_the_times(
            times in prop::collection::vec(prop_oneof![any::<i64>(), -100_000i64..100_000], 0..100),
        ) {
            let mut schedule = Schedule::new(Some(1000.0), 1000.0);
            let mut jumps = 0;
            let mut last = None;
            for at in times {
                if !schedule.admits(Kind::Spike, at) {
                    continue;
                }
                if schedule.oddities().jumps > jumps {
                    (jumps, last) = (schedule.oddities().jumps, None);
                }
                let mut made = 0;
                while let Some(tick) = schedule.due(at) {
                    prop_assert!(tick < at && last.is_none_or(|last| last < tick));
                    last = Some(tick);
                    made += 1;
                }
                prop_assert!(made <= 61);
            }
        }
    }
}

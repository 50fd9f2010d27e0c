//! What a run counted, for the report, and what of it is worth a warning.

use super::Counts;
use super::event::Malformed;
use super::latency::{Summary, WARM_UP};
use super::plan::StreamPlan;
use super::schedule::Oddities;
use super::ticking::{Seen, Ticking};
use super::writer::Written;
use serde_json::{Map, Value, json};

/// Everything that was counted.
#[derive(Debug)]
pub struct Told {
    /// What came by.
    pub seen: Seen,
    /// Odd times.
    pub oddities: Oddities,
    /// Bad records.
    pub malformed: Malformed,
    /// What became of the events.
    pub engine: Counts,
    /// Records that found the ring full.
    pub dropped: u64,
    /// What the writer did.
    pub written: Written,
    /// Latency of ticks.
    pub latency: Summary,
    /// Work between ticks.
    pub work: Summary,
    /// A tick's interval, seconds.
    pub deadline_s: f64,
    /// Class and priority of the ticking thread.
    pub scheduling: Option<String>,
    /// Stream time that went by for a second of the clock; none for a replay, which has no queue.
    pub pace: Option<f64>,
    /// A signal ended the stream.
    pub stopped: bool,
}

/// A stream that comes so much faster than its own clock waits in a queue.
const QUEUED: f64 = 1.5;

impl Told {
    /// What the loop knows.
    pub fn of(ticking: &Ticking, scheduling: Option<String>) -> Self {
        Told {
            seen: ticking.seen,
            oddities: ticking.schedule.oddities(),
            malformed: Malformed::default(),
            engine: Counts::default(),
            dropped: ticking.dropped(),
            written: Written::default(),
            latency: ticking.latency.summary(),
            work: ticking.work.summary(),
            deadline_s: ticking.deadline_s(),
            scheduling,
            pace: None,
            stopped: false,
        }
    }

    /// As the report has them.
    pub fn counts(&self) -> Map<String, Value> {
        let mut counts = Map::new();
        let mut put = |name: &str, value: Value| drop(counts.insert(name.into(), value));
        put("ended_by", json!(if self.stopped { "a signal" } else { "the end of the stream" }));
        put("records_written", json!(self.written.records));
        put("records_dropped", json!(self.dropped));
        put("records_lost", json!(self.written.lost));
        put("warm_up_ticks", json!(self.seen.ticks.min(WARM_UP)));
        put("deadline_s", json!(self.deadline_s));
        put("latency", json!(self.latency));
        put("work", json!(self.work));
        if let Some(pace) = self.pace.filter(|pace| *pace > QUEUED) {
            let note = format!(
                "the stream came {pace:.0} times faster than its clock: latency is the wait in its queue; see work, or give --paced"
            );
            put("latency_note", json!(note));
        }
        put("scheduling", json!(self.scheduling));
        put("seen", json!(self.seen));
        put("malformed", json!(self.malformed));
        put("odd_times", json!(self.oddities));
        put("engine", json!(self.engine));
        counts
    }

    /// One line for each thing that went wrong, with its count and what would help.
    pub fn warnings(&self, plan: &StreamPlan) -> Vec<String> {
        let (odd, bad, engine) = (&self.oddities, &self.malformed, &self.engine);
        let lines = [
            (bad.unknown, "record(s) of no known kind; stepped over: see the format in nissl decode --help"),
            (
                bad.wrong_size,
                "record(s) with a number of values that their kind does not have; stepped over: ticks and ends \
                 have none, field potentials one",
            ),
            (bad.truncated, "record cut off by the end of the stream; write an end record last"),
            (bad.bytes_behind_end, "byte(s) behind the record that ends the stream; not read"),
            (
                odd.late_spikes,
                "spike(s) earlier than the event before; used where their tick was still to come: write events \
                 in order of time",
            ),
            (
                odd.out_of_order,
                "position(s), tick(s) or field potential(s) out of order; not used: write events in order of time",
            ),
            (
                odd.duplicate,
                "position(s), tick(s) or field potential(s) twice at one time; the first was used",
            ),
            (
                odd.far,
                "event(s) over a minute away from those before; not used unless a second one agreed: are all \
                 times samples of one clock?",
            ),
            (odd.jumps, "jump(s) of the stream's time; no ticks were made in between"),
            (
                engine.bad_positions,
                "position(s) of no number, of a wrong width, or outside of the bins; not used: see \
                 encoder.position of --realtime-config",
            ),
            (
                engine.unknown_electrode,
                "spike(s) of electrodes that nobody named; not used: see decoder_assignment of --realtime-config, \
                 or the electrodes of the model",
            ),
            (
                engine.wrong_width,
                "spike(s) with marks of another width than configured; not used: see encoder.mark_dim of \
                 --realtime-config, or the features of the model",
            ),
            (engine.non_finite, "spike(s) with marks that are no finite numbers; not used"),
            (
                engine.dropped,
                "spike(s) overwritten or too late for any tick; not used: a larger decoder.bufsize keeps more",
            ),
            (
                engine.fallbacks,
                "tick(s) whose spikes contradict each other everywhere: the prediction was kept",
            ),
        ];
        let told = lines.into_iter().filter(|(count, _)| *count > 0);
        let mut warnings: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
        if self.dropped + self.written.lost > 0 {
            warnings.push(format!(
                "{} of {} records are not in {}: the writer was not fast enough, or could not write; \
                 choose a faster disk for -o",
                self.dropped + self.written.lost,
                self.seen.ticks,
                plan.output.display()
            ));
        }
        warnings
    }
}

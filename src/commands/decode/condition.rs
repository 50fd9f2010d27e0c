//! What is checked and mended once arrays are in memory (spec decode 11); pure.
//!
//! Spikes with NaN or infinite time or feature are dropped, unsorted ones put in stable order
//! with their features, position times must increase. Times in seconds.

use super::session::{Positions, Session, SessionChoices, SpikeTrain};
use crate::error::{Error, Result};
use crate::io::column::Column;

/// Values that are looked at before their memory goes back.
const BLOCK: usize = 1 << 18;
/// Names in one warning.
const LISTED: usize = 8;

/// Decoding times: at least two, finite, strictly increasing.
///
/// # Errors
/// Names the first index that is none of these.
pub(super) fn check_decoding_times(place: &str, time: &[f64]) -> Result<()> {
    if time.len() < 2 {
        let found = format!("{} decoding times", time.len());
        return Err(Error::data(place, found, "at least 2: they are edges of bins", ""));
    }
    if u32::try_from(time.len()).is_err() {
        return Err(Error::data(place, format!("{} decoding times", time.len()), "fewer than 2^32", ""));
    }
    match first_fault(time) {
        None => Ok(()),
        Some(at) => Err(fault(place, time, at, "")),
    }
}

/// The first index whose time is not finite or not later than the one before.
fn first_fault(time: &[f64]) -> Option<usize> {
    let bad = |at: usize| !time[at].is_finite() || (at > 0 && time[at] <= time[at - 1]);
    (0..time.len()).find(|&at| bad(at))
}

fn fault(place: &str, time: &[f64], at: usize, advice: &str) -> Error {
    let found = match at.checked_sub(1).and_then(|before| time.get(before)) {
        Some(before) if time[at].is_finite() => format!("{} s after {before} s", time[at]),
        _ => format!("{} s", time[at]),
    };
    Error::data(format!("{place}, index {at}"), found, "finite and increasing times", advice)
}

/// Checks position samples and makes infinite coordinates missing; with `fix`, leaves out
/// samples that are not later than the one kept before and returns their number.
///
/// # Errors
/// Fewer than two samples; without `fix`, times that do not increase.
pub(super) fn settle_samples(place: &str, positions: &mut Positions, fix: bool) -> Result<u64> {
    let mut dropped = 0;
    if let Some(at) = first_fault(&positions.time) {
        if !fix {
            let advice = "--fix-timestamps keeps the first of such samples";
            return Err(fault(place, &positions.time, at, advice));
        }
        dropped = keep_increasing(positions);
    }
    if positions.samples() < 2 {
        let found = match positions.samples() {
            1 => "1 position sample".to_owned(),
            n => format!("{n} position samples"),
        };
        return Err(Error::data(place, found, "at least 2", "a session needs the animal's position"));
    }
    positions.data.iter_mut().filter(|value| value.is_infinite()).for_each(|value| *value = f64::NAN);
    Ok(dropped)
}

fn keep_increasing(positions: &mut Positions) -> u64 {
    let axes = positions.axes;
    let (before, mut kept) = (positions.samples(), 0);
    for at in 0..before {
        let time = positions.time[at];
        if !time.is_finite() || (kept > 0 && time <= positions.time[kept - 1]) {
            continue;
        }
        positions.time[kept] = time;
        positions.data.copy_within(at * axes..(at + 1) * axes, kept * axes);
        if let Some(flags) = &mut positions.is_encoding {
            flags[kept] = flags[at];
        }
        if let Some(weights) = &mut positions.weights {
            weights[kept] = weights[at];
        }
        kept += 1;
    }
    positions.time.truncate(kept);
    positions.data.truncate(kept * axes);
    if let Some(flags) = &mut positions.is_encoding {
        flags.truncate(kept);
    }
    if let Some(weights) = &mut positions.weights {
        weights.truncate(kept);
    }
    (before - kept) as u64
}

/// Mends the trains of a session and writes down what was mended.
pub(super) fn settle(session: &mut Session, choices: &SessionChoices) {
    let (mut dropped, mut unsorted, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for train in &mut session.trains {
        let lost = drop_not_finite(train);
        session.counts.dropped_spikes += lost;
        dropped.extend((lost > 0).then(|| train.label.clone()));
        if sort(train) {
            session.counts.unsorted_trains += 1;
            unsorted.push(train.label.clone());
        }
        if choices.drop_repeated_spikes {
            let lost = drop_repeated(train);
            session.counts.repeated_spikes += lost;
            repeated.extend((lost > 0).then(|| train.label.clone()));
        }
        train.release();
    }
    let place = &session.place;
    let counts = &mut session.counts;
    let axes = session.positions.axes.max(1);
    let missing = session.positions.data.chunks_exact(axes).filter(|row| row.iter().any(|v| v.is_nan()));
    counts.missing_positions = missing.count() as u64;
    let mut warn = |count: u64, text: String| {
        if count > 0 {
            session.warnings.push(format!("{place}: {text}"));
        }
    };
    let n = counts.dropped_spikes;
    warn(n, format!("dropped {} with NaN or infinite time or feature ({})", spikes(n), listed(&dropped)));
    warn(
        counts.unsorted_trains,
        format!("spike times were not in order and were sorted ({})", listed(&unsorted)),
    );
    let n = counts.repeated_spikes;
    warn(n, format!("dropped {} at the time of the one before ({})", spikes(n), listed(&repeated)));
    let n = counts.dropped_positions;
    warn(n, format!("dropped {n} position samples whose times do not increase (--fix-timestamps)"));
    let n = counts.missing_positions;
    warn(n, format!("{n} of {} position samples are NaN and do not encode", session.positions.samples()));
    session.warnings.extend(apart(session));
}

/// The warning due where no spike lies in the time of the positions: two clocks, mostly.
fn apart(session: &Session) -> Option<String> {
    let (first, last) = (*session.positions.time.first()?, *session.positions.time.last()?);
    let ends = session.trains.iter().filter_map(|t| Some((*t.times.first()?, *t.times.last()?)));
    let (from, to) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    (to < first || from > last).then(|| {
        format!(
            "{}: spikes ({from} to {to} s) and positions ({first} to {last} s) do not overlap; \
             are both in seconds of one clock?",
            session.place
        )
    })
}

fn spikes(count: u64) -> String {
    if count == 1 { "1 spike".to_owned() } else { format!("{count} spikes") }
}

fn listed(names: &[String]) -> String {
    let more = if names.len() > LISTED { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(LISTED)].join(", "))
}

/// Keeps the spikes that `keep` says, by index; returns how many went.
fn retain(train: &mut SpikeTrain, keep: impl Fn(&SpikeTrain, usize, usize) -> bool) -> u64 {
    let (before, width) = (train.times.len(), train.width);
    let mut kept = 0;
    for at in 0..before {
        if keep(train, at, kept) {
            if at != kept {
                train.times[kept] = train.times[at];
                train.marks.copy_within(at * width..(at + 1) * width, kept * width);
            }
            kept += 1;
        }
    }
    train.times.truncate(kept);
    train.marks.truncate(kept * width);
    (before - kept) as u64
}

fn drop_not_finite(train: &mut SpikeTrain) -> u64 {
    // Without an early end the test runs at memory speed, and nearly always passes.
    let sound = |values: &[f64]| values.iter().fold(true, |all, value| all & value.is_finite());
    let all_sound = |column: &Column<f64>| {
        column.chunks(BLOCK).fold(true, |all, values| {
            let here = sound(values);
            column.release();
            all & here
        })
    };
    if all_sound(&train.times) && all_sound(&train.marks) {
        return 0;
    }
    retain(train, |train, at, _| {
        let width = train.width;
        train.times[at].is_finite() && sound(&train.marks[at * width..(at + 1) * width])
    })
}

fn drop_repeated(train: &mut SpikeTrain) -> u64 {
    retain(train, |train, at, kept| kept == 0 || train.times[at] != train.times[kept - 1])
}

/// Puts spikes in order of time with their features, equal times as they were; true if needed.
fn sort(train: &mut SpikeTrain) -> bool {
    if train.times.is_sorted() {
        return false;
    }
    let mut order: Vec<usize> = (0..train.times.len()).collect();
    // Times are finite here; zeros of either sign are one time, which total order has apart.
    order.sort_by(|&a, &b| (train.times[a] + 0.0).total_cmp(&(train.times[b] + 0.0)));
    let width = train.width;
    let mut row = vec![0.0; width];
    // Along each cycle of the permutation, so that no second copy of the marks is needed.
    for start in 0..order.len() {
        if order[start] == start {
            continue;
        }
        let time = train.times[start];
        row.copy_from_slice(&train.marks[start * width..(start + 1) * width]);
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at);
            if from == start {
                break;
            }
            train.times[at] = train.times[from];
            train.marks.copy_within(from * width..(from + 1) * width, at * width);
            at = from;
        }
        train.times[at] = time;
        train.marks[at * width..(at + 1) * width].copy_from_slice(&row);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn train(spikes: &[(f64, [f64; 2])]) -> SpikeTrain {
        SpikeTrain {
            times: spikes.iter().map(|s| s.0).collect(),
            marks: spikes.iter().flat_map(|s| s.1).collect(),
            width: 2,
            ..SpikeTrain::default()
        }
    }

    proptest! {
        #[test]
        fn sorting_and_dropping_are_what_a_list_of_pairs_does(
            codes in proptest::collection::vec((0u8..24, 0u8..40), 0..60)
        ) {
            let value = |code: u8, bad: f64| if code == 23 { bad } else { f64::from(code) };
            let spikes: Vec<(f64, [f64; 2])> = codes
                .iter()
                .enumerate()
                .map(|(i, &(t, m))| {
                    let mark = if m == 39 { f64::NEG_INFINITY } else { i as f64 };
                    (value(t, f64::NAN), [i as f64, mark])
                })
                .collect();
            let mut found = train(&spikes);
            let lost = drop_not_finite(&mut found);
            sort(&mut found);
            let finite = |s: &&(f64, [f64; 2])| s.0.is_finite() && s.1.iter().all(|v| v.is_finite());
            let mut kept: Vec<_> = spikes.iter().filter(finite).copied().collect();
            prop_assert_eq!(lost as usize, spikes.len() - kept.len());
            kept.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
            prop_assert_eq!(found, train(&kept));
        }
    }

    #[test]
    fn zeros_of_either_sign_are_one_time() {
        let mut found = train(&[(0.0, [1.0, 1.0]), (-0.0, [2.0, 2.0]), (-1.0, [3.0, 3.0])]);
        assert!(sort(&mut found));
        assert_eq!(found.marks[..], [3.0, 3.0, 1.0, 1.0, 2.0, 2.0]);
    }
}

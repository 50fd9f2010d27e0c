//! Which samples and spikes encode, and which rows spikes fall into: against the peer's arrays,
//! and against plain definitions of what the peer's data do not show (spec decode 1.1, 1.2, 4.2).
#![cfg(feature = "hdf5")]

mod decode_session;

use decode_session::{SETS, fixture, read, reference};
use nissl::commands::decode::selection::{
    DecodingSpikes, EncodingSamples, Interval, PositionWalk, STEP, TimeSpan, check_decoding_times,
    decoding_spikes, default_times, encoding_samples, interpolate, median_step, missing_rows,
};
use nissl::commands::decode::session::{Positions, SessionChoices};
use nissl::io::column::Column;
use proptest::prelude::*;
use std::ops::Range;

fn positions(time: &[f64], data: &[f64], mask: Option<&[bool]>) -> Positions {
    Positions {
        time: time.to_vec(),
        data: data.to_vec(),
        axes: data.len() / time.len().max(1),
        is_encoding: mask.map(<[bool]>::to_vec),
        weights: None,
    }
}

fn flat(ranges: &[Range<usize>]) -> Vec<usize> {
    ranges.iter().flat_map(|range| range.clone()).collect()
}

#[test]
fn encoding_spikes_positions_and_rates_are_the_peers() {
    for set in SETS {
        let session = read(&fixture(set, "inputs.h5"), &SessionChoices::default()).unwrap();
        let samples = encoding_samples(&session.positions, None, &session.place).unwrap();
        let n = reference(set, "in_n_encoding_samples")[0];
        assert_eq!(samples.bins() as f64, n, "{set}");
        assert_eq!(samples.time[..], session.positions.time[..n as usize]);
        let rates = reference(set, "mean_rates");
        assert_eq!(rates.len(), session.trains.len());
        for (train, rate) in session.trains.iter().zip(rates) {
            let used = samples.spikes(&train.times);
            let found = samples.positions_at(&train.times, &used);
            let count = flat(&used).len();
            assert_eq!(count as f64 / samples.bins() as f64, rate, "{set} {}", train.label);
            if set == "wtrack" {
                // The peer's are linearised: the track graph's business.
                assert_eq!(found.len(), 2 * count);
                continue;
            }
            let wanted = reference(set, &format!("encoding_positions_e{:0>2}", train.name));
            assert_eq!(found.len(), wanted.len(), "{set} {}", train.label);
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst <= 1e-10, "{set} {}: {worst}", train.label);
        }
    }
}

#[test]
fn rows_of_decoding_spikes_are_the_peers() {
    for set in SETS {
        let session = read(&fixture(set, "inputs.h5"), &SessionChoices::default()).unwrap();
        let time = session.time.clone().unwrap();
        for train in &session.trains {
            let found = decoding_spikes(&time, &train.times, None).unwrap();
            let wanted = reference(set, &format!("decoding_bin_index_e{:0>2}", train.name));
            let rows: Vec<f64> = found.rows.iter().map(|&row| f64::from(row)).collect();
            assert_eq!(rows, wanted, "{set} {}", train.label);
            assert_eq!(found.spikes.len() + found.outside, train.times.len());
        }
    }
}

/// Spec 1.1 word for word: rows, runs, margins, concatenation, the gate; a spike once.
fn encoding_by_definition(
    positions: &Positions,
    intervals: Option<&[Interval]>,
    spikes: &[f64],
) -> Vec<usize> {
    let axes = positions.axes;
    let mut rows: Vec<(f64, bool)> = Vec::new();
    for at in 0..positions.time.len() {
        if positions.data[at * axes..(at + 1) * axes].iter().any(|v| v.is_nan()) {
            continue;
        }
        let time = positions.time[at];
        let kept = match (intervals, &positions.is_encoding) {
            (Some(list), _) => list.iter().any(|i| i.start <= time && time <= i.stop),
            (None, Some(mask)) => mask[at],
            (None, None) => true,
        };
        rows.push((time, kept));
    }
    let delta = rows[1].0 - rows[0].0;
    let kept: Vec<f64> = rows.iter().filter(|row| row.1).map(|row| row.0).collect();
    let mut used = std::collections::BTreeSet::new();
    for run in rows.chunk_by(|a, b| a.1 == b.1).filter(|run| run[0].1) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        used.extend((0..spikes.len()).filter(|&i| first - delta <= spikes[i] && spikes[i] <= last + delta));
    }
    let (first, last) = (kept[0], kept[kept.len() - 1]);
    used.into_iter().filter(|&i| first <= spikes[i] && spikes[i] <= last).collect()
}

#[test]
fn runs_have_margins_that_end_with_the_samples_and_count_spikes_once() {
    // Steps of 1 s: delta = 1. Runs: 1..2, 4..5 (gap of 2 = 2 delta), 9..10.
    let time: Vec<f64> = (0..12).map(f64::from).collect();
    let mask: Vec<bool> = (0..12).map(|i| [1, 2, 4, 5, 9, 10].contains(&i)).collect();
    let positions = positions(&time, &time, Some(&mask));
    let samples = encoding_samples(&positions, None, "").unwrap();
    assert_eq!(samples.bins(), 6);
    let spans: Vec<(f64, f64)> = samples.windows.iter().map(|w| (w.start, w.stop)).collect();
    assert_eq!(spans, [(1.0, 3.0), (3.0, 6.0), (8.0, 10.0)]);
    // At both ends of every window, just outside, and at 3 s, which belongs to two windows.
    let spikes = [0.999, 1.0, 1.5, 3.0, 3.0, 4.0, 6.0, 6.001, 7.999, 8.0, 10.0, 10.001];
    let used = samples.spikes(&spikes);
    assert_eq!(flat(&used), [1, 2, 3, 4, 5, 6, 9, 10]);
    assert_eq!(flat(&used), encoding_by_definition(&positions, None, &spikes));
    // Between runs the straight line from one kept sample to the next.
    let at = samples.positions_at(&spikes, &used);
    assert_eq!(at, [1.0, 1.5, 3.0, 3.0, 4.0, 6.0, 8.0, 10.0]);
}

#[test]
fn overlapping_margins_do_not_count_spikes_twice() {
    let time = [0.0, 1.0, 1.2, 1.4, 1.6, 2.6];
    let mask = [true, true, false, true, true, true];
    let positions = positions(&time, &time, Some(&mask));
    let samples = encoding_samples(&positions, None, "").unwrap();
    assert!(samples.windows[0].stop > samples.windows[1].start);
    let spikes: Vec<f64> = (0..=26).map(|i| f64::from(i) / 10.0).collect();
    assert_eq!(flat(&samples.spikes(&spikes)), (0..=26).collect::<Vec<_>>());
}

#[test]
fn missing_rows_leave_runs_whole_and_set_delta() {
    let nan = f64::NAN;
    // The first row is missing: delta is 3 - 1 = 2. The gap 5..6 ends no run.
    let time = [0.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
    let data = [nan, 1.0, 3.0, 4.0, nan, nan, 7.0, 8.0, 9.0, 10.0];
    let mask = [true, true, true, true, true, true, true, false, false, false];
    let positions = positions(&time, &data, Some(&mask));
    let samples = encoding_samples(&positions, None, "").unwrap();
    assert_eq!((samples.missing, samples.bins(), samples.windows.len()), (3, 4, 1));
    assert_eq!(samples.windows[0], Interval { start: 1.0, stop: 7.0 });
    assert_eq!(samples.positions_at(&[5.5], std::slice::from_ref(&(0..1))), [5.5]);
    // With all kept but a middle one the margin shows: 4 + 2 beyond the missing rows.
    let mask = [true, true, true, true, true, true, false, false, false, true];
    let positions = Positions { is_encoding: Some(mask.to_vec()), ..positions };
    let samples = encoding_samples(&positions, None, "").unwrap();
    assert_eq!(samples.windows, [Interval { start: 1.0, stop: 6.0 }, Interval { start: 8.0, stop: 10.0 }]);
}

#[test]
fn intervals_include_both_ends_and_replace_the_mask() {
    let time: Vec<f64> = (0..10).map(f64::from).collect();
    let positions = positions(&time, &time, Some(&[false; 10]));
    let spans = [Interval { start: 6.0, stop: 7.5 }, Interval { start: 1.0, stop: 3.0 }];
    let samples = encoding_samples(&positions, Some(&spans), "").unwrap();
    assert_eq!(samples.time, [1.0, 2.0, 3.0, 6.0, 7.0]);
    let place = "rat.nwb";
    let message = encoding_samples(&positions, None, place).unwrap_err().to_string();
    assert_eq!(
        message,
        "rat.nwb: found 0 position samples that encode, expected at least 2; check position/is_encoding"
    );
    let far = [Interval { start: 9.0, stop: 12.0 }];
    let message = encoding_samples(&positions, Some(&far), place).unwrap_err().to_string();
    assert_eq!(
        message,
        "rat.nwb: found 1 position samples that encode, expected at least 2; check --encode-interval"
    );
}

#[test]
fn positions_are_interpolated_and_extrapolated_along_straight_lines() {
    let time = [0.0, 1.0, 3.0];
    let data = [0.0, 100.0, 10.0, 100.0, 30.0, 120.0];
    let at = [-1.0, 0.0, 0.25, 1.0, 2.0, 3.0, 4.0];
    let wanted = [-10.0, 100.0, 0.0, 100.0, 2.5, 100.0, 10.0, 100.0, 20.0, 110.0, 30.0, 120.0, 40.0, 130.0];
    assert_eq!(interpolate(&time, &data, 2, &at), wanted);
    // In any order, too.
    let mut walk = PositionWalk::new(&time, &data, 2);
    let mut out = [0.0; 2];
    for (&at, wanted) in at.iter().zip(wanted.chunks(2)).rev() {
        walk.at(at, &mut out);
        assert_eq!(out, wanted);
    }
}

#[test]
fn rows_are_missing_where_a_sample_with_a_share_is() {
    let nan = f64::NAN;
    let time = [0.0, 1.0, 2.0, 3.0, 4.0];
    let data = [0.0, 1.0, nan, 3.0, 4.0];
    let at = [0.5, 1.0, 1.25, 2.0, 2.75, 3.0, 4.0, 5.0];
    let positions = interpolate(&time, &data, 1, &at);
    // Exactly at a sample only that sample counts: decoding at position times is per sample.
    let wanted = [false, false, true, true, true, false, false, false];
    assert_eq!(missing_rows(&positions, 1), wanted);
    assert_eq!(missing_rows(&[1.0, nan, 1.0, 2.0], 2), [true, false]);
}

/// In memory and in a file.
fn rows_of(time: &[f64], spikes: &[f64]) -> DecodingSpikes {
    let folder = tempfile::tempdir().unwrap();
    let spikes = Column::from(spikes.to_vec());
    let held = decoding_spikes(time, &spikes, None).unwrap();
    let mapped = decoding_spikes(time, &spikes, Some(&folder.path().join("out.nc"))).unwrap();
    assert!(held == mapped && mapped.rows.is_mapped());
    held
}

/// Spec 4.2 word for word.
fn rows_by_definition(time: &[f64], spikes: &[f64]) -> DecodingSpikes {
    let (first, last) = (time[0], time[time.len() - 1]);
    let used: Vec<usize> = (0..spikes.len()).filter(|&i| first <= spikes[i] && spikes[i] <= last).collect();
    let inner = &time[1..time.len() - 1];
    let row = |&i: &usize| inner.iter().filter(|&&edge| edge <= spikes[i]).count() as u32;
    let start = spikes.iter().filter(|&&spike| spike < first).count();
    DecodingSpikes {
        spikes: start..start + used.len(),
        rows: used.iter().map(row).collect(),
        index: used.iter().step_by(STEP).map(row).collect(),
        outside: spikes.len() - used.len(),
    }
}

#[test]
fn both_ends_decode_and_the_last_row_stays_empty() {
    let time = [1.0, 2.0, 3.0, 4.0];
    let spikes = [0.9, 1.0, 1.99, 2.0, 3.0, 3.5, 4.0, 4.0, 4.1];
    let found = rows_of(&time, &spikes);
    assert_eq!(found.rows[..], [0, 0, 1, 2, 2, 2, 2]);
    assert_eq!((found.spikes.clone(), found.outside), (1..8, 2));
    let mut counts = [0; 4];
    found.add_counts(&(0..4), &mut counts);
    assert_eq!(counts, [2, 1, 4, 0]);
    // Two times: one bin that takes all, and its empty row.
    assert_eq!(rows_of(&[1.0, 4.0], &spikes).rows[..], [0; 7]);
    assert_eq!(
        rows_of(&[5.0, 6.0], &spikes),
        DecodingSpikes { spikes: 9..9, outside: 9, ..DecodingSpikes::default() }
    );
}

#[test]
fn chunks_of_rows_hold_the_same_spikes() {
    let time: Vec<f64> = (0..20).map(f64::from).collect();
    let spikes: Vec<f64> = (0..190).map(|i| f64::from(i) / 10.0).collect();
    let found = rows_of(&time, &spikes);
    let mut whole = vec![0; 20];
    found.add_counts(&(0..20), &mut whole);
    for length in 1..=20 {
        let (mut counts, mut last) = (Vec::new(), 0);
        for start in (0..20).step_by(length) {
            let rows = start..(start + length).min(20);
            let inside = found.in_rows(&rows);
            assert_eq!(inside.start, last);
            last = inside.end;
            let mut part = vec![0; rows.len()];
            found.add_counts(&rows, &mut part);
            counts.extend(part);
        }
        assert_eq!((last, counts), (found.rows.len(), whole.clone()));
    }
}

#[test]
fn a_time_span_excludes_its_stop_whatever_the_rounding() {
    let span = |start, stop, step| TimeSpan { start, stop, step };
    for (span, count) in [
        (span(0.0, 1.0, 0.1), 10),
        (span(0.0, 0.3, 0.1), 3),
        (span(0.1, 0.7, 0.2), 3),
        (span(0.0, 1.05, 0.1), 11),
        (span(4997.0, 5057.0, 1.0 / 60.0), 3600),
        (span(1.7e9, 1.7e9 + 60.0, 0.002), 30000),
        (span(-1.0, 1.0, 1.0), 2),
    ] {
        assert_eq!(span.count().unwrap(), count, "{span:?}");
        let times = span.times().unwrap();
        assert_eq!((times.len(), times[0]), (count, span.start));
        assert!(times.iter().enumerate().all(|(k, &t)| t == span.start + k as f64 * span.step));
        check_decoding_times("", &times).unwrap();
    }
    for (span, wanted) in [
        (span(0.0, 1.0, 1.0), "--time 0:1:1: 1 times; at least 2 times are needed, they are edges of bins"),
        (span(1.0, 0.0, 0.1), "--time 1:0:0.1: 0 times; at least 2 times are needed, they are edges of bins"),
        (span(0.0, 1e10, 1.0), "--time 0:10000000000:1: 10000000000 times, more than 2^32"),
        (
            span(0.0, 1.0, 0.0),
            "--time 0:1:0: START and STOP in seconds and a positive STEP are needed, \
             larger than the rounding of such times",
        ),
        (
            span(1e9, 1e9 + 1.0, 1e-7),
            "--time 1000000000:1000000001:0.0000001: START and STOP in seconds and a positive STEP are \
             needed, larger than the rounding of such times",
        ),
        (
            span(f64::NAN, 1.0, 0.1),
            "--time NaN:1:0.1: START and STOP in seconds and a positive STEP are needed, \
             larger than the rounding of such times",
        ),
    ] {
        assert_eq!(span.times().unwrap_err().to_string(), wanted);
    }
}

#[test]
fn without_times_the_positions_give_them() {
    let uneven = positions(&[0.0, 1.0, 2.0, 4.0, 4.5], &[0.0; 5], None);
    assert_eq!(median_step(&uneven.time), 1.0);
    assert_eq!(default_times(&uneven, "").unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    let even: Vec<f64> = (0..301).map(|k| 1000.0 + f64::from(k) / 30.0).collect();
    let times = default_times(&positions(&even, &even, None), "").unwrap();
    assert_eq!(times.len(), 301);
    assert!((times[300] - even[300]).abs() < 1e-9);
    assert_eq!(median_step(&[0.0, 1.0, 3.0]), 1.5);
    assert!(median_step(&[1.0]).is_nan());
}

fn steps() -> impl Strategy<Value = Vec<f64>> {
    // Quarters: sums are exact, and spikes meet edges often.
    proptest::collection::vec(1u8..9, 2..40).prop_map(|steps| {
        let mut at = 5.0;
        steps
            .iter()
            .map(|&s| {
                at += f64::from(s) / 4.0;
                at
            })
            .collect()
    })
}

fn spikes() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0u16..400, 0..80).prop_map(|codes| {
        let mut times: Vec<f64> = codes.iter().map(|&c| f64::from(c) / 4.0).collect();
        times.sort_by(f64::total_cmp);
        times
    })
}

proptest! {
    #[test]
    fn rows_follow_the_definition(time in steps(), spikes in spikes()) {
        prop_assert_eq!(rows_of(&time, &spikes), rows_by_definition(&time, &spikes));
    }

    #[test]
    fn encoding_follows_the_definition(
        time in steps(),
        spikes in spikes(),
        codes in proptest::collection::vec(0u8..8, 40),
        spans in proptest::option::of(proptest::collection::vec((0u8..80, 0u8..20), 1..4)),
    ) {
        let mask: Vec<bool> = time.iter().zip(&codes).map(|(_, &code)| code < 5).collect();
        let data: Vec<f64> =
            time.iter().zip(&codes).map(|(&t, &code)| if code == 7 { f64::NAN } else { t * 2.0 }).collect();
        let intervals: Option<Vec<Interval>> = spans.map(|list| list.iter().map(|&(from, length)| {
            Interval { start: f64::from(from), stop: f64::from(from) + f64::from(length) }
        }).collect());
        let positions = positions(&time, &data, Some(&mask));
        let Ok(samples) = encoding_samples(&positions, intervals.as_deref(), "") else { return Ok(()) };
        let used = samples.spikes(&spikes);
        prop_assert!(used.windows(2).all(|pair| pair[0].end < pair[1].start));
        prop_assert_eq!(flat(&used), encoding_by_definition(&positions, intervals.as_deref(), &spikes));
        // The animal runs at 2 a second: a straight line over any gap finds it.
        let found = samples.positions_at(&spikes, &used);
        for (index, position) in flat(&used).into_iter().zip(found) {
            prop_assert!((position - spikes[index] * 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn walks_agree_with_a_search_for_each_time(time in steps(), at in spikes()) {
        let data: Vec<f64> = time.iter().map(|t| (t * 1.7).sin()).collect();
        let by_search: Vec<f64> = at.iter().map(|&q| {
            let segment = time.partition_point(|&t| t <= q).saturating_sub(1).min(time.len() - 2);
            let share = (q - time[segment]) / (time[segment + 1] - time[segment]);
            if share == 0.0 { data[segment] } else { data[segment] * (1.0 - share) + data[segment + 1] * share }
        }).collect();
        prop_assert_eq!(interpolate(&time, &data, 1, &at), by_search);
    }
}

#[test]
fn samples_are_plain_data() {
    let none = EncodingSamples::default();
    assert_eq!((none.bins(), none.spikes(&[1.0])), (1, vec![]));
}

//! Which samples and spikes encode, and which spikes fall into which decoding row; pure.
//!
//! Times in seconds, ascending; positions `[sample][axis]`. Both ends of every span count
//! (spec decode 1.1, 1.2, 4.2, 4.5).

mod interpolate;
mod times;

use super::session::Positions;
use crate::error::{Error, Result};
use crate::io::column::Column;
use std::ops::Range;
use std::path::Path;

pub use interpolate::{PositionWalk, interpolate, missing_rows};
pub use times::{TimeSpan, check_decoding_times, default_times, median_step};

/// Spikes that are looked at before their memory goes back.
const BLOCK: usize = 64 * STEP;
/// Spikes between two entries of an index.
pub const STEP: usize = 4096;

/// A span of time, seconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// First moment that belongs to it.
    pub start: f64,
    /// Last moment that belongs to it.
    pub stop: f64,
}

impl Interval {
    fn holds(&self, time: f64) -> bool {
        self.start <= time && time <= self.stop
    }
}

/// The position samples that encode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodingSamples {
    /// Seconds, strictly increasing.
    pub time: Vec<f64>,
    /// Coordinates `[sample][axis]`, none NaN.
    pub data: Vec<f64>,
    /// Axes of a sample.
    pub axes: usize,
    /// Weight of each; empty: all alike.
    pub weights: Vec<f64>,
    /// Samples left out because a coordinate is NaN, whether or not they were to encode.
    pub missing: usize,
    /// Times in which spikes encode, ascending, one for each run of samples; they may overlap.
    pub windows: Vec<Interval>,
}

impl EncodingSamples {
    /// Position samples that rates refer to: `n_bins_enc`.
    pub fn bins(&self) -> usize {
        self.time.len().max(1)
    }

    /// The spikes that encode, as ascending ranges of indices, each spike in one at most.
    ///
    /// Where two runs are closer than two position steps, their windows overlap; the peer counts
    /// the spikes there twice, here they count once.
    pub fn spikes(&self, times: &[f64]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for window in &self.windows {
            let taken = ranges.last().map_or(0, |range| range.end);
            let rest = times.get(taken..).unwrap_or_default();
            let start = taken + rest.partition_point(|&time| time < window.start);
            let end = taken + rest.partition_point(|&time| time <= window.stop);
            match ranges.last_mut() {
                Some(range) if start == range.end => range.end = end.max(start),
                _ if start < end => ranges.push(start..end),
                _ => {}
            }
        }
        ranges
    }

    /// Positions at the spikes of `ranges`, `[spike][axis]`: straight lines between the samples
    /// that encode, across gaps too.
    pub fn positions_at(&self, times: &[f64], ranges: &[Range<usize>]) -> Vec<f64> {
        self.between_samples(&self.data, self.axes, (times, ranges))
    }

    /// Weights at the spikes of `ranges`, on straight lines likewise; empty where samples have none.
    pub fn weights_at(&self, times: &[f64], ranges: &[Range<usize>]) -> Vec<f64> {
        match self.weights.is_empty() {
            true => Vec::new(),
            false => self.between_samples(&self.weights, 1, (times, ranges)),
        }
    }

    fn between_samples(
        &self,
        data: &[f64],
        columns: usize,
        (times, ranges): (&[f64], &[Range<usize>]),
    ) -> Vec<f64> {
        let count: usize = ranges.iter().map(|range| range.len()).sum();
        let mut out = vec![0.0; count * columns];
        let mut walk = PositionWalk::new(&self.time, data, columns);
        let used = ranges.iter().flat_map(|range| times.get(range.clone()).unwrap_or_default());
        for (&time, row) in used.zip(out.chunks_exact_mut(columns.max(1))) {
            walk.at(time, row);
        }
        out
    }
}

/// Selects the samples that encode: those inside `intervals` where they are given, else those of
/// the mask, else all; never those with a NaN. `place` names the session in errors.
///
/// # Errors
/// Fewer than two samples are left, between which no position can be interpolated.
pub fn encoding_samples(
    positions: &Positions,
    intervals: Option<&[Interval]>,
    place: &str,
) -> Result<EncodingSamples> {
    let mut samples = EncodingSamples { axes: positions.axes, ..EncodingSamples::default() };
    let mut runs: Vec<(f64, f64)> = Vec::new();
    let (mut present, mut kept_before) = (Vec::with_capacity(2), false);
    for (at, &time) in positions.time.iter().enumerate() {
        let row = positions.sample(at);
        // Rows without a position go first, so that a gap in tracking ends no run.
        if row.iter().any(|value| value.is_nan()) {
            samples.missing += 1;
            continue;
        }
        if present.len() < 2 {
            present.push(time);
        }
        let kept = match (intervals, &positions.is_encoding) {
            (Some(intervals), _) => intervals.iter().any(|interval| interval.holds(time)),
            (None, Some(flags)) => flags.get(at).copied().unwrap_or(false),
            (None, None) => true,
        };
        if kept {
            samples.time.push(time);
            samples.data.extend_from_slice(row);
            samples.weights.extend(positions.weights.as_ref().and_then(|weights| weights.get(at)));
            match runs.last_mut().filter(|_| kept_before) {
                Some(run) => run.1 = time,
                None => runs.push((time, time)),
            }
        }
        kept_before = kept;
    }
    let (Some(&first), Some(&last), [zeroth, next]) =
        (samples.time.first(), samples.time.last(), &present[..])
    else {
        return Err(too_few(&samples, intervals.is_some(), place));
    };
    if samples.time.len() < 2 {
        return Err(too_few(&samples, intervals.is_some(), place));
    }
    let delta = next - zeroth;
    // The margins reach into gaps, but not beyond the first and last sample.
    let window = |&(from, to): &(f64, f64)| Interval {
        start: (from - delta).max(first),
        stop: (to + delta).min(last),
    };
    samples.windows = runs.iter().map(window).collect();
    Ok(samples)
}

fn too_few(samples: &EncodingSamples, intervals: bool, place: &str) -> Error {
    let found = format!("{} position samples that encode", samples.time.len());
    let found = match samples.missing {
        0 => found,
        missing => format!("{found} ({missing} of all are NaN)"),
    };
    let advice = if intervals { "check --encode-interval" } else { "check position/is_encoding" };
    Error::data(place, found, "at least 2", advice)
}

/// The spikes of one train that decode, and their rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecodingSpikes {
    /// Indices of the spikes in range.
    pub spikes: Range<usize>,
    /// Row of each of them, ascending.
    pub rows: Column<u32>,
    /// Every [`STEP`]th of the rows, from the first on: where to look for the others.
    pub index: Vec<u32>,
    /// Spikes before the first or after the last decoding time.
    pub outside: usize,
}

impl DecodingSpikes {
    /// Which of the spikes in range fall into `rows`: indices into [`DecodingSpikes::rows`].
    pub fn in_rows(&self, rows: &Range<usize>) -> Range<usize> {
        let until = |end: usize| before((&self.rows, &self.index), end as u64);
        until(rows.start)..until(rows.end)
    }

    /// Adds the number of spikes in each of `rows` to `counts`, one for each row.
    pub fn add_counts(&self, rows: &Range<usize>, counts: &mut [u32]) {
        for block in self.rows[self.in_rows(rows)].chunks(BLOCK) {
            for &row in block {
                if let Some(count) = counts.get_mut(row as usize - rows.start) {
                    *count = count.saturating_add(1);
                }
            }
            self.rows.release();
        }
    }
}

/// How many of the ascending `rows` lie before `row`; `index` holds every [`STEP`]th of them, or nothing.
/// Rows in a file are not brought to memory beyond one step.
pub fn before((rows, index): (&[u32], &[u32]), row: u64) -> usize {
    let earlier = |&at: &u32| u64::from(at) < row;
    let steps = index.partition_point(earlier);
    let from = steps.saturating_sub(1) * STEP;
    let to = if index.is_empty() { rows.len() } else { rows.len().min(steps * STEP) };
    from + rows[from..to].partition_point(earlier)
}

/// Puts spikes into decoding rows. `time` has T >= 2 ascending entries, `spikes` ascend.
///
/// Spikes from the first to the last time, both included, are used. Row t holds those from
/// `time[t]` up to but not at `time[t + 1]`; row T-2 also those at the last time, so that row T-1
/// never has any: T times are the edges of T-1 bins, though T rows come out, as in the peer. The rows
/// lie in a file `beside` where one is named.
///
/// # Errors
/// That file cannot be made.
pub fn decoding_spikes(time: &[f64], spikes: &Column<f64>, beside: Option<&Path>) -> Result<DecodingSpikes> {
    let (Some(&first), Some(&last)) = (time.first(), time.last()) else {
        return Ok(DecodingSpikes { outside: spikes.len(), ..DecodingSpikes::default() });
    };
    let start = spikes.partition_point(|&spike| spike < first);
    let end = spikes.partition_point(|&spike| spike <= last).max(start);
    let inner = time.get(1..time.len() - 1).unwrap_or_default();
    let mut rows = Column::zeros(end - start, beside)?;
    let (mut row, mut index) = (0, Vec::new());
    for from in (start..end).step_by(BLOCK) {
        let block = &spikes[from..end.min(from + BLOCK)];
        for (to, &spike) in rows[from - start..].iter_mut().zip(block) {
            row += interpolate::leap(&inner[row..], spike);
            *to = row as u32;
        }
        index.extend(rows[from - start..][..block.len()].iter().step_by(STEP));
        spikes.release();
        rows.release();
    }
    Ok(DecodingSpikes { rows, index, spikes: start..end, outside: spikes.len() - (end - start) })
}

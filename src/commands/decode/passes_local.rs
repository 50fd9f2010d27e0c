//! Columns that depend on where the animal is, and what its position takes from other states:
//! local and no-spike likelihood, penalty (spec decode 4.1, 4.6, 5).

use super::encoding::{EncodingModel, LocalModel, local_log_intensity};
use super::grid::BinLookup;
use super::neighbours::AnimalDistances;
use super::prepare::{Decoding, Prepared};
use super::selection::{DecodingSpikes, interpolate, missing_rows};
use super::sorted::SortedLocal;
use crate::backend::CpuLevel;
use crate::error::{Error, Result};
use crate::kernels::marks::{Intensity, Scratch};
use crate::report::Recorder;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;

/// Stage of the report.
pub const STAGE: &str = "local";

/// Spikes of a train, or rows, that are looked at before their memory goes back.
const AT_ONCE: usize = 1 << 16;
/// Spikes computed together.
const BLOCK: usize = 256;

/// Where the animal is at decoding times, `[row, axis]`, in the model's coordinates.
#[derive(Debug, Default)]
pub struct Whereabouts {
    /// Positions; NaN where they are not known.
    pub positions: Vec<f64>,
    /// Rows without a position.
    pub missing: Vec<bool>,
}

impl Whereabouts {
    /// Between all samples of the recording, whether or not they encode.
    ///
    /// # Errors
    /// Positions of other axes than the model's.
    pub fn at(prepared: &Prepared, time: &[f64]) -> Result<Self> {
        let positions = &prepared.session.positions;
        let raw = interpolate(&positions.time, &positions.data, positions.axes, time);
        let missing = missing_rows(&raw, positions.axes);
        Ok(Whereabouts { positions: prepared.model.linearise(&raw, positions.axes)?, missing })
    }
}

/// Log likelihood of the no-spike state, one value per row: every train a Poisson process of `rate`.
pub fn no_spike(decoding: &Decoding, rate: f64) -> Vec<f64> {
    let value = no_spike_of(decoding.spikes.len(), rate * decoding.step);
    let mut counts = vec![0u32; decoding.time.len()];
    for spikes in &decoding.spikes {
        spikes.add_counts(&(0..decoding.time.len()), &mut counts);
    }
    counts.into_iter().map(value).collect()
}

/// The same of one row, from its number of spikes; `expected` of each of `trains`.
pub(super) fn no_spike_of(trains: usize, expected: f64) -> impl Fn(u32) -> f64 {
    let silent = -(trains as f64) * expected;
    move |count| if count == 0 { silent } else { f64::from(count) * expected.ln() + silent }
}

/// Log likelihood at the animal's own position, one value per row; spikes outside of `rows` are
/// left out where they cost.
///
/// # Errors
/// Positions do not fit the model; [`Error::Interrupted`] when asked to stop.
pub fn local(
    prepared: &Prepared,
    decoding: &Decoding,
    animal: &Whereabouts,
    rows: &Range<u64>,
    (level, recorder): (CpuLevel, &Recorder),
) -> Result<Vec<f64>> {
    let model = &prepared.model;
    if prepared.marks.is_empty() {
        return Ok(of_units(prepared, decoding, animal, level));
    }
    let all_spikes = model.all_spikes();
    let points = decoding.time.len() + decoding.spikes.iter().map(|d| d.rows.len()).sum::<usize>();
    let at = LocalModel::new(level, model, &all_spikes, points);
    let per_bin = model.rate_units.per_bin(decoding.step);
    let mut sums: Vec<f64> = at.rate(&animal.positions).into_iter().map(|rate| -rate * per_bin).collect();
    for (train, spikes) in decoding.spikes.iter().enumerate() {
        if recorder.is_cancelled() {
            return Err(Error::Interrupted);
        }
        let tables = prepared.marks.of_train(prepared.electrodes(), train);
        let intensity = tables.as_deref().and_then(|tables| tables.first());
        let own = spikes.in_rows(&(rows.start as usize..rows.end as usize));
        for from in own.clone().step_by(AT_ONCE) {
            let own = from..own.end.min(from + AT_ONCE);
            let first = spikes.spikes.start;
            let some = first + own.start..first + own.end;
            let values = at_spikes(prepared, (train, some), (&at, intensity), level)?;
            for (&row, value) in spikes.rows[own].iter().zip(values) {
                sums[row as usize] += value;
            }
            spikes.rows.release();
        }
    }
    Ok(sums)
}

/// The same for sorted units, some rows at a time.
fn of_units(prepared: &Prepared, decoding: &Decoding, animal: &Whereabouts, level: CpuLevel) -> Vec<f64> {
    let (rows, axes) = (decoding.time.len(), prepared.model.axes().max(1));
    let local = SortedLocal::new(level, &prepared.model, rows, decoding.step);
    let mut values = Vec::with_capacity(rows);
    for first in (0..rows).step_by(AT_ONCE) {
        let here = first..rows.min(first + AT_ONCE);
        let fired = |spikes: &DecodingSpikes| {
            let own = spikes.rows[spikes.in_rows(&here)].iter().map(|&row| row as usize).collect();
            spikes.rows.release();
            own
        };
        let units: Vec<Vec<usize>> = decoding.spikes.iter().map(fired).collect();
        values.extend(local.rows(&units, first, &animal.positions[here.start * axes..here.end * axes]));
    }
    values
}

/// Local log intensity of a train's spikes, each at the animal's position at its own time.
fn at_spikes(
    prepared: &Prepared,
    (train, spikes): (usize, Range<usize>),
    (at, intensity): (&LocalModel, Option<&Intensity>),
    level: CpuLevel,
) -> Result<Vec<f64>> {
    let (model, positions) = (&prepared.model, &prepared.session.positions);
    let recorded = &prepared.session.trains[train];
    let times = &recorded.times[spikes.clone()];
    let raw = interpolate(&positions.time, &positions.data, positions.axes, times);
    let places = model.linearise(&raw, positions.axes)?;
    let marks = &recorded.marks[spikes.start * recorded.width..spikes.end * recorded.width];
    let densities = match intensity {
        Some(intensity) => densities(intensity, (marks, recorded.width), &places, model, level),
        None => vec![0.0; times.len()],
    };
    recorded.release();
    let (rate, floor) = (model.trains[train].rate, prepared.floors[train]);
    let value = |(density, occupancy): (f64, f64)| {
        let value = local_log_intensity(rate, density, occupancy, floor);
        // An unknown position tells as little as one far from all others.
        if value.is_nan() { floor } else { value }
    };
    Ok(densities.into_iter().zip(at.occupancy(&places)).map(value).collect())
}

fn densities(
    intensity: &Intensity,
    (marks, width): (&[f64], usize),
    places: &[f64],
    model: &EncodingModel,
    level: CpuLevel,
) -> Vec<f64> {
    let axes = model.axes();
    let mut out = vec![0.0; places.len() / axes];
    let parts = out.par_chunks_mut(BLOCK).zip(places.par_chunks(BLOCK * axes)).enumerate();
    parts.for_each_init(Scratch::default, |scratch, (part, (out, places))| {
        let first = part * BLOCK * width;
        let marks = &marks[first..first + out.len() * width];
        intensity.density_at(level, (marks, places), out, scratch);
    });
    out
}

/// What the animal's position takes from the non-local bins of every row.
pub struct PositionPenalty {
    /// The animal's interior bin in each row.
    bins: Vec<Option<usize>>,
    /// Added to the bins when the animal is in one.
    added: HashMap<usize, Vec<f64>>,
}

impl PositionPenalty {
    /// For every row; `(height, std)` in nats and length.
    pub fn new(model: &EncodingModel, animal: &Whereabouts, penalty: (f64, f64)) -> Self {
        let axes = model.axes();
        let mut lookup = BinLookup::new(&model.grid);
        let mut distances = AnimalDistances::new(&model.grid, model.track.as_ref());
        let mut added = HashMap::new();
        let bins = animal.positions.chunks_exact(axes).map(|position| {
            let bin = lookup.interior_bin(position)?;
            added.entry(bin).or_insert_with(|| {
                let mut values = vec![0.0; model.bins()];
                distances.penalise(position, penalty, &mut values);
                values
            });
            Some(bin)
        });
        PositionPenalty { bins: bins.collect(), added }
    }

    /// Adds it to the bins of `row`.
    pub fn add(&self, row: usize, values: &mut [f64]) {
        let Some(added) = self.bins.get(row).copied().flatten().and_then(|bin| self.added.get(&bin)) else {
            return;
        };
        for (value, more) in values.iter_mut().zip(added) {
            *value += more;
        }
    }
}

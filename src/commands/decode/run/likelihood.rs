//! The likelihood of time bins: computed, gone on with from kept rows, or read from parts.

use super::super::budget::IN_FLIGHT;
use super::super::keeping::Keeping;
use super::super::part::{AsTheyAre, FromParts, Opened, RowsOf};
use super::super::passes_filter::{Filtering, extras};
use super::super::passes_likelihood::devices::Devices;
use super::super::passes_likelihood::{
    self, Adds, Likelihood, LikelihoodPass, LikelihoodRows, NoInput, TablesInTurns, Train, Value,
};
use super::super::passes_local::{self, PositionPenalty, Whereabouts};
use super::super::session::SpikeTrain;
use super::Decode;
use crate::commands::keep::Keeper;
use crate::error::Result;
use crate::kernels::hmm;
use crate::kernels::marks::BOXED;
use crate::pipeline::run::{Buffers, run as stream};
use crate::pipeline::{Sink, chunk};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

impl Decode<'_> {
    /// The likelihood of all time bins, from `parts`; spikes at the floor by train.
    pub(super) fn read<T: Value>(&self, parts: &[Opened], filtering: &mut Filtering<T>) -> Result<Vec<u64>> {
        let buffers = Buffers {
            input: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
            output: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
        };
        let rows = self.decoding.time.len() as u64;
        stream(
            ["read parts", "hand on", "filter"],
            chunk::split(1, rows, self.plan.chunk_rows as u64),
            (&mut RowsOf::<T>(FromParts::new(parts), PhantomData), &AsTheyAre(PhantomData), filtering),
            buffers,
            self.pool,
            self.context.recorder,
        )?;
        let mut floored = vec![0; self.prepared.marks.choices.len()];
        for part in parts {
            floored.iter_mut().zip(&part.floored).for_each(|(sum, count)| *sum += count);
        }
        Ok(floored)
    }

    /// Computes the likelihood of the time bins `rows` and hands it to `sink`, whose time goes to
    /// `stage`; spikes at the floor by train.
    pub(super) fn likelihood<T: Value, K: Sink<Buffer = LikelihoodRows<T>>>(
        &self,
        rows: Range<u64>,
        (sink, stage): (&mut K, &'static str),
        keeper: &mut Keeper<'_>,
    ) -> Result<Vec<u64>> {
        let (prepared, decoding, recorder) = (self.prepared, self.decoding, self.context.recorder);
        let width = (decoding.chain.row_width(), prepared.marks.choices.len());
        let mut keeping = Keeping::new(sink, keeper, width);
        let gap = keeping.first(&rows)?.unwrap_or(rows.start);
        let chain = &decoding.chain;
        let animal = match chain.takes(hmm::Likelihood::Local) {
            true => Whereabouts::at(prepared, &decoding.time)?,
            false => Whereabouts::default(),
        };
        let columns = self.extra_columns(&animal, &rows)?;
        let penalty = self.penalty(&animal);
        let penalise = |row: usize, values: &mut [f64]| {
            if let Some(penalty) = &penalty {
                penalty.add(row, values);
            }
        };
        let per_bin = prepared.model.rate_units.per_bin(decoding.step);
        let ground: Vec<f64> = prepared.model.ground.iter().map(|ground| ground * per_bin).collect();
        let tables =
            TablesInTurns { marks: &prepared.marks, from: prepared.electrodes(), turns: &self.plan.turns };
        let devices = Devices::open(&self.plan.backend, &tables, self.plan.chunk_rows, recorder)?;
        let likelihood = Likelihood {
            trains: self.trains(),
            ground: &ground,
            missing: &animal.missing,
            penalty: penalty.is_some().then_some(&penalise),
            extras: columns.iter().map(Vec::as_slice).collect(),
            level: self.context.level,
            recorder,
            tables,
            devices: devices.as_ref(),
            release: &|| self.release(),
            floored: prepared.marks.choices.iter().map(|_| AtomicU64::new(0)).collect(),
        };
        let pass = LikelihoodPass { likelihood: &likelihood, element: PhantomData };
        let leg = |rows: Range<u64>, keeping: &mut Keeping<'_, '_, K, T>| {
            let buffers = Buffers {
                input: vec![(); IN_FLIGHT],
                output: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
            };
            stream(
                ["spikes", passes_likelihood::STAGE, stage],
                chunk::split_range(1, rows, self.plan.chunk_rows as u64),
                (&mut NoInput, &pass, keeping),
                buffers,
                self.pool,
                recorder,
            )
        };
        leg(rows.start..gap, &mut keeping)?;
        let first = recorder.time("resume", || keeping.replay(&(gap..rows.end)))?;
        if first > gap {
            tracing::info!("resuming at time bin {first} of {} to {}", rows.start, rows.end);
            recorder.advance(first - gap);
            self.resumed.fetch_add(first - gap, Ordering::Relaxed);
        }
        leg(first..rows.end, &mut keeping)?;
        Ok(keeping.floored)
    }

    /// Columns of the one-bin states, one value per row each.
    fn extra_columns(&self, animal: &Whereabouts, rows: &Range<u64>) -> Result<Vec<Vec<f64>>> {
        let recorder = self.context.recorder;
        let column = |which| match which {
            hmm::Likelihood::NoSpike => {
                Ok(passes_local::no_spike(self.decoding, self.prepared.options.no_spike_rate))
            }
            _ => recorder.time(passes_local::STAGE, || {
                let machine = (self.context.level, recorder);
                self.pool.install(|| passes_local::local(self.prepared, self.decoding, animal, rows, machine))
            }),
        };
        extras(&self.decoding.chain).map(column).collect()
    }

    fn penalty(&self, animal: &Whereabouts) -> Option<PositionPenalty> {
        let penalty = self.prepared.options.position_penalty;
        (penalty.0 > 0.0).then(|| PositionPenalty::new(&self.prepared.model, animal, penalty))
    }

    /// Gives back the memory of spikes in files.
    fn release(&self) {
        self.prepared.session.trains.iter().for_each(SpikeTrain::release);
        self.decoding.spikes.iter().for_each(|spikes| spikes.rows.release());
    }

    fn trains(&self) -> Vec<Train<'_>> {
        let prepared = self.prepared;
        let trains = prepared.session.trains.iter().zip(&self.decoding.spikes).enumerate();
        trains
            .map(|(at, (train, spikes))| Train {
                rows: &spikes.rows,
                index: &spikes.index,
                adds: match prepared.marks.is_empty() {
                    false => Adds::Marks {
                        marks: &train.marks
                            [spikes.spikes.start * train.width..spikes.spikes.end * train.width],
                        width: train.width,
                        similar: match train.width >= BOXED {
                            true => prepared.model.mark_std(at),
                            false => Vec::new(),
                        },
                    },
                    true => Adds::Field(prepared.model.trains[at].field.iter().map(|f| f.ln()).collect()),
                },
            })
            .collect()
    }
}

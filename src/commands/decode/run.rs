//! Runs a plan: likelihood and filter forwards, smoother backwards, file and picture. No arithmetic
//! here.

mod tell;

use super::budget::IN_FLIGHT;
use super::keeping::Keeping;
use super::model_file;
use super::options::{Precision, Save};
use super::part::{self, FromParts, Opened, PartSink};
use super::passes_filter::{Filtering, Forward, Written, extras};
use super::passes_likelihood::{
    self, Adds, Likelihood, LikelihoodPass, LikelihoodRows, NoInput, TablesInTurns, Train, Value,
};
use super::passes_local::{self, PositionPenalty, Whereabouts};
use super::passes_smooth::{
    self, Again, Block, Estimates, Estimator, Posteriors, Smoothing, backwards, most_likely_sequence,
};
use super::picture::Picture;
use super::plan::{Plan, ShardPlan};
use super::prepare::{Decoding, Prepared};
use super::results::{ResultFile, Variable};
use super::store::RowStore;
use super::walks;
use crate::commands::{Context, Outcome, keep};
use crate::error::{Error, Result};
use crate::io::kept::Kept;
use crate::kernels::hmm;
use crate::kernels::marks::BOXED;
use crate::pipeline::run::{Buffers, run as stream};
use crate::pipeline::{Sink, chunk};
use crate::report::Work;
use rayon::ThreadPool;
use serde_json::{Map, Value as Json};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs `plan`; the output appears under its name only when it is whole.
///
/// # Errors
/// The output cannot be written, or the run was interrupted.
pub fn run(plan: &Plan, context: &Context) -> Result<Outcome> {
    work(plan, None, context)
}

/// Runs `plan` with the likelihood of `parts`, which are complete and in order, in place of its own.
///
/// # Errors
/// As [`run`], and parts that cannot be read.
pub(super) fn merge(plan: &Plan, parts: &[Opened], context: &Context) -> Result<Outcome> {
    work(plan, Some(parts), context)
}

fn work(plan: &Plan, parts: Option<&[Opened]>, context: &Context) -> Result<Outcome> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build()
        .map_err(|e| Error::Failed(format!("cannot start {} worker threads: {e}", context.threads)))?;
    let prepared = &plan.prepared;
    let inputs = prepared.session.inputs.clone();
    let Some(decoding) = &prepared.decoding else {
        context.recorder.time("write", || model_file::write(&prepared.model, &plan.output))?;
        let outputs = vec![plan.output.clone()];
        return Ok(Outcome { inputs, outputs, counts: counts(prepared), failures: Vec::new() });
    };
    if plan.done {
        context.recorder.advance(decoding.time.len() as u64);
        tracing::info!("{}: this part is done already", plan.output.display());
        return Ok(Outcome { inputs, outputs: Vec::new(), counts: Map::new(), failures: Vec::new() });
    }
    let decode = Decode { plan, prepared, decoding, parts, resumed: AtomicU64::new(0), context, pool: &pool };
    if let Some(part) = &plan.shard {
        match prepared.options.precision {
            Precision::F32 => decode.part::<f32>(part)?,
            Precision::F64 => decode.part::<f64>(part)?,
        }
        let (outputs, counts) = (vec![plan.output.clone()], counts(prepared));
        return Ok(Outcome { inputs, outputs, counts, failures: Vec::new() });
    }
    let (outputs, more) = match prepared.options.precision {
        Precision::F32 => decode.run::<f32>()?,
        Precision::F64 => decode.run::<f64>()?,
    };
    let mut counts = counts(prepared);
    counts.extend(more);
    Ok(Outcome { inputs, outputs, counts, failures: Vec::new() })
}

/// What was mended while reading.
fn counts(prepared: &Prepared) -> Map<String, Json> {
    let mut counts = Map::new();
    if let Ok(Json::Object(mended)) = serde_json::to_value(prepared.session.counts) {
        counts.extend(mended.into_iter().filter(|(_, count)| count.as_u64() != Some(0)));
    }
    counts
}

/// One recording at work.
struct Decode<'a> {
    plan: &'a Plan,
    prepared: &'a Prepared,
    decoding: &'a Decoding,
    /// Where the likelihood comes from, if it was computed in parts.
    parts: Option<&'a [Opened]>,
    /// Time bins that an earlier run had kept.
    resumed: AtomicU64,
    context: &'a Context<'a>,
    pool: &'a ThreadPool,
}

impl Decode<'_> {
    fn run<T: Value>(&self) -> Result<(Vec<std::path::PathBuf>, Map<String, Json>)> {
        let (decoding, recorder) = (self.decoding, self.context.recorder);
        let rows = decoding.time.len();
        recorder.expect(2 * rows as u64);
        let states = decoding.result_states();
        let layout = self.prepared.layout(decoding, &states);
        let options = &self.prepared.options;
        let mut results =
            ResultFile::create(&self.plan.output, &layout, &variables(&options.save), options.compress)?;
        let mut picture = Picture::of(self.prepared, decoding);
        let (forward, floored) = self.forwards::<T>(&mut results)?;
        self.backwards(&forward, &mut results, &mut picture)?;
        if options.save.contains(&Save::Viterbi) {
            recorder.time("viterbi", || self.viterbi(&forward, &mut results))?;
            recorder.count("viterbi", Work { items: rows as u64, ..Work::default() });
        }
        recorder.time("finish", || results.finish(forward.log_likelihood))?;
        self.forget()?;
        let mut outputs = vec![self.plan.output.clone()];
        outputs.extend(recorder.time("plot", || picture.draw(self.prepared, decoding))?);
        let mut counts = Map::new();
        counts.insert("marginal_log_likelihood".into(), forward.log_likelihood.into());
        let resumed = self.resumed.load(Ordering::Relaxed);
        if resumed > 0 {
            counts.insert("resumed_rows".into(), resumed.into());
        }
        counts.insert("filter_restarts".into(), forward.restarts.len().into());
        self.tell_restarts(&forward);
        counts.insert("floored_spikes".into(), self.tell_floored(&floored).into());
        self.count_work();
        Ok((outputs, counts))
    }

    /// The likelihood of some time bins, for a merge.
    fn part<T: Value>(&self, part: &ShardPlan) -> Result<()> {
        let recorder = self.context.recorder;
        recorder.expect(part.rows.end - part.rows.start);
        let columns = self.decoding.chain.row_width();
        let mut sink = PartSink::create(self.plan, part, columns, T::WORK.dtype())?;
        let mut rows = part::Rows::<T>(&mut sink, PhantomData);
        let floored = self.likelihood(part.rows.clone(), &mut rows, "write")?;
        recorder.time("finish", || sink.finish(self.plan, part, &floored))?;
        self.forget()
    }

    /// Takes away what was kept: the output is whole.
    fn forget(&self) -> Result<()> {
        match self.prepared.options.resume && self.parts.is_none() {
            true => Kept::open(&self.plan.output, &self.plan.run)?.remove(),
            false => Ok(()),
        }
    }

    /// Likelihood, then filter, chunk after chunk.
    fn forwards<T: Value>(&self, results: &mut ResultFile) -> Result<(Forward<T>, Vec<u64>)> {
        let chain = &self.decoding.chain;
        let rows = self.decoding.time.len();
        let store = RowStore::new((rows, chain.row_width()), self.plan.held, &self.plan.output)?;
        let save = &self.prepared.options.save;
        let written = Written {
            filter: save.contains(&Save::Filter),
            predictive: save.contains(&Save::Predictive),
            loglik: save.contains(&Save::Loglik),
        };
        let mut filtering = Filtering::<T>::new(chain, store, self.plan.checkpoint_rows, (written, results));
        let floored = match self.parts {
            None => self.likelihood(0..rows as u64, &mut filtering, "filter")?,
            Some(parts) => self.read(parts, &mut filtering)?,
        };
        Ok((filtering.finish(), floored))
    }

    /// The likelihood of all time bins, from `parts`; spikes at the floor by train.
    fn read<T: Value>(&self, parts: &[Opened], filtering: &mut Filtering<T>) -> Result<Vec<u64>> {
        let buffers = Buffers {
            input: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
            output: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
        };
        let rows = self.decoding.time.len() as u64;
        stream(
            ["read parts", "hand on", "filter"],
            chunk::split(1, rows, self.plan.chunk_rows as u64),
            (
                &mut part::RowsOf::<T>(FromParts::new(parts), PhantomData),
                &part::AsTheyAre(PhantomData),
                filtering,
            ),
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
    fn likelihood<T: Value>(
        &self,
        rows: Range<u64>,
        sink: &mut impl Sink<Buffer = LikelihoodRows<T>>,
        stage: &'static str,
    ) -> Result<Vec<u64>> {
        let (prepared, decoding, recorder) = (self.prepared, self.decoding, self.context.recorder);
        let resume = prepared.options.resume;
        let mut kept = keep::begin(&self.plan.output, &self.plan.run, resume, self.context)?;
        let mut keeping = Keeping::new(sink, kept.as_mut(), decoding.chain.row_width());
        let first = recorder.time("resume", || keeping.replay(&rows))?;
        if first > rows.start {
            tracing::info!("resuming at time bin {first} of {} to {}", rows.start, rows.end);
            recorder.advance(first - rows.start);
            self.resumed.store(first - rows.start, Ordering::Relaxed);
        }
        let rows = first..rows.end;
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
        let likelihood = Likelihood {
            trains: self.trains(),
            ground: &ground,
            missing: &animal.missing,
            penalty: penalty.is_some().then_some(&penalise),
            extras: columns.iter().map(Vec::as_slice).collect(),
            level: self.context.level,
            recorder,
            tables: TablesInTurns {
                marks: &prepared.marks,
                from: prepared.electrodes(),
                turns: &self.plan.turns,
            },
            floored: prepared.marks.choices.iter().map(|_| AtomicU64::new(0)).collect(),
        };
        let pass = LikelihoodPass { likelihood: &likelihood, element: PhantomData };
        let buffers = Buffers {
            input: vec![(); IN_FLIGHT],
            output: (0..IN_FLIGHT).map(|_| LikelihoodRows::empty()).collect(),
        };
        let ended = stream(
            ["spikes", passes_likelihood::STAGE, stage],
            chunk::split_range(1, rows, self.plan.chunk_rows as u64),
            (&mut NoInput, &pass, &mut keeping),
            buffers,
            self.pool,
            recorder,
        );
        keep::after(ended, kept.as_ref())?;
        Ok(likelihood.floored.iter().map(|count| count.load(Ordering::Relaxed)).collect())
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

    fn trains(&self) -> Vec<Train<'_>> {
        let prepared = self.prepared;
        let trains = prepared.session.trains.iter().zip(&self.decoding.spikes).enumerate();
        trains
            .map(|(at, (train, spikes))| Train {
                rows: &spikes.rows,
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

    /// Smoother, estimates, writing, block after block from the end.
    fn backwards<T: Value>(
        &self,
        forward: &Forward<T>,
        results: &mut ResultFile,
        picture: &mut Picture,
    ) -> Result<()> {
        let (chain, recorder) = (&self.decoding.chain, self.context.recorder);
        let save = &self.prepared.options.save;
        let centers = self.prepared.model.grid.interior_centers();
        let mut sink = Posteriors {
            estimator: Estimator {
                chain,
                centers: &centers,
                axes: self.prepared.model.axes(),
                estimates: Estimates {
                    map: save.contains(&Save::Map),
                    mean: save.contains(&Save::Mean),
                    hpd: save.contains(&Save::Hpd),
                },
            },
            results,
            onlooker: picture.onlooker(),
        };
        let buffers = Buffers {
            input: (0..IN_FLIGHT).map(|_| Block::default()).collect(),
            output: (0..IN_FLIGHT).map(|_| Vec::new()).collect(),
        };
        stream(
            passes_smooth::STAGES,
            backwards(self.decoding.time.len(), forward.block),
            (&mut Again::new(chain, forward), &Smoothing::new(chain, forward, recorder), &mut sink),
            buffers,
            self.pool,
            recorder,
        )
    }

    fn viterbi<T: Value>(&self, forward: &Forward<T>, results: &mut ResultFile) -> Result<()> {
        let chain = &self.decoding.chain;
        let steps =
            walks::steps(&self.prepared.model, self.prepared.options.movement_var, self.context.level);
        let shape = (self.decoding.time.len(), chain.states().columns());
        let mut pointers = RowStore::new(shape, self.plan.held, &self.plan.output)?;
        let found = most_likely_sequence((chain, &steps), forward, &mut pointers, self.context.recorder)?;
        results.write_bins(Variable::ViterbiBin, 0, &found)
    }
}

/// Variables of the result file.
fn variables(save: &[Save]) -> Vec<Variable> {
    let mut variables = vec![Variable::AcausalPosterior, Variable::AcausalStateProbabilities];
    for one in save {
        variables.extend(match one {
            Save::Filter => vec![Variable::CausalPosterior, Variable::CausalStateProbabilities],
            Save::Predictive => vec![Variable::PredictivePosterior, Variable::PredictiveStateProbabilities],
            Save::Loglik => vec![Variable::LogLikelihood],
            Save::Map => vec![Variable::MapPosition],
            Save::Mean => vec![Variable::MeanPosition],
            Save::Hpd => vec![Variable::HpdThreshold50, Variable::HpdThreshold95],
            Save::Viterbi => vec![Variable::ViterbiBin],
        });
    }
    variables
}

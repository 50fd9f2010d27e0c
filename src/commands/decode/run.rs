//! Runs a plan: likelihood and filter forwards, smoother backwards, file and picture. No arithmetic
//! here.

mod backwards;
mod likelihood;
mod tell;

use super::model_file;
use super::options::{Precision, Save};
use super::part::{Opened, PartSink, Rows};
use super::passes_chain;
use super::passes_filter::{Filtering, Forward, Written};
use super::passes_likelihood::Value;
use super::picture::Picture;
use super::plan::{Plan, ShardPlan};
use super::prepare::{Decoding, Prepared};
use super::results::{ResultFile, Variable};
use super::store::RowStore;
use crate::commands::keep::Keeper;
use crate::commands::{Context, Outcome};
use crate::error::{Error, Result};
use crate::report::Work;
use rayon::ThreadPool;
use serde_json::{Map, Value as Json};
use std::marker::PhantomData;
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
    let (resumed, resumed_back) = (AtomicU64::new(0), AtomicU64::new(0));
    let decode = Decode { plan, prepared, decoding, parts, resumed, resumed_back, context, pool: &pool };
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
    /// Those of the way back.
    resumed_back: AtomicU64,
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
        let mut keeper = self.keeper()?;
        let forward = self.forwards::<T>(&mut results, &mut keeper);
        let (forward, floored) = keeper.after(forward)?;
        let walked = self.backwards(&forward, (&mut results, &mut picture), &mut keeper);
        keeper.after(walked)?;
        if options.save.contains(&Save::Viterbi) {
            recorder.time("viterbi", || self.viterbi(&forward, &mut results))?;
            recorder.count("viterbi", Work { items: rows as u64, ..Work::default() });
        }
        keeper.mark()?;
        recorder.time("finish", || results.finish(forward.log_likelihood))?;
        let mut outputs = vec![self.plan.output.clone()];
        outputs.extend(recorder.time("plot", || picture.draw(self.prepared, decoding))?);
        let mut counts = Map::new();
        counts.insert("marginal_log_likelihood".into(), forward.log_likelihood.into());
        for (name, rows) in [("resumed_rows", &self.resumed), ("resumed_rows_back", &self.resumed_back)] {
            let rows = rows.load(Ordering::Relaxed);
            if rows > 0 {
                counts.insert(name.into(), rows.into());
            }
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
        let mut rows = Rows::<T>(&mut sink, PhantomData);
        let mut keeper = self.keeper()?;
        let floored = self.likelihood(part.rows.clone(), (&mut rows, "write"), &mut keeper);
        let floored = keeper.after(floored)?;
        keeper.mark()?;
        recorder.time("finish", || sink.finish(self.plan, part, &floored))
    }

    fn keeper(&self) -> Result<Keeper<'_>> {
        Keeper::begin(&self.plan.output, &self.plan.run, self.prepared.options.resume, self.context)
    }

    /// Likelihood, then filter, chunk after chunk.
    fn forwards<T: Value>(
        &self,
        results: &mut ResultFile,
        keeper: &mut Keeper<'_>,
    ) -> Result<(Forward<T>, Vec<u64>)> {
        let chain = &self.decoding.chain;
        let rows = self.decoding.time.len();
        let store = RowStore::new((rows, chain.row_width()), self.plan.held, &self.plan.output)?;
        let save = &self.prepared.options.save;
        let written = Written {
            filter: save.contains(&Save::Filter),
            predictive: save.contains(&Save::Predictive),
            loglik: save.contains(&Save::Loglik),
        };
        let recorder = self.context.recorder;
        let rows_of_a_chunk = (self.plan.chunk_rows, false);
        let device = passes_chain::open(&self.plan.backend, chain, rows_of_a_chunk, recorder)?;
        let filtering = Filtering::<T>::new(chain, store, self.plan.checkpoint_rows, (written, results));
        let mut filtering = filtering.on(device, recorder);
        let floored = match self.parts {
            None => self.likelihood(0..rows as u64, (&mut filtering, "filter"), keeper)?,
            Some(parts) => self.read(parts, &mut filtering)?,
        };
        Ok((filtering.finish(), floored))
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

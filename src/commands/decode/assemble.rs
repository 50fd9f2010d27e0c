//! From what was prepared to the plan: its facts in words and numbers.

use super::budget::Cuts;
use super::mark_models::MarkModels;
use super::options::{Algorithm, Options};
use super::passes_chain;
use super::plan::{AlgorithmPlan, GridPlan, Plan, RecordingPlan, ShardPlan};
use super::prepare::Prepared;
use super::selection::DecodingSpikes;
use super::walks;
use crate::backend::Backend;
use crate::commands::Context;
use crate::kernels::hmm::Chain;
use crate::kernels::marks::{Choice, Method, Precision};
use crate::shards::Shard;

/// The plan of `prepared`, cut as `cuts` say.
pub(super) fn assemble(
    prepared: Prepared,
    cuts: &Cuts,
    (warnings, backend): (Vec<String>, Backend),
    context: &Context,
) -> Plan {
    let Prepared { options, session, model, decoding, .. } = &prepared;
    let decoded = |count: fn(&DecodingSpikes) -> usize| {
        decoding.iter().flat_map(|d| &d.spikes).map(count).sum::<usize>()
    };
    Plan {
        model: options.model,
        likelihood: options.likelihood,
        precision: options.precision,
        recording: RecordingPlan {
            path: options.input.path.clone(),
            samples: [session.positions.samples(), model.samples.len() / model.axes().max(1)],
            axes: session.positions.axes,
            trains: session.trains.len(),
            encoding_spikes: model.trains.iter().map(|t| t.spikes(model.axes())).sum(),
            decoding_spikes: decoded(|d| d.rows.len()),
            spikes_outside: decoded(|d| d.outside),
        },
        grid: GridPlan {
            shape: model.grid.shape.clone(),
            interior: model.bins(),
            track: model.track.is_some(),
            position_std: model.position_std.clone(),
        },
        states: decoding.iter().flat_map(|d| &d.states.names).map(ToString::to_string).collect(),
        columns: decoding.as_ref().map_or(0, |d| d.chain.states().columns()),
        rows: decoding.as_ref().map_or(0, |d| d.time.len()),
        step: decoding.as_ref().map_or(f64::NAN, |d| d.step),
        algorithms: algorithms(&prepared.marks, &prepared.options),
        walk: decoding.as_ref().map_or(String::new(), |d| walks::describe(&d.chain, options.movement_var)),
        chain: decoding.as_ref().and_then(|d| chain_on(&backend, &d.chain)),
        save: options.save.clone(),
        run: String::new(),
        shard: decoding.as_ref().and_then(|d| {
            let part = |shard: Shard| ShardPlan { shard, rows: shard.items(d.time.len() as u64) };
            options.shard.map(part)
        }),
        done: false,
        chunk_rows: cuts.chunk_rows,
        checkpoint_rows: cuts.checkpoint_rows,
        held: cuts.held,
        turns: cuts.turns.clone(),
        flop: cuts.flop,
        memory_bytes: cuts.memory_bytes,
        output_bytes: cuts.output_bytes,
        output: options.output.clone(),
        threads: context.threads,
        backend,
        level: context.level.name().to_owned(),
        memory: context.memory,
        seed: options.seed,
        warnings,
        prepared,
    }
}

/// Where filter and smoother run, in words.
fn chain_on(backend: &Backend, chain: &Chain) -> Option<String> {
    let told = || match passes_chain::refusal(backend, chain) {
        None => "filter and smoother on the device, in float64".to_owned(),
        Some(why) => format!("filter and smoother on the CPU: {why}"),
    };
    backend.is_device().then(told)
}

/// Electrodes by the way that was chosen for them.
fn algorithms(marks: &MarkModels, options: &Options) -> Vec<AlgorithmPlan> {
    let mut plans: Vec<(Choice, AlgorithmPlan)> = Vec::new();
    for (choice, &observed) in marks.choices.iter().zip(&marks.observed) {
        let same = |(other, _): &&mut (Choice, AlgorithmPlan)| {
            other.method == choice.method && other.precision == choice.precision
        };
        match plans.iter_mut().find(same) {
            Some((_, plan)) => {
                plan.electrodes += 1;
                plan.bound = plan.bound.map(|bound| bound.max(choice.bound));
                plan.observed = plan.observed.max(observed);
            }
            None => plans.push((*choice, describe(choice, observed, options))),
        }
    }
    plans.into_iter().map(|(_, plan)| plan).collect()
}

fn describe(choice: &Choice, observed: f64, options: &Options) -> AlgorithmPlan {
    let precision = match choice.precision {
        Precision::F32 => "float32",
        Precision::F64 => "float64",
    };
    let method = match (choice.method, &choice.certificate) {
        (Method::Direct, _) => format!("direct product, {precision}"),
        (Method::Moments { cell, terms_below }, certificate) => {
            let first = certificate.map_or(String::new(), |certificate| {
                format!("{} where that proves enough, else below ", certificate.terms_below)
            });
            format!(
                "cell moments, {precision}, cells of {cell:.3} position std, degree below {first}{terms_below}"
            )
        }
    };
    let sampled = matches!(options.algorithm, Algorithm::Observed(_));
    let among = match options.algorithm {
        Algorithm::Direct => "as asked",
        Algorithm::Exact if options.precision == super::options::Precision::F64 => {
            "double precision is the oracle"
        }
        _ if sampled => "the cheapest whose error on samples is small enough",
        _ => "the cheapest whose guarantee is good enough",
    };
    let why = format!("{among}: {:.3e} multiply-adds per spike", choice.cost);
    let bound = (!sampled).then_some(choice.bound);
    AlgorithmPlan { method, why, electrodes: 1, bound, observed }
}

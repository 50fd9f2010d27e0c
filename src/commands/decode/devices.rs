//! What of a decoding a device can do, and what it would take: pure arithmetic for the plan.

use super::options::{Likelihood, Precision};
use super::prepare::{Decoding, Prepared};
use crate::backend::{Fit, Work};
use crate::kernels::marks;

/// Operations per second of one CPU thread in the mark kernels, about.
const CPU_FLOP: f64 = 6e10;

/// Operations on a device for one on the CPU: products of polynomials, exponentials.
const MORE: f64 = 1.5;

/// The fit of a likelihood to devices.
pub fn fit(prepared: &Prepared, threads: usize) -> Fit {
    let (options, marks) = (&prepared.options, &prepared.marks);
    let Some(decoding) = &prepared.decoding else {
        return Fit::Not("a model is fitted on the CPU".into());
    };
    if options.likelihood == Likelihood::Sorted {
        return of_the_chain(decoding);
    }
    if marks.units.len() != marks.choices.len() {
        return Fit::Not("the direct factors of an electrode are cut to fit in memory".into());
    }
    let counts = decoding.spikes.iter().map(|spikes| spikes.rows.len());
    let (flop, on_device) = (marks.flop(counts.clone()), marks.device_flop(counts.clone()));
    let spikes: usize = counts.sum();
    let widest = prepared.session.trains.iter().map(|train| train.width).max().unwrap_or(0);
    let cells = (decoding.time.len() * prepared.model.bins()) as f64;
    let work = Work {
        transfer: 8.0 * cells + 4.0 * (spikes * widest) as f64 + marks.bytes() as f64,
        touched: 16.0 * cells + 8.0 * (spikes * prepared.model.bins()) as f64,
        flop_f32: MORE * on_device,
        flop_f64: 0.0,
        cpu_s: flop / (CPU_FLOP * threads.max(1) as f64),
    };
    let wide = |choice: &marks::Choice| choice.precision == marks::Precision::F64;
    let double = match options.precision {
        Precision::F64 => Some("--precision f64 asks for more".to_owned()),
        Precision::F32 if marks.choices.iter().any(wide) => {
            Some("the floor of an electrode lies beyond float32".to_owned())
        }
        Precision::F32 => None,
    };
    let work = match double {
        Some(_) => Work { flop_f32: 0.0, flop_f64: work.flop_f32, ..work },
        None => work,
    };
    Fit::Whole { work, f64: double }
}

/// Multiply-adds that one processor of a device does while a step waits for launches and barriers.
const STEP: f64 = 3e5;
/// Processors of a device, of which the chain takes one.
const PROCESSORS: f64 = 100.0;
/// Multiply-adds per second of one CPU thread in the chain, about.
const CPU_STEPS: f64 = 1e10;
/// Walks over the rows: the filter, the filter again block by block, the smoother.
const WALKS: f64 = 3.0;

/// Sorted units: a row adds a few fields, which the CPU does; filter and smoother are left.
fn of_the_chain(decoding: &Decoding) -> Fit {
    let steps = WALKS * decoding.time.len() as f64;
    let (chain, cells) = (&decoding.chain, (decoding.time.len() * decoding.chain.states().columns()) as f64);
    let multiply_adds = chain.transition().multiply_adds() as f64;
    let work = Work {
        transfer: 8.0 * WALKS * cells,
        touched: 32.0 * cells,
        flop_f32: 0.0,
        flop_f64: 2.0 * PROCESSORS * steps * multiply_adds.max(STEP),
        cpu_s: steps * multiply_adds / CPU_STEPS,
    };
    Fit::Whole {
        work,
        f64: Some("of sorted units only filter and smoother are for a device, in float64".into()),
    }
}

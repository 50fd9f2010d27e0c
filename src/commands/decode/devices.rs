//! What of a decoding a device can do, and what it would take: pure arithmetic for the plan.

use super::options::{Likelihood, Precision};
use super::prepare::Prepared;
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
        return Fit::Not("sorted units need no device: a row adds a few fields".into());
    }
    if marks.units.len() != marks.choices.len() {
        return Fit::Not("the direct factors of an electrode are cut to fit in memory".into());
    }
    let counts = decoding.spikes.iter().map(|spikes| spikes.rows.len());
    let flop = marks.flop(counts.clone());
    let spikes: usize = counts.sum();
    let widest = prepared.session.trains.iter().map(|train| train.width).max().unwrap_or(0);
    let cells = (decoding.time.len() * prepared.model.bins()) as f64;
    let work = Work {
        transfer: 8.0 * cells + 4.0 * (spikes * widest) as f64 + marks.bytes() as f64,
        touched: 16.0 * cells + 8.0 * (spikes * prepared.model.bins()) as f64,
        flop_f32: MORE * flop,
        flop_f64: 0.0,
        cpu_s: flop / (CPU_FLOP * threads.max(1) as f64),
    };
    let wide = |choice: &marks::Choice| choice.precision == marks::Precision::F64;
    match options.precision {
        Precision::F64 => Fit::Not("--precision f64: mark kernels for devices are in float32".into()),
        Precision::F32 if marks.choices.iter().any(wide) => Fit::Not(
            "the floor of an electrode lies beyond float32, in which mark kernels for devices are".into(),
        ),
        Precision::F32 => Fit::Whole { work, f64: None },
    }
}

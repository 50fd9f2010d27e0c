//! What a run tells besides its results: restarts of the filter, silent electrodes, counts of work.

use super::super::options::Precision;
use super::super::passes_filter::Forward;
use super::super::{passes_likelihood, passes_smooth};
use super::Decode;
use crate::report::Work;

impl Decode<'_> {
    pub(super) fn tell_restarts<T>(&self, forward: &Forward<T>) {
        let Some(&first) = forward.restarts.first() else { return };
        self.context.recorder.warn(format!(
            "{} row(s) contradicted everything predicted before them, the first at {} s: the filter began anew \
             there; a larger --movement-var or --model contfrag allows such jumps",
            forward.restarts.len(),
            self.decoding.time[first]
        ));
    }

    /// Warns of electrodes most of whose spikes say nothing; how many spikes that are in all.
    pub(super) fn tell_floored(&self, floored: &[u64]) -> u64 {
        let trains = floored.iter().zip(&self.decoding.spikes).zip(&self.prepared.session.trains);
        let silent = trains.filter(|((count, spikes), _)| 2 * **count > spikes.rows.len() as u64);
        let names: Vec<String> = silent
            .filter(|((_, spikes), _)| !spikes.rows.is_empty())
            .map(|((count, spikes), train)| format!("{} ({count} of {})", train.label, spikes.rows.len()))
            .collect();
        if let [first, more @ ..] = &names[..] {
            let others = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            self.context.recorder.warn(format!(
                "most decoded spikes are at the floor in every bin and tell nothing: {first}{others}; \
                 --log-floor relative:34.5 or a larger --waveform-std mends it"
            ));
        }
        floored.iter().sum()
    }

    pub(super) fn count_work(&self) {
        let items = self.decoding.time.len() as u64;
        let flop = self.prepared.marks.flop(self.decoding.spikes.iter().map(|spikes| spikes.rows.len()));
        let value = match self.plan.precision {
            Precision::F32 => size_of::<f32>(),
            Precision::F64 => size_of::<f64>(),
        };
        // A log likelihood for every time bin and place bin.
        let rows = items * (self.plan.grid.interior * value) as u64;
        let likelihood = Work { items, bytes_written: rows, flop: flop as u64, ..Work::default() };
        let step = 2 * self.decoding.chain.transition().multiply_adds() * items;
        self.context.recorder.count(passes_likelihood::STAGE, likelihood);
        for stage in ["filter", passes_smooth::STAGES[0], passes_smooth::STAGES[1]] {
            self.context.recorder.count(stage, Work { items, flop: step, ..Work::default() });
        }
        let written = Work { items, bytes_written: self.plan.output_bytes, ..Work::default() };
        self.context.recorder.count(passes_smooth::STAGES[2], written);
    }
}

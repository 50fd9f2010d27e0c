//! What the tables of mark models are made from, electrode by electrode.

use super::super::encoding::{EncodedTrain, EncodingModel};
use super::super::options::{Algorithm, Options, Precision};
use super::FEWEST_BINS;
use crate::kernels::marks::{
    self, Accuracy, Bandwidths, Choice, EncodingSpikes, Intensity, Method, PlaceBins, observed_error,
};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// How exact the sums over encoding spikes must be.
fn accuracy(options: &Options) -> (Accuracy, marks::Precision) {
    let precision = match options.precision {
        Precision::F32 => marks::Precision::F32,
        Precision::F64 => marks::Precision::F64,
    };
    let accuracy = match options.algorithm {
        // Double precision is asked for as the oracle.
        Algorithm::Exact if options.precision == Precision::F64 => Accuracy::Direct,
        Algorithm::Exact => Accuracy::EXACT,
        Algorithm::Direct => Accuracy::Direct,
        Algorithm::Approx(tolerance) => Accuracy::Guaranteed(tolerance),
        Algorithm::Observed(tolerance) => Accuracy::Observed { tolerance, seed: options.seed },
    };
    (accuracy, precision)
}

/// The encoding model with the floors, from which tables are made.
#[derive(Debug, Clone, Copy)]
pub struct Electrodes<'a> {
    /// The encoding model.
    pub model: &'a EncodingModel,
    /// Floor of each electrode's log intensity.
    pub floors: &'a [f64],
}

impl Electrodes<'_> {
    /// True where electrode `train` has no encoding spikes.
    pub fn is_silent(&self, train: usize) -> bool {
        self.model.trains[train].positions.is_empty()
    }

    /// Calls `action` with what the kernels take of electrode `train`, over interior `bins`.
    fn with<R>(
        &self,
        train: usize,
        bins: Range<usize>,
        action: impl FnOnce(&EncodingSpikes<'_>, &PlaceBins<'_>, &Bandwidths<'_>, (&[f64], f64)) -> R,
    ) -> R {
        let (model, encoded) = (self.model, &self.model.trains[train]);
        let spikes = EncodingSpikes {
            marks: &encoded.marks,
            width: encoded.width,
            positions: &encoded.positions,
            axes: model.axes(),
        };
        let mark = model.mark_std(train);
        let bandwidths = Bandwidths { mark: &mark, position: &model.position_std };
        let log_scale = &model.log_scale(train)[bins.clone()];
        let centers = model.grid.axis_centers();
        let mut axes: Vec<&[f64]> = centers.iter().map(Vec::as_slice).collect();
        let mut interior = Cow::Borrowed(&model.grid.interior_bins[bins]);
        if let ([line], Some(&first), Some(&last)) = (&mut axes[..], interior.first(), interior.last())
            && interior.len() < model.bins()
        {
            *line = &line[first..=last];
            interior = interior.iter().map(|bin| bin - first).collect();
        }
        let bins = PlaceBins { axes, interior: &interior };
        action(&spikes, &bins, &bandwidths, (log_scale, self.floors[train]))
    }

    /// Calls `each` for every one of `items`, which belong to ascending electrodes, as `train` tells: side
    /// by side as far as the encoding spikes of their electrodes fit in `room` together, if they lie in
    /// files.
    pub(super) fn in_groups<I: Sync, R: Send>(
        &self,
        room: u64,
        (items, train): (&[I], impl Fn(&I) -> usize),
        each: impl Fn(&I) -> R + Sync,
    ) -> Vec<R> {
        let mut made = Vec::with_capacity(items.len());
        for group in self.model.groups(room) {
            let before = |end: usize| items.partition_point(|item| train(item) < end);
            let mine = &items[before(group.start)..before(group.end)];
            if !mine.is_empty() {
                made.par_extend(mine.par_iter().map(&each));
                self.model.trains[group].iter().for_each(EncodedTrain::release);
            }
        }
        made
    }

    pub(super) fn intensity(&self, unit: (usize, Range<usize>), choice: Choice) -> Intensity {
        self.with(unit.0, unit.1, |spikes, bins, bandwidths, scale| {
            Intensity::new(spikes, bins, bandwidths, choice, scale)
        })
    }

    pub(super) fn choose(&self, train: usize, options: &Options) -> (Choice, f64) {
        self.with(train, 0..self.model.bins(), |spikes, bins, bandwidths, scale| {
            let choice = marks::choose(spikes, bins, bandwidths, scale, accuracy(options));
            (choice, observed_error(spikes, bins, bandwidths, scale, (&choice, options.seed)))
        })
    }

    /// Interior bins of each unit of an electrode.
    pub(super) fn cut(&self, train: usize, choice: &Choice, most_bytes: u64) -> Vec<Range<usize>> {
        let bins = self.model.bins();
        let element = if choice.precision == marks::Precision::F32 { 4 } else { 8 };
        let spikes = self.model.trains[train].positions.len() / self.model.axes().max(1);
        let one_bin = (spikes * element).max(1) as u64;
        // On two axes the factors are those of columns and rows: few.
        let long = choice.method == Method::Direct && self.model.axes() == 1;
        let most = if long { ((most_bytes / one_bin) as usize).max(FEWEST_BINS) } else { bins };
        (0..bins).step_by(most.max(1)).map(|first| first..bins.min(first + most)).collect()
    }
}

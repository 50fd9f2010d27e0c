//! The search for cells and degrees: what each would cost, and which are enough.

use super::certificate::{Certificate, Trial};
use super::errors::ErrorTable;
use super::expansion::{CELLS, MOST_TERMS};
use super::layout::{Lines, extent, first_axis, reach};
use super::observed::observed_error;
use super::tables::GROUP;
use super::{Accuracy, Bandwidths, Choice, EncodingSpikes, Method, PlaceBins};

/// Slots that a term of a cell takes besides its spikes and bins.
const OVERHEAD: f64 = 2.0;
/// Cost from which on it is worth a trial whether rows can be certified (milliseconds).
const LARGE: f64 = 5e5;
/// Share of the marks tried that fewer terms must certify.
const ENOUGH: f64 = 0.9;
/// What a row takes that is computed again, over what it would take alone: blocks of such rows are
/// not all full.
const AGAIN: f64 = 1.5;

/// Slots of a multiply-add that one mark weight takes.
pub(super) fn weight_cost(width: usize) -> f64 {
    2.0 * width as f64 + 11.0
}

/// What a decoding spike takes with one cell size, in slots of a multiply-add.
struct Counts {
    /// Mark weights.
    weights: f64,
    /// For each term: spikes.
    spikes: f64,
    /// For each term: bins that cells reach.
    cells: f64,
    /// For each degree across.
    per_degree: f64,
    axes: usize,
}

impl Counts {
    fn new(
        spikes: &EncodingSpikes<'_>,
        bins: &PlaceBins<'_>,
        bandwidths: &Bandwidths<'_>,
        cell: f64,
        cut: f64,
    ) -> Self {
        let first = first_axis(bins);
        let lines = Lines::new(spikes, bandwidths, cell, first);
        let axes = if spikes.axes == 2 { vec![first, 1 - first] } else { vec![0] };
        // Bins (whole groups of them) that each line of cells reaches.
        let reached = |at: usize| {
            let mut bins_of = vec![0.0; lines.centers[at].len()];
            let far = reach(cut) * bandwidths.position[axes[at]];
            for group in bins.axes[axes[at]].chunks(GROUP) {
                let (from, to) = lines.band(at, extent(group), far);
                bins_of[from..to].iter_mut().for_each(|bins| *bins += GROUP as f64);
            }
            bins_of
        };
        let along = reached(0);
        let cells = lines.columns().map(|column| along[column] + OVERHEAD).sum();
        let per_degree = if axes.len() == 2 {
            bins.axes[first].len() as f64 * reached(1).iter().sum::<f64>()
        } else {
            0.0
        };
        let count = spikes.len() as f64;
        let weights = count * weight_cost(spikes.width);
        Counts { weights, spikes: count, cells, per_degree, axes: axes.len() }
    }

    /// All degrees below `q`.
    fn full(&self, q: usize) -> f64 {
        let q = q as f64;
        let terms = if self.axes == 2 { q * (q + 1.0) / 2.0 } else { q };
        self.weights + (self.spikes + self.cells) * terms + self.per_degree * q
    }

    /// The same with the bound of the errors.
    fn certified(&self, q: usize) -> f64 {
        self.full(q) + self.cells + self.per_degree
    }
}

/// Degrees that were enough for larger cells.
#[derive(Default)]
struct Near {
    few: Option<usize>,
    all: Option<usize>,
}

/// Spikes, bins and kernels of an electrode.
type Model<'a> = (&'a EncodingSpikes<'a>, &'a PlaceBins<'a>, &'a Bandwidths<'a>);

/// What the search for cells and degrees looks at.
pub(super) struct Search<'a> {
    model: Model<'a>,
    scale: (&'a [f64], f64),
    /// The direct product.
    direct: Choice,
    accuracy: Accuracy,
    /// One for each of [`CELLS`].
    counts: Vec<Counts>,
}

impl<'a> Search<'a> {
    /// `scale` is that of [`Intensity::new`](super::Intensity::new), `direct` the direct product's choice.
    pub(super) fn new(model: Model<'a>, scale: (&'a [f64], f64), direct: Choice, accuracy: Accuracy) -> Self {
        let ((spikes, bins, bandwidths), bits) = (model, direct.bits(scale.1));
        let counts = CELLS.map(|cell| Counts::new(spikes, bins, bandwidths, cell, bits)).into();
        Search { model, scale, direct, accuracy, counts }
    }

    /// The cheapest choice that is exact enough.
    pub(super) fn best(&self) -> Choice {
        let mut best = self.direct;
        // Larger cells come first; what is enough there is enough for all that follow.
        let mut near = None;
        for cell in 0..CELLS.len() {
            if let Some(q) = self.full(cell, near, best.cost) {
                (near, best) = (Some(q), self.with(cell, q));
            }
        }
        let Accuracy::Guaranteed(tolerance) = self.accuracy else { return best };
        if best.cost < LARGE {
            return best;
        }
        let (spikes, bins, bandwidths) = self.model;
        let trial = Trial::new(spikes, bins, bandwidths, self.scale, &best);
        let mut near = Near::default();
        for cell in 0..CELLS.len() {
            best = self.certified(cell, &mut near, (0.5 * tolerance, &trial), best);
        }
        best
    }

    fn table(&self, cell: usize, q: usize) -> &'static ErrorTable {
        ErrorTable::shared(cell, q, self.model.1.axes.len())
    }

    /// Degrees below `q` for every spike.
    fn with(&self, cell: usize, q: usize) -> Choice {
        let ratio = self.direct.ceiling_ln - self.scale.1;
        Choice {
            method: Method::Moments { cell: CELLS[cell], terms_below: q },
            bound: 2.0 * self.table(cell, q).worst(ratio) + self.direct.bound,
            cost: self.counts[cell].full(q),
            full_cost: self.counts[cell].full(q),
            ..self.direct
        }
    }

    /// Whether a choice is exact enough.
    fn enough(&self, choice: &Choice) -> bool {
        let (spikes, bins, bandwidths) = self.model;
        let observe = |seed| observed_error(spikes, bins, bandwidths, self.scale, (choice, seed));
        self.accuracy.allows(choice.bound, observe)
    }

    /// The least degrees of this cell that hold for every spike, if they are cheaper than `cost`.
    ///
    /// Only such degrees are worth an error table or samples.
    fn full(&self, cell: usize, near: Option<usize>, cost: f64) -> Option<usize> {
        let counts = &self.counts[cell];
        let above = (2..=MOST_TERMS).find(|q| counts.full(*q) >= cost).unwrap_or(MOST_TERMS + 1) - 1;
        least((2, above), near, |q| self.enough(&self.with(cell, q)))
    }

    /// The cheapest of `best` and degrees that certify nearly all rows on the trial, with those of
    /// the same cell for the other rows.
    fn certified(
        &self,
        cell: usize,
        near: &mut Near,
        (tolerance, trial): (f64, &Trial),
        best: Choice,
    ) -> Choice {
        let counts = &self.counts[cell];
        let of = |q| Certificate::new(self.table(cell, q), q, tolerance, trial);
        let above = (2..MOST_TERMS).find(|q| counts.certified(*q) >= best.cost).unwrap_or(MOST_TERMS) - 1;
        let Some(few) = least((2, above), near.few, |q| of(q).share >= ENOUGH) else { return best };
        let all = least((few + 1, MOST_TERMS), near.all, |q| self.enough(&self.with(cell, q)));
        *near = Near { few: Some(few), all };
        let Some(all) = all else { return best };
        // One degree more may pay where it certifies the rest.
        let full = self.with(cell, all);
        let choices = (few..=(few + 1).min(all - 1)).map(|q| {
            let certificate = of(q);
            let cost = counts.certified(q) + AGAIN * (1.0 - certificate.share) * full.cost;
            Choice {
                certificate: Some(certificate),
                cost,
                bound: full.bound.max(tolerance + self.direct.bound),
                ..full
            }
        });
        choices.fold(best, |best, choice| if choice.cost < best.cost { choice } else { best })
    }
}

/// The least of `from..=to` that is `enough`, if the last is; what is enough stays so above. `near` is
/// likely to be enough, and not far from the least: each question costs milliseconds. What is returned
/// was asked.
fn least(
    (mut from, mut to): (usize, usize),
    near: Option<usize>,
    enough: impl Fn(usize) -> bool,
) -> Option<usize> {
    let likely = near.filter(|near| (from..=to).contains(near));
    to = likely.unwrap_or(to);
    if to < from || (likely.is_none() && !enough(to)) {
        return None;
    }
    // Down in steps that double, then by halves.
    let mut step = if near.is_some() { 1 } else { to };
    while from < to {
        let ask = to.saturating_sub(step).max((from + to) / 2);
        if enough(ask) {
            (to, step) = (ask, 2 * step);
        } else {
            (from, step) = (ask + 1, to);
        }
    }
    (likely != Some(to) || enough(to)).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::least;

    #[test]
    fn the_least_that_is_enough_is_found_from_everywhere() {
        for truth in 0..20 {
            for near in (0..20).map(Some).chain([None]) {
                if near.is_some_and(|near| near < truth) {
                    continue;
                }
                let found = least((2, 16), near, |q| q >= truth);
                let expected = (truth <= 16).then_some(truth.max(2));
                assert_eq!(found, expected, "{truth} from {near:?}");
            }
        }
        assert_eq!(least((5, 4), None, |_| true), None);
        assert_eq!(least((2, 16), Some(7), |q| q >= 9), None, "a guess is not believed");
    }
}

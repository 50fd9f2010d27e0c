//! The most likely sequence of columns: a backward recursion in logarithms (spec decode 5.3).

use super::steps::{Room, Steps};
use super::{Chain, LogLikelihood};

/// What one state offers to all that lead to it.
#[derive(Debug, Clone, Default)]
struct Offer {
    /// The best column of the state, the first of equals.
    most: (f64, u32),
    /// Where some state walks into it: for each place the best one.
    walked: Vec<f64>,
    to: Vec<u32>,
}

/// The backward recursion in progress. Rows are taken from the last to the first but one; the
/// pointers of each lead forward.
#[derive(Debug)]
pub struct Viterbi<'a> {
    chain: &'a Chain,
    steps: &'a Steps,
    /// Of each column, the best logarithm of all that follows, less a constant.
    scores: Vec<f64>,
    values: Vec<f64>,
    log_scale: Vec<f64>,
    offers: Vec<Offer>,
    room: Room,
}

impl<'a> Viterbi<'a> {
    /// After the last row.
    pub fn new(chain: &'a Chain, steps: &'a Steps) -> Self {
        let scores = vec![0.0; chain.states().columns()];
        Viterbi::resume(chain, steps, scores)
    }

    /// Before rows that left these [`Viterbi::scores`].
    ///
    /// # Panics
    ///
    /// If they are not one value per column, or the walk is over other places.
    pub fn resume(chain: &'a Chain, steps: &'a Steps, scores: Vec<f64>) -> Self {
        let states = chain.states();
        let places = states.places();
        assert!(scores.len() == states.columns() && places == steps.places());
        let log_scale = chain.transition().walk().row_scale().iter().map(|scale| scale.ln()).collect();
        let offer = Offer { most: (0.0, 0), walked: vec![0.0; places], to: vec![0; places] };
        Viterbi {
            chain,
            steps,
            values: vec![0.0; scores.len()],
            scores,
            log_scale,
            offers: vec![offer; states.states()],
            room: steps.room(),
        }
    }

    /// What a later [`Viterbi::resume`] needs.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Takes row `k + 1` ([`Chain::row_width`] log likelihoods) and writes, for each column of row
    /// `k`, the column of row `k + 1` that the most likely sequence goes on with; the first one of
    /// equals.
    ///
    /// # Panics
    ///
    /// If a slice has another length.
    pub fn step<T: LogLikelihood>(&mut self, row: &[T], pointers: &mut [u32]) {
        let states = self.chain.states();
        assert_eq!(pointers.len(), states.columns());
        self.add(row);
        for to in 0..states.states() {
            let range = states.range(to);
            let offer = &mut self.offers[to];
            let walks = |from| states.is_walk(from, to) || states.is_identity(from, to);
            if !(0..states.states()).all(walks) {
                offer.most = first_largest(&self.values[range.clone()], range.start);
            }
            if states.walks_into(to) {
                let found = (&mut offer.walked[..], &mut offer.to[..]);
                self.steps.best(&self.values[range], &mut self.room, found);
            }
        }
        for from in 0..states.states() {
            let range = states.range(from);
            let (scores, pointers) = (&mut self.scores[range.clone()], &mut pointers[range]);
            scores.fill(f64::NEG_INFINITY);
            pointers.fill(0);
            for to in 0..states.states() {
                if states.discrete(from, to) > 0.0 {
                    let found = (&self.offers[to], &self.values[..], &self.log_scale[..]);
                    accept(self.chain, (from, to), found, (scores, pointers));
                }
            }
        }
        let most = first_largest(&self.scores, 0).0;
        if most.is_finite() {
            self.scores.iter_mut().for_each(|score| *score -= most);
        }
    }

    /// The first column of the sequence, given row 0.
    ///
    /// # Panics
    ///
    /// If the row has another length.
    pub fn first_column<T: LogLikelihood>(&mut self, row: &[T]) -> u32 {
        self.add(row);
        for (value, initial) in self.values.iter_mut().zip(self.chain.initial()) {
            *value += initial.ln();
        }
        first_largest(&self.values, 0).1
    }

    /// `values = scores + row`; what is no number counts as -inf, +inf as the largest of the row,
    /// and a row without any finite value says nothing.
    fn add<T: LogLikelihood>(&mut self, row: &[T]) {
        let states = self.chain.states();
        assert_eq!(row.len(), self.chain.row_width());
        let Some(most) = T::largest(self.chain.transition().level(), row) else {
            self.values.copy_from_slice(&self.scores);
            return;
        };
        for s in 0..states.states() {
            let range = states.range(s);
            let pairs = self.scores[range.clone()].iter().zip(&row[self.chain.source(s)]);
            for (sum, (score, &value)) in self.values[range].iter_mut().zip(pairs) {
                let value: f64 = value.into();
                let value = if value > most { most } else { value };
                *sum = score + if value.is_nan() { f64::NEG_INFINITY } else { value };
            }
        }
    }
}

/// The largest value and its column, counted from `start`; the first of equals.
fn first_largest(values: &[f64], start: usize) -> (f64, u32) {
    const LANES: usize = 16;
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = larger(*lane, value);
        }
    }
    let most = lanes.into_iter().chain(rest.iter().copied()).fold(f64::NEG_INFINITY, larger);
    let at = values.iter().position(|&value| value == most).unwrap_or(0);
    (most, (start + at) as u32)
}

/// Takes what state `to` offers where it is better than what earlier states offered to `from`.
fn accept(
    chain: &Chain,
    (from, to): (usize, usize),
    (offer, values, log_scale): (&Offer, &[f64], &[f64]),
    (scores, pointers): (&mut [f64], &mut [u32]),
) {
    let states = chain.states();
    let log_discrete = states.discrete(from, to).ln();
    let start = states.range(to).start as u32;
    if states.is_walk(from, to) {
        for (p, (score, pointer)) in scores.iter_mut().zip(pointers).enumerate() {
            let value = offer.walked[p] + (log_scale[p] + log_discrete);
            if value > *score {
                (*score, *pointer) = (value, start + offer.to[p]);
            }
        }
    } else if states.is_identity(from, to) {
        let values = &values[states.range(to)];
        for (p, (score, pointer)) in scores.iter_mut().zip(pointers).enumerate() {
            let value = values[p] + log_discrete;
            if value > *score {
                (*score, *pointer) = (value, start + p as u32);
            }
        }
    } else {
        let share = if states.is_spatial(to) { (states.places() as f64).ln() } else { 0.0 };
        let value = offer.most.0 + (log_discrete - share);
        for (score, pointer) in scores.iter_mut().zip(pointers) {
            if value > *score {
                (*score, *pointer) = (value, offer.most.1);
            }
        }
    }
}

//! The states, how one leads to another, and their columns.

use std::ops::Range;

/// How position moves between two spatial states (spec decode 5: which A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A random walk.
    Walk,
    /// Anywhere with equal probability.
    Uniform,
    /// Not at all.
    Identity,
}

/// States, their discrete transition matrix and the moves between them.
///
/// Between states of which one has a single column there is nothing to choose: towards it the
/// continuous part is 1, away from it uniform.
#[derive(Debug, Clone)]
pub struct StateSpace {
    places: usize,
    spatial: Vec<bool>,
    discrete: Vec<f64>,
    moves: Vec<Move>,
    starts: Vec<usize>,
}

impl StateSpace {
    /// `spatial[s]`: state `s` has `places` columns, else one; `discrete[s][s']` is Z, row = from;
    /// `moves[s][s']` counts between spatial states.
    ///
    /// # Panics
    ///
    /// If the matrices are not square over the states.
    pub fn new(places: usize, spatial: Vec<bool>, discrete: Vec<f64>, moves: Vec<Move>) -> Self {
        let states = spatial.len();
        assert!(discrete.len() == states * states && moves.len() == states * states);
        let mut starts = vec![0];
        for &wide in &spatial {
            starts.push(starts[starts.len() - 1] + if wide { places } else { 1 });
        }
        StateSpace { places, spatial, discrete, moves, starts }
    }

    /// One spatial state with a random walk.
    pub fn walk(places: usize) -> Self {
        StateSpace::new(places, vec![true], vec![1.0], vec![Move::Walk])
    }

    /// Interior place bins.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Discrete states.
    pub fn states(&self) -> usize {
        self.spatial.len()
    }

    /// Columns of all states.
    pub fn columns(&self) -> usize {
        self.starts[self.spatial.len()]
    }

    /// Columns of state `s`.
    pub fn range(&self, s: usize) -> Range<usize> {
        self.starts[s]..self.starts[s + 1]
    }

    /// True where state `s` has one column per place.
    pub fn is_spatial(&self, s: usize) -> bool {
        self.spatial[s]
    }

    /// Z from state to state.
    pub fn discrete(&self, from: usize, to: usize) -> f64 {
        self.discrete[from * self.spatial.len() + to]
    }

    /// The state of each column.
    pub fn state_of_column(&self) -> Vec<u32> {
        (0..self.states()).flat_map(|s| self.range(s).map(move |_| s as u32)).collect()
    }

    /// True where position walks from `from` to `to`.
    pub fn is_walk(&self, from: usize, to: usize) -> bool {
        self.moves_by(from, to, Move::Walk)
    }

    /// True where position stays from `from` to `to`.
    pub fn is_identity(&self, from: usize, to: usize) -> bool {
        self.moves_by(from, to, Move::Identity)
    }

    /// True where some state walks into `to`.
    pub fn walks_into(&self, to: usize) -> bool {
        (0..self.states()).any(|from| self.is_walk(from, to))
    }

    /// The move between two spatial states, none where one of them has a single column.
    pub fn move_between(&self, from: usize, to: usize) -> Option<Move> {
        let both = self.spatial[from] && self.spatial[to];
        both.then(|| self.moves[from * self.states() + to])
    }

    fn moves_by(&self, from: usize, to: usize, how: Move) -> bool {
        self.move_between(from, to) == Some(how)
    }
}

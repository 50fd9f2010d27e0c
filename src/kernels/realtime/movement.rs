//! From the posterior of one tick to the prior of the next (spec decode 8.3 step 6).

use super::touched;
use super::track::Track;

/// Below this a probability is 0: denormal numbers are a hundred times slower and cannot be seen.
pub(super) const FLUSH: f64 = 1e-300;

/// How position moves from one state into another; rows are normalised, gaps hold nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Not at all.
    Identity,
    /// A Gaussian walk along the arms.
    Walk,
    /// Anywhere with equal probability.
    Uniform,
}

/// Lengths of the walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalkScale {
    /// Length of a bin.
    pub per_bin: f64,
    /// Standard deviation, in the same unit.
    pub std: f64,
}

/// States, how they follow each other, and how position moves meanwhile.
#[derive(Debug, Clone)]
pub struct Movements {
    /// `[from][to]`.
    discrete: Vec<f64>,
    /// `[from][to]`.
    moves: Vec<Movement>,
    states: usize,
    /// `[bin]`: true outside of gaps.
    allowed: Vec<bool>,
    /// `[bin]`: the uniform distribution over what is allowed.
    uniform: Vec<f64>,
    /// `[from][to]`; empty where nobody walks.
    walk: Vec<f64>,
    /// Sources of a walk `[bin]`.
    mixed: Vec<f64>,
}

impl Movements {
    /// States stay with probability `diagonal`, the rest is shared evenly; `moves` is `[from][to]`.
    ///
    /// # Panics
    ///
    /// If `moves` is not square and not empty.
    pub fn new(track: &Track, diagonal: f64, moves: &[Vec<Movement>], scale: WalkScale) -> Self {
        let states = moves.len();
        assert!(states > 0 && moves.iter().all(|row| row.len() == states));
        let rest = if states > 1 { (1.0 - diagonal) / (states - 1) as f64 } else { 0.0 };
        let stay = if states > 1 { diagonal } else { 1.0 };
        let discrete = (0..states * states).map(|k| if k / states == k % states { stay } else { rest });
        let moves = moves.concat();
        let allowed: Vec<bool> = track.gaps().iter().map(|gap| !gap).collect();
        let share = 1.0 / allowed.iter().filter(|a| **a).count() as f64;
        let walks = moves.contains(&Movement::Walk);
        Movements {
            discrete: discrete.collect(),
            moves,
            states,
            uniform: allowed.iter().map(|&a| if a { share } else { 0.0 }).collect(),
            walk: if walks { walk(track, scale) } else { Vec::new() },
            mixed: touched(allowed.len(), 1.0),
            allowed,
        }
    }

    /// States.
    pub fn states(&self) -> usize {
        self.states
    }

    /// Place bins.
    pub fn bins(&self) -> usize {
        self.allowed.len()
    }

    /// `[bin]`: the uniform distribution over what is allowed.
    pub fn uniform(&self) -> &[f64] {
        &self.uniform
    }

    /// `[from bin][to bin]` of one movement.
    pub fn matrix(&self, movement: Movement) -> Vec<f64> {
        let bins = self.bins();
        let cell = |at: usize| {
            let (from, to) = (at / bins, at % bins);
            match movement {
                _ if !self.allowed[from] => 0.0,
                Movement::Identity => f64::from(u8::from(from == to)),
                Movement::Uniform => self.uniform[to],
                Movement::Walk => self.walk.get(at).copied().unwrap_or(0.0),
            }
        };
        (0..bins * bins).map(cell).collect()
    }

    /// `prior[to] = sum_from Z[from, to] previous[from] A[from, to]`, both `[state][bin]`.
    ///
    /// # Panics
    ///
    /// If a slice is not of states times bins.
    pub fn prior(&mut self, previous: &[f64], prior: &mut [f64]) {
        let (states, bins) = (self.states, self.allowed.len());
        assert!(previous.len() == states * bins && prior.len() == states * bins);
        for (to, prior) in prior.chunks_exact_mut(bins).enumerate() {
            prior.fill(0.0);
            self.mixed.fill(0.0);
            let (mut jumped, mut walked) = (0.0, false);
            for (from, previous) in previous.chunks_exact(bins).enumerate() {
                let z = self.discrete[from * states + to];
                match self.moves[from * states + to] {
                    Movement::Uniform => jumped += z * mass(previous, &self.allowed),
                    Movement::Identity => add_allowed(z, previous, &self.allowed, prior),
                    Movement::Walk => {
                        walked = true;
                        add_allowed(z, previous, &self.allowed, &mut self.mixed);
                    }
                }
            }
            for (prior, uniform) in prior.iter_mut().zip(&self.uniform) {
                *prior += jumped * uniform;
            }
            if walked {
                for (source, row) in self.mixed.iter().zip(self.walk.chunks_exact(bins)) {
                    if *source > FLUSH {
                        prior.iter_mut().zip(row).for_each(|(prior, weight)| *prior += source * weight);
                    }
                }
            }
        }
    }
}

fn mass(values: &[f64], allowed: &[bool]) -> f64 {
    values.iter().zip(allowed).filter(|(_, allowed)| **allowed).map(|(value, _)| value).sum()
}

fn add_allowed(z: f64, values: &[f64], allowed: &[bool], to: &mut [f64]) {
    for ((to, value), allowed) in to.iter_mut().zip(values).zip(allowed) {
        if *allowed {
            *to += z * value;
        }
    }
}

/// `[from][to]`: `exp(-d^2 / (2 std^2))`, rows normalised. The first arm is the stem: its bin i lies
/// at i lengths, bin i of any other arm at i + (last bin of the stem) + 1; arms other than the stem
/// reach only themselves and the stem.
fn walk(track: &Track, scale: WalkScale) -> Vec<f64> {
    let bins = track.bins();
    let stem_end = track.arms().first().map_or(0, |arm| arm[1]);
    let mut places: Vec<Option<(usize, f64)>> = vec![None; bins];
    for (arm, &[first, last]) in track.arms().iter().enumerate() {
        let offset = if arm == 0 { 0 } else { stem_end + 1 };
        for (i, place) in places[first..=last].iter_mut().enumerate() {
            *place = Some((arm, (i + offset) as f64 * scale.per_bin));
        }
    }
    let mut rows = vec![0.0; bins * bins];
    for (from, row) in places.iter().zip(rows.chunks_exact_mut(bins)) {
        let Some((from_arm, from_at)) = from else { continue };
        for (to, weight) in places.iter().zip(row.iter_mut()) {
            let Some((to_arm, to_at)) = to else { continue };
            if *from_arm == 0 || *to_arm == 0 || from_arm == to_arm {
                *weight = (-(from_at - to_at).powi(2) / (2.0 * scale.std * scale.std)).exp();
            }
        }
        let sum: f64 = row.iter().sum();
        for weight in row.iter_mut() {
            let share = *weight / sum;
            *weight = if share > FLUSH { share } else { 0.0 };
        }
    }
    rows
}
